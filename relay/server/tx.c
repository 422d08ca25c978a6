/* SPDX-License-Identifier: ISC
 *
 * One mail transaction and its arena: everything that a MAIL brought with it
 * goes at once, at RSET, EHLO, the final answer or the end of the connection.
 */
#include "relay/base/assert.h"
#include "relay/server/session_int.h"

struct tx *tx_begin(struct session *s, struct slice from)
{
	struct arena *a = arena_new();
	struct tx *tx = arena_alloc(a, sizeof(*tx));

	PH_ASSERT(s->tx == NULL);
	tx->arena = a;
	tx->from = slice_of(arena_slicedup(a, from), from.n);
	tx->to = arena_alloc(a, ADDR_MAX);
	s->tx = tx;
	return tx;
}

void tx_name(struct session *s, struct slice to)
{
	struct tx *tx = s->tx;

	to = slice_head(to, ADDR_MAX);
	if (to.n > 0)
		memcpy(tx->to, to.p, to.n);
	tx->to_n = to.n;
	s->to = slice_of(tx->to, to.n);
}

/* Once for each transaction that the owner did not refuse itself. */
static void tell_owner(struct session *s)
{
	const struct server_config *c = &s->server->c;

	if (!s->tx->owned)
		return;
	s->tx->owned = false;
	c->ops->reset(c->arg, s);
}

void tx_end(struct session *s)
{
	struct tx *tx = s->tx;

	if (tx == NULL)
		return;
	tell_owner(s);
	s->to = slice_of("", 0);
	s->tx = NULL;
	arena_free(tx->arena);
}

void tx_refuse(struct session *s, const struct reply *r)
{
	struct tx *tx = s->tx;

	if (tx->refusal != NULL)
		return;
	tx->refusal = arena_alloc(tx->arena, sizeof(*r));
	*tx->refusal = *r;
	tell_owner(s);
}

void tx_refuse_text(struct session *s, int code, const char *enh,
    const char *text)
{
	struct reply r;

	reply_set(&r, code, enh, "%s", text);
	tx_refuse(s, &r);
}
