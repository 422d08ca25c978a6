/* SPDX-License-Identifier: ISC
 *
 * The PROXY protocol header, versions 1 and 2. Pure.
 */
#ifndef RELAY_NET_PROXYHDR_H
#define RELAY_NET_PROXYHDR_H

#include "relay/net/sockaddr.h"

enum proxy_state { PROXY_MORE, PROXY_DONE, PROXY_BAD };

struct proxy_header {
	bool local; /* LOCAL or UNKNOWN: keep the connection's own addresses */
	struct netaddr client, server;
};

enum { PROXY_MAX = 16 + 2048 }; /* longer v2 headers are refused */

/* PROXY_DONE: *taken_out bytes were the header. */
enum proxy_state proxy_parse(struct slice in, struct proxy_header *header_out,
    size_t *taken_out, const char **why_out);

#endif
