/* SPDX-License-Identifier: ISC
 *
 * The records of the journal as bytes: what comes back, and at which value a
 * record is none any more. What a segment holds is input.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/spool/format/record.h"

enum { ROOM = 4096, FORMAT = 2 };

struct made {
	struct names *names;
	struct spool_delivery to[2];
	struct slice detail[2];
	struct extent extent[2];
	struct rec_accept accept;
	struct spool_update step[2];
	struct rec_update update;
	struct rec_revive revive;
	struct strbuf bytes;
	struct record back;
};

static int setup(void **state)
{
	struct made *m = NEW(struct made);

	m->names = names_new();
	for (unsigned i = 0; i < 2; i++)
		m->to[i] = (struct spool_delivery){.rcpt = SPOOL_RCPTS - 1,
		    .leg = (uint16_t)names_id(m->names, SLICE("legacy")),
		    .role = ROLE_COPY, .uncertain = UNC_YES,
		    .state = D_STATES - 1, .reason = 255, .flags = 0x1234,
		    .attempts = 65535, .created_us = -1, .due_us = 7,
		    .change = 8, .hash = 9};
	m->detail[0] = SLICE("250 ok");
	m->detail[1] = SLICE("");
	m->extent[0] = (struct extent){1, 2, 3, 40, 5};
	m->extent[1] = (struct extent){2, 3, 4, 60, 6};
	m->accept = (struct rec_accept){.id = 1, .accepted_us = 2,
	    .ahead_us = 3, .sender = 4, .envelope = SLICE("env"),
	    .delivery = m->to, .detail = m->detail, .deliveries = 2,
	    .body = {.size = 100, .extent = m->extent, .extents = 2}};
	m->step[0] = (struct spool_update){.delivery = 1, .to = m->to[0],
	    .detail = SLICE("550 no")};
	m->step[1] = (struct spool_update){.delivery = 0, .to = m->to[1],
	    .detail = SLICE("")};
	m->update = (struct rec_update){.id = 1, .time_us = 2, .ahead_us = 3,
	    .update = m->step, .updates = 2};
	m->revive = (struct rec_revive){.generation = 9, .off = 10,
	    .bytes = 11, .old = 1};
	strbuf_init(&m->bytes, ROOM);
	record_init(&m->back);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct made *m = *state;

	record_fini(&m->back);
	strbuf_fini(&m->bytes);
	names_free(m->names);
	mem_free(m);
	return 0;
}

static void pack(struct made *m, enum record_type type)
{
	strbuf_reset(&m->bytes);
	if (type == REC_UPDATE || type == REC_GROUP)
		record_put_update(&m->bytes, &m->update, m->names);
	if (type == REC_REVIVE)
		record_put_revive(&m->bytes, &m->revive, &m->accept,
		    m->names);
	else if (type != REC_UPDATE)
		record_put_accept(&m->bytes, &m->accept, m->names);
}

static int parse(struct made *m, enum record_type type, struct slice bytes)
{
	struct record_head h = {.type = (uint8_t)type};

	return record_parse(&m->back, &h, bytes, FORMAT, m->names);
}

static int there_and_back(struct made *m, enum record_type type)
{
	pack(m, type);
	return parse(m, type, strbuf_view(&m->bytes));
}

static const enum record_type types[] = {
    REC_ACCEPTED, REC_CARRY, REC_UPDATE, REC_GROUP, REC_REVIVE};

static void same_delivery(const struct spool_delivery *d,
    const struct spool_delivery *want)
{
	assert_int_equal(d->rcpt, want->rcpt);
	assert_int_equal(d->leg, want->leg);
	assert_int_equal(d->role, want->role);
	assert_int_equal(d->state, want->state);
	assert_int_equal(d->uncertain, want->uncertain);
	assert_int_equal(d->reason, want->reason);
	assert_int_equal(d->flags, want->flags);
	assert_int_equal(d->attempts, want->attempts);
	assert_int_equal(d->created_us, want->created_us);
	assert_int_equal(d->due_us, want->due_us);
	assert_int_equal(d->change, want->change);
	assert_int_equal(d->hash, want->hash);
}

static void same_accept(const struct made *m)
{
	const struct rec_accept *a = &m->back.accept;

	assert_int_equal(a->id, 1);
	assert_int_equal(a->accepted_us, 2);
	assert_int_equal(a->ahead_us, 3);
	assert_int_equal(a->sender, 4);
	assert_true(slice_eq(a->envelope, SLICE("env")));
	assert_int_equal(a->deliveries, 2);
	assert_int_equal(a->body.size, 100);
	assert_int_equal(a->body.extents, 2);
	for (unsigned i = 0; i < 2; i++) {
		same_delivery(&a->delivery[i], &m->to[i]);
		assert_true(slice_eq(a->detail[i], m->detail[i]));
		assert_int_equal(a->body.extent[i].slot, m->extent[i].slot);
		assert_int_equal(a->body.extent[i].generation,
		    m->extent[i].generation);
		assert_int_equal(a->body.extent[i].off, m->extent[i].off);
		assert_int_equal(a->body.extent[i].bytes, m->extent[i].bytes);
		assert_int_equal(a->body.extent[i].sum, m->extent[i].sum);
	}
}

static void same_update(const struct made *m)
{
	const struct rec_update *up = &m->back.update;

	assert_int_equal(up->id, 1);
	assert_int_equal(up->time_us, 2);
	assert_int_equal(up->ahead_us, 3);
	assert_int_equal(up->updates, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(up->update[i].delivery, 1 - i);
		same_delivery(&up->update[i].to, &m->to[i]);
		assert_true(slice_eq(up->update[i].detail,
		    m->step[i].detail));
		/* The place is that of the old state. */
		assert_int_equal(up->old_state[i], D_NONE);
		assert_true(up->old_at[i] < m->bytes.n);
		m->bytes.p[up->old_at[i]] = (char)(i + 1);
	}
	assert_int_equal(parse((struct made *)(uintptr_t)m, m->back.type,
	    strbuf_view(&m->bytes)), 0);
	assert_int_equal(up->old_state[0], 1);
	assert_int_equal(up->old_state[1], 2);
}

static void what_is_packed_comes_back(void **state)
{
	struct made *m = *state;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		assert_int_equal(there_and_back(m, types[i]), 0);
		assert_int_equal(m->back.type, types[i]);
		if (types[i] != REC_UPDATE)
			same_accept(m);
		if (types[i] == REC_UPDATE || types[i] == REC_GROUP)
			same_update(m);
	}
	assert_int_equal(m->back.revive.generation, 9);
	assert_int_equal(m->back.revive.off, 10);
	assert_int_equal(m->back.revive.bytes, 11);
	assert_int_equal(m->back.revive.old, 1);
}

static void no_byte_may_be_absent_or_too_many(void **state)
{
	struct made *m = *state;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		pack(m, types[i]);
		for (size_t n = 0; n < m->bytes.n; n++)
			assert_int_equal(parse(m, types[i],
			    slice_of(m->bytes.p, n)), -1);
		strbuf_addc(&m->bytes, 'x');
		assert_int_equal(parse(m, types[i], strbuf_view(&m->bytes)),
		    -1);
	}
}

/* Each field at its last good value is in what setup() makes. */
static void a_delivery_has_its_bounds(void **state)
{
	struct made *m = *state;
	const struct spool_delivery good = m->to[1];

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		for (int bad = 0; bad < 5; bad++) {
			struct spool_delivery d = good;

			d.rcpt += bad == 0;
			d.role = (uint8_t)(d.role + (bad == 1));
			d.uncertain = (uint8_t)(d.uncertain + (bad == 2));
			d.state = bad == 3 ? D_STATES :
				  bad == 4 ? D_NONE : d.state;
			m->to[1] = m->step[1].to = d;
			assert_int_equal(there_and_back(m, types[i]), -1);
		}
		m->to[1] = m->step[1].to = good;
		assert_int_equal(there_and_back(m, types[i]), 0);
	}
}

static void no_message_has_the_id_0(void **state)
{
	struct made *m = *state;

	m->accept.id = 0;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		assert_int_equal(there_and_back(m, types[i]),
		    types[i] == REC_UPDATE ? 0 : -1);
	m->accept.id = 1;
	m->update.id = 0;
	assert_int_equal(there_and_back(m, REC_UPDATE), -1);
	assert_int_equal(there_and_back(m, REC_GROUP), -1);
	assert_int_equal(there_and_back(m, REC_CARRY), 0);
}

static void the_pieces_of_a_body_are_all_of_it(void **state)
{
	struct made *m = *state;

	for (int i = -1; i <= 1; i++) {
		m->accept.body.size = (uint64_t)(100 + i);
		assert_int_equal(there_and_back(m, REC_ACCEPTED),
		    i == 0 ? 0 : -1);
	}
	/* In pieces or behind the record: never both. A revival alone has
	 * its place at once. */
	m->accept.body.size = 101;
	m->accept.body.bytes = 1;
	assert_int_equal(there_and_back(m, REC_REVIVE), -1);
	m->accept.body.size = 1;
	m->accept.body.off = 1 << 20;
	m->accept.body.sum = UINT64_MAX - 1;
	m->accept.body.extents = 0;
	assert_int_equal(there_and_back(m, REC_REVIVE), 0);
	assert_int_equal(m->back.accept.body.bytes, 1);
	assert_int_equal(m->back.accept.body.off, 1 << 20);
	assert_true(m->back.accept.body.sum == UINT64_MAX - 1);
	m->accept.body.size = 0;
	assert_int_equal(there_and_back(m, REC_REVIVE), -1);
}

static void a_revival_has_a_delivery_that_is_new(void **state)
{
	struct made *m = *state;

	m->revive.old = 2;
	assert_int_equal(there_and_back(m, REC_REVIVE), -1);
	m->revive.old = 0;
	assert_int_equal(there_and_back(m, REC_REVIVE), 0);
}

static void facts_come_back(void **state)
{
	const struct fact f[] = {{SLICE("k"), SLICE("v")},
	    {SLICE(""), SLICE("")}};
	struct made *m = *state;

	for (int all = 0; all < 2; all++) {
		strbuf_reset(&m->bytes);
		record_put_facts(&m->bytes, all, f, 2);
		assert_int_equal(parse(m, REC_FACTS, strbuf_view(&m->bytes)),
		    0);
		assert_int_equal(m->back.all_facts, all);
		assert_int_equal(m->back.facts, 2);
		assert_true(slice_eq(m->back.fact[0].key, SLICE("k")));
		assert_true(slice_eq(m->back.fact[0].value, SLICE("v")));
		assert_int_equal(m->back.fact[1].value.n, 0);
	}
	/* As many as are claimed would fit, had each its least bytes. */
	m->bytes.p[1] = 3;
	assert_int_equal(parse(m, REC_FACTS, strbuf_view(&m->bytes)), -1);
	assert_int_equal(m->back.facts, 0);
}

static void totals_are_of_legs(void **state)
{
	uint64_t total[2][TOTALS] = {{1, 2, 3, 4, 5, 6, 7}, {8}};
	uint64_t back[NAMES_MAX][TOTALS] = {{0}};
	struct made *m = *state;
	struct slice all;

	assert_int_equal(names_id(m->names, SLICE("cloud")), 1);
	record_put_totals(&m->bytes, total, m->names, 2);
	all = strbuf_view(&m->bytes);
	assert_int_equal(record_totals(all, back, m->names), 0);
	assert_memory_equal(back, total, sizeof(total));
	assert_int_equal(record_totals(slice_of(all.p, all.n - 1), back,
	    m->names), -1);
	m->bytes.p[4] = 0; /* the length of the first name, and of the rest */
	assert_int_equal(record_totals(all, back, m->names), -1);
	strbuf_reset(&m->bytes);
	strbuf_add(&m->bytes, "\1\0\0\0\0\0\0\0", 8); /* a leg without name */
	for (int t = 0; t < TOTALS; t++)
		strbuf_add(&m->bytes, "\0\0\0\0\0\0\0\0", 8);
	assert_int_equal(record_totals(strbuf_view(&m->bytes), back,
	    m->names), -1);
}

static void a_type_of_a_later_version_is_not_known(void **state)
{
	struct made *m = *state;

	assert_false(record_known(REC_ACCEPTED - 1));
	assert_true(record_known(REC_ACCEPTED));
	assert_true(record_known(REC_REVIVE));
	assert_false(record_known(REC_REVIVE + 1));
	assert_int_equal(parse(m, REC_REVIVE + 1, SLICE("")), -1);
}

/* The bounds are what room is made for. */
static void the_sizes_are_within_what_is_reckoned(void **state)
{
	struct made *m = *state;
	char name[NAME_BYTES];
	int leg;

	memset(name, 'l', sizeof(name));
	leg = names_id(m->names, slice_of(name, sizeof(name)));
	for (unsigned i = 0; i < 2; i++)
		m->to[i].leg = m->step[i].to.leg = (uint16_t)leg;
	pack(m, REC_ACCEPTED);
	assert_true(m->bytes.n <= record_accept_max(3, 2, 6, 2));
	pack(m, REC_UPDATE);
	assert_true(m->bytes.n <= record_update_max(2, 6));
	/* Each more costs what it has at most. */
	assert_int_equal(record_accept_max(4, 3, 7, 3) -
	    record_accept_max(3, 2, 6, 2), 1 + 81 + 1 + 28);
	assert_int_equal(record_update_max(3, 7) - record_update_max(2, 6),
	    86 + 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_packed_comes_back),
		T(no_byte_may_be_absent_or_too_many),
		T(a_delivery_has_its_bounds),
		T(no_message_has_the_id_0),
		T(the_pieces_of_a_body_are_all_of_it),
		T(a_revival_has_a_delivery_that_is_new),
		T(facts_come_back),
		T(totals_are_of_legs),
		T(a_type_of_a_later_version_is_not_known),
		T(the_sizes_are_within_what_is_reckoned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
