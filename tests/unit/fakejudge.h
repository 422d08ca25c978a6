/* SPDX-License-Identifier: ISC
 *
 * In place of `posthouse-spf`: a function that knows ip4:ADDRESS, ip6:ADDRESS
 * and all, for fakehelper.h. Records need three lookups, or as many as
 * "lookups=N" in them says.
 */
#ifndef TESTS_UNIT_FAKEJUDGE_H
#define TESTS_UNIT_FAKEJUDGE_H

#include "relay/spf/spf_wire.h"

/* A fakehelper_fn; `arg` is not looked at. */
bool fakejudge(void *arg, const struct spf_request *q, struct spf_reply *r);

#endif
