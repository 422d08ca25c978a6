/* SPDX-License-Identifier: ISC
 *
 * The commands of a transaction, with what the leg offers beside them. One
 * worker's thread. RFC 5321, 1870 (SIZE), 3461 (DSN), 6531 (SMTPUTF8).
 */
#include "relay/client/client_int.h"
#include "relay/mail/codec.h"
#include "relay/mail/domain.h"

const char *transact_sender(const struct dialog *d)
{
	const struct client_request *r = d->tx->req;

	return r->from_without_dsn == NULL || stages_offers(d, EXT_DSN)
		   ? r->from
		   : r->from_without_dsn;
}

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

void transact_put_mail(struct dialog *d, struct strbuf *out)
{
	const struct client_request *r = d->tx->req;

	strbuf_adds(out, "MAIL FROM:");
	put_path(d, transact_sender(d), out);
	if (!r->ask && stages_offers(d, EXT_SIZE)) {
		strbuf_adds(out, " SIZE=");
		strbuf_addu(out, r->content->size);
	}
	put_body(d, out);
	if (stages_offers(d, EXT_SMTPUTF8) &&
	    (r->utf8 || batch_has_utf8(d->tx) ||
		!ascii_only(slice_str(transact_sender(d)))))
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

void transact_put_rcpt(struct dialog *d, unsigned i, struct strbuf *out)
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

void transact_put_data(struct dialog *d)
{
	strbuf_adds(stream_out(d->stream), "DATA\r\n");
	d->due++;
	d->data_sent = true;
}

/* ---- XCLIENT ---- */

enum { XCLIENT_LINE = 510 }; /* Postfix takes no longer command */

static void put_attribute(const char *name, const char *value,
    struct strbuf *out)
{
	strbuf_addc(out, ' ');
	strbuf_adds(out, name);
	strbuf_addc(out, '=');
	if (value == NULL || value[0] == '\0')
		strbuf_adds(out, "[UNAVAILABLE]");
	else
		xtext_encode(slice_str(value), out);
}

/* One that would make the command too long is not known. */
static void put_cut(const char *name, const char *value, size_t used,
    struct strbuf *out)
{
	struct strbuf one;

	strbuf_init(&one, 4 * XCLIENT_LINE);
	put_attribute(name, value, &one);
	if (!strbuf_ok(&one) || used + one.n > XCLIENT_LINE) {
		strbuf_reset(&one);
		put_attribute(name, "", &one);
	}
	strbuf_addsl(out, strbuf_view(&one));
	strbuf_fini(&one);
}

void transact_put_client(const struct dialog *d, struct strbuf *out)
{
	const struct client_request *r = d->tx->req;
	const char *client = r->ask || r->client == NULL ? "" : r->client;
	struct netaddr a;
	bool known = netaddr_parse(&a, slice_str(client), 0) == 0;
	size_t start = out->n;

	strbuf_adds(out, "XCLIENT ADDR=");
	if (known && strchr(client, ':') != NULL)
		strbuf_adds(out, "IPV6:");
	strbuf_adds(out, known ? client : "[UNAVAILABLE]");
	if (d->ehlo.xclient & XCLIENT_PROTO)
		put_attribute("PROTO", !known ? "" : r->esmtp ? "ESMTP" :
						     "SMTP", out);
	if (d->ehlo.xclient & XCLIENT_NAME)
		put_cut("NAME", known ? r->client_name : "",
		    out->n - start + sizeof(" HELO=[UNAVAILABLE]"), out);
	if (d->ehlo.xclient & XCLIENT_HELO)
		put_cut("HELO", known ? r->helo : "", out->n - start, out);
	strbuf_adds(out, "\r\n");
}
