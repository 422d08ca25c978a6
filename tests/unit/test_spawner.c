/* SPDX-License-Identifier: ISC
 *
 * The spawner: its lanes, its programs, and that nothing outlives it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "tests/unit/spawn_rig.h"

static int setup(void **state)
{
	struct spawn_rig *b = NEW(struct spawn_rig);

	spawn_rig_init(b);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct spawn_rig *b = *state;

	spawn_rig_fini(b);
	mem_free(b);
	return 0;
}

static bool run(struct spawn_rig *b, const char *arg, struct slice input)
{
	return spawner_run(b->spawner, SPAWN_ALARM, arg, input);
}

static void a_program_gets_its_argument_its_input_and_nothing_else(
    void **state)
{
	struct spawn_rig *b = *state;
	char *text;

	setenv("SECRET", "of ours", 1);
	spawn_rig_write(b, "{ echo \"$# $1\"; cat; env | sort; "
			   "ls /proc/self/fd | wc -l; } >$OUT.new; "
			   "mv $OUT.new $OUT");
	spawn_rig_start(b, 5000, 1000);
	assert_true(run(b, "leg-down", SLICE("{\"a\":1}\n")));
	text = spawn_rig_output(b, 10);
	assert_ptr_equal(strstr(text, "1 leg-down\n{\"a\":1}\n"), text);
	assert_null(strstr(text, "SECRET"));
	assert_non_null(strstr(text, "PATH="));
	assert_non_null(strstr(text, "\n4\n")); /* 0 1 2, and ls's own */
	mem_free(text);
}

static void runs_come_one_after_the_other(void **state)
{
	struct spawn_rig *b = *state;
	char *text;

	spawn_rig_write(b, "echo \"begin $1\" >>$OUT; sleep 0.1; cat >>$OUT; "
			 "echo \"end $1\" >>$OUT");
	spawn_rig_start(b, 5000, 1000);
	for (int i = 0; i < 3; i++) {
		char arg[8];

		snprintf(arg, sizeof(arg), "n%d", i);
		assert_true(run(b, arg, SLICE("x\n")));
	}
	text = spawn_rig_output(b, strlen("begin n0\nx\nend n0\n") * 3);
	assert_string_equal(text, "begin n0\nx\nend n0\nbegin n1\nx\nend n1\n"
				  "begin n2\nx\nend n2\n");
	mem_free(text);
}

static void what_is_no_argument_or_too_long_is_not_run(void **state)
{
	struct spawn_rig *b = *state;
	char *big = mem_new(SPAWNER_INPUT_MAX + 2);
	char arg[SPAWNER_ARG_MAX + 2], *text;

	memset(big, 'x', SPAWNER_INPUT_MAX + 1);
	spawn_rig_write(b, "wc -c >>$OUT");
	spawn_rig_start(b, 5000, 1000);
	assert_false(run(b, "../x", SLICE("")));
	assert_false(run(b, "a b", SLICE("")));
	assert_false(run(b, "A", SLICE("")));
	memset(arg, 'a', sizeof(arg));
	arg[SPAWNER_ARG_MAX + 1] = '\0';
	assert_false(run(b, arg, SLICE("")));
	assert_false(run(b, "a",
	    slice_of(big, SPAWNER_INPUT_MAX + 1)));
	assert_true(run(b, "a",
	    slice_of(big, SPAWNER_INPUT_MAX)));
	text = spawn_rig_output(b, 2);
	assert_int_equal(atoi(text), SPAWNER_INPUT_MAX);
	mem_free(text);
	mem_free(big);
}

static void more_than_can_wait_is_refused_at_once(void **state)
{
	struct spawn_rig *b = *state;
	char *big = mem_new(SPAWNER_INPUT_MAX);
	unsigned taken = 0;

	memset(big, 'x', SPAWNER_INPUT_MAX);
	spawn_rig_write(b, "sleep 100");
	spawn_rig_start(b, 5000, 100);
	while (taken < 10000 && run(b, "a",
	    slice_of(big, SPAWNER_INPUT_MAX)))
		taken++;
	assert_in_range(taken, 1, 9999);
	mem_free(big);
}

static void a_program_that_does_not_end_is_ended_with_its_children(
    void **state)
{
	struct spawn_rig *b = *state;
	long leader, child;
	char *text, *end;

	spawn_rig_write(b, "sleep 1000 & echo $$ $! x >$OUT; wait");
	spawn_rig_start(b, 500, 100);
	assert_true(run(b, "a", SLICE("")));
	text = spawn_rig_output(b, 6);
	leader = strtol(text, &end, 10);
	child = strtol(end, NULL, 10);
	assert_true(leader > 1 && child > 1);
	spawn_rig_wait_gone(leader);
	spawn_rig_wait_gone(child);
	mem_free(text);
	/* And the next one runs. */
	unlink(b->out);
	assert_true(run(b, "a", SLICE("")));
	mem_free(spawn_rig_output(b, 6));
}

/* As when the daemon is killed: its end of the socket closes. */
static void without_a_daemon_nothing_runs_on(void **state)
{
	struct spawn_rig *b = *state;
	long leader, child;
	char *text, *end;

	spawn_rig_write(b, "sleep 1000 & echo $$ $! x >$OUT; wait");
	spawn_rig_start(b, 1000000, 300);
	assert_true(run(b, "a", SLICE("")));
	assert_true(run(b, "a", SLICE("")));
	text = spawn_rig_output(b, 6);
	leader = strtol(text, &end, 10);
	child = strtol(end, NULL, 10);
	assert_false(spawn_rig_gone(leader));
	spawner_free(b->spawner);
	b->spawner = NULL;
	spawn_rig_wait_gone(leader);
	spawn_rig_wait_gone(child);
	mem_free(text);
}

static long run_and_read(struct spawn_rig *b)
{
	long pid;
	char *text;

	unlink(b->out);
	assert_true(run(b, "a", SLICE("")));
	text = spawn_rig_output(b, 2);
	pid = strtol(text, NULL, 10);
	mem_free(text);
	assert_true(pid > 1);
	return pid;
}

static void a_spawner_that_dies_is_started_again(void **state)
{
	struct spawn_rig *b = *state;
	long server, keeper, second;

	spawn_rig_write(b, "echo $PPID >$OUT.new; mv $OUT.new $OUT");
	spawn_rig_start(b, 5000, 100);
	server = run_and_read(b);
	keeper = spawn_rig_parent(server);
	assert_int_equal(kill((pid_t)server, SIGKILL), 0);
	second = run_and_read(b);
	assert_true(second != server);
	assert_int_equal(spawn_rig_parent(second), keeper);
	/* And without the other, which the daemon knows. */
	assert_int_equal(spawn_rig_parent(keeper), getpid());
	assert_int_equal(kill((pid_t)keeper, SIGKILL), 0);
	assert_int_equal(waitpid((pid_t)keeper, NULL, 0), keeper);
	for (int i = 0; i < RIG_LOOKS; i++) {
		server = run_and_read(b);
		if (server != second)
			break;
		spawn_rig_pause_ms(RIG_LOOK_MS);
	}
	assert_int_equal(spawn_rig_parent(server), second);
	spawner_free(b->spawner);
	b->spawner = NULL;
	spawn_rig_wait_gone(server);
	spawn_rig_wait_gone(second);
}

static void a_program_that_is_not_there_is_no_end_of_it(void **state)
{
	struct spawn_rig *b = *state;

	spawn_rig_start(b, 5000, 100); /* written later */
	assert_true(run(b, "a", SLICE("")));
	spawn_rig_write(b, "echo ran >$OUT");
	for (int i = 0; i < RIG_LOOKS && access(b->out, F_OK) != 0; i++) {
		assert_true(run(b, "a", SLICE("")));
		spawn_rig_pause_ms(RIG_LOOK_MS);
	}
	mem_free(spawn_rig_output(b, 4));
}

/* ---- lanes, descriptors, the report ---- */

/* Starts the second row; its control, or -1. */
static int start(struct spawn_rig *b, const char *arg, int input)
{
	int fds[2];
	bool ok;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	ok = spawner_start(b->spawner, SPAWN_SPF, arg,
	    &(struct spawn_fds){.input = input, .output = -1,
		.control = fds[1]});
	close(fds[1]);
	if (ok)
		return fds[0];
	close(fds[0]);
	return -1;
}

static struct spawn_report wait_report(int control)
{
	struct spawn_report r;

	assert_int_equal(recv(control, &r, sizeof(r), 0), sizeof(r));
	close(control);
	return r;
}

/* The first number of the file that a script with this argument wrote. */
static long number_in(const struct spawn_rig *b, const char *suffix)
{
	char path[300];
	struct stat st = {0};
	long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s.%s", b->out, suffix);
	for (int i = 0; i < RIG_LOOKS && stat(path, &st) < 0; i++)
		spawn_rig_pause_ms(RIG_LOOK_MS);
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s was not written", path);
	else
		assert_int_equal(fscanf(f, "%ld", &n), 1);
	fclose(f);
	unlink(path);
	return n;
}

static bool is_there(const struct spawn_rig *b, const char *suffix)
{
	char path[300];

	snprintf(path, sizeof(path), "%s.%s", b->out, suffix);
	return access(path, F_OK) == 0;
}

#define TELL_PID "echo $$ >$OUT.new.$1; mv $OUT.new.$1 $OUT.$1; "

static void hooks_run_eight_at_once_and_hold_up_no_alarm(void **state)
{
	struct spawn_rig *b = *state;
	int control[10];
	long pid[10];
	char arg[10][8];

	b->second = LANE_HOOK;
	spawn_rig_write(b, TELL_PID "[ $1 = alarm ] || sleep 1000");
	spawn_rig_start(b, 1000000, 100);
	for (int i = 0; i < 10; i++) {
		snprintf(arg[i], sizeof(arg[i]), "n%d", i);
		control[i] = start(b, arg[i], -1);
		assert_true(control[i] >= 0);
	}
	for (int i = 0; i < 8; i++)
		pid[i] = number_in(b, arg[i]);
	assert_true(run(b, "alarm", SLICE("")));
	number_in(b, "alarm");
	assert_false(is_there(b, "n8"));
	/* The one that waits is not run when it is given up. */
	close(control[8]);
	close(control[0]);
	spawn_rig_wait_gone(pid[0]);
	pid[9] = number_in(b, "n9");
	assert_false(is_there(b, "n8"));
	for (int i = 1; i < 10; i++)
		if (i != 8)
			close(control[i]);
	for (int i = 1; i < 10; i++)
		if (i != 8)
			spawn_rig_wait_gone(pid[i]);
}

static void the_end_is_reported(void **state)
{
	struct spawn_rig *b = *state;
	struct spawn_report r;

	b->second = LANE_HOOK;
	spawn_rig_write(b, "case $1 in\n"
			   "bad) exit 75;;\nself) kill -11 $$;;\n"
			   "hang) sleep 1000;;\nesac");
	spawn_rig_start(b, 700, 100);
	r = wait_report(start(b, "good", -1));
	assert_int_equal(r.status, 0);
	assert_int_equal(r.late, 0);
	r = wait_report(start(b, "bad", -1));
	assert_true(WIFEXITED(r.status));
	assert_int_equal(WEXITSTATUS(r.status), 75);
	r = wait_report(start(b, "self", -1));
	assert_true(WIFSIGNALED(r.status));
	assert_int_equal(WTERMSIG(r.status), SIGSEGV);
	assert_int_equal(r.late, 0);
	r = wait_report(start(b, "hang", -1));
	assert_int_equal(r.late, 1);
	r = wait_report(start(b, "", -1));
	assert_int_equal(r.status, 0);
}

/* As posthouse-spf is started. */
static void a_helper_gets_its_socket_no_environment_and_no_limit(void **state)
{
	struct spawn_rig *b = *state;
	int fds[2], control;
	char line[200];
	ssize_t n = 0, got;

	spawn_rig_write(b, "{ cat /proc/$$/environ; read l; echo \"$# $l\"; "
			   "stat -Lc %F /proc/self/fd/0; } >&0; sleep 0.4; "
			   "exit 9");
	spawn_rig_start(b, 100, 100);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    fds), 0);
	control = start(b, "", fds[1]);
	close(fds[1]);
	assert_int_equal(send(fds[0], "said\n", 5, 0), 5);
	while ((got = recv(fds[0], line + n, sizeof(line) - 1 - (size_t)n,
		    0)) > 0)
		n += got;
	line[n] = '\0';
	assert_string_equal(line, "0 said\nsocket\n");
	assert_int_equal(WEXITSTATUS(wait_report(control).status), 9);
	close(fds[0]);
}

static void a_row_without_a_program_is_refused(void **state)
{
	struct spawn_rig *b = *state;

	b->no_alarm = true;
	spawn_rig_start(b, 5000, 100);
	assert_false(spawner_has(NULL, SPAWN_ALARM));
	assert_false(spawner_has(b->spawner, SPAWN_ALARM));
	assert_true(spawner_has(b->spawner, SPAWN_SPF));
	assert_false(run(b, "a", SLICE("")));
}

/* ---- nothing stays ---- */

static char state_of(long pid)
{
	char path[64], line[300] = "", *at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	f = fopen(path, "r");
	if (f == NULL)
		return '-';
	line[fread(line, 1, sizeof(line) - 1, f)] = '\0';
	fclose(f);
	at = strrchr(line, ')');
	return at == NULL ? '-' : at[2];
}

static void a_killed_spawner_leaves_no_program_of_its_own(void **state)
{
	struct spawn_rig *b = *state;
	long leader, child, server;
	int control;
	char c;

	spawn_rig_write(b, "sleep 1000 & echo $! >$OUT.new; "
			   "mv $OUT.new $OUT.child; " TELL_PID "wait");
	spawn_rig_start(b, 1000000, 100);
	control = start(b, "me", -1);
	leader = number_in(b, "me");
	child = number_in(b, "child");
	server = spawn_rig_parent(leader);
	assert_int_equal(kill((pid_t)server, SIGKILL), 0);
	spawn_rig_wait_gone(leader);
	spawn_rig_wait_gone(child);
	assert_int_equal(recv(control, &c, 1, 0), 0); /* what of it: unknown */
	close(control);
	close(start(b, "again", -1));
}

static void what_a_program_leaves_in_its_group_ends_with_it(void **state)
{
	struct spawn_rig *b = *state;

	b->second = LANE_HOOK;
	spawn_rig_write(b, "sleep 1000 & echo $! >$OUT.new; "
			   "mv $OUT.new $OUT.child; exit 0");
	spawn_rig_start(b, 1000000, 100);
	wait_report(start(b, "a", -1));
	spawn_rig_wait_gone(number_in(b, "child"));
}

/* A process that leaves its group is not ended, but waited for. */
static void what_a_program_leaves_behind_becomes_no_zombie(void **state)
{
	struct spawn_rig *b = *state;
	long left;

	spawn_rig_write(b, "setsid sh -c 'echo $$ >$0.new; mv $0.new $0; "
			   "sleep 0.3' $OUT.left & wait");
	b->second = LANE_HOOK;
	spawn_rig_start(b, 5000, 100);
	wait_report(start(b, "a", -1));
	left = number_in(b, "left");
	for (int i = 0; i < RIG_LOOKS && state_of(left) != '-'; i++)
		spawn_rig_pause_ms(RIG_LOOK_MS);
	assert_int_equal(state_of(left), '-');
}

#define S(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

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
		S(hooks_run_eight_at_once_and_hold_up_no_alarm),
		S(the_end_is_reported),
		S(a_helper_gets_its_socket_no_environment_and_no_limit),
		S(a_row_without_a_program_is_refused),
		S(a_killed_spawner_leaves_no_program_of_its_own),
		S(what_a_program_leaves_in_its_group_ends_with_it),
		S(what_a_program_leaves_behind_becomes_no_zombie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
