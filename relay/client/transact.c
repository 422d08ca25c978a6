/* SPDX-License-Identifier: ISC
 *
 * The stages of a transaction: MAIL, RCPT, DATA or BDAT, the content and its
 * answer. Their rows are in stages.c. One worker's loop. RFC 5321, 2920
 * (PIPELINING), 3030 (CHUNKING), 3461 (DSN), 1870 (SIZE), 6531 (SMTPUTF8),
 * 2033 (LMTP).
 *
 * With PIPELINING one flight takes MAIL, all RCPTs and DATA. With CHUNKING
 * beside it a small content goes along as BDAT LAST: a message is one round
 * trip. If all recipients are then refused the chunk is still sent in full,
 * as promised, and the leg throws it away; that waste has the bound
 * FLIGHT_BYTES. A larger content waits for the answers to RCPT, so it is
 * never read from the journal in vain. With LMTP the content waits always:
 * only the answers to RCPT tell how many there will be to the content.
 */
#include <limits.h>

#include "conf/profile.h"
#include "relay/base/assert.h"
#include "relay/base/mem.h"
#include "relay/client/client_int.h"

enum { FLIGHT_BYTES = 64 * 1024 };

/* 0 is no limit. */
static int lesser(int a, int b)
{
	return a > 0 && (b <= 0 || a < b) ? a : b;
}

static unsigned batch_limit(const struct dialog *d)
{
	int limit = lesser(dialog_leg(d)->max_recipients,
	    lesser(d->ehlo.limit_rcpt, d->rcpt_limit));

	return limit > 0 ? (unsigned)limit : UINT_MAX;
}

bool transact_fits(const struct dialog *d)
{
	return d->bound == NULL ||
	       slice_case_eq(slice_str(d->bound),
		   slice_str(exchange_domain(d->tx)));
}

/* Some legs take recipients of one domain only: in a transaction (the
 * profile), or in a session (RFC 9422 RCPTDOMAINMAX; where it allows several
 * we still ask for one, which is simple and always right). NULL: any. */
static const char *one_domain(struct dialog *d)
{
	const struct conf_profile *p = dialog_leg(d)->replies;
	const char *domain = exchange_domain(d->tx);

	if (d->ehlo.limit_domain > 0 && d->bound == NULL)
		d->bound = mem_strdup(domain);
	return d->bound != NULL || (p != NULL && p->one_domain) ? domain
								: NULL;
}

void transact_send_mail(struct dialog *d)
{
	struct exchange *t = d->tx;
	struct strbuf *out = stream_out(d->stream);

	exchange_begin(t, batch_limit(d), one_domain(d));
	d->messages++;
	if (t->req->eight_bit && !stages_offers(d, EXT_8BITMIME))
		atomic_fetch_add(&d->client->eightbit[d->leg], 1);
	d->flight = stages_offers(d, EXT_PIPELINING);
	d->data_sent = false;
	d->feed.state = FEED_NONE;
	transact_put_mail(d, out);
	if (!d->flight)
		return;
	for (unsigned i = 0; i < t->batched; i++)
		transact_put_rcpt(d, t->batch[i], out);
	if (t->req->ask || dialog_lmtp(d))
		return;
	if (!stages_offers(d, EXT_CHUNKING))
		transact_put_data(d);
	else if (t->req->content->size <= FLIGHT_BYTES)
		feed_begin(d, true);
}

static enum stage over(struct dialog *d, bool reset)
{
	d->needs_rset = reset;
	d->feed.state = FEED_NONE;
	return NEXT_READY;
}

enum stage transact_on_mail(struct dialog *d)
{
	struct result r;

	if (d->reply.code < 300)
		return STAGE_RCPT;
	if (d->reply.code < 400)
		return stages_senseless(d);
	r = result_reply(d);
	exchange_settle_all(
	    d->tx, STATE_BIT(RCPT_OPEN) | STATE_BIT(RCPT_SENT), &r);
	return d->flight ? STAGE_RCPT : over(d, false);
}

void transact_send_rcpt(struct dialog *d)
{
	struct exchange *t = d->tx;

	if (!d->flight)
		transact_put_rcpt(
		    d, t->batch[t->answered], stream_out(d->stream));
}

/* RFC 5321 4.5.3.1.10, where 552 is an older 452. */
static bool too_many(const struct reply_parser *p)
{
	if (p->enh[0] == '\0')
		return p->code == 452;
	return (p->code == 452 || p->code == 552) &&
	       slice_eq(slice_from(slice_str(p->enh), 1), SLICE(".5.3"));
}

/* "Not with the others", once some were taken: it goes at once in the next
 * transaction. Where it stands alone it is no reason. */
static bool is_split(const struct dialog *d, const struct result *r)
{
	const struct client_config *c = &d->client->cfg;

	if (d->tx->accepted == 0)
		return false;
	return too_many(&d->reply) ||
	       (c->splits != NULL && c->splits(c->arg, dialog_leg(d), r));
}

static void accept_rcpt(struct dialog *d, unsigned i)
{
	struct exchange *t = d->tx;
	struct result r;

	t->accepted++;
	t->enough = 0; /* they were not too many */
	if (!t->req->ask) {
		t->rcpt[i].state = RCPT_ACCEPTED;
		return;
	}
	r = result_reply(d);
	exchange_settle(t, i, &r);
}

static void refuse_rcpt(struct dialog *d, unsigned i)
{
	struct exchange *t = d->tx;
	struct result r = result_reply(d);

	if (!is_split(d, &r)) {
		exchange_settle(t, i, &r);
		return;
	}
	if (t->enough == 0)
		t->enough = t->accepted;
	exchange_reopen(t, i);
}

/* All RCPTs are answered. */
static enum stage after_rcpts(struct dialog *d)
{
	d->rcpt_limit = lesser(d->rcpt_limit, (int)d->tx->enough);
	if (d->data_sent)
		return STAGE_DATA;
	if (d->feed.state != FEED_NONE)
		return STAGE_BODY;
	if (d->tx->accepted == 0 || d->tx->req->ask)
		return over(d, true);
	return stages_offers(d, EXT_CHUNKING) ? STAGE_BODY : STAGE_DATA;
}

enum stage transact_on_rcpt(struct dialog *d)
{
	struct exchange *t = d->tx;
	unsigned i = t->batch[t->answered];
	bool accepted = d->reply.code < 300;
	bool sent = t->rcpt[i].state == RCPT_SENT;

	/* After a refused MAIL a recipient cannot be accepted. */
	if ((!accepted && d->reply.code < 400) || (accepted && !sent))
		return stages_senseless(d);
	if (accepted)
		accept_rcpt(d, i);
	else if (sent)
		refuse_rcpt(d, i);
	t->answered++;
	return t->answered < t->batched ? STAGE_RCPT : after_rcpts(d);
}

void transact_send_data(struct dialog *d)
{
	if (!d->data_sent)
		transact_put_data(d);
}

enum stage transact_on_data(struct dialog *d)
{
	struct result r;

	if (d->reply.code == 354)
		return STAGE_BODY;
	if (d->reply.code < 400)
		return stages_senseless(d);
	r = result_reply(d);
	exchange_settle_all(d->tx, STATE_BIT(RCPT_ACCEPTED), &r);
	return over(d, true);
}

void transact_send_body(struct dialog *d)
{
	if (d->feed.state != FEED_NONE)
		return;
	if (d->tx->accepted == 0)
		feed_nothing(d);
	else
		feed_begin(d, stages_offers(d, EXT_CHUNKING));
}

/* No recipient was accepted: the answer is about nothing, unless the leg says
 * that it took the content all the same. */
static enum stage on_body_for_nobody(struct dialog *d)
{
	if (d->feed.chunked && d->reply.code < 300)
		return stages_senseless(d);
	return over(d, d->feed.chunked);
}

/* The recipient that this answer to the content is for. */
static unsigned next_decided(struct dialog *d)
{
	long i = exchange_undecided(d->tx);

	PH_ASSERT(i >= 0);
	return (unsigned)i;
}

/* One recipient's answer, in the order of RCPT. A recipient that was refused
 * ahead of the end is refused; the fate of the others is not known. */
static enum stage on_body_for_one(struct dialog *d, bool handed)
{
	struct result r = result_reply(d);

	exchange_settle(d->tx, next_decided(d), &r);
	if (!handed) {
		result_fault(d, CLASS_NETWORK, "4.5.0",
		    "the content was refused before its end");
		return NEXT_LOST;
	}
	if (d->feed.chunked && d->reply.code >= 400)
		d->needs_rset = true;
	if (exchange_undecided(d->tx) >= 0)
		return STAGE_BODY;
	return over(d, d->needs_rset);
}

static enum stage on_body_for_all(struct dialog *d, bool handed)
{
	struct result r = result_reply(d);

	exchange_settle_all(d->tx, STATE_BIT(RCPT_ACCEPTED), &r);
	if (!handed) {
		/* A refusal ahead of the end counts, but what we promised to
		 * send cannot be taken back. */
		d->fault = r;
		return NEXT_LOST;
	}
	/* RFC 3030 2: after a BDAT that failed only RSET is certain. */
	return over(d, d->feed.chunked && d->reply.code >= 400);
}

enum stage transact_on_body(struct dialog *d)
{
	bool handed = d->feed.state == FEED_HANDED;

	if (d->reply.code >= 300 && d->reply.code < 400)
		return stages_senseless(d);
	if (d->tx->accepted == 0)
		return on_body_for_nobody(d);
	if (!handed && d->reply.code < 300)
		return stages_senseless(d);
	return dialog_lmtp(d) ? on_body_for_one(d, handed)
			      : on_body_for_all(d, handed);
}

/* It is an answer; for recipients that it does not answer, once all of the
 * content was handed over, the outcome is uncertain (D8). */
void transact_goodbye(struct dialog *d)
{
	struct result r;

	result_refused(d, CLASS_NETWORK);
	if (!dialog_lmtp(d) || d->stage != STAGE_BODY ||
	    d->feed.state != FEED_HANDED)
		return;
	r = d->fault;
	exchange_settle(d->tx, next_decided(d), &r);
	result_fault(d, CLASS_NETWORK, "4.4.2",
	    "the connection ended before the answer for this recipient");
}
