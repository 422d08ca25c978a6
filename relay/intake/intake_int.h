/* SPDX-License-Identifier: ISC
 *
 * Inside of intake: shared by intake.c (a mail transaction from its beginning
 * to its end), intake_rcpt.c (whether a recipient is taken) and
 * returned_by_leg.c (mail that a leg hands back).
 */
#ifndef RELAY_INTAKE_INTAKE_INT_H
#define RELAY_INTAKE_INTAKE_INT_H

#include "policy/outbound.h"
#include "relay/delivery/ask.h"
#include "relay/mail/auth_results.h"
#include "relay/mail/author.h"
#include "relay/intake/intake_config.h"
#include "relay/watch/loophint.h"
#include "relay/post/mail.h"
#include "relay/intake/token.h"
#include "relay/post/queue_letters.h"
#include "relay/post/worker.h"
#include "relay/server/server.h"
#include "relay/spf/spf_check.h"

/* Bytes of the envelope for a recipient, beside its strings. */
enum { RCPT_OVERHEAD = 64 };

enum { LOOPS_TOLD = 64 };

struct egress_question;
struct lookup;
struct refusals;

struct intake_room {
	struct intake_config c;
	struct refusals *refusals;
	struct list logins; /* that are being looked at: struct login_job */
	struct { /* addresses whose loop was told of, by their hash */
		uint64_t hash;
		int64_t at_ms;
	} loop_told[LOOPS_TOLD];
};

struct intake;

/* Whether the sender is judged (sender_check.h). */
struct sender_check {
	bool known; /* or there is nothing to know: the sender is not judged */
	bool spared; /* the client is never refused for it */
	enum spf_result result;
	struct slice explanation; /* in the transaction's arena */
	struct spf_wait wait;
	struct timer limit; /* while it is not known */
	/* Goes on with what waits; NULL: nothing does. */
	void (*then)(struct intake *in);
};

/* One mail transaction; session_user() while it lasts. */
struct intake {
	struct worker *w;
	struct session *session; /* NULL: it ended while the spool worked */
	struct mail *mail;
	unsigned rcpt_cap, delivery_cap;
	size_t packed; /* estimate of the packed envelope */
	/* A letter about it is on its way: of the spool, or of the projector,
	 * which `found` takes. */
	bool owed;
	void (*found)(struct intake *in, const struct lookup *l);
	struct rcpt_to asked; /* about whom the leg is being asked */
	struct ask_wait wait;
	struct sender_check sender;
	uint64_t size;	/* that MAIL declared; 0: none */
	uint64_t expect; /* bytes of the content; 0: not known */
	bool utf8_sender; /* its local part needs SMTPUTF8 */
	int origin; /* the leg whose connection it is, -1 */
	enum outbound_right right; /* to send to the outside */
	bool has_row; /* a recipient has: a forecast counts the message */
	bool led_back; /* RCPT says an SRS address of ours (srs_rcpt.c) */
	struct {
		bool asked;
		int first, chosen; /* in names; chosen -1: not known */
		struct egress_question *question;
	} egress;
	struct strbuf front; /* content that waits for our trace block */
	struct loophint_body body; /* what stands below the header */
	uint64_t hint;	     /* loophint_key(); 0: none */
	struct auth_results results; /* takes out those that bear our id */
	bool traced;	     /* our trace block is in the draft */
	size_t trace_n;	     /* its bytes */
	struct token_found was; /* messages of ours that it was before */
	unsigned parents_seen;
	bool bounce; /* it goes to a return address of ours */
	const bool *looping; /* by recipient, of mail refused for it; or NULL */
	bool blind; /* the table could not say whose recipients they had */
	bool early; /* what it was before is still on its way to new legs */
};

/* Takes a report of the server, for the audit trail. */
void intake_report(struct worker *w, const struct session *s,
    const struct server_report *r);

/* Of what a reload changes at once; session_conf() is for what it changes for
 * new sessions. */
const struct conf *intake_conf(const struct intake *in);

void intake_free(struct intake *in);
/* Asks for the record of a message. `found` is called once, later, unless the
 * transaction ends before. Takes `l`. */
void intake_look_up(struct intake *in, struct lookup *l,
    void (*found)(struct intake *in, const struct lookup *l));
/* Asks the journal for the message; intake_stored() follows. */
void intake_commit(struct intake *in);

/* Our trace block stands before the content, and its mark is bound to the
 * header: the content waits until its header is there, or is longer than any
 * that is worth it. Fields that claim to be of the block are removed.
 * intake_trace_end(): there is no more content. As spool_draft_add(). */
void intake_trace_begin(struct intake *in);
enum spool_add intake_trace_add(struct intake *in, struct slice bytes);
enum spool_add intake_trace_end(struct intake *in);
void intake_trace_drop(struct intake *in); /* what is kept back */

/* Adds a recipient with the deliveries of its route. */
void intake_add(struct intake *in, const struct rcpt_to *t,
    const struct decision *d);
/* The server's `rcpt`. */
enum answer intake_rcpt(void *worker, struct session *s,
    const struct rcpt_to *t, struct reply *r);

/* The server's `login`; its answer as a letter; the session is gone. */
enum answer intake_login(void *worker, struct session *s,
    const struct credentials *c, struct reply *r);
void intake_login_drop(struct worker *w, const struct session *s);
/* At MAIL. False: *r refuses the sender. */
bool outbound_mail(struct worker *w, const struct session *s,
    const struct addr *from, enum outbound_right *right_out, struct reply *r);
/* A recipient that the table refuses. True: it is at no domain of ours, of a
 * client with a right or behind an SRS address of ours, and *d takes it. False:
 * *r, which is the table's word by now, refuses it. */
bool outbound_rcpt(struct intake *in, const struct addr *to,
    struct decision *d, struct reply *r);

/* The way out: asked about with the first recipient at the outside, for which
 * `first` stands in; settled at the commit. */
void egress_ask(struct intake *in, const struct conf_leg *first);
void egress_settle(struct intake *in);
/* Notes in the envelope of mail that goes out the header's facts for DMARC. */
void egress_read_author(struct intake *in, const struct author_fields *fields);
void egress_drop(struct intake *in); /* the answer is not wanted any more */

/* Never to the leg it came from (D6, doc/routing.md). */
void returned_origin(struct intake *in); /* at MAIL */
/* At RCPT, inside the transaction of `t`: takes the leg that the mail comes
 * from out of the route. False: no other is left, *r refuses. */
bool returned_rcpt(struct intake *in, struct table *t, const struct addr *to,
    struct decision *d, struct reply *r);
/* The recipient that was added last must not go back to where it came from. */
void returned_mark(struct intake *in);
/* When the content is there. False: it was never here. True: what became of it
 * then is looked up, and intake_commit() or a refusal follows. */
bool returned_begin(struct intake *in);
/* Before the journal has it: what seems to go round without our trace field is
 * slowed, and after some rounds parked. */
void returned_hint(struct intake *in);
/* A refusal of a content that loops is told for each recipient. False: it is
 * another refusal. */
bool returned_refused(const struct intake *in, const struct server_report *r);

#endif
