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
#include "relay/base/mem.h"
#include "relay/client/client_int.h"
#include "relay/mail/codec.h"
#include "relay/mail/domain.h"

enum { FLIGHT_BYTES = 64 * 1024 };

/* ---- before ---- */

static void fail_all(struct dialog *d, const char *enh, const char *text)
{
	struct result r = result_local(d, enh, text);

	exchange_settle_all(d->tx, STATE_BIT(RCPT_OPEN), &r);
}

/* It was taken before the leg was known not to take it; a notice now may go to
 * a stranger whose address was borrowed. */
static void park_bare(struct dialog *d)
{
	struct result r = result_local(d, "5.6.11",
	    "bare CR, LF or NUL in the content, and CHUNKING is not offered");

	r.outcome = OUT_PARKED;
	exchange_settle_all(d->tx, STATE_BIT(RCPT_OPEN), &r);
}

static void fail_utf8(struct dialog *d)
{
	struct result r = result_local(d, "5.6.7",
	    "the recipient's local part needs SMTPUTF8, which is not offered");
	struct exchange *t = d->tx;

	r.class = CLASS_RECIPIENT;
	for (unsigned i = 0; i < t->req->rcpts; i++)
		if (t->rcpt[i].state == RCPT_OPEN && t->rcpt[i].utf8_local)
			exchange_settle(t, i, &r);
}

/* What MAIL says: where NOTIFY=NEVER cannot be said a bounce must not reach the
 * sender by another way (D3). */
static const char *sender(const struct dialog *d)
{
	const struct client_request *r = d->tx->req;

	return r->from_without_dsn == NULL || stages_offers(d, EXT_DSN)
		   ? r->from
		   : r->from_without_dsn;
}

/* What a question needs no leg to offer: it has no content. */
static uint64_t content_size(const struct client_request *r)
{
	return r->ask ? 0 : r->content->size;
}

/* Why the message cannot go where SMTPUTF8 is not offered, or NULL: a domain
 * has another form, and what is ASCII but for its body needs no SMTPUTF8,
 * whatever MAIL said when it came (RFC 6531 3.6). */
static const char *needs_utf8(const struct client_request *r,
    const struct addr *from)
{
	if (from->utf8_local)
		return "the sender's local part needs SMTPUTF8, which is not "
		       "offered";
	return r->utf8 && r->utf8_header
		   ? "the header needs SMTPUTF8, which is not offered" : NULL;
}

/* Content that has been 8-bit all along goes to a leg without 8BITMIME as it
 * is: to re-encode it would break its signatures, and no server minds. Who
 * does mind says so in the leg's section. */
void transact_admit(struct dialog *d)
{
	const struct client_request *r = d->tx->req;
	struct addr from = {.utf8 = false};
	const char *why, *said = sender(d);
	bool utf8 = stages_offers(d, EXT_SMTPUTF8);

	if (said[0] != '\0' &&
	    addr_parse(slice_str(said), true, &from, &why) != 0)
		fail_all(d, "5.1.7", "the sender cannot be said in SMTP");
	else if (!utf8 && (why = needs_utf8(r, &from)) != NULL)
		fail_all(d, "5.6.7", why);
	else if (r->bare_lf && !stages_offers(d, EXT_CHUNKING))
		park_bare(d);
	else if (r->body == BODY_BINARYMIME &&
		 !stages_offers(d, EXT_CHUNKING | EXT_BINARYMIME))
		fail_all(d, "5.6.3",
		    "binary content, and BINARYMIME is not offered");
	else if (r->eight_bit && !stages_offers(d, EXT_8BITMIME) &&
		 dialog_leg(d)->eightbit == EIGHTBIT_REFUSE)
		fail_all(d, "5.6.3",
		    "8-bit content, and 8BITMIME is not offered");
	else if (d->ehlo.size > 0 && content_size(r) > d->ehlo.size)
		fail_all(d, "5.3.4", "the message is larger than SIZE allows");
	else if (!utf8)
		fail_utf8(d);
}

/* ---- commands and answers ---- */

static void put_dsn_ret(struct dialog *d, struct strbuf *out)
{
	const struct client_request *r = d->tx->req;

	if (r->ret != RET_NONE)
		strbuf_adds(
		    out, r->ret == RET_FULL ? " RET=FULL" : " RET=HDRS");
	if (r->envid[0] != '\0' && xtext_valid(slice_str(r->envid))) {
		strbuf_adds(out, " ENVID=");
		strbuf_adds(out, r->envid);
	}
}

static void put_body(struct dialog *d, struct strbuf *out)
{
	const struct client_request *r = d->tx->req;

	if (r->body == BODY_BINARYMIME)
		strbuf_adds(out, " BODY=BINARYMIME");
	else if (stages_offers(d, EXT_8BITMIME) &&
		 (r->body == BODY_8BITMIME || r->eight_bit))
		strbuf_adds(out, " BODY=8BITMIME");
}

static bool batch_has_utf8(const struct exchange *t)
{
	for (unsigned i = 0; i < t->batched; i++)
		if (t->rcpt[t->batch[i]].utf8)
			return true;
	return false;
}

/* Written anew: quotes where they are needed, the domain in the form that the
 * leg understands. */
static void put_path(const struct dialog *d, const char *address,
    struct strbuf *out)
{
	struct addr a;
	const char *why;

	strbuf_addc(out, '<');
	if (addr_parse(slice_str(address), true, &a, &why) != 0 ||
	    !addr_print(&a, !stages_offers(d, EXT_SMTPUTF8), out))
		strbuf_adds(out, address);
	strbuf_addc(out, '>');
}

static void put_mail(struct dialog *d, struct strbuf *out)
{
	const struct client_request *r = d->tx->req;

	strbuf_adds(out, "MAIL FROM:");
	put_path(d, sender(d), out);
	if (!r->ask && stages_offers(d, EXT_SIZE)) {
		strbuf_adds(out, " SIZE=");
		strbuf_addu(out, r->content->size);
	}
	put_body(d, out);
	if (stages_offers(d, EXT_SMTPUTF8) &&
	    (r->utf8 || batch_has_utf8(d->tx) ||
		!ascii_only(slice_str(sender(d)))))
		strbuf_adds(out, " SMTPUTF8");
	if (stages_offers(d, EXT_DSN))
		put_dsn_ret(d, out);
	strbuf_adds(out, "\r\n");
	d->due++;
}

static void put_notify(unsigned notify, struct strbuf *out)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = {{NOTIFY_SUCCESS, "SUCCESS"}, {NOTIFY_FAILURE, "FAILURE"},
	    {NOTIFY_DELAY, "DELAY"}};
	const char *before = " NOTIFY=";

	if (notify & NOTIFY_NEVER) {
		strbuf_adds(out, " NOTIFY=NEVER");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if ((notify & words[i].bit) == 0)
			continue;
		strbuf_adds(out, before);
		strbuf_adds(out, words[i].word);
		before = ",";
	}
}

/* "rfc822;xtext": nothing in it that could be taken for another parameter. */
static bool is_orcpt(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || *s == 127)
			return false;
	return true;
}

/* RFC 6533 3: without SMTPUTF8 each character that is not ASCII is written
 * as a number. */
static void put_orcpt(const struct dialog *d, struct slice orcpt,
    struct strbuf *out)
{
	if (ascii_only(orcpt) || stages_offers(d, EXT_SMTPUTF8))
		strbuf_addsl(out, orcpt);
	else
		utf8_xtext(orcpt, true, ORCPT_MAX, out);
}

static void put_rcpt(struct dialog *d, unsigned i, struct strbuf *out)
{
	struct client_rcpt *r = &d->tx->req->rcpt[i];

	strbuf_adds(out, "RCPT TO:");
	put_path(d, r->address, out);
	r->dsn = stages_offers(d, EXT_DSN);
	if (r->dsn) {
		put_notify(d->tx->rcpt[i].notify, out);
		if (is_orcpt(r->orcpt)) {
			strbuf_adds(out, " ORCPT=");
			put_orcpt(d, slice_str(r->orcpt), out);
		}
	}
	strbuf_adds(out, "\r\n");
	d->due++;
}

static void put_data(struct dialog *d)
{
	strbuf_adds(stream_out(d->stream), "DATA\r\n");
	d->due++;
	d->data_sent = true;
}

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
	put_mail(d, out);
	if (!d->flight)
		return;
	for (unsigned i = 0; i < t->batched; i++)
		put_rcpt(d, t->batch[i], out);
	if (t->req->ask || dialog_lmtp(d))
		return;
	if (!stages_offers(d, EXT_CHUNKING))
		put_data(d);
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
		put_rcpt(d, t->batch[t->answered], stream_out(d->stream));
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
		put_data(d);
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

/* Nobody was accepted: the answer is about nothing, unless the leg says that
 * it took what nobody was to get. */
static enum stage on_body_for_nobody(struct dialog *d)
{
	if (d->feed.chunked && d->reply.code < 300)
		return stages_senseless(d);
	return over(d, d->feed.chunked);
}

/* One recipient's answer, in the order of RCPT. What was refused ahead of the
 * end is refused, but nobody knows what becomes of the others. */
static enum stage on_body_for_one(struct dialog *d, bool handed)
{
	struct result r = result_reply(d);

	exchange_settle(d->tx, (unsigned)exchange_undecided(d->tx), &r);
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

/* It is an answer; but of those whose own it is not, once all of the content
 * was handed over, nobody knows (D8). */
void transact_goodbye(struct dialog *d)
{
	struct result r;

	result_refused(d, CLASS_NETWORK);
	if (!dialog_lmtp(d) || d->stage != STAGE_BODY ||
	    d->feed.state != FEED_HANDED)
		return;
	r = d->fault;
	exchange_settle(d->tx, (unsigned)exchange_undecided(d->tx), &r);
	result_fault(d, CLASS_NETWORK, "4.4.2",
	    "the connection ended before the answer for this recipient");
}
