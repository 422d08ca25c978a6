/* SPDX-License-Identifier: ISC
 *
 * A delivery status notification as bytes: a report of three parts (RFC 6522),
 * one for people, one for programs (RFC 3464), and the header of the message
 * it is about. With `utf8` the forms of RFC 6533.
 *
 * Auto-Submitted is auto-replied (RFC 3834 5): it answers one message, and no
 * robot should answer it.
 *
 * Who reads it did not ask for it and knows no codes, so the first part says
 * what happened, to which address, and what can be done, and gives the code
 * last, for the one who is asked for help.
 */
#include "relay/mail/dsn.h"

#include "relay/base/clock.h"
#include "relay/base/utf8.h"
#include "relay/mail/codec.h"
#include "relay/mail/domain.h"
#include "relay/mail/header.h"

enum {
	ADDRESS_MAX = ADDR_MAX,
	REPLY_MAX = 900, /* with its name under the 998 of RFC 5322 2.1.1 */
	TYPE_MAX = 32, /* of an address: "rfc822", "utf-8" */
	SUBJECT_MAX = 60,
	PERSONS_MAX = 20, /* that a person is told of; programs of all */
	LINE_MAX_BYTES = 998,
	QP_WIDTH = 76,
};

/* Explains a status in plain words; the first prefix that fits counts. */
static const struct {
	const char *status; /* without the class */
	const char *meaning;
	const char *advice;
} explanations[] = {
	/* clang-format off */
	{ ".1.2", "The part of the address after the @ does not exist.",
	  "Check the address for typing mistakes and send it again." },
	{ ".1.8", "Your own address was not accepted as a sender.",
	  "Ask your postmaster; the address may be set up wrongly." },
	{ ".1.7", "Your own address was not accepted as a sender.",
	  "Ask your postmaster; the address may be set up wrongly." },
	{ ".1", "The address is not known there.",
	  "Check the address for typing mistakes and send it again." },
	{ ".2.1", "The mailbox is closed at the moment.",
	  "Reach the recipient in another way." },
	{ ".2.2", "The mailbox is full.",
	  "Try again later, or reach the recipient in another way." },
	{ ".2.3", "The message is larger than this mailbox takes.",
	  "Send less, or share large files in another way." },
	{ ".3.4", "The message is larger than the receiving server takes.",
	  "Send less, or share large files in another way." },
	{ ".4.1", "The receiving server takes no mail for this address.",
	  "Check the address for typing mistakes and send it again." },
	{ ".4.6", "The message went in a circle between servers.",
	  "Nothing is wrong with your message; tell the postmaster." },
	{ ".4.7", "It could not be delivered in all the time we tried.",
	  "Try again later, or reach the recipient in another way." },
	{ ".4", "The receiving server could not be reached.",
	  "Try again later, or reach the recipient in another way." },
	{ ".6.7", "The receiving server does not take international addresses.",
	  "Ask for an address in plain letters." },
	{ ".6", "The form of the message was not accepted.",
	  "Send it as plain text, or in another format." },
	{ ".7", "The receiving server refused the message by its rules.",
	  "Its reply below may say why; the postmaster there can help." },
	{ "", "The receiving server did not accept the message.",
	  "Its reply below may say why." },
	/* clang-format on */
};

static void add_clean(const struct dsn *d, const char *s, size_t max,
    struct strbuf *out)
{
	text_clean(slice_str(s), d->utf8, max, out);
}

static void add_date(const char *name, int64_t wall_us, struct strbuf *out)
{
	char date[CLOCK_RFC5322_MAX];

	clock_rfc5322(wall_us, date);
	strbuf_addf(out, "%s: %s\r\n", name, date);
}

static bool any(const struct dsn *d, enum dsn_action action)
{
	for (unsigned i = 0; i < d->rcpts; i++)
		if (d->rcpt[i].action == action)
			return true;
	return false;
}

/* `words` stand above the recipients. */
static const struct {
	const char *action, *subject, *words;
} news[DSN_ACTIONS] = {
	[DSN_FAILED] = { "failed", "Your message could not be delivered",
	  "\r\nIt was NOT delivered to the following addresses, and will not"
	  " be\r\ntried again:\r\n" },
	[DSN_DELAYED] = { "delayed", "Your message is delayed",
	  "\r\nIt has not yet been delivered to the following addresses. You"
	  " need\r\nnot do anything: we keep trying, and write again if it"
	  " fails for good:\r\n" },
	[DSN_RELAYED] = { "relayed", "Your message was passed on",
	  "\r\nIt was passed on for the following addresses, to a server"
	  " that does\r\nnot confirm delivery. You need not do anything:\r\n" },
	[DSN_DELIVERED] = { "delivered", "Your message was delivered",
	  "\r\nIt was put into the mailboxes of the following addresses, as"
	  " you\r\nasked to be told. You need not do anything:\r\n" },
};

static const char *subject(const struct dsn *d)
{
	unsigned i = 0;

	while (i + 1 < DSN_ACTIONS && !any(d, (enum dsn_action)i))
		i++;
	return news[i].subject;
}

static bool plain_lines(struct slice s);

bool dsn_brings_all(const struct dsn *d)
{
	return d->whole.n > 0 && any(d, DSN_FAILED) && plain_lines(d->whole) &&
	       (!d->utf8 || utf8_valid(d->header));
}

/* Of the parts that are not only ours. */
static bool is_8bit(const struct dsn *d)
{
	return d->utf8 || (dsn_brings_all(d) && !ascii_only(d->whole));
}

static void print_header(const struct dsn *d, struct strbuf *out)
{
	strbuf_addf(out, "From: Mail Delivery System <postmaster@%s>\r\nTo: <",
	    d->hostname);
	add_clean(d, d->to, ADDRESS_MAX, out);
	strbuf_addf(out, ">\r\nSubject: %s\r\n", subject(d));
	add_date("Date", d->now_us, out);
	strbuf_addf(out,
	    "Message-ID: <%s@%s>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"%s\"\r\n",
	    d->id, d->hostname, d->boundary);
	if (is_8bit(d))
		strbuf_adds(out, "Content-Transfer-Encoding: 8bit\r\n");
	strbuf_adds(out, "\r\nThis is a report about the delivery of a message,"
			 " in MIME format.\r\n");
}

static void begin_part(const struct dsn *d, const char *type,
    const char *encoding, struct strbuf *out)
{
	strbuf_addf(out,
	    "\r\n--%s\r\n"
	    "Content-Type: %s\r\n"
	    "Content-Transfer-Encoding: %s\r\n\r\n",
	    d->boundary, type, encoding);
}

static size_t explanation_of(const char *status)
{
	size_t i = 0;
	const char *rest = status[0] == '\0' ? status : status + 1;

	for (; i + 1 < ARRAY_LEN(explanations); i++) {
		struct slice prefix = slice_str(explanations[i].status);
		char next;

		if (!slice_starts(slice_str(rest), prefix))
			continue;
		next = rest[prefix.n];
		if (next == '\0' || next == '.')
			break;
	}
	return i;
}

/* "  word word\r\n  word\r\n": a reply is often longer than a line. */
static void print_wrapped(struct slice text, struct strbuf *out)
{
	size_t column = 0;
	struct slice word;

	while (slice_next(&text, ' ', &word)) {
		if (word.n == 0)
			continue;
		if (column == 0 || column + 1 + word.n > 72) {
			strbuf_adds(out, column == 0 ? "      " : "\r\n      ");
			column = 6;
		} else {
			strbuf_addc(out, ' ');
			column++;
		}
		strbuf_addsl(out, word);
		column += word.n;
	}
	strbuf_adds(out, "\r\n");
}

static void print_reply(const struct dsn *d, const struct dsn_recipient *r,
    struct strbuf *out)
{
	struct strbuf reply;

	if (r->diagnostic[0] == '\0')
		return;
	strbuf_init(&reply, REPLY_MAX);
	add_clean(d, r->diagnostic, REPLY_MAX, &reply);
	strbuf_adds(out, "    The answer was:\r\n");
	print_wrapped(strbuf_view(&reply), out);
	strbuf_fini(&reply);
}

static void print_person(const struct dsn *d, const struct dsn_recipient *r,
    struct strbuf *out)
{
	size_t i = explanation_of(r->status);

	strbuf_adds(out, "\r\n  ");
	add_clean(d, r->original, ADDRESS_MAX, out);
	strbuf_adds(out, "\r\n");
	if (r->action == DSN_FAILED)
		strbuf_addf(out, "    %s\r\n    %s\r\n",
		    explanations[i].meaning, explanations[i].advice);
	if (r->action == DSN_FAILED || r->action == DSN_DELAYED)
		print_reply(d, r, out);
	if (r->action == DSN_DELAYED && r->retry_until_us != 0)
		add_date("    We keep trying until", r->retry_until_us, out);
}

static void print_group(const struct dsn *d, enum dsn_action action,
    struct strbuf *out)
{
	unsigned n = 0;

	if (!any(d, action))
		return;
	strbuf_adds(out, news[action].words);
	for (unsigned i = 0; i < d->rcpts; i++)
		if (d->rcpt[i].action == action && n++ < PERSONS_MAX)
			print_person(d, &d->rcpt[i], out);
	if (n > PERSONS_MAX)
		strbuf_addf(out, "\r\n  and %u more; the next part of this "
		    "report names all of them.\r\n", n - PERSONS_MAX);
}

/* Which message it is. An encoded subject says nothing to the eye. */
static void print_about(const struct dsn *d, struct strbuf *out)
{
	struct slice value;
	struct strbuf text;

	add_date("    Received by us", d->arrival_us, out);
	if (!header_find(d->header, "Subject", &value))
		return;
	strbuf_init(&text, SUBJECT_MAX);
	header_unfold(value, SUBJECT_MAX, &text);
	if (text.n > 0 && strstr(strbuf_cstr(&text), "=?") == NULL) {
		strbuf_adds(out, "    Subject: ");
		add_clean(d, strbuf_cstr(&text), SUBJECT_MAX, out);
		strbuf_adds(out, "\r\n");
	}
	strbuf_fini(&text);
}

static void print_text(const struct dsn *d, struct strbuf *out)
{
	begin_part(d, d->utf8 ? "text/plain; charset=utf-8"
			      : "text/plain; charset=us-ascii",
	    d->utf8 ? "8bit" : "7bit", out);
	strbuf_addf(out,
	    "Hello,\r\n\r\n"
	    "this is the mail server %s. It writes about your message:\r\n\r\n",
	    d->hostname);
	print_about(d, out);
	for (unsigned i = 0; i < DSN_ACTIONS; i++)
		print_group(d, (enum dsn_action)i, out);
	strbuf_addf(out,
	    "\r\nIf you need help, pass this report on to"
	    " postmaster@%s\r\nand mention the number %s.\r\n",
	    d->hostname, d->about);
}

static void print_final(const struct dsn *d, const struct dsn_recipient *r,
    struct strbuf *out)
{
	struct slice to = slice_str(r->original);

	if (ascii_only(to)) {
		strbuf_adds(out, "Final-Recipient: rfc822; ");
		text_clean(to, false, ADDRESS_MAX, out);
	} else {
		strbuf_adds(out, "Final-Recipient: utf-8; ");
		if (d->utf8)
			text_clean(to, true, ADDRESS_MAX, out);
		else
			utf8_xtext(slice_head(to, ADDRESS_MAX), false,
			    REPLY_MAX, out);
	}
	strbuf_adds(out, "\r\n");
}

/* "rfc822;ann+2Bnews@x" without its xtext; a utf-8 one is in its final form
 * (RFC 6533 3), but for bytes that a report of 7 bits cannot have. */
static void print_orcpt(const struct dsn *d, struct slice orcpt,
    struct strbuf *out)
{
	struct slice type = slice_head(orcpt, (size_t)slice_find(orcpt, ';'));
	struct slice text = slice_from(orcpt, type.n + 1);
	struct strbuf decoded;

	if (orcpt.n == 0 || type.n >= orcpt.n)
		return;
	strbuf_init(&decoded, orcpt.n);
	strbuf_adds(out, "Original-Recipient: ");
	text_clean(type, false, TYPE_MAX, out);
	strbuf_adds(out, "; ");
	if (!slice_case_eq(type, SLICE("utf-8")) &&
	    xtext_decode(text, &decoded))
		text_clean(strbuf_view(&decoded), false, REPLY_MAX, out);
	else if (d->utf8 || ascii_only(text))
		text_clean(text, d->utf8, REPLY_MAX, out);
	else
		utf8_xtext(text, true, REPLY_MAX, out);
	strbuf_adds(out, "\r\n");
	strbuf_fini(&decoded);
}

static void print_machine(const struct dsn *d, const struct dsn_recipient *r,
    struct strbuf *out)
{
	strbuf_adds(out, "\r\n");
	print_orcpt(d, slice_str(r->orcpt), out);
	print_final(d, r, out);
	strbuf_addf(out, "Action: %s\r\nStatus: %s\r\n",
	    news[r->action].action, r->status);
	if (r->remote[0] != '\0') {
		strbuf_adds(out, "Remote-MTA: dns; ");
		text_clean(slice_str(r->remote), false, ADDR_DOMAIN_MAX, out);
		strbuf_adds(out, "\r\n");
	}
	if (r->diagnostic[0] != '\0') {
		strbuf_adds(out, "Diagnostic-Code: smtp; ");
		add_clean(d, r->diagnostic, REPLY_MAX, out);
		strbuf_adds(out, "\r\n");
	}
	/* Of many it is the same date. */
	if (r->last_attempt_us != 0 && d->rcpts <= PERSONS_MAX)
		add_date("Last-Attempt-Date", r->last_attempt_us, out);
	if (r->retry_until_us != 0 && r->action == DSN_DELAYED)
		add_date("Will-Retry-Until", r->retry_until_us, out);
}

static void print_status(const struct dsn *d, struct strbuf *out)
{
	struct slice envid = slice_str(d->envid);
	struct strbuf text;

	begin_part(d, d->utf8 ? "message/global-delivery-status"
			      : "message/delivery-status",
	    d->utf8 ? "8bit" : "7bit", out);
	strbuf_addf(out, "Reporting-MTA: dns; %s\r\n", d->hostname);
	strbuf_init(&text, envid.n + 1);
	if (envid.n > 0 && xtext_decode(envid, &text)) {
		strbuf_adds(out, "Original-Envelope-Id: ");
		text_clean(strbuf_view(&text), false, REPLY_MAX, out);
		strbuf_adds(out, "\r\n");
	}
	strbuf_fini(&text);
	add_date("Arrival-Date", d->arrival_us, out);
	for (unsigned i = 0; i < d->rcpts; i++)
		print_machine(d, &d->rcpt[i], out);
}

/* CRLF lines of a length that all take, and no NUL? */
static bool plain_lines(struct slice s)
{
	struct slice line, all = s;

	while (slice_next(&s, '\n', &line)) {
		bool last = s.p == NULL;

		if (line.n > LINE_MAX_BYTES || slice_find(line, '\0') >= 0)
			return false;
		if (last)
			return line.n == 0;
		if (slice_find(line, '\r') != (long)line.n - 1)
			return false;
	}
	return all.n == 0;
}

/* Can the header stand as it is? */
static bool is_plain(struct slice header, bool utf8)
{
	return (ascii_only(header) || (utf8 && utf8_valid(header))) &&
	       plain_lines(header);
}

/* Quoted-printable (RFC 2045 6.7) of lines that end with CRLF or LF. */
static void add_quoted(struct slice s, struct strbuf *out)
{
	size_t column = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool crlf = c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n';
		bool literal = c > ' ' && c < 127 && c != '=';

		if (crlf || c == '\n') {
			strbuf_adds(out, "\r\n");
			column = 0;
			i += crlf;
			continue;
		}
		/* A blank is safe where something of the line follows it. */
		if (c == ' ' && i + 1 < s.n && (unsigned char)s.p[i + 1] > ' ')
			literal = true;
		if (column + (literal ? 1 : 3) >= QP_WIDTH) {
			strbuf_adds(out, "=\r\n");
			column = 0;
		}
		if (literal)
			strbuf_addc(out, (char)c);
		else
			strbuf_addf(out, "=%02X", c);
		column += literal ? 1 : 3;
	}
	if (column > 0)
		strbuf_adds(out, "\r\n");
}

static void print_header_of_it(const struct dsn *d, struct strbuf *out)
{
	bool plain = is_plain(d->header, d->utf8);
	const char *bits = d->utf8 ? "8bit" : "7bit";

	begin_part(d, d->utf8 ? "message/global-headers"
			      : "text/rfc822-headers",
	    plain ? bits : "quoted-printable", out);
	if (plain)
		strbuf_addsl(out, d->header);
	else
		add_quoted(d->header, out);
}

static void print_original(const struct dsn *d, struct strbuf *out)
{
	if (dsn_brings_all(d)) {
		begin_part(d, d->utf8 ? "message/global" : "message/rfc822",
		    is_8bit(d) ? "8bit" : "7bit", out);
		strbuf_addsl(out, d->whole);
	} else {
		print_header_of_it(d, out);
	}
	strbuf_addf(out, "\r\n--%s--\r\n", d->boundary);
}

void dsn_print(const struct dsn *d, struct strbuf *out)
{
	print_header(d, out);
	print_text(d, out);
	print_status(d, out);
	print_original(d, out);
}
