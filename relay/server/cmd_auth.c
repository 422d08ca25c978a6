/* SPDX-License-Identifier: ISC
 *
 * AUTH (RFC 4954): PLAIN and LOGIN, on a listener with auth = true, under TLS
 * and not otherwise. Whether name and password are right is the owner's to
 * say. After a login TLS cannot begin anew, so it holds until the connection
 * ends.
 *
 * The bytes of a login reach no log and no event; they are overwritten once
 * they are decoded.
 */
#include "relay/server/session_int.h"

bool auth_known(const struct session *s)
{
	return s->conf->listen[s->listen].auth &&
	       s->conf->outbound.users[0] != '\0';
}

bool auth_offered(const struct session *s)
{
	return auth_known(s) && *session_tls(s) != '\0' && s->login == NULL;
}

static void drop(struct session *s)
{
	sasl_fini(s->sasl);
	mem_free(s->sasl);
	s->sasl = NULL;
}

void auth_drop(struct session *s)
{
	drop(s);
	mem_free(s->login);
	s->login = NULL;
}

static enum next refuse(struct session *s, int code, const char *enh,
    const char *text)
{
	drop(s);
	return session_refuse(s, code, enh, text);
}

/* From the owner: 2xx is a login. */
static enum next answered(struct session *s, const struct reply *r)
{
	if (r->code >= 300) {
		mem_free(s->login_asked);
		s->login_asked = NULL;
		return session_say(s, r);
	}
	s->login = s->login_asked;
	s->login_asked = NULL;
	stream_secret(s->stream, false, KEEP_MAX);
	return session_say(s, r);
}

static enum next ask(struct session *s, const struct credentials *c)
{
	const struct server_config *sc = &s->server->c;
	struct reply r = {.code = 0};
	enum answer a;

	s->login_asked = mem_slicedup(c->name);
	a = sc->ops->login(sc->arg, s, c, &r);
	drop(s);
	return session_ask(s, a, &r, answered);
}

static enum next go_on(struct session *s, enum sasl_next next,
    const char *challenge, const struct credentials *c)
{
	struct reply r;

	switch (next) {
	case SASL_ASK:
		reply_set(&r, 334, "", "%s", challenge);
		session_say(s, &r);
		return NEXT_AUTH;
	case SASL_DONE:
		return ask(s, c);
	case SASL_CANCELLED:
		return refuse(s, 501, "5.7.0", "The login was cancelled");
	case SASL_UNKNOWN:
		return refuse(s, 504, "5.5.4", "Mechanisms are PLAIN and "
					       "LOGIN");
	case SASL_MALFORMED:
		break;
	}
	return refuse(s, 501, "5.5.2", "That cannot be decoded");
}

enum next cmd_auth(struct session *s, const struct smtp_cmd *cmd)
{
	const char *challenge = "";
	struct credentials c;
	enum sasl_next next;

	if (s->login != NULL)
		return session_refuse(s, 503, "5.5.1", "You are logged in");
	if (*session_tls(s) == '\0')
		return session_refuse(s, 538, "5.7.11", "A login goes over "
		    "TLS; say STARTTLS first");
	if (!s->esmtp)
		return session_refuse(s, 503, "5.5.1", "Say EHLO first");
	s->sasl = NEW(struct sasl);
	next = sasl_begin(s->sasl, cmd->arg, &challenge, &c);
	return go_on(s, next, challenge, &c);
}

static enum next take_line(struct session *s, struct slice line)
{
	const char *challenge = "";
	struct credentials c;
	enum sasl_next next;

	next = sasl_respond(s->sasl, line, &challenge, &c);
	return go_on(s, next, challenge, &c);
}

enum next auth_input(struct session *s, struct slice *rest)
{
	long lf = slice_find(*rest, '\n');
	struct slice line;

	if (lf < 0 && rest->n <= SASL_LINE_MAX + 1)
		return NEXT_STAY;
	line = slice_head(*rest, lf < 0 ? rest->n : (size_t)lf);
	*rest = slice_from(*rest, lf < 0 ? rest->n : (size_t)lf + 1);
	s->skipping = lf < 0;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	else if (lf >= 0 && !s->normalize)
		return session_bye(s, 521, "5.5.2", "Lines end with CR LF");
	if (line.n > SASL_LINE_MAX)
		return refuse(s, 500, "5.5.6", "Line is too long");
	return take_line(s, line);
}
