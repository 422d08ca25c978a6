/* SPDX-License-Identifier: ISC
 *
 * A program that is watched to its end: input, output, status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/spawn/spawn_run.h"
#include "tests/unit/spawn_rig.h"

enum { TURNS = 2000, TURN_MS = 10 };

struct box {
	struct spawn_rig spawn;
	struct loop *loop;
	struct spawn_run *run;
	unsigned calls;
	struct spawn_end end;
	char output[SPAWN_RUN_OUTPUT + 1];
	bool listens; /* on_said() gets the output */
	size_t heard;
};

static int setup(void **state)
{
	struct box *b = NEW(struct box);

	signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	spawn_rig_init(&b->spawn);
	b->spawn.second = LANE_HOOK;
	b->loop = loop_new(&clock_system);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;

	spawn_run_free(b->run);
	loop_free(b->loop);
	spawn_rig_fini(&b->spawn);
	mem_free(b);
	return 0;
}

static void on_done(void *arg, const struct spawn_end *end)
{
	struct box *b = arg;

	b->calls++;
	b->end = *end;
	assert_in_range(end->output.n, 0, SPAWN_RUN_OUTPUT);
	if (end->output.n != 0)
		memcpy(b->output, end->output.p, end->output.n);
	b->output[end->output.n] = '\0';
	spawn_run_free(b->run); /* from inside is fine */
	b->run = NULL;
}

static void on_said(void *arg, struct slice bytes)
{
	struct box *b = arg;

	assert_int_equal(b->calls, 0);
	b->heard += bytes.n;
}

/* Begins the script with an input of so many bytes. */
static void begin(struct box *b, const char *script, size_t input)
{
	char *bytes = mem_new(input);
	struct error err;

	memset(bytes, 'x', input);
	spawn_rig_write(&b->spawn, script);
	if (b->spawn.spawner == NULL)
		spawn_rig_start(&b->spawn, 1500, 100);
	b->calls = 0;
	b->run = spawn_run_new(b->spawn.spawner, b->loop, &(struct spawn_job){
	    .row = SPAWN_SPF, .arg = "kind",
	    .input = slice_of(bytes, input),
	    .said = b->listens ? on_said : NULL,
	    .done = on_done, .done_arg = b}, &err);
	mem_free(bytes);
	assert_non_null(b->run);
	assert_int_equal(b->calls, 0);
}

static void finish(struct box *b)
{
	for (int i = 0; i < TURNS && b->calls == 0; i++)
		loop_once(b->loop, TURN_MS);
	loop_once(b->loop, 0);
	assert_int_equal(b->calls, 1);
}

static void a_megabyte_of_input_arrives(void **state)
{
	struct box *b = *state;

	begin(b, "sleep 0.1; echo $1; wc -c; exit 75", SPAWN_RUN_INPUT_MAX);
	finish(b);
	assert_int_equal(b->end.fate, SPAWN_EXITED);
	assert_int_equal(b->end.code, 75);
	assert_string_equal(b->output, "kind\n1048576\n");
	begin(b, "wc -c", 0);
	finish(b);
	assert_int_equal(b->end.code, 0);
	assert_string_equal(b->output, "0\n");
}

static void more_is_refused(void **state)
{
	struct box *b = *state;
	char *bytes = mem_new(SPAWN_RUN_INPUT_MAX + 1);
	struct error err;

	spawn_rig_start(&b->spawn, 1500, 100);
	assert_null(spawn_run_new(b->spawn.spawner, b->loop,
	    &(struct spawn_job){.row = SPAWN_SPF, .arg = "kind",
		.input = slice_of(bytes, SPAWN_RUN_INPUT_MAX + 1),
		.done = on_done, .done_arg = b}, &err));
	assert_string_equal(err.text, "the input has 1048577 bytes, of at "
				      "most 1048576");
	mem_free(bytes);
}

/* Of one that listens nothing is kept, and it need not wait for the end. */
static void output_is_heard_as_it_comes(void **state)
{
	struct box *b = *state;

	b->listens = true;
	/* No limit that a busy machine reaches. */
	spawn_rig_start(&b->spawn, 60000, 100);
	begin(b, "yes x | head -c 1048576", 0);
	while (b->calls == 0)
		loop_once(b->loop, TURN_MS);
	assert_int_equal(b->heard, 1048576);
	assert_int_equal(b->end.fate, SPAWN_EXITED);
	assert_string_equal(b->output, "");
}

static void of_much_output_the_end_is_kept(void **state)
{
	struct box *b = *state;

	/* 2 MiB on both channels, then the last line. */
	begin(b, "yes x | head -c 1048576\nyes y | head -c 1048576 >&2\n"
		 "printf 'the end' >&2", 0);
	finish(b);
	assert_int_equal(b->end.code, 0);
	assert_int_equal(strlen(b->output), SPAWN_RUN_OUTPUT);
	assert_string_equal(b->output + SPAWN_RUN_OUTPUT - 9, "y\nthe end");
}

static void a_program_may_leave_its_input_unread(void **state)
{
	struct box *b = *state;

	begin(b, "exec <&-; sleep 0.2; echo fine", SPAWN_RUN_INPUT_MAX);
	finish(b);
	assert_int_equal(b->end.fate, SPAWN_EXITED);
	assert_int_equal(b->end.code, 0);
	assert_string_equal(b->output, "fine\n");
}

static void a_program_that_hangs_is_late(void **state)
{
	struct box *b = *state;

	begin(b, "echo before; sleep 1000", 0);
	finish(b);
	assert_int_equal(b->end.fate, SPAWN_LATE);
	assert_string_equal(b->output, "before\n");
	begin(b, "kill -9 $$", 0);
	finish(b);
	assert_int_equal(b->end.fate, SPAWN_SIGNALLED);
	assert_int_equal(b->end.code, SIGKILL);
}

static void output_that_others_keep_open_is_not_waited_for(void **state)
{
	struct box *b = *state;
	char *text;

	begin(b, "setsid sh -c 'echo $$ >$0.new; mv $0.new $0; exec sleep 30' "
		 "$OUT &\nwhile [ ! -e $OUT ]; do sleep 0.01; done; echo out",
	    0);
	finish(b);
	assert_int_equal(b->end.fate, SPAWN_EXITED);
	assert_string_equal(b->output, "out\n");
	text = spawn_rig_output(&b->spawn, 2);
	assert_int_equal(kill((pid_t)strtol(text, NULL, 10), SIGKILL), 0);
	mem_free(text);
}

static void a_freed_run_is_killed_and_not_heard_of(void **state)
{
	struct box *b = *state;
	long pid;
	char *text;

	begin(b, "echo $$ >$OUT.new; mv $OUT.new $OUT; sleep 1000", 100);
	text = spawn_rig_output(&b->spawn, 2);
	pid = strtol(text, NULL, 10);
	mem_free(text);
	spawn_run_free(b->run);
	b->run = NULL;
	spawn_rig_wait_gone(pid);
	loop_once(b->loop, 0);
	assert_int_equal(b->calls, 0);
}

static void with_the_spawner_the_run_is_lost(void **state)
{
	struct box *b = *state;
	char *text;

	begin(b, "echo $PPID >$OUT.new; mv $OUT.new $OUT; sleep 1000", 0);
	text = spawn_rig_output(&b->spawn, 2);
	assert_int_equal(kill((pid_t)strtol(text, NULL, 10), SIGKILL), 0);
	mem_free(text);
	finish(b);
	assert_int_equal(b->end.fate, SPAWN_LOST);
	begin(b, "echo again", 0);
	finish(b);
	assert_string_equal(b->output, "again\n");
}

#define S(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		S(a_megabyte_of_input_arrives),
		S(more_is_refused),
		S(output_is_heard_as_it_comes),
		S(of_much_output_the_end_is_kept),
		S(a_program_may_leave_its_input_unread),
		S(a_program_that_hangs_is_late),
		S(output_that_others_keep_open_is_not_waited_for),
		S(a_freed_run_is_killed_and_not_heard_of),
		S(with_the_spawner_the_run_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
