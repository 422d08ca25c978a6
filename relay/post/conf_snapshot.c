/* SPDX-License-Identifier: ISC
 *
 * A configuration with the TLS contexts made from it.
 */
#include "relay/base/mem.h"
#include "relay/post/conf_snapshot.h"

static int make_contexts(struct conf_snapshot *l, struct error *err)
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

struct conf_snapshot *snapshot_new(struct conf *c, struct error *err)
{
	struct conf_snapshot *l = NEW(struct conf_snapshot);

	atomic_init(&l->refs, 1);
	l->conf = c;
	l->listen = NEW_ARRAY(struct tls_server *, c->listens);
	l->leg = NEW_ARRAY(struct tls_client *, c->legs);
	if (make_contexts(l, err) == 0)
		return l;
	snapshot_unref(l);
	return NULL;
}

struct conf_snapshot *snapshot_ref(struct conf_snapshot *l)
{
	atomic_fetch_add(&l->refs, 1);
	return l;
}

void snapshot_unref(struct conf_snapshot *l)
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
