/* SPDX-License-Identifier: ISC
 *
 * Evaluates a check of SPF (RFC 7208 4) from the answers that its request
 * holds. libspf2 decides which term matches; this guard stands before it,
 * since a stranger's record can break it, and makes right what it gets wrong
 * (`doc/spf.md`). Nothing else may use libspf2. One thread.
 */
#ifndef RELAY_SPF_GUARD_GUARD_H
#define RELAY_SPF_GUARD_GUARD_H

#include "relay/base/mem.h"
#include "relay/spf/spf_wire.h"

struct guard;

/* One per process; it lives as long. Asks the system for its name, so it comes
 * before a filter of system calls. */
struct guard *guard_new(void);
void guard_free(struct guard *g);
/* The same request has the same reply, but for %{t} in an explanation, the
 * time in seconds since 1970. Texts of the reply are in `mem` or borrow from
 * the request. */
void guard_check(struct guard *g, const struct spf_request *q, int64_t now_s,
    struct arena *mem, struct spf_reply *reply_out);
/* After it: adds the verdicts for the other addresses of the request, if that
 * of the client is final. */
void guard_check_others(struct guard *g, const struct spf_request *q,
    int64_t now_s, struct arena *mem, struct spf_reply *reply);

#endif
