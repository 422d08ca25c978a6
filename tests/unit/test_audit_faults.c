/* SPDX-License-Identifier: ISC
 *
 * The audit trail among faults: a source that cannot be read for a while, a
 * descriptor that cannot be had, a seal that a crash cuts, a hole that a power
 * cut leaves in events.jsonl. What is in the journal is in the index in the
 * end, once; what is not is a gap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/audit/hours.h"
#include "relay/base/log.h"
#include "tests/unit/auditfixture.h"

enum { MESSAGES = 4, APART = 25, MINUTE_STEPS = 60 * 1000 / STEP_MS };

/* ---- the journal cannot be read ---------------------------------------- */

static void unreadable(struct fixture *f, size_t at, int no, unsigned times)
{
	f->j.bad = at;
	f->j.bad_no = no;
	f->j.bad_for = times;
	f->j.fails = 0;
}

static void a_read_that_fails_for_a_while_skips_nothing(void **state)
{
	struct fixture *f = *state;
	struct projector_stats st;

	usual_mail(f, MESSAGES, APART * MINUTE);
	for (size_t at = 0; at < f->j.n; at++) {
		unreadable(f, at, EIO, 8);
		open_projector(f);
		steps(f, 2);
		projector_stats(f->p, &st);
		assert_true(st.failing);
		steps(f, 30);
		projector_stats(f->p, &st);
		assert_false(st.failing);
		assert_int_equal(st.gap, 0);
		close_projector(f);
		assert_int_equal(f->j.fails, 8);
		assert_all_once(f, MESSAGES, APART * MINUTE);
		assert_lines(f, MESSAGES);
		remove_dir(f->index);
		unlink(f->events);
	}
}

static void what_stays_unreadable_is_a_gap_and_the_rest_comes(void **state)
{
	struct fixture *f = *state;
	struct projector_stats st;
	struct conserve c;
	char lost[64];

	usual_mail(f, MESSAGES, MINUTE);
	unreadable(f, 5, EIO, UINT_MAX); /* the second one's delivery */
	open_projector(f);
	steps(f, 2 * MINUTE_STEPS);
	projector_stats(f->p, &st);
	assert_int_equal(st.gap, 1);
	assert_false(st.failing);
	close_projector(f);
	assert_int_equal(count_events(f, "\"event\":\"audit.gap\""), 1);
	assert_int_equal(count_events(f, "\"reason\":\"unreadable\""), 1);
	assert_int_equal(count_events(f, "\"event\":\"delivered\""),
	    MESSAGES - 1);
	verify(f, &c, lost);
	assert_int_equal(c.skipped, 1);
	assert_int_equal(c.leg[f->cloud].gap, 0);
}

static void a_shortage_of_descriptors_passes_nothing_over(void **state)
{
	struct fixture *f = *state;

	usual_mail(f, MESSAGES, MINUTE);
	unreadable(f, 5, EMFILE, 5 * MINUTE_STEPS);
	open_projector(f);
	steps(f, 6 * MINUTE_STEPS);
	close_projector(f);
	assert_all_once(f, MESSAGES, MINUTE);
}

/* ---- SQLite's file calls ----------------------------------------------- */

static struct {
	int (*open)(const char *path, int flags, int mode);
	unsigned calls, fail_at; /* this one fails, by EMFILE */
	const char *of;		 /* ... or all on a path that ends so */
	unsigned of_times;
} disk;

static int on_open(const char *path, int flags, int mode)
{
	size_t n = strlen(path), m = disk.of == NULL ? 0 : strlen(disk.of);

	disk.calls++;
	if (disk.calls == disk.fail_at ||
	    (m > 0 && n >= m && strcmp(path + n - m, disk.of) == 0 &&
		disk.of_times > 0 && disk.of_times-- > 0)) {
		errno = EMFILE;
		return -1;
	}
	return disk.open(path, flags, mode);
}

static void disk_take(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	disk.calls = disk.fail_at = 0;
	disk.of = NULL;
	disk.open = (int (*)(const char *, int, int))vfs->xGetSystemCall(
	    vfs, "open");
	vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)on_open);
}

static void disk_give(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	vfs->xSetSystemCall(vfs, "open", NULL);
}

/* ---- no room for the next hour ----------------------------------------- */

static struct {
	ssize_t (*pwrite)(int fd, const void *p, size_t n, off_t at);
	unsigned calls, fail_at; /* this one fails, by ENOSPC */
} room;

static ssize_t on_pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (++room.calls != room.fail_at)
		return room.pwrite(fd, p, n, at);
	errno = ENOSPC;
	return -1;
}

static void room_ends_at(unsigned call)
{
	static const char *const names[] = {"pwrite", "pwrite64"};
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	room.calls = 0;
	room.fail_at = call;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		sqlite3_syscall_ptr real = vfs->xGetSystemCall(vfs, names[i]);

		if (real == NULL)
			continue;
		room.pwrite = (ssize_t (*)(int, const void *, size_t,
		    off_t))real;
		vfs->xSetSystemCall(vfs, names[i],
		    (sqlite3_syscall_ptr)on_pwrite);
	}
}

static void room_is_back(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	vfs->xSetSystemCall(vfs, "pwrite", NULL);
	vfs->xSetSystemCall(vfs, "pwrite64", NULL);
}

/* Two batches of this hour, and one of the next. */
static void three_batches(struct fixture *f)
{
	for (unsigned i = 0; i < 3; i++) {
		int64_t at = T0 + (i == 2 ? HOUR : i);

		fake_accepted(&f->j, fake_id(at, i), at, "bob@example.org",
		    ann, f->cloud);
		fake_totals(&f->j);
	}
}

/* The next hour's file cannot be made, rows go on in this one, and it is
 * killed: a file of the next hour with the cursor of before would count. */
static void an_hour_that_could_not_begin_doubles_nothing(void **state)
{
	static const struct spool_origin spool = {.id = 11,
	    .end = {1, UINT64_MAX}};
	struct fixture *f = *state;
	struct conserve c;
	char lost[64];

	three_batches(f);
	f->j.origin = &spool;
	room.calls = UINT_MAX;
	for (unsigned n = 1; n <= room.calls; n++) {
		f->j.visible = 2;
		run(f);
		f->j.visible = f->j.n;
		open_projector(f);
		room_ends_at(n);
		steps(f, 8);
		room_is_back();
		close_projector(f);
		run(f);
		verify(f, &c, lost);
		assert_int_equal(c.leg[f->cloud].total[T_CREATED], 3);
		assert_true(c.known);
		assert_true(conserve_agrees(&c.leg[f->cloud]));
		remove_dir(f->index);
		unlink(f->events);
	}
}

/* In a life that begins, one that goes on, one that rolls and seals. */
static void one_open_that_fails_loses_nothing_for_ever(void **state)
{
	struct fixture *f = *state;
	size_t half;

	usual_mail(f, MESSAGES, APART * MINUTE);
	half = f->j.n / 2;
	for (unsigned n = 1; n < 60; n++) {
		struct projector_input in = fakejournal_input(&f->j);
		struct error err;

		f->j.visible = half;
		run(f);
		f->j.visible = f->j.n;
		disk_take();
		disk.fail_at = n;
		f->p = projector_open_on(
		    &f->conf, &in, f->names, &f->clock.clock, &err);
		/* It may refuse to start, with a reason; never half. */
		if (f->p == NULL)
			assert_non_null(strstr(err.text, f->index));
		else
			steps(f, 40);
		close_projector(f);
		disk_give();
		if (n > disk.calls)
			n = 60;
		if (f->j.done.offset != f->j.rec[f->j.n - 1].next.offset)
			run(f);
		assert_all_once(f, MESSAGES, APART * MINUTE);
		assert_lines(f, MESSAGES);
		remove_dir(f->index);
		unlink(f->events);
		f->j.done.offset = 0;
	}
}

/* Its recipients stand in a file that is over, and that is needed. */
static void an_older_file_that_cannot_be_opened_is_waited_for(void **state)
{
	struct fixture *f = *state;
	uint64_t id = fake_id(T0, 0);
	const char *text;

	fake_accepted(&f->j, id, T0, "bob@example.org", ann, f->cloud);
	run(f);
	fake_accepted(&f->j, fake_id(T0 + HOUR, 1), T0 + HOUR, "", ann,
	    f->cloud);
	run(f);
	sent(f, id, T0 + HOUR + MINUTE, D_QUEUED, D_DELIVERED, 1);
	open_projector(f);
	disk_take();
	disk.of = "2026112205.db";
	disk.of_times = 10;
	steps(f, 60);
	assert_int_equal(disk.of_times, 0);
	disk_give();
	close_projector(f);
	text = trace(f, (struct search){.id = id});
	assert_int_equal(count(text, "\"to\":\"Ann@example.com\""), 1);
	assert_int_equal(count_events(f, "audit.gap"), 0);
}

/* ---- a seal that a crash cuts ------------------------------------------ */

static void hour_path(struct fixture *f, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", f->index, name);
}

static void assert_readable(struct fixture *f, int64_t hour)
{
	struct error err = {.text = ""};
	struct hourfile *file = hourfile_open(f->index, hour, HOUR_READ, &err);

	if (file == NULL)
		fail_msg("%s", err.text);
	hourfile_close(file);
}

/* As a version that sealed by journal_mode=DELETE left it: the write that
 * ends WAL mode is under way, and its journal is on the disk. */
static void leave_hot_journal(const char *path)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		sqlite3 *db;

		chmod(path, 0640);
		if (sqlite3_open(path, &db) == SQLITE_OK &&
		    sqlite3_exec(db, "PRAGMA journal_mode = DELETE;"
			"BEGIN; UPDATE state SET node = 9;",
			NULL, NULL, NULL) == SQLITE_OK &&
		    sqlite3_db_cacheflush(db) == SQLITE_OK)
			_exit(0);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(chmod(path, 0440), 0);
}

static void a_hot_journal_of_a_sealed_file_is_rolled_back(void **state)
{
	struct fixture *f = *state;
	char path[128], journal[128];
	struct stat st;
	struct error err;

	usual_mail(f, MESSAGES, HOUR);
	run(f);
	hour_path(f, "2026112205.db", path);
	hour_path(f, "2026112205.db-journal", journal);
	leave_hot_journal(path);
	assert_int_equal(access(journal, F_OK), 0);
	assert_null(hourfile_open(f->index, hour_of(T0), HOUR_READ, &err));
	run(f);
	assert_readable(f, hour_of(T0));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0440);
	assert_int_not_equal(access(journal, F_OK), 0);
	assert_all_once(f, MESSAGES, HOUR);
}

/* A power cut may bring back a log that the seal had removed: a reader without
 * write access could not recover it. */
static void a_log_beside_a_sealed_file_goes(void **state)
{
	struct fixture *f = *state;
	char path[128], log[128];
	struct stat st;
	FILE *to;

	usual_mail(f, MESSAGES, HOUR);
	run(f);
	hour_path(f, "2026112205.db", path);
	hour_path(f, "2026112205.db-wal", log);
	to = fopen(log, "w");
	assert_non_null(to);
	fputs("of a log", to);
	fclose(to);
	run(f);
	assert_int_not_equal(access(log, F_OK), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0440);
	assert_all_once(f, MESSAGES, HOUR);
}

static int (*real_unlink)(const char *path);
static unsigned unlinks;

static int no_unlink(const char *path)
{
	unlinks += strstr(path, "-journal") != NULL;
	return real_unlink(path);
}

/* A crash cannot leave on the disk what never was there. */
static void a_seal_leaves_no_journal_at_any_time(void **state)
{
	struct fixture *f = *state;
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	char path[128];
	struct stat st;

	open_projector(f);
	usual_mail(f, 2, HOUR);
	f->j.visible = f->j.n;
	projector_step(f->p, clock_mono_ms(&f->clock.clock));
	real_unlink = (int (*)(const char *))vfs->xGetSystemCall(
	    vfs, "unlink");
	vfs->xSetSystemCall(vfs, "unlink", (sqlite3_syscall_ptr)no_unlink);
	unlinks = 0;
	steps(f, 40);
	vfs->xSetSystemCall(vfs, "unlink", NULL);
	close_projector(f);
	hour_path(f, "2026112205.db", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0440);
	/* One of each new file, which begins without WAL. */
	assert_true(unlinks <= 1);
}

/* ---- a damaged file, and no room for the next -------------------------- */

/* From the third page on: it can still be opened, and takes no rows. */
static void spoil(const char *path)
{
	struct stat st;
	int fd = open(path, O_WRONLY);
	char junk[4096];

	memset(junk, 'x', sizeof(junk));
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 2 * 4096; at < st.st_size; at += 4096)
		assert_int_equal(pwrite(fd, junk, 4096, at), 4096);
	close(fd);
}

static void only_the_damaged_file_is_set_aside(void **state)
{
	struct fixture *f = *state;
	char path[128];

	usual_mail(f, 3, HOUR);
	f->j.visible = f->j.n - 1;
	run(f);
	hour_path(f, "2026112207.db", path);
	spoil(path);
	open_projector(f);
	f->j.visible = f->j.n;
	disk_take();
	disk.of = "2026112207.db"; /* what takes its place cannot be made */
	disk.of_times = 10;
	steps(f, 60);
	assert_int_equal(disk.of_times, 0);
	disk_give();
	close_projector(f);
	hour_path(f, "2026112207.db.damaged", path);
	assert_int_equal(access(path, F_OK), 0);
	hour_path(f, "2026112206.db.damaged", path);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_all_once(f, 3, HOUR);
}

/* ---- a hole in events.jsonl -------------------------------------------- */

static void append(struct fixture *f, const void *p, size_t n)
{
	int fd = open(f->events, O_WRONLY | O_APPEND);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	close(fd);
}

static const char far_line[] =
    "{\"time\":\"2026-11-22T05:12:17.000000Z\",\"node\":1,\"pos\":"
    "\"1:%u\",\"event\":\"accepted\"}\n";

/* A power cut leaves of what was not synced the last, not the first. */
static void a_hole_in_the_events_is_cut_and_written_again(void **state)
{
	static const size_t holes[] = {0, 1, 700, 5000, 200000};
	struct fixture *f = *state;
	char line[200], *zeros = mem_new(200000);
	size_t half;

	usual_mail(f, MESSAGES, MINUTE);
	half = f->j.n / 2;
	for (size_t i = 0; i < ARRAY_LEN(holes); i++) {
		f->j.visible = half;
		run(f);
		append(f, zeros, holes[i]);
		snprintf(line, sizeof(line), far_line,
		    (unsigned)f->j.rec[f->j.n - 1].pos.offset);
		append(f, holes[i] == 0 ? line + 9 : line,
		    strlen(line) - (holes[i] == 0 ? 9 : 0));
		f->j.visible = f->j.n;
		run(f);
		assert_lines(f, MESSAGES);
		assert_all_once(f, MESSAGES, MINUTE);
		remove_dir(f->index);
		unlink(f->events);
	}
	mem_free(zeros);
}

/* Whole lines behind the cursor are kept: their record is read again, and
 * each line of it stands there once. */
static void lines_behind_the_cursor_are_kept(void **state)
{
	struct fixture *f = *state;
	char line[200];
	unsigned n;

	usual_mail(f, MESSAGES, MINUTE);
	run(f);
	n = count_events(f, "\n");
	snprintf(line, sizeof(line), far_line,
	    (unsigned)f->j.rec[f->j.n - 1].next.offset);
	append(f, line, strlen(line));
	run(f);
	assert_int_equal(count_events(f, "\n"), n + 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_read_that_fails_for_a_while_skips_nothing),
		T(what_stays_unreadable_is_a_gap_and_the_rest_comes),
		T(a_shortage_of_descriptors_passes_nothing_over),
		T(one_open_that_fails_loses_nothing_for_ever),
		T(an_hour_that_could_not_begin_doubles_nothing),
		T(an_older_file_that_cannot_be_opened_is_waited_for),
		T(a_hot_journal_of_a_sealed_file_is_rolled_back),
		T(a_log_beside_a_sealed_file_goes),
		T(a_seal_leaves_no_journal_at_any_time),
		T(only_the_damaged_file_is_set_aside),
		T(a_hole_in_the_events_is_cut_and_written_again),
		T(lines_behind_the_cursor_are_kept),
	};

	log_setup(-1, LOG_LV_ERROR, &clock_system);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
