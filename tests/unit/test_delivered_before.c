/* SPDX-License-Identifier: ISC
 *
 * The memory of deliveries: what is remembered, how long, across restarts, and
 * what a broken file costs (nothing but the memory).
 */
#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/audit/delivered_before.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"

#define DAYS_MS(n) ((n) * INT64_C(86400000))
#define NOW (20000 * DAY_US + 7)

enum { HOURS = 24, CROWD = 200000 };

static struct delivered *open_in(const char *dir)
{
	return delivered_open(dir, DAYS_MS(30));
}

static const char *file(const char *dir)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s/known.db", dir);
	return path;
}

static void forget(const char *dir)
{
	char name[420];

	unlink(file(dir));
	snprintf(name, sizeof(name), "%s-wal", file(dir));
	unlink(name);
	snprintf(name, sizeof(name), "%s-shm", file(dir));
	unlink(name);
}

static bool has(struct delivered *k, const char *key, int64_t now_us)
{
	return delivered_before(k, "cloud", slice_str(key), now_us);
}

static void it_is_of_a_leg_and_a_recipient(void **state)
{
	struct delivered *k = open_in(*state);

	assert_false(has(k, "ann@example.com", NOW));
	delivered_add(k, "cloud", "Ann@Example.COM", NOW);
	delivered_flush(k);
	assert_true(has(k, "ann@example.com", NOW));
	assert_false(has(k, "bob@example.com", NOW));
	assert_false(delivered_before(k, "legacy", SLICE("ann@example.com"),
	    NOW));
	/* A leg's name does not run into an address. */
	assert_false(delivered_before(k, "clouda", SLICE("nn@example.com"),
	    NOW));
	delivered_add(k, "cloud", "not an address", NOW);
	delivered_flush(k);
	delivered_close(k);
	k = open_in(*state);
	assert_true(has(k, "ann@example.com", NOW));
	delivered_close(k);
	forget(*state);
}

static void what_was_not_flushed_is_at_the_close(void **state)
{
	struct delivered *k = open_in(*state);

	delivered_add(k, "cloud", "ann@example.com", NOW);
	delivered_close(k);
	k = open_in(*state);
	assert_true(has(k, "ann@example.com", NOW));
	delivered_close(k);
	forget(*state);
}

/* Thirty days and up to a tenth more; never less. */
static void it_ends(void **state)
{
	static const struct {
		int keep, again, asked; /* days; again 0: one delivery */
		bool has;
	} cases[] = {
	    {30, 0, 0, true}, {30, 0, 29, true}, {30, 0, 30, true},
	    {30, 0, 34, false}, {30, 0, 400, false},
	    /* A later delivery counts from its own day, even where it did
	     * not change the file. */
	    {30, 1, 31, true}, {30, 3, 33, true}, {30, 4, 34, true},
	    {30, 20, 50, true}, {30, 20, 54, false},
	    {1, 0, 1, true}, {1, 0, 2, false}, {1, 1, 2, true},
	    {366, 0, 366, true}, {366, 0, 403, false},
	    {0, 0, 0, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct delivered *k =
		    delivered_open(*state, DAYS_MS(cases[i].keep));

		delivered_add(k, "cloud", "ann@example.com", NOW);
		if (cases[i].again > 0)
			delivered_add(k, "cloud", "ann@example.com",
			    NOW + cases[i].again * DAY_US);
		delivered_flush(k);
		if (has(k, "ann@example.com",
			NOW + cases[i].asked * DAY_US) != cases[i].has)
			fail_msg("case %zu", i);
		delivered_close(k);
		forget(*state);
	}
}

static void a_reload_changes_how_long(void **state)
{
	struct delivered *k = open_in(*state);

	delivered_add(k, "cloud", "ann@example.com", NOW);
	delivered_flush(k);
	delivered_keep(k, DAYS_MS(2));
	assert_false(has(k, "ann@example.com", NOW + 5 * DAY_US));
	delivered_keep(k, DAYS_MS(10));
	assert_true(has(k, "ann@example.com", NOW + 5 * DAY_US));
	delivered_close(k);
	forget(*state);
}

static void add_crowd(struct delivered *k, int n, int64_t now_us)
{
	char to[64];

	for (int i = 0; i < n; i++) {
		snprintf(to, sizeof(to), "user%d@example.com", i);
		delivered_add(k, i % 2 == 0 ? "cloud" : "legacy", to, now_us);
	}
	delivered_flush(k);
}

static int count(struct delivered *k, int n, int64_t now_us)
{
	char to[64];
	int known = 0;

	for (int i = 0; i < n; i += 2) {
		snprintf(to, sizeof(to), "user%d@example.com", i);
		known += has(k, to, now_us);
	}
	return known;
}

/* More than one transaction, more than the array of today has room for; and
 * a day of prunings leaves nothing of them. */
static void many_are_remembered_and_pruned(void **state)
{
	struct delivered *k = open_in(*state);
	int64_t later = NOW + 40 * DAY_US;
	struct clock_fake clock;

	clock_fake_init(&clock, NOW);
	add_crowd(k, CROWD, NOW);
	assert_int_equal(count(k, CROWD, NOW), CROWD / 2);
	for (int i = 0; i < HOURS; i++)
		delivered_prune(k, NOW + i * DAY_US / HOURS);
	assert_int_equal(count(k, CROWD, NOW), CROWD / 2);
	for (int i = 0; i < HOURS; i++)
		delivered_prune(k, later + i * DAY_US / HOURS);
	assert_int_equal(count(k, CROWD, NOW), 0);
	delivered_close(k);
	forget(*state);
}

static int64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : 0;
}

/* The second delivery of a day writes nothing. */
static void a_second_time_costs_no_write(void **state)
{
	struct delivered *k = open_in(*state);
	char wal[420];
	int64_t before;

	snprintf(wal, sizeof(wal), "%s-wal", file(*state));
	add_crowd(k, 1000, NOW);
	before = size_of(wal);
	assert_true(before > 0);
	for (int day = 0; day < 3; day++)
		for (int i = 0; i < 5; i++)
			add_crowd(k, 1000, NOW + day * DAY_US);
	assert_int_equal(size_of(wal), before);
	add_crowd(k, 1000, NOW + 4 * DAY_US);
	assert_true(size_of(wal) > before);
	delivered_close(k);
	forget(*state);
}

static void a_damaged_file_is_made_anew(void **state)
{
	struct delivered *k;

	conf_tmp_write(*state, "known.db",
	    "this is no database, and long enough to be sure of it: "
	    "this is no database, and long enough to be sure of it");
	k = open_in(*state);
	delivered_add(k, "cloud", "ann@example.com", NOW);
	delivered_flush(k);
	assert_true(has(k, "ann@example.com", NOW));
	delivered_close(k);
	forget(*state);
}

static int (*real_open)(const char *path, int flags, int mode);
static int opens;

static int no_descriptor(const char *path, int flags, int mode)
{
	if (opens-- > 0) {
		errno = EMFILE;
		return -1;
	}
	return real_open(path, flags, mode);
}

/* One that is opened while descriptors are short may only read, or not even
 * that: it is opened again, and what was told meanwhile is not lost. */
static void a_shortage_of_descriptors_passes(void **state)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	real_open = (int (*)(const char *, int, int))vfs->xGetSystemCall(vfs,
	    "open");
	for (int n = 1; n < 12; n++) {
		struct delivered *k = open_in(*state);

		delivered_close(k); /* there is a file */
		vfs->xSetSystemCall(vfs, "open",
		    (sqlite3_syscall_ptr)no_descriptor);
		opens = n;
		k = open_in(*state);
		delivered_add(k, "cloud", "ann@example.com", NOW);
		for (int i = 0; i < 12; i++)
			delivered_flush(k);
		vfs->xSetSystemCall(vfs, "open", NULL);
		assert_true(has(k, "ann@example.com", NOW));
		delivered_add(k, "cloud", "bob@example.com", NOW);
		delivered_flush(k);
		assert_true(has(k, "bob@example.com", NOW));
		delivered_close(k);
		forget(*state);
	}
}

static void without_a_file_nobody_is_known(void **state)
{
	struct delivered *k = delivered_open("/nowhere/at/all", DAYS_MS(30));

	(void)state;
	delivered_add(k, "cloud", "ann@example.com", NOW);
	delivered_flush(k);
	delivered_prune(k, NOW);
	assert_false(has(k, "ann@example.com", NOW));
	delivered_close(k);
	delivered_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_of_a_leg_and_a_recipient),
		cmocka_unit_test(what_was_not_flushed_is_at_the_close),
		cmocka_unit_test(it_ends),
		cmocka_unit_test(a_reload_changes_how_long),
		cmocka_unit_test(many_are_remembered_and_pruned),
		cmocka_unit_test(a_second_time_costs_no_write),
		cmocka_unit_test(a_damaged_file_is_made_anew),
		cmocka_unit_test(a_shortage_of_descriptors_passes),
		cmocka_unit_test(without_a_file_nobody_is_known),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
