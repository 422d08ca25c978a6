/* SPDX-License-Identifier: ISC
 *
 * The start of a spool whose files cannot be opened or read, or are not
 * there. What cannot be opened refuses the start and changes nothing; what is
 * absent, emptied or cut is named, and the rest is served.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "relay/base/id.h"
#include "relay/spool/check/spool_check.h"
#include "tests/unit/spool_rig.h"

enum { SLOTS = 14, CALLS_MAX = 500, SEGMENT = 64 << 10 };

/* Messages in three main segments and a bulk one. */
static struct rig *make(void)
{
	struct rig *r = rig_new(SLOTS);

	assert_true(rig_open(r));
	rig_accept(r, 12000);
	rig_pump(r);
	while (r->spool->journal.generation < 3) {
		rig_accept(r, 4000);
		rig_pump(r);
	}
	rig_accept(r, 10);
	rig_pump(r);
	rig_close(r);
	return r;
}

static struct rig *copy_of(const struct rig *r)
{
	return rig_over(fakedisk_cut(r->disk, CUT_KEEPS_ALL, 1), r);
}

static void all_is_there(struct rig *r, const char *when, unsigned n)
{
	const char *what;

	if (!rig_open(r))
		fail_msg("%s, call %u: %s", when, n, r->err.text);
	what = r->damaged > 0 ? r->last_damage : rig_check(r);
	if (what != NULL)
		fail_msg("%s, call %u: %s", when, n, what);
}

static const struct fault {
	const char *name;
	enum fake_fault fault;
	enum fake_call call;
	bool on;
	const char *says;
} faults[] = {
	/* clang-format off */
	{ "one open, EMFILE",  FAULT_EMFILE, CALL_REOPEN, false, "Too many open files" },
	{ "all opens, EMFILE", FAULT_EMFILE, CALL_REOPEN, true,  "Too many open files" },
	{ "one open, EIO",     FAULT_EIO,    CALL_REOPEN, false, "Input/output error"  },
	{ "one read, EIO",     FAULT_EIO,    CALL_READ,   false, "Input/output error"  },
	{ "all reads, EIO",    FAULT_EIO,    CALL_READ,   true,  "Input/output error"  },
	/* clang-format on */
};

/* The n-th call fails: all is served, or nothing is changed. */
static bool try_fault(const struct fault *f, const struct rig *r, unsigned n,
    unsigned *refused)
{
	struct rig *q = copy_of(r), *again;
	bool hit;

	q->disk->fault = f->fault;
	q->disk->fail_mask = 1u << f->call;
	q->disk->fail_at = n;
	q->disk->fail_on = f->on;
	if (rig_open(q)) {
		assert_int_equal(q->damaged, 0);
		q->disk->fault = FAULT_NONE;
		if (rig_check(q) != NULL)
			fail_msg("%s %u: %s", f->name, n, rig_check(q));
	} else {
		++*refused;
		if (strstr(q->err.text, f->says) == NULL ||
		    strstr(q->err.text, "/spool") == NULL)
			fail_msg("%s %u: %s", f->name, n, q->err.text);
	}
	hit = q->disk->hit;
	rig_kill(q);
	again = copy_of(q);
	all_is_there(again, f->name, n);
	rig_free(again);
	rig_free(q);
	return hit;
}

static void j9_a_failing_call_at_the_start_costs_nothing(void **state)
{
	struct rig *r = make();

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(faults); i++) {
		unsigned n = 1, refused = 0;

		while (n < CALLS_MAX && try_fault(&faults[i], r, n, &refused))
			n++;
		print_message("%s: %u calls, %u refused\n", faults[i].name,
		    n - 1, refused);
		assert_true(n > 5 && n < CALLS_MAX);
		/* One failed read is tried again, one failed open is not. */
		if (faults[i].call == CALL_REOPEN || faults[i].on)
			assert_true(refused > 3);
	}
	rig_free(r);
}

static void j10_a_segment_that_stays_unreadable_is_named(void **state)
{
	static const enum fake_call calls[] = {CALL_REOPEN, CALL_READ};
	struct rig *r = make();

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(calls); i++) {
		struct rig *q = copy_of(r);

		q->disk->fault = FAULT_EIO;
		q->disk->fail_mask = 1u << calls[i];
		q->disk->fail_at = 1;
		q->disk->fail_on = true;
		q->disk->fail_path = "/spool/seg.0000";
		assert_false(rig_open(q));
		assert_non_null(strstr(q->err.text, "/spool/seg.0000"));
		assert_non_null(strstr(q->err.text, "Input/output error"));
		q->disk->fault = FAULT_NONE;
		all_is_there(q, "afterwards", i);
		rig_free(q);
	}
	rig_free(r);
}

/* ---- lost ---- */

static struct fake_inode *inode_of(struct rig *r, const char *path)
{
	size_t n;
	char *p = fakedisk_bytes(r->disk, path, &n);

	for (unsigned i = 0; i < r->disk->inodes; i++)
		if (r->disk->inode[i]->now == p)
			return r->disk->inode[i];
	fail_msg("no %s", path);
	return NULL;
}

static void lose_file(struct rig *r, const char *path)
{
	r->disk->io.unlink(&r->disk->io, path);
}

static void lose_content(struct rig *r, const char *path)
{
	memset(inode_of(r, path)->now, 0, SEGMENT);
}

static void lose_all_bytes(struct rig *r, const char *path)
{
	inode_of(r, path)->now_n = 0;
}

static void lose_the_end(struct rig *r, const char *path)
{
	inode_of(r, path)->now_n = SEGMENT / 2;
}

static const struct {
	const char *name, *says;
	void (*lose)(struct rig *r, const char *path);
} losses[] = {
	{"absent", "is absent: it held generation", lose_file},
	{"zeroed", "was emptied or replaced: it held generation",
	    lose_content},
	{"of no size", "was emptied or replaced: it held generation",
	    lose_all_bytes},
	{"cut", "was cut to 32768 of 65536 bytes", lose_the_end},
};

/* Where generation `g` of the main lane stands. */
static void path_of(const struct rig *r, uint64_t g, char *path, size_t n)
{
	struct rig *q = copy_of(r);

	assert_true(rig_open(q));
	path[0] = '\0';
	for (unsigned i = 0; i < q->spool->segs; i++)
		if (q->spool->seg[i] != NULL &&
		    q->spool->seg[i]->state == SEG_MAIN &&
		    q->spool->seg[i]->generation == g)
			snprintf(path, n, "/spool/seg.%04u", i);
	rig_free(q);
	assert_true(path[0] != '\0');
}

static void put_back(struct rig *q, const struct rig *from, const char *path)
{
	size_t n;
	char *bytes = fakedisk_bytes(from->disk, path, &n);
	const char *what;
	int fd;

	assert_null(fakedisk_bytes(q->disk, path, &(size_t){0}));
	rig_close(q);
	fd = q->disk->io.open(&q->disk->io, path, 0102, 0600);
	q->disk->io.pwrite(&q->disk->io, fd, bytes, n, 0);
	q->disk->io.close(&q->disk->io, fd);
	assert_true(rig_open(q));
	what = rig_check(q);
	if (what == NULL)
		what = spool_conserved(q->spool, &(struct spool_checker){0});
	if (q->damaged > 0 || what != NULL)
		fail_msg("%s, put back: %s", path,
		    what != NULL ? what : q->last_damage);
}

static void lose(const struct rig *r, uint64_t g, unsigned how)
{
	struct rig *q = copy_of(r);
	uint64_t newest;
	char path[32];
	unsigned served = 0, bulk = 0;

	path_of(r, g, path, sizeof(path));
	print_message("generation %u %s\n", (unsigned)g, losses[how].name);
	losses[how].lose(q, path);
	if (!rig_open(q))
		fail_msg("%s", q->err.text);
	/* Further lines may name messages whose replies were there. */
	assert_true(q->damaged >= 1);
	assert_int_equal(q->start.gones, 1);
	assert_int_equal(q->start.gone[0], g);
	/* The totals are of what is there. */
	assert_null(spool_conserved(q->spool, &(struct spool_checker){0}));
	assert_true(how == 3 || g == 3 ||
	    spool_origin(q->spool).corrected > 0);
	if (strstr(q->first_damage, losses[how].says) == NULL ||
	    strstr(q->first_damage, path + strlen("/spool/")) == NULL)
		fail_msg("%s", q->first_damage);
	/* A body that only the lost segment names is kept for a while. */
	for (unsigned i = 0; i < q->spool->segs && how < 3; i++)
		bulk += q->spool->seg[i] != NULL &&
		    q->spool->seg[i]->state == SEG_BULK;
	assert_true(how == 3 || bulk == 1);
	newest = q->spool->journal.generation;
	assert_true(newest >= 3);
	for (unsigned i = 0; i < q->n; i++)
		served += live_find(&q->spool->index.table, q->m[i].id) != 0;
	assert_true(g == 1 ? served >= 9 : served > 1);
	/* It goes on, in generations that were never used. */
	rig_accept(q, 700);
	rig_pump(q);
	assert_int_equal(q->m[q->n - 1].promise, P_STORED);
	rig_close(q);
	assert_true(rig_open(q));
	assert_true(rig_live(q, &q->m[q->n - 1]));
	if (g == 3 && how != 3)
		assert_true(q->spool->journal.generation > 3);
	/* Its name is not taken while it counts, so it can be put back. */
	if (how == 0)
		put_back(q, r, path);
	rig_free(q);
}

static void j11_what_is_absent_emptied_or_cut_is_named(void **state)
{
	struct rig *r = make();

	(void)state;
	for (uint64_t g = 1; g <= 3; g++)
		for (unsigned how = 0; how < ARRAY_LEN(losses); how++)
			lose(r, g, how);
	rig_free(r);
}

/* There a segment grows as it is written, so its size says nothing; what the
 * next one says of it does. */
static void j15_a_cut_is_named_on_a_file_system_that_copies(void **state)
{
	struct rig *r = make();
	char path[32];

	(void)state;
	path_of(r, 1, path, sizeof(path));
	for (size_t n = BLOCK; n < SEGMENT - SEGMENT / 4; n += BLOCK) {
		struct rig *q = copy_of(r);

		q->disk->cow = true;
		inode_of(q, path)->now_n = n;
		assert_true(rig_open(q));
		print_message("%zu: %s\n", n, q->first_damage);
		assert_true(q->damaged >= 1);
		assert_int_equal(q->start.gones, 1);
		assert_int_equal(q->start.gone[0], 1);
		rig_free(q);
	}
	rig_free(r);
}

/* ---- a record that cannot be read ---- */

static void j12_an_unread_message_is_named_and_served_later(void **state)
{
	struct rig *r = make();
	unsigned seen = 0;

	(void)state;
	for (unsigned n = 1; n < CALLS_MAX; n++) {
		struct rig *q = copy_of(r);
		bool hit, open;

		q->disk->fault = FAULT_EIO;
		q->disk->fail_mask = 1u << CALL_READ;
		q->disk->fail_at = n;
		/* With others in its window, and as often as it is tried. */
		q->disk->fail_more = 3;
		open = rig_open(q);
		q->disk->fault = FAULT_NONE;
		hit = q->disk->hit;
		if (open && q->unread > 0) {
			assert_int_equal(q->unread, 1);
			assert_int_equal(q->told, q->n);
			assert_int_not_equal(live_find(&q->spool->index.table,
			    q->unread_id), 0);
			assert_null(rig_check(q));
			seen++;
		}
		rig_free(q);
		if (!hit)
			break;
	}
	assert_true(seen >= 2);
	rig_free(r);
}

/* One block of the disk, for good: under a body it costs that message, until
 * it can be read; under a record it is not known what is there. */
static bool open_over_bad_block(struct rig *q, size_t at)
{
	q->disk->fault = FAULT_EIO;
	q->disk->fail_mask = 1u << CALL_READ;
	q->disk->fail_at = 1;
	q->disk->fail_on = true;
	q->disk->fail_path = "/spool/seg.0000";
	q->disk->bad_at = at;
	return rig_open(q);
}

static void j14_a_bad_block_under_a_body_costs_its_message_alone(void **state)
{
	struct rig *r = make(), *q = copy_of(r);
	struct rig_message *m;
	size_t record, body;
	char needle[64], *p;
	size_t n;

	(void)state;
	path_of(r, 1, needle, sizeof(needle));
	assert_string_equal(needle, "/spool/seg.0000");
	m = &q->m[2]; /* its body is inline */
	assert_true(rig_open(q));
	record = live_at(&q->spool->index.table,
	    live_find(&q->spool->index.table, m->id))->rec;
	p = fakedisk_bytes(q->disk, "/spool/seg.0000", &n);
	rig_body(m->id, needle, sizeof(needle));
	body = (size_t)((char *)memmem(p, n, needle, sizeof(needle)) - p);
	rig_kill(q);
	rig_free(q);
	q = copy_of(r);
	m = &q->m[2];
	/* Its end stands in a block without records. */
	if (!open_over_bad_block(q, body + m->body - 1))
		fail_msg("%s", q->err.text);
	assert_int_equal(q->told, q->n);
	assert_int_equal(q->damaged, 0);
	q->unread = 0;
	for (unsigned i = 0; i < q->n; i++)
		assert_true(rig_live(q, &q->m[i]) == (&q->m[i] != m));
	assert_true(q->unread > 0);
	assert_int_equal(q->unread_id, m->id);
	q->disk->fault = FAULT_NONE;
	assert_null(rig_check(q));
	rig_free(q);
	q = copy_of(r);
	assert_false(open_over_bad_block(q, record + 10));
	assert_non_null(strstr(q->err.text, "/spool/seg.0000"));
	rig_free(q);
	rig_free(r);
}

static void j13_a_lost_bulk_segment_names_its_messages(void **state)
{
	struct rig *r = make(), *q = copy_of(r);
	char path[32] = "", id[32];

	(void)state;
	assert_true(rig_open(q));
	for (unsigned i = 0; i < q->spool->segs; i++)
		if (q->spool->seg[i] != NULL &&
		    q->spool->seg[i]->state == SEG_BULK)
			snprintf(path, sizeof(path), "/spool/seg.%04u", i);
	rig_free(q);
	q = copy_of(r);
	lose_file(q, path);
	assert_true(rig_open(q));
	id_text(q->m[0].id, id);
	assert_non_null(strstr(q->last_damage, id));
	assert_non_null(strstr(q->last_damage, "bulk generation 1"));
	assert_true(q->spool->bulk.generation >= 1);
	rig_free(q);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(j9_a_failing_call_at_the_start_costs_nothing),
	    cmocka_unit_test(j10_a_segment_that_stays_unreadable_is_named),
	    cmocka_unit_test(j11_what_is_absent_emptied_or_cut_is_named),
	    cmocka_unit_test(
		j15_a_cut_is_named_on_a_file_system_that_copies),
	    cmocka_unit_test(j12_an_unread_message_is_named_and_served_later),
	    cmocka_unit_test(j13_a_lost_bulk_segment_names_its_messages),
	    cmocka_unit_test(
		j14_a_bad_block_under_a_body_costs_its_message_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
