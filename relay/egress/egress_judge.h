/* SPDX-License-Identifier: ISC
 *
 * Asks for each egress in use whether the sender's domain would believe it,
 * and has one chosen (policy/egress.h, doc/egress.md). An egress is judged by
 * the addresses that the receiver may see: its own, or those of the platform
 * behind spf_include; the worst answer counts. One loop: a worker's, or that of
 * the command line.
 */
#ifndef RELAY_EGRESS_EGRESS_JUDGE_H
#define RELAY_EGRESS_EGRESS_JUDGE_H

#include "policy/egress.h"
#include "relay/mail/addr.h"
#include "relay/mail/envelope.h"
#include "relay/base/loop.h"

struct dns;
struct egress_judge; /* a loop's */
struct egress_question;

struct dmarc;
struct spf_checker;

/* Borrows all three. */
struct egress_judge *egress_judge_new(struct loop *l, struct dns *dns,
    struct spf_checker *spf);
void egress_judge_free(struct egress_judge *j); /* no callback follows */
/* Policies of From domains; lives as long as `j`. */
struct dmarc *egress_judge_dmarc(struct egress_judge *j);

enum { EGRESS_TERM_MAX = 96 };

struct egress_verdict {
	int leg; /* in names */
	enum spf_result result;
	char mechanism[EGRESS_TERM_MAX]; /* that decided, cut; or "" */
	char domain[256]; /* of the record that has it; or "" */
};

struct egress_judged {
	struct egress_choice choice;
	int leg; /* of the chosen egress, in names; -1: it waits */
	unsigned n;
	struct egress_verdict way[EGRESSES_MAX];
};

struct egress_subject {
	const struct conf *conf; /* counted (conf_ref()) */
	/* NULL: the egresses in use. A leg of the table: it alone is judged,
	 * and the choice is the sender's (leg_sender_choice()). */
	const struct conf_leg *leg;
	struct addr from;	 /* its text is empty: the null sender */
	bool waited;		 /* outbound.temperror_wait is over */
	/* As in the envelope; "" or NULL: not known. */
	const char *from_domain, *dkim;
};
/* Of a message at that time (wall clock). Borrows from both. */
struct egress_subject egress_subject_of(const struct conf *c,
    const struct envelope *e, int64_t now_us);

/* The judgement, when all of it is known: borrowed until the next question.
 * NULL: `done` is called once, later, with the same, borrowed for the call;
 * until then *question_out is the question, to be taken back. */
const struct egress_judged *egress_judge(struct egress_judge *j,
    const struct egress_subject *s,
    void (*done)(void *arg, const struct egress_judged *judged), void *arg,
    struct egress_question **question_out);
void egress_forget(struct egress_question *q); /* NULL is fine */

#endif
