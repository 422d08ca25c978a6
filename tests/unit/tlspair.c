/* SPDX-License-Identifier: ISC
 *
 * Two streams on a socket pair under TLS.
 */
#include "tests/unit/tlspair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"

enum { TURNS = 4000, TURN_MS = 5 };

static size_t on_input(void *arg, struct slice bytes)
{
	struct side *d = arg;
	long nl = slice_find(bytes, '\n');

	if (d->starttls && nl >= 0) {
		d->starttls = false;
		stream_write(d->s, SLICE("220 go\r\n"));
		stream_flush(d->s);
		assert_true(stream_tls_accept(
		    d->s, tls_server_session(d->w->ts)));
		return (size_t)nl + 1;
	}
	strbuf_addsl(&d->got, bytes);
	return bytes.n;
}

static void on_drained(void *arg)
{
	((struct side *)arg)->drained++;
}

static void on_ready(void *arg)
{
	((struct side *)arg)->ready++;
}

static void on_ended(void *arg, enum stream_end why)
{
	struct side *d = arg;

	d->ended++;
	d->why = why;
}

static const struct stream_ops ops = {
	on_input, on_drained, on_ready, on_ended
};

static void side_open(struct world *w, struct side *d, int fd)
{
	struct stream_config c = {.loop = w->loop, .scratch = w->scratch,
		.sock = &sock_system, .ops = &ops, .arg = d};

	d->w = w;
	strbuf_init(&d->got, 1 << 26);
	d->s = stream_accept(&c, fd);
}

static void side_close(struct side *d)
{
	stream_free(d->s);
	strbuf_fini(&d->got);
	*d = (struct side){0};
}

void open_pair(struct world *w)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	w->client_fd = pair[1];
	side_open(w, &w->server, pair[0]);
	side_open(w, &w->client, pair[1]);
}

void close_pair(struct world *w)
{
	side_close(&w->client);
	side_close(&w->server);
}

int world_setup(void **state)
{
	static const struct testcert_spec ca = {.cn = "Test CA", .ca = true};
	struct world *w = NEW(struct world);

	w->loop = loop_new(&clock_system);
	w->scratch = stream_scratch_new();
	w->ca = testcert_new(&ca, NULL);
	testcert_file(w->ca, w->ca_file);
	*state = w;
	return 0;
}

int world_teardown(void **state)
{
	struct world *w = *state;

	close_pair(w);
	tls_server_unref(w->ts);
	tls_client_unref(w->tc);
	testcert_free(w->ca);
	unlink(w->ca_file);
	for (int i = 0; i < w->files; i++)
		unlink(w->file[i]);
	if (w->client_file[0] != '\0')
		unlink(w->client_file);
	stream_scratch_free(w->scratch);
	loop_free(w->loop);
	mem_free(w);
	return 0;
}

void certificate(struct world *w, struct testcert_spec spec)
{
	struct testcert *c = testcert_new(&spec, w->ca);

	testcert_file(c, w->file[w->files++]);
	testcert_free(c);
}

void serve(struct world *w)
{
	struct conf_certificate pair[4];
	struct conf_listen l = {.name = "t", .certificate = pair,
		.certificates = w->files, .tls_min = w->min};
	struct error err;

	for (int i = 0; i < w->files; i++)
		pair[i] = (struct conf_certificate){w->file[i], w->file[i]};
	w->ts = tls_server_new(&l, &err);
	assert_non_null(w->ts);
}

void dial(struct world *w, enum tls_level level)
{
	char empty[] = "";
	struct conf_leg l = {.name = empty, .tls = level,
		.tls_ca = w->ca_file, .certificate = w->client_file,
		.key = empty, .fingerprint = w->pins};
	struct error err;

	w->tc = tls_client_new(&l, &err);
	assert_non_null(w->tc);
}

void until(struct world *w, const int *what, int least)
{
	for (int i = 0; i < TURNS && *what < least; i++)
		loop_once(w->loop, TURN_MS);
	assert_true(*what >= least);
}

void until_got(struct world *w, struct side *d, size_t n)
{
	for (int i = 0; i < TURNS && d->got.n < n; i++)
		loop_once(w->loop, TURN_MS);
	assert_int_equal(d->got.n, n);
}

/* Both begin; ends when the client is ready or over. */
void handshake_as(struct world *w, SSL *ssl)
{
	open_pair(w);
	assert_true(stream_tls_accept(
	    w->server.s, tls_server_session(w->ts)));
	SSL_up_ref(ssl);
	assert_true(stream_tls_connect(w->client.s, ssl));
	for (int i = 0; i < TURNS && !w->client.ready && !w->client.ended; i++)
		loop_once(w->loop, TURN_MS);
	for (int i = 0; i < TURNS && !w->server.ready && !w->server.ended; i++)
		loop_once(w->loop, TURN_MS);
}

SSL *handshake(struct world *w, const char *host)
{
	SSL *ssl = tls_client_session(w->tc, host);

	handshake_as(w, ssl);
	return ssl;
}
