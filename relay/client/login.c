/* SPDX-License-Identifier: ISC
 *
 * A login at a leg (RFC 4954) by PLAIN (RFC 4616), else by LOGIN, and over TLS
 * alone: what is said, of a dialog and of a probe alike. The password
 * is in no log and in no result, also when a leg gives it back in its answer.
 * Pure.
 */
#include "relay/client/login.h"

#include <openssl/evp.h>

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

static const struct mechanism *offered(const struct login *l)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (l->offered & mechanisms[i].bit)
			return &mechanisms[i];
	return NULL;
}

static bool too_long(const struct conf_leg *leg)
{
	return strlen(leg->auth_user) + strlen(leg->password) + 2 > SECRET_MAX;
}

const char *login_begin(struct login *l, const struct conf_leg *leg,
    const struct ehlo *offers, bool secure)
{
	*l = (struct login){.leg = leg, .offered = offers->auth};
	if (!secure)
		return "auth_user is set, and a login goes over TLS only";
	if ((offers->ext & EXT_AUTH) == 0)
		return "auth_user is set, and AUTH is not offered over TLS";
	if (offered(l) == NULL)
		return "auth_user is set, and AUTH is offered without PLAIN "
		       "and LOGIN";
	if (too_long(leg))
		return "auth_user and its password are too long";
	return NULL;
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

/* A response that would make the line too long is sent after the 334 (RFC 4954
 * 4). */
void login_command(struct login *l, struct strbuf *out)
{
	const struct mechanism *m = offered(l);
	char coded[CODED_MAX];

	strbuf_adds(out, "AUTH ");
	strbuf_adds(out, m->name);
	encode(l->leg, m, 0, coded);
	if (m->at_once &&
	    sizeof("AUTH PLAIN ") + strlen(coded) <= LINE_OCTETS) {
		strbuf_addc(out, ' ');
		strbuf_adds(out, coded);
		l->responses = 1;
	}
	strbuf_adds(out, "\r\n");
}

void login_respond(struct login *l, struct strbuf *out)
{
	char coded[CODED_MAX];

	encode(l->leg, offered(l), l->responses++, coded);
	strbuf_adds(out, coded);
	strbuf_adds(out, "\r\n");
}

bool login_has_more(const struct login *l, int code)
{
	return code == 334 && l->responses < offered(l)->responses;
}

/* A leg may repeat the password; the log must not. */
const char *login_hide(const struct login *l, const char *text)
{
	const struct mechanism *m = offered(l);
	char coded[CODED_MAX];

	encode(l->leg, m, m->responses - 1, coded);
	if (strstr(text, coded) == NULL &&
	    strstr(text, l->leg->password) == NULL)
		return text;
	return "(not shown: the answer has the password in it)";
}
