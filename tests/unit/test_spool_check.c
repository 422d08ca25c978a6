/* SPDX-License-Identifier: ISC
 *
 * The checker finds each sum of the spool that is wrong: one is spoiled at a
 * time, and put back, since a spool that ends wrong ends the process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "relay/spool/check/spool_check.h"
#include "tests/unit/spool_rig.h"

enum { SLOTS = 64, SMALL = 500, LARGE = 200 << 10 };

/* Two small messages, a large one in the bulk lane, one that is over. */
static struct rig *furnished(void)
{
	struct rig *r = rig_new(SLOTS);
	struct rig_message *over;

	assert_true(rig_open(r));
	rig_accept(r, SMALL);
	rig_accept(r, SMALL);
	rig_accept(r, LARGE);
	over = rig_accept(r, SMALL);
	rig_pump(r);
	rig_settle(r, over, D_DELIVERED, OP_SYNC);
	rig_pump(r);
	return r;
}

static struct live_table *table(struct rig *r)
{
	return &r->spool->index.table;
}

static uint32_t number(struct rig *r, unsigned i)
{
	return live_find(table(r), r->m[i].id);
}

static struct live *live(struct rig *r, unsigned i)
{
	return live_at(table(r), number(r, i));
}

static struct segment *bulk(struct rig *r)
{
	unsigned n;

	return index_bulk(r->spool, r->m[2].id, &n)[0];
}

static struct segment *spare(struct rig *r)
{
	for (unsigned i = 0; i < r->spool->segs; i++)
		if (r->spool->seg[i] != NULL &&
		    r->spool->seg[i]->state == SEG_SPARE)
			return r->spool->seg[i];
	fail_msg("no spare");
	return NULL;
}

static struct segment *first_main(struct rig *r)
{
	return r->spool->seg[live(r, 0)->slot];
}

/* ---- what is spoiled, and by `by` < 0 put back ---- */

static void messages(struct rig *r, int by)
{
	r->spool->index.messages += (uint64_t)by;
}

static void bytes(struct rig *r, int by)
{
	r->spool->index.live_bytes += (uint64_t)by;
}

static void bytes_of_a_segment(struct rig *r, int by)
{
	first_main(r)->live_bytes += (uint64_t)by;
}

static void bytes_of_a_spare(struct rig *r, int by)
{
	spare(r)->live_bytes += (uint64_t)by;
}

static void references(struct rig *r, int by)
{
	bulk(r)->refs += (uint64_t)by;
}

static void given_back(struct rig *r, int by)
{
	bulk(r)->state = by > 0 ? SEG_DIRTY : SEG_BULK;
}

static void main_given_back(struct rig *r, int by)
{
	first_main(r)->state = by > 0 ? SEG_DIRTY : SEG_MAIN;
}

static void behind_the_end(struct rig *r, int by)
{
	live(r, 1)->rec += (uint32_t)by * (1 << 20);
}

static void not_in_its_list(struct rig *r, int by)
{
	struct live_list *l = &first_main(r)->live;

	if (by > 0)
		live_list_drop(table(r), l, number(r, 0));
	else
		live_list_push(table(r), l, number(r, 0));
}

static void another_id(struct rig *r, int by)
{
	static uint32_t n;

	if (by > 0)
		n = number(r, 0);
	live_at(table(r), n)->id = by > 0 ? 7 : r->m[0].id;
}

static void another_count(struct rig *r, int by)
{
	table(r)->used += (uint32_t)by;
}

static void state_unknown(struct rig *r, int by)
{
	live_delivery_at(table(r), live(r, 0)->first)->state =
	    by > 0 ? D_STATES : D_QUEUED;
}

static void over_and_there(struct rig *r, int by)
{
	live_delivery_at(table(r), live(r, 0)->first)->state =
	    by > 0 ? D_DELIVERED : D_QUEUED;
}

static void spares(struct rig *r, int by)
{
	atomic_fetch_add(&r->spool->spares, (unsigned)by);
}

static void mains(struct rig *r, int by)
{
	struct segment *seg = first_main(r);

	list_remove(&seg->node);
	if (by < 0)
		list_push_front(&r->spool->mains, &seg->node);
}

static void order(struct rig *r, int by)
{
	first_main(r)->generation = by > 0 ? 0 : 1;
}

static void writer_in_a_spare(struct rig *r, int by)
{
	spare(r)->current = by > 0;
}

static void descriptors(struct rig *r, int by)
{
	r->spool->fds_open += (unsigned)by;
}

static void reserved(struct rig *r, int by)
{
	atomic_fetch_sub(&r->spool->reserved, (uint64_t)by);
}

static void pool(struct rig *r, int by)
{
	atomic_fetch_sub(&r->spool->pool_used, (uint64_t)by);
}

static void window(struct rig *r, int by)
{
	atomic_fetch_sub(&r->spool->window_used, (uint64_t)by);
}

/* ---- the rows ---- */

static const struct {
	void (*spoil)(struct rig *r, int by);
	const char *said;
	bool local; /* a slice finds it, too */
} rows[] = {
	/* clang-format off */
	{ messages,           "counted",                 false },
	{ bytes,              "counted",                 false },
	{ bytes_of_a_segment, "its live bytes",          false },
	{ bytes_of_a_spare,   "its live bytes",          false },
	{ references,         "its references",          false },
	{ given_back,         "given back",              true  },
	{ main_given_back,    "given back",              true  },
	{ behind_the_end,     "behind the end",          true  },
	{ not_in_its_list,    "does not know it",        true  },
	{ another_id,         "not found by its id",     true  },
	{ another_count,      "counted",                 false },
	{ state_unknown,      "does not exist",          true  },
	{ over_and_there,     "it is over",              true  },
	{ spares,             "spares counted",          false },
	{ mains,              "of the main lane",        false },
	{ order,              "its place",               false },
	{ writer_in_a_spare,  "a writer is at work",     false },
	{ descriptors,        "descriptors",             false },
	{ reserved,           "bytes reserved",          false },
	{ pool,               "in the pool",             false },
	{ window,             "on their way out",        false },
	/* clang-format on */
};

/* Fewer at a time than there are. */
static const char *by_slices(struct rig *r)
{
	struct spool_checker c = {0};
	static char said[sizeof(c.text)];

	for (int i = 0; i < 6; i++) {
		const char *why = spool_check_some(r->spool, &c, 1);

		if (why != NULL)
			return strcpy(said, why);
	}
	return NULL;
}

static void what_is_spoiled_is_found(void **state)
{
	struct rig *r = furnished();

	(void)state;
	assert_null(by_slices(r));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct spool_checker c = {0};
		const char *why, *slices;

		rows[i].spoil(r, 1);
		why = spool_check(r->spool, &c);
		slices = by_slices(r);
		rows[i].spoil(r, -1);
		print_message("%s\n", why == NULL ? "(nothing)" : why);
		assert_non_null(why);
		assert_non_null(strstr(why, rows[i].said));
		assert_int_equal(slices != NULL, rows[i].local);
		rig_recount(r);
	}
	rig_free(r);
}

/* Each column, and a message that no total knows. */
static void what_is_not_accounted_for_is_found(void **state)
{
	struct rig *r = furnished();
	int leg = names_find(r->names, SLICE("legacy"));
	uint64_t *total = r->spool->index.total[leg];
	struct spool_checker c = {0};

	(void)state;
	assert_true(leg >= 0 && total[T_CREATED] == 4 && total[T_OPEN] == 3);
	for (int t = 0; t < TOTALS; t++) {
		total[t]++;
		assert_non_null(spool_conserved(r->spool, &c));
		assert_non_null(strstr(c.text, "accounted for"));
		total[t]--;
	}
	total[T_OPEN]--;
	total[T_DELIVERED]++;
	assert_non_null(spool_conserved(r->spool, &c));
	assert_non_null(strstr(c.text, "live messages have 3"));
	total[T_OPEN]++;
	total[T_DELIVERED]--;
	assert_null(spool_conserved(r->spool, &c));
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_spoiled_is_found),
		cmocka_unit_test(what_is_not_accounted_for_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
