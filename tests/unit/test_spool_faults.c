/* SPDX-License-Identifier: ISC
 *
 * Fails the n-th call that touches the disk, for all n until a run has no
 * fault left: EIO, no space, a short write; once, and from there on. No
 * crash, no 250 without a synced record, and what was promised is there
 * after a restart on the disk as it then is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>

#include "tests/unit/spool_rig.h"

enum { SLOTS = 7, CALLS_MAX = 3000 };

#define WRITES \
	(1u << CALL_OPEN | 1u << CALL_WRITE | 1u << CALL_SYNC | \
	    1u << CALL_RENAME | 1u << CALL_UNLINK | 1u << CALL_MKDIR | \
	    1u << CALL_ALLOCATE)

static const struct fault_case {
	const char *name;
	enum fake_fault fault;
	unsigned mask;
	bool on; /* and all after it */
} cases[] = {
	/* clang-format off */
	{ "EIO once",            FAULT_EIO,    WRITES,          false },
	{ "EIO from then on",    FAULT_EIO,    WRITES,          true  },
	{ "ENOSPC once",         FAULT_ENOSPC, WRITES,          false },
	{ "ENOSPC from then on", FAULT_ENOSPC, WRITES,          true  },
	{ "a short write",       FAULT_SHORT,  1u << CALL_WRITE, false },
	{ "short from then on",  FAULT_SHORT,  1u << CALL_WRITE, true  },
	{ "EIO at a sync",       FAULT_EIO,    1u << CALL_SYNC, false },
	{ "EIO at all syncs",    FAULT_EIO,    1u << CALL_SYNC, true  },
	{ "EIO at a read",       FAULT_EIO,    1u << CALL_READ, false },
	/* clang-format on */
};

static void act(struct rig *r)
{
	struct rig_message *m;

	rig_accept(r, 3000);
	rig_accept(r, 20000);
	rig_pump(r);
	for (int i = 0; i < 18; i++) {
		m = rig_accept(r, 4000);
		rig_accept(r, 3900);
		rig_pump(r);
		if (m->promise == P_STORED)
			rig_settle(r, m, D_DELIVERED, i % 2 ? OP_SYNC : 0);
		if (m[1].promise == P_STORED)
			rig_settle(r, m + 1,
			    i % 6 == 0 ? D_DEFERRED : D_BOUNCED, 0);
	}
	rig_pump(r);
	if (r->m[0].promise == P_STORED)
		rig_bounce(r, &r->m[0]);
	rig_fact(r, "change", "12");
	rig_pump(r);
}

static bool may_come_back(const struct rig_message *m, bool sync_failed)
{
	/* Refused with a batch whose sync failed: doc/journal.md, J7. */
	return sync_failed && m->promise == P_REFUSED;
}

static void check_after(const struct fault_case *fc, unsigned n,
    struct rig *r, bool sync_failed, enum fake_cut how)
{
	struct rig *q = rig_over(fakedisk_cut(r->disk, how, n), r);
	const char *what;

	for (unsigned i = 0; i < q->n; i++)
		if (may_come_back(&q->m[i], sync_failed))
			q->m[i].promise = P_NONE;
	if (!rig_open(q))
		fail_msg("%s, call %u: %s", fc->name, n, q->err.text);
	what = rig_check(q);
	if (what != NULL)
		fail_msg("%s, call %u, variant %d: %s", fc->name, n, how,
		    what);
	rig_free(q);
}

static bool run(const struct fault_case *fc, unsigned n)
{
	struct rig *r = rig_new(SLOTS);
	bool hit, failed = false;

	r->disk->fault = fc->fault;
	r->disk->fail_mask = fc->mask;
	r->disk->fail_at = n;
	r->disk->fail_on = fc->on;
	if (rig_open(r)) {
		act(r);
		failed = atomic_load(&r->spool->sync_failed);
		/* Every letter came back, or its draft waits for space. */
		assert_int_equal(r->commit_letters + r->cut_short +
			r->spool->journal.drafts.n,
		    r->commits);
	} else {
		assert_true(r->err.text[0] != '\0');
	}
	hit = r->disk->hit;
	r->disk->fault = FAULT_NONE;
	check_after(fc, n, r, failed, CUT_KEEPS_ALL);
	check_after(fc, n, r, failed, CUT_DROPS_ALL);
	rig_free(r);
	return hit;
}

static void j6_the_nth_failing_call_breaks_no_promise(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned n = 1;

		while (n < CALLS_MAX && run(&cases[i], n))
			n++;
		print_message("%s: %u calls\n", cases[i].name, n - 1);
		assert_true(n > 10 && n < CALLS_MAX);
	}
}

/* T2 */
static void j7_a_failed_sync_ends_its_segment_and_intake_alone(
    void **state)
{
	struct rig *r = rig_new(SLOTS);
	struct rig_message *m, *late;
	struct spool_stats st;
	size_t size;
	char *before, *now;
	char path[32];

	(void)state;
	assert_true(rig_open(r));
	m = rig_accept(r, 2000);
	rig_pump(r);
	snprintf(path, sizeof(path), "/spool/seg.%04u",
	    (unsigned)r->spool->journal.seg->slot);
	r->disk->fault = FAULT_EIO;
	r->disk->fail_mask = 1u << CALL_SYNC;
	r->disk->fail_at = 1;
	late = rig_accept(r, 100);
	rig_write(r);
	assert_int_equal(late->promise, P_REFUSED);
	now = fakedisk_bytes(r->disk, path, &size);
	before = mem_dup(now, size);
	spool_stats(r->spool, &st);
	assert_int_equal(st.health, SPOOL_SYNC_FAILED);
	/* A promised message is read and its result kept, elsewhere. */
	assert_true(rig_live(r, m));
	rig_settle(r, m, D_DELIVERED, OP_SYNC);
	rig_pump(r);
	assert_int_equal(r->last_op, SPOOL_STORED);
	assert_int_equal(rig_accept(r, 5)->promise, P_REFUSED);
	now = fakedisk_bytes(r->disk, path, &size);
	assert_memory_equal(before, now, size);
	check_after(&cases[0], 0, r, false, CUT_KEEPS_ALL);
	check_after(&cases[0], 0, r, false, CUT_DROPS_ALL);
	mem_free(before);
	rig_free(r);
}

/* Nor is it believed when the next segment gets no batch either. */
static void j7_nor_is_it_believed_past_a_segment_without_a_batch(void **state)
{
	struct rig *r = rig_new(SLOTS), *q;
	struct rig_message *m, *late;
	uint64_t generation;

	(void)state;
	assert_true(rig_open(r));
	m = rig_accept(r, 2000);
	rig_pump(r);
	generation = r->spool->journal.generation;
	r->disk->fault = FAULT_EIO;
	r->disk->fail_mask = 1u << CALL_SYNC;
	r->disk->fail_at = 1;
	late = rig_accept(r, 100);
	rig_write(r);
	assert_int_equal(late->promise, P_REFUSED);
	r->disk->fail_mask = 1u << CALL_WRITE;
	r->disk->fail_on = true;
	for (int i = 0; i < 3; i++) {
		rig_settle(r, m, D_DEFERRED, OP_SYNC);
		rig_write(r);
		assert_int_equal(r->last_op, SPOOL_FAILED);
	}
	r->disk->fault = FAULT_NONE;
	r->disk->fail_on = false;
	rig_settle(r, m, D_DEFERRED, OP_SYNC);
	rig_write(r);
	assert_int_equal(r->last_op, SPOOL_STORED);
	assert_int_equal(r->spool->journal.generation, generation + 2);
	for (int start = 0; start < 2; start++) {
		q = rig_over(fakedisk_cut(r->disk, CUT_KEEPS_ALL, 1), r);
		rig_free(r);
		r = q;
		assert_true(rig_open(r));
		assert_int_equal(r->damaged, 0);
		assert_null(rig_check(r));
	}
	rig_free(r);
}

static void spoil_lock(struct rig *r)
{
	int fd = r->disk->io.open(&r->disk->io, "/spool/lock", 02, 0);

	r->disk->io.pwrite(&r->disk->io, fd, "         123", 12, 0);
	assert_int_equal(r->disk->io.lock(&r->disk->io, fd), 0);
}

/* By one that wrote no number of a process. */
static void spoil_lock_unnamed(struct rig *r)
{
	int fd = r->disk->io.open(&r->disk->io, "/spool/lock", 02, 0);

	r->disk->io.pwrite(&r->disk->io, fd, "           x", 12, 0);
	assert_int_equal(r->disk->io.lock(&r->disk->io, fd), 0);
}

static void spoil_read_only(struct rig *r)
{
	r->disk->read_only = true;
}

static void spoil_version(struct rig *r)
{
	size_t n;

	fakedisk_bytes(r->disk, "/spool/spool.key", &n)[16] = '7';
}

static void spoil_key(struct rig *r)
{
	size_t n;

	fakedisk_bytes(r->disk, "/spool/spool.key", &n)[40] ^= 1;
}

static void spoil_no_key(struct rig *r)
{
	r->disk->io.unlink(&r->disk->io, "/spool/spool.key");
}

static void spoil_restoring(struct rig *r)
{
	struct diskio *io = &r->disk->io;

	spoil_no_key(r);
	io->close(io, io->open(io, "/spool/restoring", O_RDWR | O_CREAT, 0600));
}

static void spoil_full(struct rig *r)
{
	r->disk->io.unlink(&r->disk->io, "/spool/spool.key");
	for (int i = 0; i < 10; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/spool/seg.%04d", i);
		r->disk->io.unlink(&r->disk->io, path);
	}
	r->disk->space = 10000;
}

static const struct {
	const char *name, *says;
	void (*spoil)(struct rig *r);
} refusals[] = {
	/* clang-format off */
	{ "locked",    "spool /spool is in use by process 123",  spoil_lock      },
	{ "locked",    "spool /spool is in use",                 spoil_lock_unnamed },
	{ "read-only", "spool /spool cannot be written: Read-only file system", spoil_read_only },
	{ "version",   "spool /spool was made by format 7; this program reads up to 2",
	  spoil_version },
	{ "bad key",   "/spool/spool.key is damaged",            spoil_key       },
	{ "no key",    "/spool/spool.key is missing: the spool cannot be read", spoil_no_key },
	{ "restoring", "a restore into spool /spool was interrupted: run posthouse restore "
	  "again with the same backup, or remove restoring and each seg.* there to begin with "
	  "an empty spool", spoil_restoring },
	{ "full",      "spool /spool cannot be written: no space, or the disk fails", spoil_full },
	/* clang-format on */
};

static void j8_a_spool_that_cannot_be_opened_says_why(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(refusals); i++) {
		struct rig *r = rig_new(SLOTS);

		print_message("%s\n", refusals[i].name);
		assert_true(rig_open(r));
		rig_close(r);
		refusals[i].spoil(r);
		assert_false(rig_open(r));
		assert_string_equal(r->err.text, refusals[i].says);
		rig_free(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(j6_the_nth_failing_call_breaks_no_promise),
	    cmocka_unit_test(
		j7_a_failed_sync_ends_its_segment_and_intake_alone),
	    cmocka_unit_test(
		j7_nor_is_it_believed_past_a_segment_without_a_batch),
	    cmocka_unit_test(
		j8_a_spool_that_cannot_be_opened_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
