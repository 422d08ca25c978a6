/* SPDX-License-Identifier: ISC
 *
 * watermarks: was each mailbox that got mail there synchronized after the last
 * of it, or is done without by name?
 */
#include "relay/cli/verdict/gather.h"

#include <inttypes.h>
#include <stdlib.h>

#include "relay/audit/delivered/watermark_reader.h"

struct marks_look {
	struct verdict_look *g;
	size_t cap, synced_cap;
	uint64_t recipients, synced, waived, change;
};

/* ---- those that a person does without --------------------------------- */

static void on_waived(void *arg, const struct verdict_waived *w)
{
	struct marks_look *l = arg;
	struct verdict_look *g = l->g;

	if (!gather_has(g, w->address))
		return;
	if (g->waiveds == l->cap) {
		l->cap = l->cap * 2 + 64;
		g->waived = mem_resize(g->waived,
		    l->cap * sizeof(*g->waived));
	}
	g->waived[g->waiveds++] = (struct gather_waived){
	    .address = arena_slicedup(g->f.arena, w->address),
	    .who = arena_strdup(g->f.arena, w->who),
	    .note = arena_strdup(g->f.arena, w->note),
	    .time_us = w->time_us, .change = w->change};
}

static int by_address(const void *a, const void *b)
{
	const struct gather_waived *x = a, *y = b;

	return strcmp(x->address, y->address);
}

/* Neither a later move of the recipient nor a later delivery there. */
static bool is_waived(const struct verdict_look *g,
    const struct watermark *w)
{
	const struct gather_waived key = {.address = w->address}, *found;

	found = g->waiveds == 0 ? NULL : bsearch(&key, g->waived, g->waiveds,
	    sizeof(*g->waived), by_address);
	return found != NULL && found->change >= w->change &&
	       found->time_us >= w->time_us;
}

/* ---- all -------------------------------------------------------------- */

/* They come in order of the recipient. */
static void note_synced(struct marks_look *l, const struct watermark *w)
{
	struct verdict_look *g = l->g;

	l->synced++;
	if (g->synceds == l->synced_cap) {
		l->synced_cap = l->synced_cap * 2 + 64;
		g->synced = mem_resize(g->synced,
		    l->synced_cap * sizeof(*g->synced));
	}
	g->synced[g->synceds++] = (struct gather_synced){w->recipient,
	    w->at_us};
	if (g->first_sync_us == 0 || w->at_us < g->first_sync_us)
		g->first_sync_us = w->at_us;
}

/* In the order of the keys, which have a sign. */
static size_t part_of(int64_t recipient)
{
	return (size_t)(((uint64_t)recipient ^ (UINT64_C(1) << 63)) >>
			(64 - SYNCED_BITS));
}

static void part_synced(struct verdict_look *g)
{
	size_t part = 0;

	if (g->synceds == 0 || g->synceds > UINT32_MAX)
		return;
	g->synced_part = NEW_ARRAY(uint32_t, SYNCED_PARTS + 1);
	for (size_t i = 0; i < g->synceds; i++)
		while (part <= part_of(g->synced[i].recipient))
			g->synced_part[part++] = (uint32_t)i;
	while (part <= SYNCED_PARTS)
		g->synced_part[part++] = (uint32_t)g->synceds;
}

int64_t gather_synced_at(const struct verdict_look *g, int64_t recipient)
{
	size_t part = part_of(recipient);

	if (g->synced_part == NULL)
		return 0;
	for (uint32_t i = g->synced_part[part]; i < g->synced_part[part + 1];
	     i++)
		if (g->synced[i].recipient == recipient)
			return g->synced[i].at_us;
	return 0;
}

static void on_mark(void *arg, const struct watermark *w)
{
	static const enum fact_id facts[WATERMARK_STATES] = {
		[WATERMARK_NONE] = FACT_NO_MARK,
		[WATERMARK_PENDING] = FACT_PENDING,
		[WATERMARK_REACHED] = FACT_NOT_SYNCED,
		[WATERMARK_WITHDRAWN] = FACT_WITHDRAWN,
	};
	struct marks_look *l = arg;
	const char *name = w->address[0] == '\0' ? "an address that is not on "
						   "record" : w->address;

	if (w->address[0] != '\0' && !gather_has(l->g, slice_str(w->address)))
		return;
	l->recipients++;
	if (w->change > l->change)
		l->change = w->change;
	if (w->state == WATERMARK_SYNCED)
		note_synced(l, w);
	else if (is_waived(l->g, w))
		l->waived++;
	else
		facts_add(&l->g->f, facts[w->state], slice_str(name),
		    w->time_us);
}

static int look(struct marks_look *l, struct watermark_reader *r,
    struct error *err)
{
	struct verdict_look *g = l->g;
	char since[CLOCK_RFC3339_MAX];
	int whole = watermark_reader_whole(r, err);

	if (whole < 0 || watermark_reader_of_leg(r, g->v->leg, on_mark, l,
			     err) < 0)
		return -1;
	part_synced(g);
	if (verdict_change_time(g->file, l->change, &g->last_flip_us, err) < 0)
		return -1;
	clock_rfc3339(watermark_reader_since(r), since);
	if (whole == 0)
		gather_fact(g, FACT_SHORT_LEDGER, 0, "ledger.db is being made "
		    "again from the index, or an hour of that is missing; "
		    "known since %s", since);
	g->f.looked[REASON_WATERMARKS] = gather_text(g, "%" PRIu64
	    " recipients that had mail there: %" PRIu64 " synchronized, %"
	    PRIu64 " done without by name; deliveries are known since %s",
	    l->recipients, l->synced, l->waived, since);
	return 0;
}

void gather_marks(struct verdict_look *g)
{
	struct marks_look l = {.g = g};
	struct error err = {0};
	struct watermark_reader *r = watermark_reader_open(g->conf, &err);
	int rc = r == NULL ? -1 : verdict_marks_waived(g->file, g->v->leg,
	    on_waived, &l, &err);

	if (g->waiveds > 0)
		qsort(g->waived, g->waiveds, sizeof(*g->waived), by_address);
	if (rc == 0)
		rc = look(&l, r, &err);
	if (rc < 0)
		g->f.unread[REASON_WATERMARKS] = gather_text(g, "%s",
		    err.text);
	watermark_reader_close(r);
}
