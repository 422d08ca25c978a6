/* SPDX-License-Identifier: ISC
 *
 * Before the first command: who is there (PROXY header), does it talk before
 * we do, and the greeting.
 *
 * A client that talks first has not looked whether it speaks to a mail
 * server. To see it, the greeting waits until the loop has looked at the
 * socket once.
 */
#include "relay/base/log.h"
#include "relay/net/proxyhdr.h"
#include "relay/server/session_int.h"

static const struct conf_listen *listener(const struct session *s)
{
	return &s->conf->listen[s->listen];
}

enum state greet_state(const struct session *s)
{
	if (conf_nets_have(&listener(s)->proxy_from, &s->client.sa))
		return ST_PROXY;
	return listener(s)->tls == LISTEN_IMPLICIT ? ST_TLS : ST_CONNECT;
}

/* True: the owner lets it in. A closed listener has no mailbox, so it owes no
 * postmaster either (RFC 7504 3). */
static bool admitted(struct session *s, struct reply *r)
{
	const struct server_config *c = &s->server->c;
	const struct conf_listen *l = listener(s);

	if (l->closed) {
		reply_set(r, 521, "5.3.2", "%s takes no mail here any more",
		    s->conf->hostname);
		return false;
	}
	s->normalize = l->bare_newline == BARE_NORMALIZE ||
		       conf_nets_have(&l->bare_newline_clients, &s->client.sa);
	if (conf_nets_have(&l->starttls_never, &s->client.sa)) {
		tls_server_unref(s->tls);
		s->tls = NULL;
	}
	return c->ops->connected(c->arg, s, r);
}

enum next greet_now(struct session *s)
{
	struct reply r = {.code = 0};

	s->greeted = true;
	/* Mail that is on its way out goes first. Not before: what the client
	 * says too early is read before the greeting's timer fires. */
	stream_patient(s->stream);
	if (!admitted(s, &r)) {
		session_say(s, &r);
		return NEXT_CLOSE;
	}
	reply_set(&r, 220, "", "%s ESMTP Posthouse", s->conf->hostname);
	return session_say(s, &r);
}

enum next greet_early(struct session *s, struct slice *rest)
{
	struct reply r = {.code = 0};

	if (admitted(s, &r))
		reply_set(&r, 554, "5.5.0", "You spoke before the greeting");
	session_say(s, &r);
	*rest = slice_from(*rest, rest->n);
	return NEXT_CLOSE;
}

static bool move_to(struct session *s, const struct netaddr *client)
{
	const struct server_config *c = &s->server->c;

	s->client = *client;
	if (!c->recount(c->arg, &s->counted, client))
		return false;
	s->counted = *client;
	return true;
}

/* A header that is none ends the session without a reply: its sender does not
 * speak SMTP yet. */
enum next greet_proxy(struct session *s, struct slice *rest)
{
	struct proxy_header h;
	size_t taken;
	const char *why;

	switch (proxy_parse(*rest, &h, &taken, &why)) {
	case PROXY_MORE:
		return NEXT_STAY;
	case PROXY_DONE:
		break;
	default:
		session_aborted(s, STAGE_PROXY, why);
		*rest = slice_from(*rest, rest->n);
		return NEXT_CLOSE;
	}
	*rest = slice_from(*rest, taken);
	s->proxy = h.kind;
	if (proxy_names_client(h.kind) && !move_to(s, &h.client))
		return session_bye(s, 421, "4.7.0",
		    "Too many connections from your address");
	return listener(s)->tls == LISTEN_IMPLICIT ? starttls_at_once(s)
						   : greet_now(s);
}
