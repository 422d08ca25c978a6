/* SPDX-License-Identifier: ISC
 *
 * Checks of SPF without the daemon: a loop, a helper process and a resolver of
 * their own, for commands and for `posthoused -t --dns`.
 */
#ifndef RELAY_SPF_SPF_ALONE_H
#define RELAY_SPF_SPF_ALONE_H

#include "conf/conf.h"
#include "relay/spf/spf_check.h"

struct spf_alone;

/* By the resolvers of `c`. NULL and err: which program or resolver is not
 * there. */
struct spf_alone *spf_alone_new(const struct conf *c, struct error *err);
void spf_alone_free(struct spf_alone *o); /* NULL is fine */
struct loop *spf_alone_loop(struct spf_alone *o);
struct dns *spf_alone_dns(struct spf_alone *o);
struct spf_checker *spf_alone_checker(struct spf_alone *o);
/* Runs the loop until a callback there has set *done. */
void spf_alone_wait(struct spf_alone *o, const bool *done);
/* One check, waited for: at most SPF_CHECK_MS. `told` is called once, within,
 * with what was found. */
void spf_alone_run(struct spf_alone *o, const struct spf_subject *s,
    void (*told)(void *arg, const struct spf_checked *found), void *arg);

#endif
