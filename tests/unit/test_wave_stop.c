/* SPDX-License-Identifier: ISC
 *
 * The process ends before any one of the statements that a wave makes: the next
 * one goes on, and nothing is done twice. A child process runs the wave and
 * leaves, without a word, before the n-th statement, for each n that there is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "policy/change/table_log.h"
#include "policy/wave/file/soak_file.h"
#include "relay/base/attr.h"
#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/wave_rig.h"

/* EACH: a process under a sanitizer takes long to fork. */
enum { STOPPED = 9, MOST = 5000, EACH = PH_SANITIZED ? 7 : 1 };

static int left; /* statements until the end of the process */

static int on_statement(unsigned what, void *arg, void *p, void *x)
{
	(void)what;
	(void)arg;
	(void)p;
	(void)x;
	if (--left == 0)
		_exit(STOPPED);
	return 0;
}

/* SQLite calls it for each connection that is opened. */
static int on_open(sqlite3 *db, const char **message,
    const struct sqlite3_api_routines *api)
{
	(void)message;
	(void)api;
	return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, on_statement, NULL);
}

static void watch_statements(int before)
{
	left = before;
	sqlite3_auto_extension((void (*)(void))on_open);
}

/* ---- what a child does ------------------------------------------------ */

/* Each has moved at once. */
static enum held_is on_held(void *arg, const struct conf *c,
    const struct held_asked *q, char why[HELD_WHY_MAX])
{
	(void)arg;
	(void)c;
	(void)q;
	(void)why;
	return HELD_ENDED;
}

/* The second slice is bad. */
static int on_look(void *arg, const struct conf *c,
    const struct brake_asked *q, struct brake_seen *seen_out,
    struct error *err)
{
	struct wave_rig *r = arg;

	(void)c;
	(void)err;
	*seen_out = (struct brake_seen){.base = {980, 20, 0}};
	/* Whatever had been counted when it was begun. */
	if (q->baseline)
		return 0;
	seen_out->counts = q->slice == 1 ? (struct soak_counts){60, 0, 0}
					 : (struct soak_counts){43, 7, 0};
	seen_out->users = q->slice == 1 ? 0 : 7;
	r->looks++;
	return 0;
}

/* By then it is on the disk, with its figures. */
static void on_braked(void *arg, const char *wave, const char *text)
{
	struct wave_rig *r = arg;
	struct wave_file *f = wave_tmp_open(r->t, false);
	struct error err;
	struct soak s;
	struct wave w;

	if (wave_need(f, wave, &w, &err) < 0 || w.state != WAVE_PAUSED ||
	    strcmp(w.reason, text) != 0 || soak_get(f, &w, 2, &s, &err) != 1 ||
	    s.end != SOAK_BAD || s.now.failed != 7 || s.told)
		_exit(1);
	wave_file_close(f);
}

static struct wave_rig *rig_on(struct table_tmp *t)
{
	struct wave_rig *r = NEW(struct wave_rig);
	const struct wave_run_ops ops = {.held = on_held, .look = on_look,
	    .braked = on_braked, .arg = r};

	r->t = t;
	r->run = wave_run_new(t->path, &ops);
	r->now_us = RIG_NOW;
	return r;
}

static void end_rig(struct wave_rig *r)
{
	wave_run_free(r->run);
	mem_free(r);
}

/* True: it came to its end before that many statements. */
static bool child(struct table_tmp *t, void (*fn)(struct wave_rig *r),
    int statements)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		watch_statements(statements);
		fn(rig_on(t));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 ||
		    WEXITSTATUS(status) == STOPPED);
	return WEXITSTATUS(status) == 0;
}

static void run_slices(struct wave_rig *r)
{
	wave_rig_settle(r);
}

/* ---- the same table again --------------------------------------------- */

struct saved {
	char *bytes;
	size_t n;
};

static struct saved save(const struct table_tmp *t)
{
	struct saved s = {mem_new(1 << 20), 0};
	struct error err;
	FILE *f;

	/* Its log goes into the file. */
	assert_int_equal(table_checkpoint(t->path, &err), 1);
	f = fopen(t->path, "r");
	assert_non_null(f);
	s.n = fread(s.bytes, 1, 1 << 20, f);
	assert_true(s.n > 0 && s.n < 1 << 20);
	fclose(f);
	return s;
}

static void put_back(const struct table_tmp *t, const struct saved *s)
{
	static const char *const beside[] = {"-wal", "-shm"};
	char path[400];
	FILE *f;

	for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
		snprintf(path, sizeof(path), "%s%s", t->path, beside[i]);
		unlink(path);
	}
	unlink(t->path);
	f = fopen(t->path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(s->bytes, 1, s->n, f), s->n);
	assert_int_equal(fclose(f), 0);
}

/* For each EACH-th n, until there is no such statement. */
static void stop_at_each(struct table_tmp *t,
    bool (*stop)(struct table_tmp *t, int n))
{
	struct saved s = save(t);
	int n = 0;

	do
		put_back(t, &s);
	while (stop(t, n += EACH));
	print_message("%d statements\n", n - EACH);
	assert_true(n > 50 && n < MOST);
	mem_free(s.bytes);
	table_tmp_free(t);
}

/* ---- what must hold --------------------------------------------------- */

/* Rows of the log whose change is of that kind, a key each. */
struct log_count {
	struct table *t;
	struct table_tmp *tmp;
	const char *kind;
	unsigned rows, twice;
	char seen[1000];
};

static void count_row(void *arg, struct slice key,
    const struct table_value *before, const struct table_value *after)
{
	struct log_count *c = arg;
	char name[100];
	size_t n = strlen(c->seen);

	(void)before;
	(void)after;
	snprintf(name, sizeof(name), " %.*s ", (int)key.n, key.p);
	c->twice += strstr(c->seen, name) != NULL;
	snprintf(c->seen + n, sizeof(c->seen) - n, "%s", name);
	c->rows++;
}

static struct log_count count_moves(struct table_tmp *t, const char *kind)
{
	struct log_count c = {.tmp = t, .kind = kind};
	struct table_change change;
	struct error err;

	c.t = table_open(t->path, t->names, &err);
	assert_non_null(c.t);
	for (uint64_t n = 1; n < 100; n++)
		if (table_change_get(c.t, n, t->a, &change, &err) == 1 &&
		    strcmp(change.kind, kind) == 0)
			assert_true(table_change_rows(c.t, n, count_row, &c,
					&err) >= 0);
	table_close(c.t);
	return c;
}

static uint64_t slices_of(struct table_tmp *t, enum wave_state *state_out)
{
	struct wave_file *f = wave_tmp_open(t, false);
	struct error err;
	uint64_t next;
	struct wave w;

	assert_int_equal(wave_need(f, "w1", &w, &err), 0);
	assert_int_equal(wave_slice_next(f, &w, &next, &err), 0);
	*state_out = w.state;
	wave_file_close(f);
	return next - 1;
}

/* Stopped once before statement `n`, then once more soon after, then it runs
 * to its end. False: there is no such statement. */
static bool stop_slices(struct table_tmp *t, int n)
{
	bool whole = child(t, run_slices, n);
	enum wave_state state;
	struct log_count c;

	if (!whole)
		child(t, run_slices, 1 + n % 37);
	assert_true(child(t, run_slices, MOST));
	c = count_moves(t, "wave");
	assert_int_equal(c.rows, 6);
	assert_int_equal(c.twice, 0);
	assert_int_equal(slices_of(t, &state), 3);
	assert_int_equal(state, WAVE_DONE);
	wave_tmp_members(t, "w1", "amy.b done, amy done, ann done, bob done, "
	    "cid done, nobody skipped no row, zoe done");
	return !whole;
}

/* Three changes of each: held, flipped, released. */
static bool stop_hold(struct table_tmp *t, int n)
{
	static const char *const all[] = {"ann@example.com", "bob@example.com",
	    "cid@example.com", "amy@example.com", "zoe@example.com"};
	bool whole = child(t, run_slices, n);
	enum wave_state state;
	struct log_count c;

	if (!whole)
		child(t, run_slices, 1 + n % 37);
	assert_true(child(t, run_slices, MOST));
	c = count_moves(t, "wave");
	assert_int_equal(c.rows, 18);
	assert_int_equal(slices_of(t, &state), 3);
	assert_int_equal(state, WAVE_DONE);
	wave_tmp_members(t, "w1", "amy.b done, amy done, ann done, bob done, "
	    "cid done, nobody skipped no row, zoe done");
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct table_row row = table_tmp_get(t, all[i]);

		assert_string_equal(row.route_text, "cloud");
		assert_false(row.held);
	}
	return !whole;
}

static struct table_tmp *started(void **state, bool hold)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_rig *r = rig_on(t);
	struct wave_order o = wave_rig_order("w1", WAVE_START);

	wave_tmp_create(t, "w1", "ann bob cid amy nobody");
	o.slice = 2;
	o.hold = hold;
	o.deadline_s = hold ? 3600 : -1;
	wave_rig_do(r, &o);
	end_rig(r);
	return t;
}

static void a_wave_that_is_stopped_anywhere_goes_on(void **state)
{
	stop_at_each(started(state, false), stop_slices);
}

static void a_hold_that_is_stopped_anywhere_goes_on(void **state)
{
	stop_at_each(started(state, true), stop_hold);
}

static bool stop_rollback(struct table_tmp *t, int n)
{
	bool whole = child(t, run_slices, n);
	enum wave_state state;
	struct log_count c;

	if (!whole)
		child(t, run_slices, 1 + n % 37);
	assert_true(child(t, run_slices, MOST));
	c = count_moves(t, "rollback");
	assert_int_equal(c.rows, 6);
	assert_int_equal(c.twice, 0);
	slices_of(t, &state);
	assert_int_equal(state, WAVE_ROLLED_BACK);
	assert_string_equal(table_tmp_get(t, "zoe@example.com").route_text,
	    "legacy");
	return !whole;
}

static void a_rollback_that_is_stopped_anywhere_goes_on(void **state)
{
	struct table_tmp *t = started(state, false);
	struct wave_rig *r = rig_on(t);
	struct wave_order o = wave_rig_order("w1", WAVE_ROLLBACK);

	wave_rig_settle(r);
	o.slice = 2;
	wave_rig_do(r, &o);
	end_rig(r);
	stop_at_each(t, stop_rollback);
}

static void run_soak(struct wave_rig *r)
{
	wave_rig_settle(r);
	wave_rig_pass(r, 100);
	wave_rig_pass(r, 100);
}

/* One slice is good, the next one bad: it is taken back once, the alarm was
 * raised, and the third was never made. */
static bool stop_soak(struct table_tmp *t, int n)
{
	bool whole = child(t, run_soak, n);
	struct wave_file *f;
	enum wave_state state;
	struct error err;
	struct soak s;
	struct wave w;

	if (!whole)
		child(t, run_soak, 1 + n % 37);
	assert_true(child(t, run_soak, MOST));
	assert_int_equal(slices_of(t, &state), 2);
	assert_int_equal(state, WAVE_PAUSED);
	wave_tmp_members(t, "w1", "ann done, bob skipped rolled back by "
	    "change 10, cid pending");
	f = wave_tmp_open(t, false);
	assert_int_equal(wave_need(f, "w1", &w, &err), 0);
	assert_int_equal(soak_get(f, &w, 1, &s, &err), 1);
	assert_int_equal(s.end, SOAK_GOOD);
	assert_int_equal(soak_get(f, &w, 2, &s, &err), 1);
	assert_true(s.told);
	assert_int_equal(s.now.failed, 7);
	assert_int_equal(s.back, 10);
	wave_file_close(f);
	return !whole;
}

static void a_soak_that_is_stopped_anywhere_goes_on(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct wave_rig *r = rig_on(t);
	struct wave_order o = wave_rig_order("w1", WAVE_START);

	wave_tmp_create(t, "w1", "ann bob cid");
	o.slice = 1;
	o.soak_s = 100;
	o.take_back = 1;
	wave_rig_do(r, &o);
	end_rig(r);
	stop_at_each(t, stop_soak);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_wave_that_is_stopped_anywhere_goes_on),
	    cmocka_unit_test(a_hold_that_is_stopped_anywhere_goes_on),
	    cmocka_unit_test(a_rollback_that_is_stopped_anywhere_goes_on),
	    cmocka_unit_test(a_soak_that_is_stopped_anywhere_goes_on),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
