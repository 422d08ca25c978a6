/* SPDX-License-Identifier: ISC
 *
 * Streams in the clear, on socket pairs and loopback. TLS: test_tls.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/net/stream.h"
#include "relay/net/stream_int.h"

enum { TURNS = 2000, TURN_MS = 5 };

/* An owner that writes down what it is told. */
struct owner {
	struct stream *s;
	struct strbuf got;
	size_t take;	 /* at most so many bytes a call */
	bool lines;	 /* take whole lines only */
	bool pause_next; /* pause in the next input() */
	bool again_next; /* and go on, still in it */
	bool free_in_input, free_at_end;
	int inputs, drained, ready, ended;
	enum stream_end why;
};

struct world {
	struct clock_fake clock;
	struct loop *loop;
	struct stream_scratch *scratch;
	struct owner o;
	int peer;
};

static size_t on_input(void *arg, struct slice bytes)
{
	struct owner *o = arg;
	size_t take = bytes.n < o->take ? bytes.n : o->take;

	o->inputs++;
	if (o->lines) {
		long nl = slice_rfind(slice_head(bytes, take), '\n');

		take = nl < 0 ? 0 : (size_t)nl + 1;
	}
	strbuf_add(&o->got, bytes.p, take);
	if (o->pause_next)
		stream_pause(o->s);
	o->pause_next = false;
	if (o->again_next)
		stream_again(o->s);
	o->again_next = false;
	if (o->free_in_input) {
		stream_free(o->s);
		o->s = NULL;
	}
	return take;
}

static void on_drained(void *arg)
{
	((struct owner *)arg)->drained++;
}

static void on_ready(void *arg)
{
	((struct owner *)arg)->ready++;
}

static void on_ended(void *arg, enum stream_end why)
{
	struct owner *o = arg;

	o->ended++;
	o->why = why;
	if (o->free_at_end) {
		stream_free(o->s);
		o->s = NULL;
	}
}

static const struct stream_ops owner_ops = {
	on_input, on_drained, on_ready, on_ended
};

static struct stream_config config_of(struct world *w,
    const struct sock_ops *sock)
{
	return (struct stream_config){.loop = w->loop,
		.scratch = w->scratch, .sock = sock, .ops = &owner_ops,
		.arg = &w->o, .keep_max = 100};
}

static void open_as(struct world *w, const struct stream_config *c)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	w->peer = pair[1];
	w->o.s = stream_accept(c, pair[0]);
}

static void open_with(struct world *w, const struct sock_ops *sock)
{
	struct stream_config c = config_of(w, sock);

	open_as(w, &c);
}

static int setup(void **state)
{
	struct world *w = NEW(struct world);

	clock_fake_init(&w->clock, 0);
	w->loop = loop_new(&w->clock.clock);
	w->scratch = stream_scratch_new();
	strbuf_init(&w->o.got, 1 << 24);
	w->o.take = SIZE_MAX;
	w->peer = -1;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	stream_free(w->o.s);
	if (w->peer >= 0)
		close(w->peer);
	stream_scratch_free(w->scratch);
	loop_free(w->loop);
	strbuf_fini(&w->o.got);
	mem_free(w);
	return 0;
}

static void say(struct world *w, const char *text)
{
	size_t n = strlen(text);

	assert_int_equal(write(w->peer, text, n), n);
}

/* Turns the loop until *what is at least `least`. */
static void until(struct world *w, const int *what, int least)
{
	for (int i = 0; i < TURNS && *what < least; i++)
		loop_once(w->loop, TURN_MS);
	assert_true(*what >= least);
}

static void turn(struct world *w)
{
	for (int i = 0; i < 3; i++)
		loop_once(w->loop, 0);
}

static void assert_got(struct world *w, const char *text)
{
	assert_string_equal(strbuf_cstr(&w->o.got), text);
}

static void input_is_shown_again_with_what_comes_next(void **state)
{
	struct world *w = *state;

	open_with(w, &sock_system);
	w->o.lines = true;
	say(w, "EHLO a\r\nMAIL");
	until(w, &w->o.inputs, 1);
	assert_got(w, "EHLO a\r\n");
	say(w, " FROM:<>\r\n");
	until(w, &w->o.inputs, 2);
	assert_got(w, "EHLO a\r\nMAIL FROM:<>\r\n");
	assert_int_equal(stream_bytes_in(w->o.s), 22);
	assert_null(w->o.s->keep);
}

static void a_line_that_comes_byte_by_byte_is_one_line(void **state)
{
	struct world *w = *state;
	const char *text = "RCPT TO:<a@example.com>\r\n";

	open_with(w, &sock_system);
	w->o.lines = true;
	for (const char *p = text; *p != '\0'; p++) {
		assert_int_equal(write(w->peer, p, 1), 1);
		until(w, &w->o.inputs, (int)(p - text) + 1);
	}
	assert_got(w, text);
}

static void reading_stops_at_keep_max_until_again(void **state)
{
	struct world *w = *state;
	char junk[301];

	memset(junk, 'x', 300);
	junk[300] = '\0';
	open_with(w, &sock_system);
	w->o.take = 0;
	say(w, junk);
	until(w, &w->o.inputs, 1);
	say(w, "more");
	turn(w);
	assert_int_equal(w->o.inputs, 1);
	assert_int_equal(stream_bytes_in(w->o.s), 300);
	w->o.take = SIZE_MAX;
	stream_again(w->o.s);
	assert_int_equal(w->o.inputs, 1); /* later, not now */
	until(w, &w->o.inputs, 3);
	assert_int_equal(w->o.got.n, 304);
}

static void say_20000(struct world *w)
{
	static char junk[20001];

	memset(junk, 'x', sizeof(junk) - 1);
	say(w, junk);
	turn(w);
}

/* A read has room for half of the scratch, so no more than that is kept
 * before reading stops. */
static void half_of_the_scratch_is_kept_at_most(void **state)
{
	static const size_t keep_max[] = {0, 1 << 20};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(keep_max); i++) {
		struct stream_config c = config_of(w, &sock_system);

		c.keep_max = keep_max[i];
		open_as(w, &c);
		w->o.take = 0;
		for (int k = 0; k < 3; k++)
			say_20000(w);
		assert_int_equal(stream_bytes_in(w->o.s), 40000);
		w->o.take = SIZE_MAX;
		stream_again(w->o.s);
		turn(w);
		assert_int_equal(w->o.got.n, 60000);
		stream_free(w->o.s);
		close(w->peer);
		strbuf_reset(&w->o.got);
	}
	w->o.s = NULL;
	w->peer = -1;
}

static void an_owner_that_takes_a_little_gets_all_of_it(void **state)
{
	struct world *w = *state;
	char junk[1001];

	memset(junk, 'x', 1000);
	junk[1000] = '\0';
	open_with(w, &sock_system);
	w->o.take = 64; /* the rest is over keep_max: shown without asking */
	say(w, junk);
	until(w, &w->o.inputs, 15);
	assert_int_equal(w->o.got.n, 960); /* 40 wait for more */
	say(w, "y");
	until(w, &w->o.inputs, 16);
	assert_int_equal(w->o.got.n, 1001);
}

static void no_more_is_read_at_once_than_memory_allows(void **state)
{
	struct world *w = *state;

	open_with(w, &sock_system);
	stream_scratch_limit(w->scratch, 4);
	say(w, "0123456789");
	until(w, &w->o.inputs, 3);
	turn(w);
	assert_int_equal(w->o.inputs, 3);
	assert_got(w, "0123456789");
	stream_scratch_limit(w->scratch, 0);
	say(w, "0123456789");
	until(w, &w->o.inputs, 4);
	assert_int_equal(w->o.got.n, 20);
}

static void a_paused_owner_hears_neither_bytes_nor_the_end(void **state)
{
	struct world *w = *state;

	open_with(w, &sock_system);
	w->o.pause_next = true;
	w->o.take = 2;
	say(w, "one");
	until(w, &w->o.inputs, 1);
	say(w, "two");
	close(w->peer);
	w->peer = -1;
	turn(w);
	assert_int_equal(w->o.inputs, 1);
	assert_int_equal(w->o.ended, 0);
	w->o.take = SIZE_MAX;
	stream_again(w->o.s);
	until(w, &w->o.ended, 1);
	assert_got(w, "onetwo");
	assert_int_equal(w->o.why, STREAM_EOF);
}

static void again_inside_input_shows_the_rest_and_nothing_empty(void **state)
{
	struct world *w = *state;

	open_with(w, &sock_system);
	w->o.take = 2;
	w->o.pause_next = w->o.again_next = true;
	say(w, "one");
	until(w, &w->o.inputs, 2); /* "one", then what was left of it */
	assert_got(w, "one");
	w->o.take = 1;
	w->o.again_next = true;
	say(w, "2");
	until(w, &w->o.inputs, 3);
	turn(w);
	assert_int_equal(w->o.inputs, 3);
	assert_got(w, "one2");
	say(w, "3"); /* and reading goes on */
	until(w, &w->o.inputs, 4);
}

static void freeing_inside_input_is_safe(void **state)
{
	struct world *w = *state;

	open_with(w, &sock_system);
	w->o.free_in_input = true;
	say(w, "QUIT\r\n");
	until(w, &w->o.inputs, 1);
	turn(w);
	assert_int_equal(w->o.ended, 0);
	assert_null(w->o.s);
}

static void freeing_inside_ended_is_safe(void **state)
{
	struct world *w = *state;

	open_with(w, &sock_system);
	w->o.free_at_end = true;
	close(w->peer);
	w->peer = -1;
	until(w, &w->o.ended, 1);
	assert_int_equal(w->o.why, STREAM_EOF);
}

static size_t drain_peer(struct world *w)
{
	char buf[65536];
	size_t all = 0;
	ssize_t n;

	while ((n = read(w->peer, buf, sizeof(buf))) > 0)
		all += (size_t)n;
	return all;
}

static void output_goes_out_at_once_when_there_is_room(void **state)
{
	struct world *w = *state;
	char buf[16];

	open_with(w, &sock_system);
	stream_write(w->o.s, SLICE("250 2"));
	strbuf_adds(stream_out(w->o.s), ".0.0 Ok\r\n");
	assert_int_equal(stream_pending(w->o.s), 14);
	assert_int_equal(read(w->peer, buf, sizeof(buf)), -1);
	stream_flush(w->o.s);
	assert_int_equal(stream_pending(w->o.s), 0);
	assert_null(w->o.s->out.p); /* an idle stream keeps no buffer */
	assert_int_equal(read(w->peer, buf, sizeof(buf)), 14);
	turn(w);
	assert_int_equal(w->o.drained, 0);
}

static void what_does_not_fit_goes_by_itself_and_drained_is_told(void **state)
{
	struct world *w = *state;
	size_t size = 4 * 1024 * 1024, got = 0;
	char *big = mem_new(size);

	open_with(w, &sock_system);
	stream_write(w->o.s, slice_of(big, size));
	mem_free(big);
	stream_flush(w->o.s);
	assert_true(stream_pending(w->o.s) > 0);
	for (int i = 0; i < TURNS && w->o.drained == 0; i++) {
		got += drain_peer(w);
		loop_once(w->loop, TURN_MS);
	}
	got += drain_peer(w);
	assert_int_equal(got, size);
	assert_int_equal(w->o.drained, 1);
}

static void a_peer_that_never_reads_is_given_up(void **state)
{
	struct world *w = *state;
	char block[65536] = {0};

	open_with(w, &sock_system);
	for (int i = 0; i < 300; i++)
		stream_write(w->o.s, slice_of(block, sizeof(block)));
	stream_flush(w->o.s);
	assert_int_equal(w->o.ended, 0);
	until(w, &w->o.ended, 1);
	assert_int_equal(w->o.why, STREAM_RESET);
	assert_string_equal(stream_error(w->o.s), "the peer does not read");
}

static void last_words_are_heard_before_the_broken_pipe(void **state)
{
	struct world *w = *state;

	open_with(w, &sock_system);
	say(w, "421 4.3.2 going down\r\n");
	close(w->peer);
	w->peer = -1;
	stream_write(w->o.s, SLICE("MAIL FROM:<>\r\n"));
	stream_flush(w->o.s);
	assert_int_equal(w->o.ended, 0);
	until(w, &w->o.ended, 1);
	assert_got(w, "421 4.3.2 going down\r\n");
	assert_int_equal(w->o.why, STREAM_RESET);
	assert_string_equal(stream_error(w->o.s), "send: Broken pipe");
}

static ssize_t recv_fails(int fd, void *p, size_t n)
{
	(void)fd;
	(void)p;
	(void)n;
	errno = ECONNRESET;
	return -1;
}

static void a_reset_connection_says_so(void **state)
{
	struct world *w = *state;
	static struct sock_ops broken;

	broken = sock_system;
	broken.recv = recv_fails;
	open_with(w, &broken);
	say(w, "x");
	until(w, &w->o.ended, 1);
	assert_int_equal(w->o.why, STREAM_RESET);
	assert_string_equal(
	    stream_error(w->o.s), "receive: Connection reset by peer");
}

/* A system that takes or gives one byte, then none, by turns. */
static int recv_turn, send_turn;

static ssize_t recv_slowly(int fd, void *p, size_t n)
{
	if (++recv_turn % 2 == 0) {
		errno = recv_turn % 4 == 0 ? EAGAIN : EINTR;
		return -1;
	}
	return recv(fd, p, n > 0 ? 1 : 0, 0);
}

static ssize_t send_slowly(int fd, const void *p, size_t n)
{
	if (++send_turn % 2 == 0) {
		errno = send_turn % 4 == 0 ? EAGAIN : EINTR;
		return -1;
	}
	return send(fd, p, n > 0 ? 1 : 0, MSG_NOSIGNAL);
}

static void short_calls_lose_nothing(void **state)
{
	static struct sock_ops slow;
	struct world *w = *state;
	/* Few: each byte costs a socket pair a buffer of its own. */
	const char *text = "250-mx.example\r\n250 PIPELINING\r\n";
	int n = (int)strlen(text);
	char got[100] = "";

	slow = sock_system;
	slow.recv = recv_slowly;
	slow.send = send_slowly;
	open_with(w, &slow);
	say(w, text);
	stream_write(w->o.s, slice_str(text));
	stream_flush(w->o.s);
	until(w, &w->o.drained, 1);
	until(w, &w->o.inputs, n);
	assert_got(w, text);
	assert_int_equal(read(w->peer, got, sizeof(got)), n);
	assert_string_equal(got, text);
}

static void a_deadline_that_is_moved_does_not_end_the_stream(void **state)
{
	struct world *w = *state;

	open_with(w, &sock_system);
	stream_deadline(w->o.s, 10);
	clock_fake_step(&w->clock, 5000);
	loop_once(w->loop, 0);
	stream_deadline(w->o.s, 20);
	/* The timer of the first one fires and finds itself too early. */
	clock_fake_step(&w->clock, 19000);
	for (int i = 0; i < 3; i++)
		loop_once(w->loop, 0);
	assert_int_equal(w->o.ended, 0);
	clock_fake_step(&w->clock, 1000);
	until(w, &w->o.ended, 1);
	assert_int_equal(w->o.why, STREAM_TIMEOUT);
	assert_string_equal(stream_error(w->o.s), "timeout");
}

static void a_cleared_deadline_never_comes(void **state)
{
	struct world *w = *state;

	open_with(w, &sock_system);
	stream_deadline(w->o.s, 1);
	stream_deadline(w->o.s, 0);
	clock_fake_step(&w->clock, 1000000);
	for (int i = 0; i < 3; i++)
		loop_once(w->loop, 10);
	assert_int_equal(w->o.ended, 0);
}

static int listener(struct netaddr *at_out)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct netaddr any;

	assert_int_equal(netaddr_parse(&any, SLICE("127.0.0.1"), 0), 0);
	assert_int_equal(bind(fd, &any.sa, any.len), 0);
	assert_int_equal(listen(fd, 4), 0);
	netaddr_local(at_out, fd);
	return fd;
}

static void a_connection_is_ready_and_sends_what_was_gathered(void **state)
{
	struct world *w = *state;
	struct stream_config c = config_of(w, &sock_system);
	struct netaddr to, source;
	char buf[16];
	int fd = listener(&to);

	assert_int_equal(netaddr_parse(&source, SLICE("127.0.0.2"), 0), 0);
	w->o.s = stream_connect(&c, &to, &source);
	stream_write(w->o.s, SLICE("EHLO a\r\n"));
	stream_flush(w->o.s);
	assert_int_equal(w->o.ready, 0);
	until(w, &w->o.ready, 1);
	w->peer = accept(fd, NULL, NULL);
	close(fd);
	assert_int_equal(read(w->peer, buf, sizeof(buf)), 8);
	assert_true(netaddr_same_ip(stream_local(w->o.s), &source));
	assert_int_equal(netaddr_port(stream_peer(w->o.s)), netaddr_port(&to));
	assert_string_equal(stream_tls(w->o.s), "");
}

static void a_refused_connection_ends_later_with_its_reason(void **state)
{
	struct world *w = *state;
	struct stream_config c = config_of(w, &sock_system);
	struct netaddr to;

	close(listener(&to));
	w->o.s = stream_connect(&c, &to, NULL);
	assert_int_equal(w->o.ended, 0);
	until(w, &w->o.ended, 1);
	assert_int_equal(w->o.why, STREAM_CONNECT);
	assert_string_equal(
	    stream_error(w->o.s), "connect: Connection refused");
}

static void a_source_address_that_is_not_ours_is_named(void **state)
{
	struct world *w = *state;
	struct stream_config c = config_of(w, &sock_system);
	struct netaddr to, source;

	close(listener(&to));
	assert_int_equal(netaddr_parse(&source, SLICE("192.0.2.1"), 0), 0);
	w->o.s = stream_connect(&c, &to, &source);
	until(w, &w->o.ended, 1);
	assert_int_equal(w->o.why, STREAM_CONNECT);
	assert_string_equal(stream_error(w->o.s),
	    "bind to the source address: Cannot assign requested address");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(input_is_shown_again_with_what_comes_next),
		T(a_line_that_comes_byte_by_byte_is_one_line),
		T(reading_stops_at_keep_max_until_again),
		T(half_of_the_scratch_is_kept_at_most),
		T(an_owner_that_takes_a_little_gets_all_of_it),
		T(no_more_is_read_at_once_than_memory_allows),
		T(a_paused_owner_hears_neither_bytes_nor_the_end),
		T(again_inside_input_shows_the_rest_and_nothing_empty),
		T(freeing_inside_input_is_safe),
		T(freeing_inside_ended_is_safe),
		T(output_goes_out_at_once_when_there_is_room),
		T(what_does_not_fit_goes_by_itself_and_drained_is_told),
		T(a_peer_that_never_reads_is_given_up),
		T(last_words_are_heard_before_the_broken_pipe),
		T(a_reset_connection_says_so),
		T(short_calls_lose_nothing),
		T(a_deadline_that_is_moved_does_not_end_the_stream),
		T(a_cleared_deadline_never_comes),
		T(a_connection_is_ready_and_sends_what_was_gathered),
		T(a_refused_connection_ends_later_with_its_reason),
		T(a_source_address_that_is_not_ours_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
