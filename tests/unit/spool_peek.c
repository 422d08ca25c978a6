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

void spool_read(struct spool *s)
{
	for (unsigned i = 0; i < READERS; i++)
		reader_step(s, i);
}

bool spool_peek(struct spool *s, uint64_t id, uint32_t number,
    struct spool_delivery *out)
{
	struct version *v = index_copy(s, id);
	bool there = v != NULL && number < v->n;
	struct stored m;
	struct error err;

	if (there && stored_read(s, NULL, v, &m, &err) == 0) {
		*out = m.delivery[number];
		stored_fini(&m);
	}
	version_free(v);
	return there;
}

void spool_press(struct spool *s)
{
	atomic_store(&s->pressed, true);
}
