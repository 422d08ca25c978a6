/* SPDX-License-Identifier: ISC
 *
 * Compares two starts of the spool.
 */
#include "tests/unit/spool_same.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "relay/spool/start/spool_open.h"

static void on_message(void *arg, const struct spool_told *m)
{
	struct told_state *k = arg;

	assert_true(k->n < TOLD_MAX && k->ds + m->n <= TOLD_MAX);
	k->told[k->n] = *m;
	k->told[k->n].delivery = &k->d[k->ds];
	k->used = k->used || m->envelope.n == 0;
	memcpy(&k->d[k->ds], m->delivery, m->n * sizeof(k->d[0]));
	k->n++;
	k->ds += m->n;
}

static void on_damage(void *arg, const char *line)
{
	struct told_state *k = arg;

	(void)line;
	k->damaged++;
}

static void on_spoilt(void *arg, const char *line)
{
	struct told_state *k = arg;

	(void)line;
	k->spoilt++;
}

void told_look(struct rig *q, struct told_state *k)
{
	struct spool_recovered told = {.arg = k, .message = on_message,
	    .damage = on_damage, .spoilt = on_spoilt};
	struct strbuf fact;

	memset(k, 0, sizeof(*k));
	q->spool = spool_open(&q->c, &told, &q->start, &q->err);
	if (q->spool == NULL)
		fail_msg("%s", q->err.text);
	memcpy(k->total, q->spool->index.total, sizeof(k->total));
	k->live_bytes = q->spool->index.live_bytes;
	k->highest = q->start.highest_id;
	for (unsigned i = 0; i < q->spool->segs && i < TOLD_SLOTS; i++) {
		const struct segment *seg = q->spool->seg[i];

		if (seg != NULL && seg->state == SEG_MAIN)
			k->kept[i] = (uint64_t)seg->retain_until_us * 31 +
			    (seg->generation < q->spool->origin.end.generation
			    ? seg->end : 0);
	}
	strbuf_init(&fact, 64);
	spool_fact(q->spool, "k", &fact);
	snprintf(k->fact, sizeof(k->fact), "%s", strbuf_cstr(&fact));
	strbuf_fini(&fact);
	rig_recount(q);
}

void told_same(const struct told_state *a, const struct told_state *b)
{
	assert_int_equal(a->n, b->n);
	assert_int_equal(a->ds, b->ds);
	for (unsigned i = 0; i < a->n; i++) {
		assert_true(a->told[i].id == b->told[i].id);
		assert_true(a->told[i].size == b->told[i].size);
		assert_true(a->told[i].sender == b->told[i].sender);
		assert_int_equal(a->told[i].n, b->told[i].n);
	}
	for (unsigned i = 0; i < a->ds; i++) {
		assert_int_equal(a->d[i].leg, b->d[i].leg);
		assert_int_equal(a->d[i].state, b->d[i].state);
		assert_int_equal(a->d[i].uncertain, b->d[i].uncertain);
		assert_int_equal(a->d[i].attempts, b->d[i].attempts);
		assert_int_equal(a->d[i].flags, b->d[i].flags);
		assert_true(a->d[i].hash == b->d[i].hash);
		assert_true(a->d[i].created_us == b->d[i].created_us);
		assert_true(a->d[i].due_us == b->d[i].due_us);
	}
	assert_memory_equal(a->total, b->total, sizeof(a->total));
	assert_memory_equal(a->kept, b->kept, sizeof(a->kept));
	assert_true(a->live_bytes == b->live_bytes);
	assert_true(a->highest == b->highest);
	assert_string_equal(a->fact, b->fact);
}
