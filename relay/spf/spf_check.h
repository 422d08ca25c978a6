/* SPDX-License-Identifier: ISC
 *
 * Checks of SPF (RFC 7208) on a worker's loop: is the client allowed to send
 * in that name?
 *
 * The helper process evaluates, from the answers that it is given; what it
 * wants to know besides is asked of the DNS, and it is asked again with all
 * answers so far. An answer counts for the whole check, however short its
 * time. Equal checks that are under way are one; verdicts are kept for all
 * workers (shared_verdicts.h). One thread; nothing blocks.
 */
#ifndef RELAY_SPF_SPF_CHECK_H
#define RELAY_SPF_SPF_CHECK_H

#include "relay/base/list.h"
#include "relay/mail/spf_result.h"
#include "relay/spf/spf_identity.h"
#include "relay/spf/spf_wire.h"

struct dns;
struct loop;
struct shared_verdicts;
struct spf_checker;
struct spf_helper;

enum {
	SPF_ROUNDS_MAX = 60,
	SPF_CHECK_MS = 20000,	/* RFC 7208 4.6.4; then temperror */
	SPF_CLIENT_MAX = 300,	/* questions a minute of one client */
	SPF_TTL_MAX_MS = 3600 * 1000, /* of a verdict */
	SPF_TTL_ERROR_MS = 30 * 1000, /* … that is a temperror */
};

/* A record that was read, of all the checks that one verdict took. */
struct spf_read {
	struct slice name, record;
};

struct spf_checked {
	struct spf_verdict verdict;
	bool of_helo; /* the HELO name was judged, the sender is null */
	bool cached;  /* nothing was asked for it: the rest is empty  */
	int queries;  /* to the DNS, those that it knew included      */
	int rounds;
	int reads;
	struct spf_read read[SPF_READS_MAX];
};

/* A check that an asker waits for; the caller's memory, which list_node_init()
 * of its node makes ready. */
struct spf_wait {
	struct list node;
	/* All of `c` is borrowed for the call. */
	void (*done)(void *arg, const struct spf_checked *c);
	void *arg;
};

/* Since the start; any thread reads them. */
struct spf_check_counts {
	_Atomic uint64_t checks; /* all, those that needed no check apart */
	_Atomic uint64_t cached; /* of them: known, or one with another   */
	_Atomic uint64_t temperrors;
};

/* Borrows all; `helper` NULL: each check is a temperror; `verdicts` NULL: it
 * has some of its own. */
struct spf_checker *spf_checker_new(struct loop *l, struct dns *dns,
    struct spf_helper *helper, struct shared_verdicts *verdicts);
/* Checks under way end without a callback. NULL is fine. */
void spf_checker_free(struct spf_checker *c);
/* The DNS is asked elsewhere from now on: no verdict of before counts. `epoch`
 * is over 0 and over the last one, and the same for all that share verdicts and
 * ask at the same servers now. */
void spf_checker_forget(struct spf_checker *c, uint64_t epoch);
/* Was it given a helper? */
bool spf_checker_evaluates(const struct spf_checker *c);
const struct spf_check_counts *spf_check_counts(const struct spf_checker *c);

/* The verdict, when it is known: borrowed until the next call of the checker.
 * NULL: wait->done is called once, later, within SPF_CHECK_MS. */
const struct spf_checked *spf_check(struct spf_checker *c,
    const struct spf_subject *s, struct spf_wait *wait);
/* No callback follows; also when none was waited for. The check goes on, for
 * the cache. */
void spf_check_cancel(struct spf_wait *wait);

#endif
