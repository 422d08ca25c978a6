/* SPDX-License-Identifier: ISC
 *
 * The world of the client's tests.
 */
#include "tests/unit/testclient.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/conf_defaults.h"

enum { TURNS = 20000, TURN_MS = 20 };

/* struct sock_ops knows no argument. */
static int sends, sends_left, leg_port;

static ssize_t counted_send(int fd, const void *p, size_t n)
{
	sends++;
	if (sends_left > 0 && --sends_left == 0) {
		sends_left = 1;
		errno = ECONNRESET;
		return -1;
	}
	return sock_system.send(fd, p, n);
}

static int led_connect(int fd, const struct netaddr *to)
{
	struct sockaddr_in6 mapped = {
	    .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)leg_port)};
	struct netaddr leg;

	if (netaddr_port(to) != 25)
		return sock_system.connect(fd, to);
	if (to->sa.sa_family == AF_INET6) {
		inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr);
		return connect(fd, (struct sockaddr *)&mapped, sizeof(mapped));
	}
	assert_int_equal(netaddr_parse(&leg, SLICE("127.0.0.1"), leg_port), 0);
	return sock_system.connect(fd, &leg);
}

int world_sends(void)
{
	int n = sends;

	sends = 0;
	return n;
}

void world_fail_send(int n)
{
	sends_left = n;
}

static bool take(void *arg, int leg)
{
	struct world *w = arg;

	(void)leg;
	if (w->slots == 0)
		return false;
	w->slots--;
	return true;
}

static void give(void *arg, int leg)
{
	(void)leg;
	((struct world *)arg)->slots++;
}

static bool wanted(void *arg, int leg)
{
	(void)leg;
	return ((struct world *)arg)->wanted != 0;
}

static const struct client_slots slots = {take, give, wanted};

static bool on_idle(void *arg, int leg)
{
	struct world *w = arg;
	struct sent *s = w->next;

	(void)leg;
	w->idle_calls++;
	w->next = NULL;
	if (s != NULL)
		assert_true(client_send(w->client, &s->r, false));
	return w->more;
}

static struct tls_client *tls_of(
    void *arg, const struct conf *c, const struct conf_leg *leg)
{
	struct world *w = arg;

	(void)c;
	(void)leg;
	w->tls_asked++;
	return w->tls == NULL ? NULL : tls_client_ref(w->tls);
}

static void on_learned(void *arg, int leg, const struct ehlo *e)
{
	struct world *w = arg;

	assert_int_equal(leg, w->cl.id);
	w->learned_calls++;
	w->learned = *e;
}

static bool splits(
    void *arg, const struct conf_leg *leg, const struct result *r)
{
	struct world *w = arg;

	assert_ptr_equal(leg, &w->cl);
	assert_int_equal(r->stage, STAGE_RCPT);
	return w->splits != NULL && strstr(r->text, w->splits) != NULL;
}

static void on_in_clear(void *arg, const struct conf_leg *leg,
    const char *host, const char *why)
{
	struct world *w = arg;

	(void)leg;
	(void)host;
	w->in_clear++;
	snprintf(w->in_clear_why, sizeof(w->in_clear_why), "%s", why);
}

static void set_leg(struct world *w)
{
	w->host[0] = (struct conf_hostport){"127.0.0.1", w->leg->port, true};
	w->cl = (struct conf_leg){.name = "cloud",
	    .id = 3,
	    .host = w->host,
	    .hosts = 1};
	conf_defaults(SEC_LEG, &w->cl);
	w->cl.tls = TLS_NONE;
	w->cl.connections = 4;
	/* As a profile would have them. */
	w->cl.max_recipients = w->cl.max_messages = 100;
	w->cl.idle_ms = w->cl.max_age_ms = 600000;
	w->conf = (struct conf){
	    .refs = 1, .hostname = "relay.test", .leg = &w->cl, .legs = 1};
}

struct world *world_new(const struct testdns_row *rows)
{
	static const struct testdns_row none[] = {{NULL, DNS_A, NULL}};
	struct world *w = NEW(struct world);

	w->loop = loop_new(&clock_system);
	w->scratch = stream_scratch_new();
	w->leg = leg_new(w->loop, w->scratch);
	w->dns = testdns_new(w->loop, rows == NULL ? none : rows);
	w->sock = sock_system;
	w->sock.send = counted_send;
	w->sock.connect = led_connect;
	w->slots = 4;
	leg_port = w->leg->port;
	sends = sends_left = 0;
	set_leg(w);
	w->client = client_new(&(struct client_config){.loop = w->loop,
	    .scratch = w->scratch,
	    .sock = &w->sock,
	    .dns = w->dns,
	    .slots = &slots,
	    .slots_arg = w,
	    .idle = on_idle,
	    .tls = tls_of,
	    .in_clear = on_in_clear,
	    .learned = on_learned,
	    .splits = splits,
	    .arg = w});
	world_content(w, SLICE("Subject: x\r\n\r\n.dot\r\nend\r\n"));
	return w;
}

void world_free(struct world *w)
{
	client_free(w->client);
	testdns_free(w->dns);
	leg_free(w->leg);
	source_free(w->content);
	stream_scratch_free(w->scratch);
	loop_free(w->loop);
	mem_free(w);
}

void world_content(struct world *w, struct slice bytes)
{
	source_free(w->content);
	w->content = source_of_slice(bytes);
}

static void on_done(void *arg, struct client_request *r)
{
	struct world *w = arg;

	CONTAINER_OF(r, struct sent, r)->done++;
	w->done++;
}

struct sent *sent_new(struct world *w, const char *to)
{
	struct sent *s = NEW(struct sent);
	struct slice words = slice_str(to), word;

	s->r = (struct client_request){.conf = &w->conf,
	    .leg = &w->cl,
	    .id = 7,
	    .from = "from@src.test",
	    .envid = "",
	    .rcpt = s->rcpt,
	    .content = w->content,
	    .arena = arena_new(),
	    .done = on_done,
	    .arg = w};
	while (slice_next(&words, ' ', &word))
		s->rcpt[s->r.rcpts++] = (struct client_rcpt){
		    .address = arena_slicedup(s->r.arena, word), .orcpt = ""};
	return s;
}

struct sent *asked_new(struct world *w, const char *to)
{
	struct sent *s = sent_new(w, to);

	s->r.ask = true;
	s->r.content = NULL;
	return s;
}

void sent_free(struct sent *s)
{
	assert_int_equal(s->done, 1);
	arena_free(s->r.arena);
	mem_free(s);
}

bool world_send(struct world *w, struct sent *s)
{
	return client_send(w->client, &s->r, false);
}

void world_until(struct world *w, const int *n, int want)
{
	for (int i = 0; i < TURNS && *n < want; i++)
		loop_once(w->loop, TURN_MS);
	assert_int_equal(*n, want);
}

void world_wait(struct world *w, int done)
{
	world_until(w, &w->done, done);
}

void world_turns(struct world *w, int turns)
{
	for (int i = 0; i < turns; i++)
		loop_once(w->loop, TURN_MS);
}

const char *sent_text(const struct sent *s, unsigned i)
{
	static const char *const outcomes[] = {
	    "delivered", "deferred", "failed", "untried", "parked"};
	const struct result *r = &s->rcpt[i].result;
	char text[128];

	snprintf(text, sizeof(text), "%s %d %s %s %s%s", outcomes[r->outcome],
	    r->code, r->enh[0] == '\0' ? "-" : r->enh, stage_text(r->stage),
	    reply_class_text(r->class), r->uncertain ? " uncertain" : "");
	assert_non_null(r->remote);
	assert_non_null(r->tls);
	assert_non_null(r->text);
	assert_non_null(r->address);
	return arena_strdup(s->r.arena, text);
}

void sent_check(const struct sent *s, const char *want)
{
	struct slice lines = slice_str(want), line;

	for (unsigned i = 0; i < s->r.rcpts; i++) {
		assert_true(slice_next(&lines, '\n', &line));
		line = slice_str(arena_slicedup(s->r.arena, line));
		assert_string_equal(sent_text(s, i), line.p);
	}
}

const char *world_said(struct world *w)
{
	struct slice all = strbuf_view(&w->leg->said), line;
	static char out[4096];
	size_t n = 0;

	while (slice_next(&all, '\n', &line)) {
		if (slice_starts(line, SLICE("EHLO")) ||
		    slice_starts(line, SLICE("QUIT")) || line.n == 0)
			continue;
		assert_true(n + line.n + 2 < sizeof(out));
		memcpy(out + n, line.p, line.n);
		n += line.n;
		out[n++] = '\n';
	}
	out[n] = '\0';
	return out;
}
