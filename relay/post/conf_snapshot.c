/* SPDX-License-Identifier: ISC
 *
 * A configuration with the TLS contexts made from it.
 */
#include "relay/base/mem.h"
#include "relay/daemon/app.h"

static int make_contexts(struct live *l, struct error *err)
{
	const struct conf *c = l->conf;

	for (int i = 0; i < c->listens; i++) {
		if (c->listen[i].certificates == 0)
			continue;
		l->listen[i] = tls_server_new(&c->listen[i], err);
		if (l->listen[i] == NULL)
			return -1;
	}
	for (int i = 0; i < c->legs; i++) {
		if (c->leg[i].tls == TLS_NONE)
			continue;
		l->leg[i] = tls_client_new(&c->leg[i], err);
		if (l->leg[i] == NULL)
			return -1;
	}
	return 0;
}

struct live *live_new(struct conf *c, struct error *err)
{
	struct live *l = NEW(struct live);

	atomic_init(&l->refs, 1);
	l->conf = c;
	l->listen = NEW_ARRAY(struct tls_server *, c->listens);
	l->leg = NEW_ARRAY(struct tls_client *, c->legs);
	if (make_contexts(l, err) == 0)
		return l;
	live_unref(l);
	return NULL;
}

struct live *live_ref(struct live *l)
{
	atomic_fetch_add(&l->refs, 1);
	return l;
}

void live_unref(struct live *l)
{
	if (l == NULL || atomic_fetch_sub(&l->refs, 1) != 1)
		return;
	for (int i = 0; i < l->conf->listens; i++)
		tls_server_unref(l->listen[i]);
	for (int i = 0; i < l->conf->legs; i++)
		tls_client_unref(l->leg[i]);
	mem_free(l->listen);
	mem_free(l->leg);
	conf_unref(l->conf);
	mem_free(l);
}
