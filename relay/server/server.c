/* SPDX-License-Identifier: ISC
 *
 * The server of a worker as its owner sees it: sessions come, are counted,
 * and go; what may be asked of one.
 */
#include "relay/server/server.h"

#include "relay/server/session_int.h"

struct server *server_new(const struct server_config *c)
{
	struct server *sv = NEW(struct server);

	sv->c = *c;
	list_init(&sv->sessions);
	return sv;
}

void server_free(struct server *sv)
{
	if (sv == NULL)
		return;
	list_each_safe(n, &sv->sessions)
		session_free(LIST_ENTRY(n, struct session, node));
	mem_free(sv);
}

void server_accept(struct server *sv, struct accepted *a)
{
	session_begin(sv, a);
	mem_free(a);
}

void server_drain(struct server *sv)
{
	sv->draining = true;
	list_each_safe(n, &sv->sessions)
		session_drain(LIST_ENTRY(n, struct session, node));
}

int server_sessions(const struct server *sv)
{
	return sv->count;
}

void *session_user(const struct session *s)
{
	return s->user;
}

void session_set_user(struct session *s, void *user)
{
	s->user = user;
}

const struct conf *session_conf(const struct session *s)
{
	return s->conf;
}

const struct conf_listen *session_listen(const struct session *s)
{
	return &s->conf->listen[s->listen];
}

const struct netaddr *session_client(const struct session *s)
{
	return &s->client;
}

const char *session_helo(const struct session *s)
{
	return s->helo == NULL ? "" : s->helo;
}

bool session_esmtp(const struct session *s)
{
	return s->esmtp;
}

const char *session_tls(const struct session *s)
{
	return stream_tls(s->stream);
}

struct slice session_from(const struct session *s)
{
	return s->tx == NULL ? slice_of("", 0) : s->tx->from;
}
