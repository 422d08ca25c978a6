/* SPDX-License-Identifier: ISC
 *
 * Checkers of SPF on a loop whose clock the test holds, beside a DNS server of
 * our own: each has a resolver and a helper (fakehelper.h).
 */
#ifndef TESTS_UNIT_CHECKER_RIG_H
#define TESTS_UNIT_CHECKER_RIG_H

#include "relay/net/dns.h"
#include "relay/spf/shared_verdicts.h"
#include "relay/spf/spf_check.h"
#include "tests/unit/dnsserver.h"
#include "tests/unit/fakehelper.h"

struct checker_rig {
	struct clock_fake clock;
	struct loop *loop;
	struct dnsserver server;
};

struct rig_checker {
	struct conf conf;
	struct dns *dns;
	struct spf_helper *helper;
	struct spf_checker *checker;
};

void checker_rig_open(struct checker_rig *r, const struct dnsserver_row *zone);
void checker_rig_close(struct checker_rig *r); /* behind its checkers */
void checker_rig_turn(struct checker_rig *r);
/* Turns until `*done` is `want`, which it must become. */
void checker_rig_until(struct checker_rig *r, const int *done, int want);

/* The helper is `fn`. `shared` NULL: its verdicts are its own. */
void rig_checker_open(struct rig_checker *s, struct checker_rig *r,
    fakehelper_fn fn, void *arg, struct shared_verdicts *shared);
void rig_checker_close(struct rig_checker *s);

#endif
