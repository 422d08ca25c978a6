/* SPDX-License-Identifier: ISC
 *
 * The questions that the owner may ask of a session.
 */
#include "relay/server/session_int.h"

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

enum proxy_kind session_proxy(const struct session *s)
{
	return s->proxy;
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

const char *session_login(const struct session *s)
{
	return s->login == NULL ? "" : s->login;
}

const char *session_certificate(const struct session *s)
{
	return s->certificate == NULL ? "" : s->certificate;
}

struct slice session_from(const struct session *s)
{
	return s->tx == NULL ? slice_of("", 0) : s->tx->from;
}
