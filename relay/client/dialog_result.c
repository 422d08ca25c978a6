/* SPDX-License-Identifier: ISC
 *
 * A reply, a broken connection or a decision of our own as a struct result.
 * Outcome and class are what the code alone says; the caller refines them by
 * the leg's profile. Strings live in the request's arena. One worker's
 * thread. RFC 5321 4.2.1, RFC 3463.
 */
#include <stdarg.h>
#include <stdio.h>

#include "relay/base/mem.h"
#include "relay/client/client_int.h"

enum { TEXT_MAX = 1024 };

/* An answer's text, or something else when it would give the password away. */
static const char *hide(const struct dialog *d, const char *text)
{
	bool in_login = d->stage == STAGE_AUTH || d->stage == STAGE_RESPONSE;

	return in_login ? login_hide(&d->login, text) : text;
}

/* One line, and no half character at its end: that is what logs and reports
 * can show. */
static const char *reply_text(const struct dialog *d)
{
	struct slice all = strbuf_view(&d->reply.text);
	size_t n = all.n < TEXT_MAX ? all.n : TEXT_MAX;

	while (n < all.n && n > 0 && ((unsigned char)all.p[n] & 0xc0) == 0x80)
		n--;
	return hide(
	    d, wire_one_line(d->tx->req->arena, slice_head(all, n)));
}

static struct result about(const struct dialog *d)
{
	return (struct result){.stage = d->stage,
	    .remote = d->tx->remote,
	    .tls = d->tx->tls,
	    .tls_failed = d->tx->tls_failed,
	    .address = ""};
}

static enum reply_class reply_class_of(const struct dialog *d)
{
	int code = d->reply.code;

	if (code == 421)
		return CLASS_NETWORK;
	if (code < 500)
		return CLASS_NONE;
	return d->stage == STAGE_RCPT ? CLASS_RECIPIENT : CLASS_MESSAGE;
}

struct result result_reply(const struct dialog *d)
{
	struct result r = about(d);

	r.code = d->reply.code;
	slice_copy(slice_str(d->reply.enh), r.enh, sizeof(r.enh));
	r.text = reply_text(d);
	r.class = reply_class_of(d);
	if (r.code >= 500)
		r.outcome = OUT_FAILED;
	else
		r.outcome = r.code < 300 ? OUT_DELIVERED : OUT_DEFERRED;
	return r;
}

/* Several hosts may have failed, each in its way. A fault of configuration
 * tells more than a reply, a reply more than silence. */
static void keep_fault(struct dialog *d, const struct result *r)
{
	int rank = r->class == CLASS_CONFIGURATION ? 2 : r->code != 0;

	if (d->stage < STAGE_MAIL && rank < d->fault_rank)
		return;
	d->fault = *r;
	d->fault_rank = rank;
}

void result_refused(struct dialog *d, enum reply_class class)
{
	struct result r = result_reply(d);

	r.outcome = OUT_DEFERRED;
	r.class = class;
	keep_fault(d, &r);
}

void result_fault(struct dialog *d, enum reply_class class, const char *enh,
    const char *fmt, ...)
{
	struct result r = about(d);
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r.outcome = OUT_DEFERRED;
	r.class = class;
	slice_copy(slice_str(enh), r.enh, sizeof(r.enh));
	r.text = arena_strdup(d->tx->req->arena, text);
	keep_fault(d, &r);
}

/* A handshake that fails for a reason of its own (a certificate that is not
 * believed, no common cipher) will fail again: an administrator must look at
 * it. */
void result_ended(struct dialog *d, enum stream_end why)
{
	static const struct {
		enum reply_class class;
		const char *enh, *text;
	} ends[] = {
	    [STREAM_EOF] = {CLASS_NETWORK, "4.4.2",
		"the connection was closed"},
	    [STREAM_RESET] = {CLASS_NETWORK, "4.4.2",
		"the connection was lost"},
	    [STREAM_TIMEOUT] = {CLASS_NETWORK, "4.4.2", "no answer"},
	    [STREAM_TLS] = {CLASS_CONFIGURATION, "4.7.5", "TLS"},
	    [STREAM_CONNECT] = {CLASS_NETWORK, "4.4.1", ""},
	};
	const char *detail = why == STREAM_EOF ? "" : stream_error(d->stream);

	result_fault(
	    d, ends[why].class, ends[why].enh, "%s%s%s", ends[why].text,
	    *ends[why].text != '\0' && *detail != '\0' ? ": " : "", detail);
}

struct result result_local(
    const struct dialog *d, const char *enh, const char *text)
{
	struct result r = about(d);

	r.outcome = OUT_FAILED;
	r.class = CLASS_MESSAGE;
	r.stage = STAGE_MAIL;
	slice_copy(slice_str(enh), r.enh, sizeof(r.enh));
	r.text = text;
	return r;
}
