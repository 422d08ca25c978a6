/* SPDX-License-Identifier: ISC
 *
 * Logging in to a leg (RFC 4954) by PLAIN (RFC 4616), else by LOGIN, and over
 * TLS alone. The password is in no log and in no result, also when a leg
 * gives it back in its answer. One worker's loop.
 */
#include <openssl/evp.h>

#include "relay/client/client_int.h"

enum {
	SECRET_MAX = 1024, /* user and password */
	LINE_OCTETS = 510, /* RFC 5321 4.5.3.1.4, without CRLF */
	CODED_MAX = (SECRET_MAX + 2) / 3 * 4 + 1,
};

static void respond_plain(const struct conf_leg *leg, struct strbuf *out)
{
	strbuf_addc(out, '\0'); /* no other identity than the user's */
	strbuf_adds(out, leg->auth_user);
	strbuf_addc(out, '\0');
	strbuf_adds(out, leg->password);
}

static void respond_user(const struct conf_leg *leg, struct strbuf *out)
{
	strbuf_adds(out, leg->auth_user);
}

static void respond_password(const struct conf_leg *leg, struct strbuf *out)
{
	strbuf_adds(out, leg->password);
}

/* The better first; what is said to each 334, in order. */
static const struct mechanism {
	unsigned bit;
	const char *name;
	bool at_once; /* the first response may go along with AUTH */
	unsigned responses;
	void (*respond[2])(const struct conf_leg *leg, struct strbuf *out);
} mechanisms[] = {
	{ AUTH_PLAIN, "PLAIN", true, 1, { respond_plain } },
	{ AUTH_LOGIN, "LOGIN", false, 2, { respond_user, respond_password } },
};

static const struct mechanism *offered(const struct dialog *d)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (d->ehlo.auth & mechanisms[i].bit)
			return &mechanisms[i];
	return NULL;
}

static bool too_long(const struct conf_leg *leg)
{
	return strlen(leg->auth_user) + strlen(leg->password) + 2 > SECRET_MAX;
}

enum stage auth_begin(struct dialog *d)
{
	const char *why = NULL;

	if (!d->secure)
		why = "auth_user is set, and a login goes over TLS only";
	else if (!stages_offers(d, EXT_AUTH))
		why = "auth_user is set, and AUTH is not offered over TLS";
	else if (offered(d) == NULL)
		why = "auth_user is set, and AUTH is offered without PLAIN and "
		      "LOGIN";
	else if (too_long(dialog_leg(d)))
		why = "auth_user and its password are too long";
	d->responses = 0;
	if (why == NULL)
		return STAGE_AUTH;
	result_fault(d, CLASS_CONFIGURATION, "4.7.0", "%s", why);
	return NEXT_LOST;
}

/* The response `n` in base64. */
static void encode(const struct conf_leg *leg, const struct mechanism *m,
    unsigned n, char coded[CODED_MAX])
{
	struct strbuf plain;

	strbuf_init(&plain, SECRET_MAX);
	m->respond[n](leg, &plain);
	coded[0] = '\0';
	if (strbuf_ok(&plain))
		(void)EVP_EncodeBlock((unsigned char *)coded,
		    (const unsigned char *)plain.p, (int)plain.n);
	strbuf_fini(&plain);
}

/* What would make the line too long is said to the 334 (RFC 4954 4). */
void auth_send_command(struct dialog *d)
{
	const struct mechanism *m = offered(d);
	struct strbuf *out = stream_out(d->stream);
	char coded[CODED_MAX];

	strbuf_adds(out, "AUTH ");
	strbuf_adds(out, m->name);
	encode(dialog_leg(d), m, 0, coded);
	if (m->at_once &&
	    sizeof("AUTH PLAIN ") + strlen(coded) <= LINE_OCTETS) {
		strbuf_addc(out, ' ');
		strbuf_adds(out, coded);
		d->responses = 1;
	}
	strbuf_adds(out, "\r\n");
	d->due++;
}

void auth_send_response(struct dialog *d)
{
	struct strbuf *out = stream_out(d->stream);
	char coded[CODED_MAX];

	encode(dialog_leg(d), offered(d), d->responses++, coded);
	strbuf_adds(out, coded);
	strbuf_adds(out, "\r\n");
	d->due++;
}

enum stage auth_on_reply(struct dialog *d)
{
	if (d->reply.code == 235)
		return stages_open(d);
	if (d->reply.code == 334 && d->responses < offered(d)->responses)
		return STAGE_RESPONSE;
	if (d->reply.code < 400)
		return stages_senseless(d);
	result_refused(d, d->reply.code >= 500 ? CLASS_CONFIGURATION
					       : CLASS_NETWORK);
	return NEXT_LOST;
}

/* Whoever knows it may say it, but not into our log. */
const char *auth_hide(const struct dialog *d, const char *text)
{
	const struct mechanism *m = offered(d);
	const struct conf_leg *leg = dialog_leg(d);
	char coded[CODED_MAX];

	if (d->stage != STAGE_AUTH && d->stage != STAGE_RESPONSE)
		return text;
	encode(leg, m, m->responses - 1, coded);
	if (strstr(text, coded) == NULL && strstr(text, leg->password) == NULL)
		return text;
	return "(not shown: the answer has the password in it)";
}
