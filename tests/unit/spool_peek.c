/* SPDX-License-Identifier: ISC
 *
 * The spool's steps and its index.
 */
#include "tests/unit/spool_peek.h"

#include "relay/spool/spool_int.h"

bool spool_turn(struct spool *s, int64_t now_ms)
{
	bool busy = bulk_step(s) == 0;

	busy = journal_step(s, now_ms) == 0 || busy;
	return steward_work(s, now_ms) || busy;
}

bool spool_peek(struct spool *s, uint64_t id, uint32_t number,
    struct spool_delivery *out)
{
	const struct version *v = index_latest(s, id);

	if (v == NULL || number >= v->n)
		return false;
	*out = v->d[number].d;
	return true;
}

void spool_press(struct spool *s)
{
	atomic_store(&s->pressed, true);
}
