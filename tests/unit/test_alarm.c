/* SPDX-License-Identifier: ISC
 *
 * Alarms: how often they are told; and the spawner, with true programs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/watch/alarm.h"
#include "relay/daemon/sandbox.h"
#include "relay/spawn/spawner.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/daemon_rig.h"

enum { LOOKS = 1000, LOOK_MS = 20, OUT_BYTES = 1 << 16 };

struct box {
	void *dir;
	char program[200], out[200];
	struct drig *rig;
	struct alarms *told; /* that runs the program */
	struct spawner *spawner;
};

/* A shell script; $OUT stands for a file that the test reads. */
static void write_program(struct box *b, const char *text)
{
	FILE *f = fopen(b->program, "w");

	assert_non_null(f);
	fprintf(f, "#!/bin/sh\nOUT=%s\n%s\n", b->out, text);
	fclose(f);
	assert_int_equal(chmod(b->program, 0700), 0);
}

static void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

/* The program's output, when it is `want` bytes or more. */
static char *output(const struct box *b, size_t want)
{
	char *text = mem_new(OUT_BYTES);
	size_t n = 0;

	for (int i = 0; i < LOOKS && n < want; i++) {
		FILE *f = fopen(b->out, "r");

		n = f == NULL ? 0 : fread(text, 1, OUT_BYTES - 1, f);
		if (f != NULL)
			fclose(f);
		if (n < want)
			pause_ms(LOOK_MS);
	}
	text[n] = '\0';
	if (n < want)
		fail_msg("only \"%s\" was written", text);
	return text;
}

static int setup(void **state)
{
	struct box *b = NEW(struct box);

	assert_int_equal(conf_tmp_setup(&b->dir), 0);
	snprintf(b->program, sizeof(b->program), "%s/page", (char *)b->dir);
	snprintf(b->out, sizeof(b->out), "%s/out", (char *)b->dir);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;

	spawner_free(b->spawner);
	unlink(b->program);
	unlink(b->out);
	conf_tmp_teardown(&b->dir);
	mem_free(b);
	return 0;
}

static void spawn(struct box *b, int limit_ms, int grace_ms)
{
	struct error err;

	b->spawner = spawner_new(b->program, limit_ms, grace_ms,
	    sandbox_enter_spawner, &err);
	assert_non_null(b->spawner);
}

/* ---- the spawner ---- */

static void a_program_gets_its_argument_its_input_and_nothing_else(
    void **state)
{
	struct box *b = *state;
	char *text;

	setenv("SECRET", "of ours", 1);
	write_program(b, "{ echo \"$# $1\"; cat; env | sort; ls /proc/self/fd |"
			 " wc -l; } >$OUT.new; mv $OUT.new $OUT");
	spawn(b, 5000, 1000);
	assert_true(spawner_run(b->spawner, "leg-down", SLICE("{\"a\":1}\n")));
	text = output(b, 10);
	assert_ptr_equal(strstr(text, "1 leg-down\n{\"a\":1}\n"), text);
	assert_null(strstr(text, "SECRET"));
	assert_non_null(strstr(text, "PATH="));
	assert_non_null(strstr(text, "\n4\n")); /* 0 1 2, and ls's own */
	mem_free(text);
}

static void runs_come_one_after_the_other(void **state)
{
	struct box *b = *state;
	char *text;

	write_program(b, "echo \"begin $1\" >>$OUT; sleep 0.1; cat >>$OUT; "
			 "echo \"end $1\" >>$OUT");
	spawn(b, 5000, 1000);
	for (int i = 0; i < 3; i++) {
		char arg[8];

		snprintf(arg, sizeof(arg), "n%d", i);
		assert_true(spawner_run(b->spawner, arg, SLICE("x\n")));
	}
	text = output(b, strlen("begin n0\nx\nend n0\n") * 3);
	assert_string_equal(text, "begin n0\nx\nend n0\nbegin n1\nx\nend n1\n"
				  "begin n2\nx\nend n2\n");
	mem_free(text);
}

static void what_is_no_argument_or_too_long_is_not_run(void **state)
{
	struct box *b = *state;
	char *big = mem_new(SPAWNER_INPUT_MAX + 2);
	char *text;

	memset(big, 'x', SPAWNER_INPUT_MAX + 1);
	write_program(b, "wc -c >>$OUT");
	spawn(b, 5000, 1000);
	assert_false(spawner_run(b->spawner, "", SLICE("")));
	assert_false(spawner_run(b->spawner, "../x", SLICE("")));
	assert_false(spawner_run(b->spawner, "a b", SLICE("")));
	assert_false(spawner_run(b->spawner, "A", SLICE("")));
	assert_false(spawner_run(b->spawner, "a",
	    slice_of(big, SPAWNER_INPUT_MAX + 1)));
	assert_true(spawner_run(b->spawner, "a",
	    slice_of(big, SPAWNER_INPUT_MAX)));
	text = output(b, 2);
	assert_int_equal(atoi(text), SPAWNER_INPUT_MAX);
	mem_free(text);
	mem_free(big);
}

static void more_than_can_wait_is_refused_at_once(void **state)
{
	struct box *b = *state;
	char *big = mem_new(SPAWNER_INPUT_MAX);
	unsigned taken = 0;

	memset(big, 'x', SPAWNER_INPUT_MAX);
	write_program(b, "sleep 100");
	spawn(b, 5000, 100);
	while (taken < 10000 && spawner_run(b->spawner, "a",
	    slice_of(big, SPAWNER_INPUT_MAX)))
		taken++;
	assert_in_range(taken, 1, 9999);
	mem_free(big);
}

static bool gone(long pid)
{
	return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

static void wait_gone(long pid)
{
	for (int i = 0; i < LOOKS && !gone(pid); i++)
		pause_ms(LOOK_MS);
	assert_true(gone(pid));
}

static void a_program_that_does_not_end_is_ended_with_its_children(
    void **state)
{
	struct box *b = *state;
	long leader, child;
	char *text, *end;

	write_program(b, "sleep 1000 & echo $$ $! x >$OUT; wait");
	spawn(b, 500, 100);
	assert_true(spawner_run(b->spawner, "a", SLICE("")));
	text = output(b, 6);
	leader = strtol(text, &end, 10);
	child = strtol(end, NULL, 10);
	assert_true(leader > 1 && child > 1);
	wait_gone(leader);
	wait_gone(child);
	mem_free(text);
	/* And the next one runs. */
	unlink(b->out);
	assert_true(spawner_run(b->spawner, "a", SLICE("")));
	mem_free(output(b, 6));
}

/* As when the daemon is killed: its end of the socket closes. */
static void without_a_daemon_nothing_runs_on(void **state)
{
	struct box *b = *state;
	long leader, child;
	char *text, *end;

	write_program(b, "sleep 1000 & echo $$ $! x >$OUT; wait");
	spawn(b, 1000000, 300);
	assert_true(spawner_run(b->spawner, "a", SLICE("")));
	assert_true(spawner_run(b->spawner, "a", SLICE("")));
	text = output(b, 6);
	leader = strtol(text, &end, 10);
	child = strtol(end, NULL, 10);
	assert_false(gone(leader));
	spawner_free(b->spawner);
	b->spawner = NULL;
	wait_gone(leader);
	wait_gone(child);
	mem_free(text);
}

static long run_and_read(struct box *b)
{
	long pid;
	char *text;

	unlink(b->out);
	assert_true(spawner_run(b->spawner, "a", SLICE("")));
	text = output(b, 2);
	pid = strtol(text, NULL, 10);
	mem_free(text);
	assert_true(pid > 1);
	return pid;
}

/* The process whose child `pid` is. */
static long parent_of(long pid)
{
	char path[64], line[300], *at;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(line, 1, sizeof(line) - 1, f);
	fclose(f);
	line[n] = '\0';
	at = strrchr(line, ')');
	assert_non_null(at);
	return strtol(at + 3, NULL, 10);
}

static void a_spawner_that_dies_is_started_again(void **state)
{
	struct box *b = *state;
	long server, keeper, second;

	write_program(b, "echo $PPID >$OUT.new; mv $OUT.new $OUT");
	spawn(b, 5000, 100);
	server = run_and_read(b);
	keeper = parent_of(server);
	assert_int_equal(kill((pid_t)server, SIGKILL), 0);
	second = run_and_read(b);
	assert_true(second != server);
	assert_int_equal(parent_of(second), keeper);
	/* And without the other, which the daemon knows. */
	assert_int_equal(parent_of(keeper), getpid());
	assert_int_equal(kill((pid_t)keeper, SIGKILL), 0);
	assert_int_equal(waitpid((pid_t)keeper, NULL, 0), keeper);
	for (int i = 0; i < LOOKS && !gone(second) && server != second; i++) {
		server = run_and_read(b);
		if (server != second)
			break;
		pause_ms(LOOK_MS);
	}
	assert_int_equal(parent_of(server), second);
	spawner_free(b->spawner);
	b->spawner = NULL;
	wait_gone(server);
	wait_gone(second);
}

static void a_program_that_is_not_there_is_no_end_of_it(void **state)
{
	struct box *b = *state;

	spawn(b, 5000, 100); /* written later */
	assert_true(spawner_run(b->spawner, "a", SLICE("")));
	write_program(b, "echo ran >$OUT");
	for (int i = 0; i < LOOKS && access(b->out, F_OK) != 0; i++) {
		assert_true(spawner_run(b->spawner, "a", SLICE("")));
		pause_ms(LOOK_MS);
	}
	mem_free(output(b, 4));
}

/* ---- how often ---- */

struct heard {
	char kind[32], about[64];
	int64_t unsaid, others;
};

/* Line `at` of what the program was given. */
static struct heard heard(const struct box *b, unsigned at)
{
	struct heard h = {.unsaid = -1};
	char *text = NULL, *line = NULL;
	json_t *o;

	for (int i = 0; i < LOOKS && line == NULL; i++) {
		mem_free(text);
		text = output(b, 1);
		line = text;
		for (unsigned k = 0; k < at && line != NULL; k++) {
			line = strchr(line, '\n');
			line = line == NULL || line[1] == '\0' ? NULL
							       : line + 1;
		}
		if (line == NULL || strchr(line, '\n') == NULL) {
			line = NULL;
			pause_ms(LOOK_MS);
		}
	}
	assert_non_null(line);
	*strchr(line, '\n') = '\0';
	o = json_loads(line, 0, NULL);
	assert_non_null(o);
	snprintf(h.kind, sizeof(h.kind), "%s",
	    json_string_value(json_object_get(o, "kind")));
	snprintf(h.about, sizeof(h.about), "%s",
	    json_string_value(json_object_get(o, "about")));
	h.unsaid = json_integer_value(json_object_get(o, "unsaid"));
	h.others = json_integer_value(json_object_get(o, "others_unsaid"));
	json_decref(o);
	mem_free(text);
	return h;
}

static int setup_rig(void **state)
{
	struct box *b;

	setup(state);
	b = *state;
	write_program(b, "cat >>$OUT");
	spawn(b, 5000, 1000);
	b->rig = drig_new();
	b->told = alarms_new(&(struct alarm_config){.shared = &b->rig->shared,
	    .conf = b->rig->snapshot->conf, .exec = b->spawner});
	return 0;
}

static int teardown_rig(void **state)
{
	struct box *b = *state;

	alarms_free(b->told);
	drig_free(b->rig);
	return teardown(state);
}

/* The default interval: a quarter of an hour. */
static void the_same_is_told_once_in_an_interval(void **state)
{
	struct box *b = *state;
	struct drig *r = b->rig;
	struct heard h;

	for (int i = 0; i < 3; i++)
		alarm_raise(b->told, ALARM_LEG_DOWN, "cloud", "text");
	alarm_raise(b->told, ALARM_LEG_DOWN, "legacy", "text");
	clock_fake_step(&r->clock, INT64_C(899000000));
	alarm_raise(b->told, ALARM_LEG_DOWN, "cloud", "text");
	clock_fake_step(&r->clock, INT64_C(2000000));
	alarm_raise(b->told, ALARM_LEG_DOWN, "cloud", "text");
	alarm_raise(b->told, ALARM_LOOP, "cloud", "text");
	h = heard(b, 0);
	assert_string_equal(h.about, "cloud");
	assert_int_equal(h.unsaid, 0);
	h = heard(b, 1);
	assert_string_equal(h.about, "legacy");
	h = heard(b, 2);
	assert_string_equal(h.about, "cloud");
	assert_int_equal(h.unsaid, 3);
	h = heard(b, 3);
	assert_string_equal(h.kind, "loop");
	assert_int_equal(h.unsaid, 0);
}

static void a_flood_is_cut_and_counted(void **state)
{
	struct box *b = *state;
	struct drig *r = b->rig;
	struct heard h;

	for (int i = 0; i < 5000; i++) {
		char about[16];

		snprintf(about, sizeof(about), "user%d", i);
		alarm_raise(b->told, ALARM_LOOP, about, "text");
	}
	/* Other kinds have shares of their own. */
	alarm_raise(b->told, ALARM_LEG_SUSPENDED, "cloud", "text");
	clock_fake_step(&r->clock, INT64_C(901000000));
	alarm_raise(b->told, ALARM_LOOP, "user0", "text");
	h = heard(b, 4);
	assert_string_equal(h.about, "user4");
	h = heard(b, 5);
	assert_string_equal(h.kind, "leg-suspended");
	assert_int_equal(h.others, 4995);
	h = heard(b, 6);
	assert_string_equal(h.about, "user0");
}

/* Text from outside is cut, and still JSON. */
static void a_long_text_is_cut(void **state)
{
	struct box *b = *state;
	char *big = mem_new(100001);
	struct heard h;

	memset(big, '\1', 100000);
	alarm_raise(b->told, ALARM_LOOP, big, big);
	h = heard(b, 0);
	assert_string_equal(h.kind, "loop");
	mem_free(big);
}

#define S(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define R(f) cmocka_unit_test_setup_teardown(f, setup_rig, teardown_rig)

int main(void)
{
	const struct CMUnitTest tests[] = {
		S(a_program_gets_its_argument_its_input_and_nothing_else),
		S(runs_come_one_after_the_other),
		S(what_is_no_argument_or_too_long_is_not_run),
		S(more_than_can_wait_is_refused_at_once),
		S(a_program_that_does_not_end_is_ended_with_its_children),
		S(without_a_daemon_nothing_runs_on),
		S(a_spawner_that_dies_is_started_again),
		S(a_program_that_is_not_there_is_no_end_of_it),
		R(the_same_is_told_once_in_an_interval),
		R(a_flood_is_cut_and_counted),
		R(a_long_text_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
