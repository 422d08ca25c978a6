/* SPDX-License-Identifier: ISC
 *
 * The route that a line of a transport map (transport(5)) stands for. Pure.
 */
#ifndef POLICY_IMPORT_IMPORT_HOP_H
#define POLICY_IMPORT_IMPORT_HOP_H

#include "conf/conf.h"
#include "relay/base/error.h"

/* The route that `value` ("smtp:[mail.example.com]:25", "error:5.1.1 gone")
 * stands for: the leg with that host, or an answer. "" : that server itself, or
 * a host that no leg has, or several, and `err` says so. NULL: it is none. */
const char *import_hop_route(const struct conf *c, struct slice value,
    struct error *err);

#endif
