/* SPDX-License-Identifier: ISC
 *
 * Settles recipients that a leg cannot take at all, by its offers, without a
 * word to it. One worker's thread.
 */
#include "relay/client/client_int.h"
#include "relay/mail/domain.h"

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

/* A question has no content, whatever the leg offers. */
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
	const char *why, *said = transact_sender(d);
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
