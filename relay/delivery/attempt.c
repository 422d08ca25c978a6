/* SPDX-License-Identifier: ISC
 *
 * An attempt as an object: made, given back to the queue, and what it reports.
 * A worker's loop.
 */
#include "relay/delivery/attempt.h"

#include "relay/base/assert.h"
#include "relay/delivery/outgoing.h"
#include "relay/post/workers.h"

enum { HEAD_MAX = 64 << 10 };

struct attempt *attempt_new(struct worker *w, struct mail *m, int leg,
    enum role role, unsigned cap)
{
	struct attempt *at = NEW(struct attempt);

	list_node_init(&at->node);
	at->w = w;
	at->mail = mail_ref(m);
	at->leg = leg;
	at->role = role;
	at->sender = LEG_SENDER_ASK;
	at->sender_spf = "";
	at->arena = arena_new();
	at->row = arena_alloc(at->arena, cap * sizeof(*at->row));
	strbuf_init(&at->head, HEAD_MAX);
	return at;
}

void attempt_permit_end(struct attempt *at, enum permit_end end)
{
	const struct shared *sh = at->w->shared;

	permit_give(ledger_permits(sh->ledger), &at->permit, end,
	    at->began_us, sh->clock->mono_us(sh->clock));
}

void attempt_free(struct attempt *at)
{
	list_remove(&at->node);
	attempt_permit_end(at, PERMIT_UNUSED);
	if (at->question != NULL)
		at->w->outgoing->judgings--;
	egress_forget(at->question);
	if (at->slot)
		ledger_give(at->w->shared->ledger, at->leg);
	ledger_memory_give(at->w->shared->ledger, at->leg, at->memory);
	source_free(at->content);
	strbuf_fini(&at->head);
	mail_unref(at->mail);
	snapshot_unref(at->snapshot);
	arena_free(at->arena);
	mem_free(at);
}

void attempt_give_back(struct worker *w, uint64_t id,
    const struct job_row *row, unsigned n, enum giving_back how)
{
	struct unclaim_letter *l = mem_new(
	    sizeof(*l) + n * sizeof(l->row[0]));

	for (unsigned i = 0; i < n; i++) {
		l->row[i].number = row[i].ref.number;
		l->row[i].domain = row[i].ref.domain;
	}
	l->letter.kind = S_UNCLAIM;
	l->id = id;
	l->stale = how == BACK_STALE;
	l->trouble = how == BACK_TROUBLE;
	l->n = n;
	mailbox_post(w->shared->queue_box, &l->letter);
}

void attempt_return(struct attempt *at, enum giving_back how)
{
	PH_ASSERT(at->outcome == NULL); /* given back or reported: one */
	attempt_permit_end(at, PERMIT_UNUSED);
	attempt_give_back(at->w, at->mail->env.id, at->row, at->n, how);
	attempt_free(at);
}

struct outcome_letter *attempt_outcome(const struct attempt *at,
    enum why why)
{
	struct outcome_letter *o = mem_new(
	    sizeof(*o) + at->n * sizeof(o->row[0]));

	o->letter.kind = S_OUTCOME;
	o->id = at->mail->env.id;
	o->leg = at->leg;
	o->role = at->role;
	o->change = at->change;
	o->time_us = clock_wall_us(at->w->shared->clock);
	o->why = why;
	o->n = at->n;
	for (unsigned i = 0; i < at->n; i++) {
		o->row[i].delivery = at->row[i].ref;
		o->row[i].stranger = at->row[i].stranger;
		o->row[i].until_us = at->row[i].until_us;
		if (at->word != NULL)
			o->row[i].began = at->word[i];
	}
	return o;
}

/* A worker with its part of the slots waits for its own connections: taking an
 * idle one from another costs a new dialog, and that worker would take it
 * back. */
bool attempt_below_share(const struct attempt *at)
{
	const struct shared *sh = at->w->shared;
	int share = ledger_limit(sh->ledger, at->leg) / sh->workers->n;

	return client_connections(at->w->client, at->leg) <
	       (unsigned)(share > 0 ? share : 1);
}
