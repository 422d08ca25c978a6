/* SPDX-License-Identifier: ISC
 *
 * The control socket over a real socket in a directory of its own: the true
 * client in a thread, or raw bytes from the test itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/ops/ctl.h"

enum { TURNS_MAX = 4000, TURN_MS = 10 };

struct fixture {
	char dir[32], path[64];
	struct loop *loop;
	struct ctl *ctl;
	struct ctl_request *held; /* by "hold" */
	unsigned left;		  /* rows that "many" still owes */
	struct ctl_request *many, *ended;
	struct clock_fake clock;
	bool drained;
	struct ctl_request *sums;
	json_int_t sum;
	unsigned lines;
	bool gone;
};

static void cmd_echo(void *arg, struct ctl_request *r, const json_t *args)
{
	struct jout *j = ctl_row(r);

	(void)arg;
	jout_str(j, "said", json_string_value(json_object_get(args, "say")));
	jout_str(j, "who", ctl_who(r));
	ctl_row_end(r);
	ctl_row_text(r, SLICE("{\"raw\":1}"));
	ctl_end(r, 0, NULL);
}

static void cmd_refuse(void *arg, struct ctl_request *r, const json_t *args)
{
	(void)arg;
	(void)args;
	ctl_end(r, 1, "no \"%s\" here", "leg");
}

static void cmd_hold(void *arg, struct ctl_request *r, const json_t *args)
{
	struct fixture *f = arg;

	(void)args;
	f->held = r;
}

static void many_go_on(void *arg)
{
	struct fixture *f = arg;

	while (f->left > 0 && !ctl_busy(f->many) && !ctl_gone(f->many)) {
		jout_int(ctl_row(f->many), "left", f->left--);
		ctl_row_end(f->many);
	}
	if (f->left > 0 && !ctl_gone(f->many)) {
		f->drained = true;
		ctl_on_drain(f->many, many_go_on, f);
		return;
	}
	f->ended = f->many;
	ctl_end(f->many, 0, NULL);
}

static void cmd_many(void *arg, struct ctl_request *r, const json_t *args)
{
	struct fixture *f = arg;

	f->many = r;
	f->left = (unsigned)json_integer_value(json_object_get(args, "n"));
	many_go_on(f);
}

static void cmd_long(void *arg, struct ctl_request *r, const json_t *args)
{
	char *text = mem_new(CTL_ROW_MAX + 1);

	(void)arg;
	(void)args;
	memset(text, 'x', CTL_ROW_MAX);
	jout_str(ctl_row(r), "text", text);
	ctl_row_end(r);
	mem_free(text);
	ctl_end(r, 0, NULL);
}

/* Adds numbers up, a line each, until one is 0. */
static void on_number(void *arg, const json_t *line)
{
	struct fixture *f = arg;
	json_int_t n = json_integer_value(json_object_get(line, "n"));

	f->gone = line == NULL;
	f->lines++;
	f->sum += n;
	if (n > 0) {
		ctl_more(f->sums, on_number, f);
		return;
	}
	jout_int(ctl_row(f->sums), "sum", f->sum);
	ctl_row_end(f->sums);
	ctl_end(f->sums, 0, NULL);
}

static void cmd_sum(void *arg, struct ctl_request *r, const json_t *args)
{
	struct fixture *f = arg;

	(void)args;
	f->sums = r;
	ctl_more(r, on_number, f);
}

static const struct ctl_command table[] = {
	{"sum", cmd_sum},
	{"echo", cmd_echo}, {"refuse", cmd_refuse}, {"hold", cmd_hold},
	{"many", cmd_many}, {"long", cmd_long},	    {NULL, NULL},
};

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	struct error err;

	snprintf(f->dir, sizeof(f->dir), "/tmp/test_ctl.XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/control.sock", f->dir);
	clock_fake_init(&f->clock, 0);
	f->loop = loop_new(&f->clock.clock);
	f->ctl = ctl_open(f->loop, f->path, table, f, &err);
	*state = f;
	return f->ctl == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ctl_close(f->ctl);
	loop_free(f->loop);
	rmdir(f->dir);
	mem_free(f);
	return 0;
}

/* ---- the client in a thread -------------------------------------------- */

struct asking {
	const char *path, *command;
	json_t *args;
	char rows[256];
	unsigned count;
	int exit_code;
	struct error err;
	int left; /* numbers to be sent, from here down; -1: gives up */
	_Atomic bool done;
};

static void on_row(void *arg, json_t *row)
{
	struct asking *a = arg;
	char *text = json_dumps(row, JSON_COMPACT);

	if (a->count++ < 2)
		strncat(a->rows, text, sizeof(a->rows) - strlen(a->rows) - 1);
	mem_free(text);
}

static json_t *on_more(void *arg)
{
	struct asking *a = arg;

	return a->left < 0 ? NULL : json_pack("{s:i}", "n", a->left--);
}

static void *ask(void *arg)
{
	struct asking *a = arg;

	a->exit_code =
	    ctl_call(&(struct ctl_question){a->path, a->command, a->args,
			  on_row, a, on_more}, &a->err);
	a->done = true;
	return NULL;
}

static void ask_and_serve(struct fixture *f, struct asking *a)
{
	pthread_t t;

	a->path = f->path;
	assert_int_equal(pthread_create(&t, NULL, ask, a), 0);
	for (int i = 0; i < TURNS_MAX && !a->done; i++)
		loop_once(f->loop, TURN_MS);
	assert_int_equal(pthread_join(t, NULL), 0);
}

static void an_answer_is_rows_and_an_end(void **state)
{
	struct asking a = {.command = "echo",
	    .args = json_pack("{s:s}", "say", "h\xc3\xa9 \"\n")};

	ask_and_serve(*state, &a);
	assert_int_equal(a.exit_code, 0);
	assert_string_equal(a.err.text, "");
	assert_int_equal(a.count, 2);
	assert_non_null(strstr(a.rows, "{\"said\":\"h\xc3\xa9 \\\"\\n\""));
	assert_non_null(strstr(a.rows, "{\"raw\":1}"));
}

static void further_lines_are_asked_for_one_by_one(void **state)
{
	struct fixture *f = *state;
	struct asking a = {.command = "sum", .left = 1000};

	ask_and_serve(f, &a);
	assert_int_equal(a.exit_code, 0);
	assert_string_equal(a.rows, "{\"sum\":500500}");
	assert_int_equal(f->lines, 1001);
}

static void a_client_may_give_up_between_its_lines(void **state)
{
	struct fixture *f = *state;
	struct asking a = {.command = "sum", .left = -1};

	ask_and_serve(f, &a);
	assert_int_equal(a.exit_code, 1);
	assert_string_equal(a.err.text, "");
	for (int i = 0; i < TURNS_MAX && !f->gone; i++)
		loop_once(f->loop, TURN_MS);
	assert_true(f->gone);
	assert_int_equal(f->lines, 1);
}

static void a_refusal_says_why(void **state)
{
	static const struct {
		const char *command, *error;
		int exit_code;
	} cases[] = {
		{"refuse", "no \"leg\" here", 1},
		{"nothing", "unknown command \"nothing\"", 2},
		{"long", "a row of the answer was too long to send", 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asking a = {.command = cases[i].command};

		print_message("%s\n", cases[i].command);
		ask_and_serve(*state, &a);
		assert_int_equal(a.exit_code, cases[i].exit_code);
		assert_string_equal(a.err.text, cases[i].error);
		assert_int_equal(a.count, 0);
	}
}

static void without_a_daemon_the_exit_code_is_3(void **state)
{
	struct fixture *f = *state;
	struct error err;

	ctl_close(f->ctl);
	f->ctl = NULL;
	assert_int_equal(ctl_call(
	    &(struct ctl_question){.path = f->path, .command = "echo"},
	    &err), 3);
	assert_non_null(strstr(err.text, "the daemon does not answer: No such "
	    "file or directory; is it running?"));
}

/* ---- raw bytes --------------------------------------------------------- */

static int dial(struct fixture *f)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* Sends all of it, the server reading meanwhile, and gives the first `want`
 * lines of the answer, or what came before the end of the connection. */
static void talk(struct fixture *f, int fd, struct slice say, unsigned want,
    struct strbuf *out)
{
	unsigned lines = 0, idle = 0;

	while (lines < want && idle < TURNS_MAX) {
		char buf[65536];
		ssize_t sent = say.n == 0
		    ? 0
		    : send(fd, say.p, say.n, MSG_NOSIGNAL);
		ssize_t got = recv(fd, buf, sizeof(buf), 0);

		if (got == 0)
			return;
		if (sent > 0)
			say = slice_from(say, (size_t)sent);
		for (ssize_t k = 0; k < got; k++)
			lines += buf[k] == '\n';
		if (got > 0)
			strbuf_add(out, buf, (size_t)got);
		idle = sent > 0 || got > 0 ? 0 : idle + 1;
		loop_once(f->loop, idle > 0 ? TURN_MS : 0);
	}
}

static void garbage_is_answered_and_does_no_harm(void **state)
{
	static const struct {
		const char *say, *answer;
	} cases[] = {
		{"\n", "not JSON"},
		{"EHLO client.example\r\n", "not JSON"},
		{"[]\n", "not a request"},
		{"{\"command\":7}\n", "not a request"},
		{"{\"command\":\"echo\",\"args\":[]}\n", "not a request"},
		{"{\"command\":\"echo\",\"command\":\"hold\"}\n", "not JSON"},
		{"{\"command\":\"\\u0000\"}\n", "not JSON"},
		{"{\"command\":\"../echo\"}\n", "unknown command"},
	};
	struct fixture *f = *state;
	int fd = dial(f);
	struct strbuf out;

	strbuf_init(&out, 1 << 16);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s", cases[i].say);
		strbuf_reset(&out);
		talk(f, fd, slice_str(cases[i].say), 1, &out);
		assert_non_null(strstr(strbuf_cstr(&out), cases[i].answer));
	}
	/* the same connection still works */
	strbuf_reset(&out);
	talk(f, fd, SLICE("{\"command\":\"refuse\"}\n"), 1, &out);
	assert_non_null(strstr(strbuf_cstr(&out), "\"exit\":1"));
	strbuf_fini(&out);
	close(fd);
}

static void a_megabyte_without_a_line_ends_the_connection(void **state)
{
	struct fixture *f = *state;
	char *junk = mem_new(CTL_REQUEST_MAX + 4096);
	int fd = dial(f);
	struct strbuf out;

	memset(junk, '{', CTL_REQUEST_MAX + 4096);
	strbuf_init(&out, 1 << 16);
	talk(f, fd, slice_of(junk, CTL_REQUEST_MAX + 4096), 2, &out);
	assert_non_null(strstr(strbuf_cstr(&out), "a request is one line"));
	strbuf_fini(&out);
	mem_free(junk);
	close(fd);
}

static void requests_sent_ahead_are_answered_in_order(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);
	struct strbuf out;
	const char *text;

	strbuf_init(&out, 1 << 16);
	talk(f, fd, SLICE("{\"command\":\"echo\",\"args\":{\"say\":\"one\"}}\n"
	    "{\"command\":\"refuse\"}\n{\"command\":\"two\"}\n"), 5, &out);
	text = strbuf_cstr(&out);
	assert_non_null(strstr(text, "one"));
	assert_true(strstr(text, "one") < strstr(text, "no \\\"leg\\\" here"));
	assert_true(strstr(text, "no \\\"leg") < strstr(text, "unknown"));
	strbuf_fini(&out);
	close(fd);
}

static void a_long_answer_waits_for_its_reader(void **state)
{
	enum { ROWS = 200000 };
	struct fixture *f = *state;
	struct slice rest, row;
	struct strbuf out;
	int fd = dial(f);
	unsigned rows = 0;
	char line[64];

	snprintf(line, sizeof(line),
	    "{\"command\":\"many\",\"args\":{\"n\":%d}}\n", ROWS);
	assert_true(send(fd, line, strlen(line), 0) > 0);
	for (int i = 0; i < TURNS_MAX && !f->drained; i++)
		loop_once(f->loop, TURN_MS); /* the client does not read */
	assert_true(f->drained);
	assert_true(f->left > 0);
	strbuf_init(&out, 64 << 20);
	talk(f, fd, SLICE(""), ROWS + 1, &out);
	rest = strbuf_view(&out);
	while (slice_next(&rest, '\n', &row))
		rows += slice_starts(row, SLICE("{\"row\":{\"left\":"));
	assert_int_equal(rows, ROWS);
	strbuf_fini(&out);
	close(fd);
}

static void turn_until_held(struct fixture *f)
{
	for (int i = 0; i < TURNS_MAX && f->held == NULL; i++)
		loop_once(f->loop, TURN_MS);
	assert_non_null(f->held);
}

/* It is told once; the last case is a socket that closes. */
static void a_line_that_does_not_come_ends_the_request(void **state)
{
	static const char *const cases[] = {"{\n", "[]\n", "\n", ""};
	struct fixture *f = *state;
	struct strbuf out;

	strbuf_init(&out, 1 << 16);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int fd = dial(f);

		f->gone = false;
		strbuf_reset(&out);
		talk(f, fd, SLICE("{\"command\":\"sum\"}\n"), 1, &out);
		assert_string_equal(strbuf_cstr(&out), "{\"more\":true}\n");
		if (cases[i][0] == '\0')
			ctl_close(f->ctl);
		talk(f, fd, slice_str(cases[i]), 9, &out);
		assert_true(f->gone);
		assert_int_equal(f->lines, i + 1);
		close(fd);
	}
	f->ctl = NULL;
	strbuf_fini(&out);
}

static void a_client_that_went_away_is_noticed(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	assert_int_equal(send(fd, "{\"command\":\"hold\"}\n", 19, 0), 19);
	turn_until_held(f);
	assert_false(ctl_gone(f->held));
	close(fd);
	for (int i = 0; i < TURNS_MAX && !ctl_gone(f->held); i++)
		loop_once(f->loop, TURN_MS);
	assert_true(ctl_gone(f->held));
	jout_int(ctl_row(f->held), "late", 1);
	ctl_row_end(f->held);
	ctl_end(f->held, 0, NULL);
	loop_once(f->loop, 0);
}

static void an_answer_may_come_after_the_socket_was_closed(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	assert_int_equal(send(fd, "{\"command\":\"hold\"}\n", 19, 0), 19);
	turn_until_held(f);
	ctl_close(f->ctl);
	f->ctl = NULL;
	assert_true(ctl_gone(f->held));
	ctl_row_text(f->held, SLICE("{}"));
	ctl_end(f->held, 0, NULL);
	close(fd);
}

static void what_waits_for_its_reader_ends_when_the_socket_is_closed(
    void **state)
{
	static const char ask[] =
	    "{\"command\":\"many\",\"args\":{\"n\":200000}}\n";
	struct fixture *f = *state;
	int fd = dial(f);

	assert_true(send(fd, ask, strlen(ask), 0) > 0);
	for (int i = 0; i < TURNS_MAX && !f->drained; i++)
		loop_once(f->loop, TURN_MS);
	assert_true(f->drained);
	assert_null(f->ended);
	ctl_close(f->ctl);
	f->ctl = NULL;
	assert_ptr_equal(f->ended, f->many);
	close(fd);
}

static void who_asks_nothing_gives_its_place_up(void **state)
{
	struct fixture *f = *state;
	int fd[CTL_PEERS_MAX], late;
	struct strbuf out;

	strbuf_init(&out, 4096);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
		fd[i] = dial(f);
		if (i == 0)
			assert_int_equal(send(fd[i],
			    "{\"command\":\"hold\"}\n", 19, 0), 19);
		loop_once(f->loop, TURN_MS);
		if (i == 0)
			turn_until_held(f);
		clock_fake_step(&f->clock, 1000);
	}
	clock_fake_step(&f->clock, CTL_IDLE_MS * 1000);
	late = dial(f);
	talk(f, late, SLICE("{\"command\":\"refuse\"}\n"), 1, &out);
	assert_non_null(strstr(strbuf_cstr(&out), "leg"));
	/* The one that was idle longest went, not the one that waits. */
	assert_int_equal(recv(fd[1], &(char){0}, 1, 0), 0);
	assert_false(ctl_gone(f->held));
	strbuf_reset(&out);
	talk(f, fd[2], SLICE("{\"command\":\"refuse\"}\n"), 1, &out);
	assert_non_null(strstr(strbuf_cstr(&out), "leg"));
	ctl_end(f->held, 0, NULL);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		close(fd[i]);
	close(late);
	strbuf_fini(&out);
}

static void an_answer_that_is_cut_is_noticed(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	assert_int_equal(send(fd, "{\"command\":\"hold\"}\n", 19, 0), 19);
	turn_until_held(f);
	ctl_cut(f->held);
	assert_true(ctl_gone(f->held));
	assert_int_equal(recv(fd, &(char){0}, 1, 0), 0);
	ctl_end(f->held, 0, NULL);
	loop_once(f->loop, 0);
	close(fd);
}

static void a_flood_of_clients_is_turned_away(void **state)
{
	struct fixture *f = *state;
	int fd[CTL_PEERS_MAX + 1];
	struct strbuf out;

	strbuf_init(&out, 4096);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
		fd[i] = dial(f);
		loop_once(f->loop, TURN_MS);
	}
	talk(f, fd[CTL_PEERS_MAX], SLICE(""), 1, &out);
	assert_non_null(strstr(strbuf_cstr(&out), "too many users"));
	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		close(fd[i]);
	strbuf_fini(&out);
}

/* ---- the socket file --------------------------------------------------- */

static void a_second_daemon_is_refused_and_a_dead_ones_socket_replaced(
    void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct error err;
	struct stat st;
	int fd;

	assert_null(ctl_open(f->loop, f->path, table, f, &err));
	assert_non_null(strstr(err.text, "another daemon answers there"));
	ctl_close(f->ctl);
	/* as a killed daemon leaves it: a bound socket without a listener */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	f->ctl = ctl_open(f->loop, f->path, table, f, &err);
	assert_non_null(f->ctl);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct error err;
	char path[64], wrong[200];
	FILE *file;

	snprintf(path, sizeof(path), "%s/file", f->dir);
	file = fopen(path, "w");
	fclose(file);
	assert_null(ctl_open(f->loop, path, table, f, &err));
	assert_int_equal(unlink(path), 0); /* it is still there */
	memset(wrong, 'x', sizeof(wrong) - 1);
	wrong[sizeof(wrong) - 1] = '\0';
	assert_null(ctl_open(f->loop, wrong, table, f, &err));
	assert_non_null(strstr(err.text, "longer than"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_answer_is_rows_and_an_end),
		T(further_lines_are_asked_for_one_by_one),
		T(a_client_may_give_up_between_its_lines),
		T(a_line_that_does_not_come_ends_the_request),
		T(a_refusal_says_why),
		T(without_a_daemon_the_exit_code_is_3),
		T(a_long_answer_waits_for_its_reader),
		T(garbage_is_answered_and_does_no_harm),
		T(a_megabyte_without_a_line_ends_the_connection),
		T(requests_sent_ahead_are_answered_in_order),
		T(a_client_that_went_away_is_noticed),
		T(an_answer_may_come_after_the_socket_was_closed),
		T(what_waits_for_its_reader_ends_when_the_socket_is_closed),
		T(who_asks_nothing_gives_its_place_up),
		T(an_answer_that_is_cut_is_noticed),
		T(a_flood_of_clients_is_turned_away),
		T(a_second_daemon_is_refused_and_a_dead_ones_socket_replaced),
		T(a_file_that_is_no_socket_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
