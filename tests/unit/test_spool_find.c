/* SPDX-License-Identifier: ISC
 *
 * The deliveries of some recipients, found in summaries and in records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "relay/spool/find/find.h"
#include "tests/unit/spool_rig.h"

enum { SLOTS = 16, ANN = 50, BOB = 70, SEEN_MAX = 64 };

/* As the last segment leaves them. */
struct seen {
	struct {
		uint64_t id;
		uint32_t number;
		struct spool_delivery d;
	} at[SEEN_MAX];
	unsigned n, told;
};

static void on_found(void *arg, const struct spool_found *f)
{
	struct seen *s = arg;
	unsigned i = 0;

	while (i < s->n && (s->at[i].id != f->id ||
	    s->at[i].number != f->number))
		i++;
	assert_true(i < SEEN_MAX);
	s->at[i].id = f->id;
	s->at[i].number = f->number;
	s->at[i].d = *f->delivery;
	s->n += i == s->n;
	s->told++;
}

static void find(struct rig *r, const uint64_t *hash, size_t n,
    struct seen *s)
{
	struct spool_find q = {hash, n, on_found, s};
	uint64_t generation = 0;
	struct error err;
	int rc;

	*s = (struct seen){0};
	while ((rc = spool_find_segment(r->spool, &q, &generation, &err)) > 0)
		;
	assert_int_equal(rc, 0);
}

static const struct spool_delivery *seen_at(const struct seen *s,
    const struct rig_message *m, uint32_t number)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->at[i].id == m->id && s->at[i].number == number)
			return &s->at[i].d;
	fail_msg("not found");
	return NULL;
}

static struct rig_message *to(struct rig *r, uint64_t hash, bool settled)
{
	struct rig_message *m;

	r->hash = hash;
	m = rig_accept(r, 700);
	rig_pump(r);
	if (settled)
		rig_settle(r, m, D_DELIVERED, OP_SYNC);
	rig_pump(r);
	r->hash = 0;
	return m;
}

static void others(struct rig *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		to(r, 0, true);
}

static void revive(struct rig *r, struct rig_message *m, uint64_t hash)
{
	struct spool_fetch *f = rig_fetch_kept(r, m->id);
	struct spool_update more = {.detail = SLICE("")};
	struct spool_op *op = spool_op_new();

	r->hash = hash;
	more.to = rig_delivery(r, D_QUEUED);
	r->hash = 0;
	more.to.leg = (uint16_t)names_id(r->names, SLICE("cloud"));
	more.to.flags = DF_PINNED | DF_REPLAYED;
	op->to = &r->in;
	op->kind = RIG_OP;
	spool_op_revive(r->spool, op, f, &more, 1);
	spool_fetch_free(f);
	spool_post(r->spool, op);
	rig_pump(r);
	assert_int_equal(r->last_op, SPOOL_STORED);
	m->promise = P_STORED;
}

static unsigned summaries(const struct rig *r)
{
	unsigned n = 0;

	list_each(at, &r->spool->mains)
		n += LIST_ENTRY(at, struct segment, node)->summary != 0;
	return n;
}

static void expect(struct rig *r, struct rig_message *const m[3])
{
	static const uint64_t both[] = {ANN, BOB}, bob[] = {BOB};
	const struct spool_delivery *d;
	struct seen s;

	find(r, both, 2, &s);
	assert_int_equal(s.n, 4);
	d = seen_at(&s, m[0], 0);
	assert_int_equal(d->state, D_DELIVERED);
	assert_true(d->hash == ANN);
	assert_string_equal(names_text(r->names, d->leg), "legacy");
	d = seen_at(&s, m[0], 1);
	assert_int_equal(d->state, D_QUEUED);
	assert_int_equal(d->flags, DF_PINNED | DF_REPLAYED);
	assert_string_equal(names_text(r->names, d->leg), "cloud");
	assert_int_equal(seen_at(&s, m[1], 0)->state, D_DELIVERED);
	assert_int_equal(seen_at(&s, m[2], 0)->state, D_QUEUED);
	find(r, bob, 1, &s);
	assert_int_equal(s.n, 1);
	assert_int_equal(seen_at(&s, m[2], 0)->state, D_QUEUED);
}

static void all_that_some_recipients_have_is_found(void **state)
{
	struct rig *r = rig_new(SLOTS);
	struct rig_message *m[3];

	(void)state;
	r->c.retain_us = INT64_C(3600) * 1000000;
	assert_true(rig_open(r));
	m[0] = to(r, ANN, true);
	others(r, 60);
	m[1] = to(r, ANN, true);
	revive(r, m[0], ANN);
	others(r, 60);
	m[2] = to(r, BOB, false);
	assert_true(summaries(r) >= 2);
	expect(r, m);
	rig_close(r);
	assert_true(rig_open(r));
	expect(r, m);
	/* Without one its records say the same. */
	list_each(at, &r->spool->mains)
		LIST_ENTRY(at, struct segment, node)->summary = 0;
	expect(r, m);
	rig_free(r);
}

/* The stamps of both forms are wall clock, whatever it was set to. */
static void the_times_are_those_of_the_wall_clock_now(void **state)
{
	static const uint64_t ann[] = {ANN};
	struct rig *r = rig_new(SLOTS);
	struct rig_message *m;
	struct seen by_record, by_summary;
	int64_t set = INT64_C(7200) * 1000000, then;

	(void)state;
	r->c.retain_us = INT64_C(3600) * 1000000;
	assert_true(rig_open(r));
	m = to(r, ANN, true);
	find(r, ann, 1, &by_record);
	then = seen_at(&by_record, m, 0)->created_us;
	assert_true(then > 0 && then <= r->clock.wall);
	r->clock.wall += set;
	spool_look_at_clock(r->spool);
	rig_pump(r);
	find(r, ann, 1, &by_record);
	others(r, 60);
	assert_true(summaries(r) >= 1);
	find(r, ann, 1, &by_summary);
	assert_true(seen_at(&by_record, m, 0)->created_us >= then + set);
	assert_true(seen_at(&by_record, m, 0)->created_us ==
	    seen_at(&by_summary, m, 0)->created_us);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_that_some_recipients_have_is_found),
	    cmocka_unit_test(the_times_are_those_of_the_wall_clock_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
