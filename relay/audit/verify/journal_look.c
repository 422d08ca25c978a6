/* SPDX-License-Identifier: ISC
 *
 * Reads the journal for the recount.
 */
#include "relay/audit/verify/journal_look.h"

#include "relay/spool/tail/tail.h"

#include <errno.h>
#include <stdatomic.h>

#include "relay/spool/disk/diskio_look.h"
#include "relay/base/mem.h"
#include "relay/spool/start/spool_open.h"

static void take_totals(struct journal_look *l)
{
	struct spool_stats *st = NEW(struct spool_stats);

	spool_stats(l->spool, st);
	for (int i = 0; i < NAMES_MAX; i++)
		memcpy(l->total[i], st->leg[i].total, sizeof(l->total[i]));
	mem_free(st);
}

struct journal_look *journal_look(const struct conf *c, struct names *names,
    struct error *err)
{
	const struct spool_config sc = {.path = c->spool.path,
	    .max_bytes = c->spool.max_bytes, .clock = &clock_system,
	    .rng = &rng_system, .io = &diskio_look, .names = names,
	    .projector = true};
	struct journal_look *l = NEW(struct journal_look);

	l->spool = spool_look(&sc, NULL, err);
	if (l->spool != NULL) {
		l->origin = spool_origin(l->spool);
		take_totals(l);
	} else if (err->no != ENOENT) {
		mem_free(l);
		return NULL;
	}
	return l;
}

void journal_look_free(struct journal_look *l)
{
	if (l == NULL)
		return;
	spool_close(l->spool);
	mem_free(l);
}

bool journal_look_holds(void *arg, uint64_t id, uint32_t number)
{
	struct journal_look *l = arg;

	return l->spool != NULL && spool_holds(l->spool, id, number);
}

uint64_t journal_records(struct spool *s, struct spool_pos from,
    struct spool_pos to, const _Atomic bool *stop)
{
	struct spool_tail *t = spool_tail_open(s, from);
	struct spool_record rec;
	struct spool_gap gap;
	uint64_t n = 0;

	while (stop == NULL || !atomic_load(stop)) {
		enum tail_got got = spool_tail_next(t, &rec, &gap);

		if (got == TAIL_NONE)
			break;
		if (got == TAIL_FAILED)
			spool_tail_pass(t);
		if (got != TAIL_RECORD)
			continue;
		if (to.generation != 0 && spool_pos_cmp(rec.pos, to) >= 0)
			break;
		n += rec.type != REC_TOTALS;
	}
	spool_tail_close(t);
	return n;
}
