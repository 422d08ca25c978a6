/* SPDX-License-Identifier: ISC
 *
 * Detects that a leg lost its directory: it calls many recipients unknown whose
 * mail it took lately (D5). Queue thread.
 */
#include "relay/settle/leg_health_int.h"

#include <stdio.h>

#include "relay/settle/queue_thread_int.h"

enum {
	UNKNOWN_MIN = 5, UNKNOWN_PART = 5, /* a fifth, and five at least */
	UNKNOWN_MAX = 4096, /* recipients that are told apart */
};

/* Recipients that the leg had lately and does not know now; one that is tried
 * again and again is one. */
static unsigned new_unknown(struct queue_thread *s,
    const struct outcome_letter *o,
    int64_t minute)
{
	struct map *m = &s->health->leg[o->leg].unknown;
	struct delivery_ref item;
	unsigned n = 0;

	if (m->used >= UNKNOWN_MAX) {
		map_fini(m);
		map_init(m);
	}
	for (unsigned i = 0; i < o->n; i++) {
		if (!o->row[i].known ||
		    o->row[i].result.class != CLASS_RECIPIENT ||
		    !queue_get(s->queue, o->id, o->row[i].delivery.number,
			&item) ||
		    (intptr_t)map_get(m, item.hash) > minute - MINUTES)
			continue;
		map_put(m, item.hash, (void *)(intptr_t)minute);
		n++;
	}
	return n;
}

/* A fifth of the recipients that the leg had lately, and it says that it has
 * never heard of them: its directory is gone, not they. */
void leg_count_unknown(struct queue_thread *s, const struct conf_leg *c,
    const struct outcome_letter *o, unsigned delivered)
{
	struct leg_state *w = &s->health->leg[c->id];
	int64_t at = leg_now_ms(s->health) / MINUTE_MS + MINUTES; /* never 0 */
	unsigned fresh = new_unknown(s, o, at), unknown = 0, taken = 0;
	struct minute *m = &w->minute[at % MINUTES];
	char reason[FACT_REASON];

	if (m->at != at)
		*m = (struct minute){.at = at};
	m->unknown += fresh;
	m->delivered += delivered;
	if (fresh == 0)
		return;
	for (int i = 0; i < MINUTES; i++) {
		if (w->minute[i].at <= at - MINUTES)
			continue;
		unknown += w->minute[i].unknown;
		taken += w->minute[i].delivered;
	}
	if (unknown < UNKNOWN_MIN ||
	    unknown * UNKNOWN_PART < unknown + taken)
		return;
	snprintf(reason, sizeof(reason), "it does not know %u recipients any "
	    "more that it took lately, and took %u others; look at its "
	    "directory", unknown, taken);
	w->met = MET_DIRECTORY;
	leg_suspend(s, c->id, ALARM_UNKNOWN_RECIPIENTS, CLASS_RECIPIENT,
	    reason);
}
