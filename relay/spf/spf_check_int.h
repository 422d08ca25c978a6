/* SPDX-License-Identifier: ISC
 *
 * Inside of a check: shared by spf_check.c (its rounds) and spf_answers.c (what
 * the DNS answered).
 */
#ifndef RELAY_SPF_SPF_CHECK_INT_H
#define RELAY_SPF_SPF_CHECK_INT_H

#include "relay/base/hashtable.h"
#include "relay/net/dns.h"
#include "relay/spf/query_rate.h"
#include "relay/spf/shared_verdicts.h"
#include "relay/spf/spf_check.h"

struct spf_run;

struct run_question {
	struct spf_run *run;
	struct dns_query *query; /* NULL: it is answered */
	enum spf_type type;
	struct slice name;
	struct slice record; /* of TXT: the one of SPF; else empty */
};

/* A check under way. In its arena. */
struct spf_run {
	UT_hash_handle hh;
	struct arena *arena;
	struct spf_checker *checker;
	struct list waits; /* struct spf_wait */
	struct slice key;
	struct netaddr client;
	bool explain; /* a fail is not enough */
	bool ours; /* its questions are not counted */
	uint64_t epoch; /* of the checker, when it began */
	struct spf_identity id;
	struct timer limit;
	struct spf_ask *ask; /* to the helper, or NULL */
	struct strbuf answers; /* packed, all so far */
	int64_t ttl_ms; /* shortest of all answers */
	int others;
	struct slice other[SPF_OTHERS_MAX]; /* our addresses */
	int rounds;
	int open; /* questions that are not answered */
	int questions;
	struct run_question question[SPF_QUESTIONS_MAX];
};

struct spf_checker {
	struct loop *loop;
	struct dns *dns;
	struct spf_helper *helper;
	struct shared_verdicts *verdicts, *own; /* `own` is freed; or NULL */
	uint64_t epoch; /* of the servers that are asked */
	struct query_rate *rate;
	struct spf_run *runs;
	unsigned ours; /* of them, of our own addresses */
	struct spf_checked known; /* what spf_check() gave last … */
	struct verdict_copy copy; /* … and its texts */
	struct spf_check_counts counts;
};

/* Adds what the DNS said to the answers of the check. */
void spf_answer_keep(struct run_question *q, const struct dns_answer *a);
/* Which of our addresses are judged along with the check: those that a leg of
 * `c` sees, and that the sender's domain has no verdict for. */
void spf_others_find(struct spf_run *r, const struct conf *c);
/* Keeps the verdicts for them. */
void spf_others_keep(struct spf_run *r, const struct spf_reply *reply);
/* The record of SPF that `name` has, by what the DNS said. */
struct slice spf_record_of(const struct spf_run *r, struct slice name);

#endif
