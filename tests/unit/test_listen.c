/* SPDX-License-Identifier: ISC
 *
 * The acceptor, with two workers that are mailboxes on the test's own loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/net/listen.h"
#include "tests/unit/conf_defaults.h"

enum { TURNS = 500, TURN_MS = 20, WORKERS = 2, CLIENTS = 16, KIND = 7,
	INHERITED_FD = 3 };

struct got {
	int worker, listen;
	struct netaddr peer;
};

struct world {
	struct loop *loop;
	struct mailbox box[WORKERS];
	struct acceptor *a;
	struct conf conf, other;
	struct conf_listen listen[2];
	struct conf_hostport address[2][2];
	struct conf_net proxy;
	struct got got[CLIENTS];
	int count, refused;
	char reason[100];
	int client[CLIENTS], clients;
};

static void on_letter(struct world *w, int worker, struct letter *l)
{
	struct accepted *m = CONTAINER_OF(l, struct accepted, letter);

	assert_int_equal(l->kind, KIND + worker);
	assert_int_not_equal(fcntl(m->fd, F_GETFL) & O_NONBLOCK, 0);
	w->got[w->count++] = (struct got){worker, m->listen, m->peer};
	close(m->fd);
	conf_unref(m->conf);
	mem_free(m);
}

static void on_first(void *arg, struct letter *l)
{
	on_letter(arg, 0, l);
}

static void on_second(void *arg, struct letter *l)
{
	on_letter(arg, 1, l);
}

static void on_refused(void *arg, const struct netaddr *peer,
    const struct conf_listen *listen, const char *reason)
{
	struct world *w = arg;

	(void)peer;
	assert_ptr_equal(listen, &w->listen[0]);
	w->refused++;
	snprintf(w->reason, sizeof(w->reason), "%s", reason);
}

static void address(struct conf_hostport *h, char *host, int port)
{
	*h = (struct conf_hostport){host, port, true};
}

static int setup(void **state)
{
	struct world *w = NEW(struct world);
	static char name[] = "mx.example", any[] = "127.0.0.1";

	w->loop = loop_new(&clock_system);
	w->a = acceptor_new(w->loop);
	for (int i = 0; i < WORKERS; i++) {
		mailbox_init(&w->box[i]);
		mailbox_attach(&w->box[i], w->loop,
		    i == 0 ? on_first : on_second, w);
		acceptor_worker(w->a, &w->box[i], KIND + i);
	}
	acceptor_on_refused(w->a, on_refused, w);
	/* By hand, and the test keeps a reference: never freed. */
	atomic_init(&w->conf.refs, 1);
	conf_defaults(SEC_LIMITS, &w->conf);
	w->conf.hostname = name;
	w->conf.listen = w->listen;
	w->conf.listens = 1;
	w->conf.limits.connections = 100;
	for (int i = 0; i < 2; i++) {
		w->listen[i].address = w->address[i];
		w->listen[i].addresses = 1;
		address(&w->address[i][0], any, 0);
		address(&w->address[i][1], any, 0);
	}
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < w->clients; i++)
		close(w->client[i]);
	acceptor_free(w->a);
	for (int i = 0; i < WORKERS; i++)
		mailbox_fini(&w->box[i]);
	loop_free(w->loop);
	mem_free(w);
	return 0;
}

static void start(struct world *w)
{
	struct error err;

	assert_int_equal(acceptor_listen(w->a, &w->conf, &err), 0);
}

static int port_of(struct world *w, int listen, int index)
{
	struct netaddr at;

	assert_true(acceptor_address(w->a, listen, index, &at));
	return netaddr_port(&at);
}

static int connect_from(struct world *w, const char *source, int port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct netaddr from, to;

	assert_int_equal(netaddr_parse(&from, slice_str(source), 0), 0);
	assert_int_equal(netaddr_parse(&to, SLICE("127.0.0.1"), port), 0);
	assert_int_equal(bind(fd, &from.sa, from.len), 0);
	assert_int_equal(connect(fd, &to.sa, to.len), 0);
	w->client[w->clients++] = fd;
	return fd;
}

/* Until so many were handed over or refused in all. */
static void until(struct world *w, int count, int refused)
{
	for (int i = 0;
	     i < TURNS && (w->count < count || w->refused < refused); i++)
		loop_once(w->loop, TURN_MS);
	assert_int_equal(w->count, count);
	assert_int_equal(w->refused, refused);
}

static void come(struct world *w, const char *source)
{
	int all = w->count + w->refused + 1;

	connect_from(w, source, port_of(w, 0, 0));
	for (int i = 0; i < TURNS && w->count + w->refused < all; i++)
		loop_once(w->loop, TURN_MS);
	assert_int_equal(w->count + w->refused, all);
}

static void assert_told(int fd, const char *text)
{
	char buf[200] = "";
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	assert_true(n > 0);
	buf[n] = '\0';
	assert_string_equal(buf, text);
	assert_int_equal(read(fd, buf, 1), 0);
}

static void each_connection_goes_to_the_worker_with_the_fewest(void **state)
{
	static const int want[] = {0, 1, 0, 1};
	struct world *w = *state;

	start(w);
	for (int i = 0; i < 4; i++) {
		come(w, "127.0.0.1");
		assert_int_equal(w->got[i].worker, want[i]);
	}
	acceptor_closed(w->a, 1, &w->got[1].peer);
	acceptor_closed(w->a, 1, &w->got[3].peer);
	assert_int_equal(acceptor_connections(w->a), 2);
	for (int i = 4; i < 6; i++) {
		come(w, "127.0.0.1");
		assert_int_equal(w->got[i].worker, 1);
	}
	assert_int_equal(acceptor_connections(w->a), 4);
}

static void a_client_over_its_limit_is_told_421(void **state)
{
	struct world *w = *state;

	w->conf.limits.per_client = 2;
	start(w);
	come(w, "127.0.0.2");
	come(w, "127.0.0.2");
	come(w, "127.0.0.2");
	assert_int_equal(w->refused, 1);
	assert_told(w->client[2], "421 4.3.2 mx.example too many connections "
	    "from this client, try again later\r\n");
	come(w, "127.0.0.3"); /* another one may */
	acceptor_closed(w->a, 0, &w->got[0].peer);
	come(w, "127.0.0.2"); /* and so may this client, now */
	assert_int_equal(w->count, 4);
	assert_int_equal(w->refused, 1);
}

static void the_limit_of_all_connections_holds(void **state)
{
	struct world *w = *state;

	w->conf.limits.connections = 1;
	start(w);
	come(w, "127.0.0.2");
	come(w, "127.0.0.3");
	assert_int_equal(w->refused, 1);
	assert_string_equal(w->reason, "too many connections");
}

static void a_proxy_has_no_limit_but_its_clients_have(void **state)
{
	struct world *w = *state;
	struct netaddr client;

	w->proxy = (struct conf_net){AF_INET, {127, 0, 0, 9}, 32};
	w->listen[0].proxy_from = (struct conf_nets){&w->proxy, 1};
	w->conf.limits.per_client = 1;
	assert_int_equal(netaddr_parse(&client, SLICE("192.0.2.1"), 1), 0);
	start(w);
	come(w, "127.0.0.9");
	come(w, "127.0.0.9");
	assert_int_equal(w->count, 2);
	assert_true(acceptor_recount(w->a, &w->got[0].peer, &client));
	assert_false(acceptor_recount(w->a, &w->got[1].peer, &client));
	acceptor_closed(w->a, 1, &w->got[1].peer); /* told 421 */
	acceptor_closed(w->a, 0, &client);
	assert_int_equal(acceptor_connections(w->a), 0);
	come(w, "127.0.0.9");
	assert_true(acceptor_recount(w->a, &w->got[2].peer, &client));
}

static void a_v6_client_is_its_64(void **state)
{
	struct world *w = *state;
	struct netaddr a, same, other;

	assert_int_equal(netaddr_parse(&a, SLICE("2001:db8:1:2::1"), 1), 0);
	assert_int_equal(
	    netaddr_parse(&same, SLICE("2001:db8:1:2:9::9"), 1), 0);
	assert_int_equal(
	    netaddr_parse(&other, SLICE("2001:db8:1:3::1"), 1), 0);
	w->conf.limits.per_client = 1;
	start(w);
	come(w, "127.0.0.2");
	come(w, "127.0.0.3");
	come(w, "127.0.0.4");
	assert_true(acceptor_recount(w->a, &w->got[0].peer, &a));
	assert_false(acceptor_recount(w->a, &w->got[1].peer, &same));
	assert_true(acceptor_recount(w->a, &w->got[2].peer, &other));
}

static void a_reload_keeps_what_stays_and_closes_what_left(void **state)
{
	struct world *w = *state;
	struct netaddr at;
	int kept, left;

	w->listen[0].addresses = 2;
	start(w);
	kept = port_of(w, 0, 0);
	left = port_of(w, 0, 1);
	/* Now it is the second listener's, and a client waits already. */
	w->other = w->conf;
	w->other.listens = 2;
	w->listen[0].addresses = 1;
	w->address[1][0].port = 0;
	connect_from(w, "127.0.0.1", kept);
	{
		struct error err;

		assert_int_equal(
		    acceptor_listen(w->a, &w->other, &err), 0);
	}
	until(w, 1, 0);
	assert_int_equal(port_of(w, 0, 0), kept);
	assert_int_equal(port_of(w, 1, 0), left);
	assert_false(acceptor_address(w->a, 0, 1, &at));
	connect_from(w, "127.0.0.1", left);
	until(w, 2, 0);
	assert_int_equal(w->got[1].listen, 1);
	assert_int_equal(atomic_load(&w->conf.refs), 1);
}

static void a_port_in_use_changes_nothing_and_says_so(void **state)
{
	struct world *w = *state;
	struct acceptor *second = acceptor_new(w->loop);
	struct error err;
	char want[200];
	int port;

	start(w);
	port = port_of(w, 0, 0);
	w->other = w->conf;
	atomic_init(&w->other.refs, 1);
	w->address[0][1].port = 0;
	address(&w->address[0][1], w->address[0][0].host, port);
	w->listen[0].addresses = 2;
	assert_int_equal(acceptor_listen(second, &w->other, &err), -1);
	snprintf(want, sizeof(want), "cannot listen on 127.0.0.1:%d (ss -ltnp "
	    "shows whose it is): Address already in use", port);
	assert_string_equal(err.text, want);
	assert_int_equal(acceptor_listen(w->a, &w->other, &err), -1);
	assert_int_equal(port_of(w, 0, 0), port);
	come(w, "127.0.0.1");
	assert_int_equal(w->count, 1);
	assert_int_equal(atomic_load(&w->other.refs), 1);
	acceptor_free(second);
}

static void wildcards_of_both_families_stand_side_by_side(void **state)
{
	static char all4[] = "0.0.0.0", all6[] = "::";
	struct world *w = *state;
	struct error err;
	int port;

	address(&w->address[0][0], all6, 0);
	if (acceptor_listen(w->a, &w->conf, &err) < 0)
		skip(); /* no IPv6 here */
	port = port_of(w, 0, 0);
	connect_from(w, "127.0.0.1", port); /* [::] alone takes both */
	until(w, 1, 0);
	acceptor_stop(w->a);
	address(&w->address[0][0], all6, port);
	address(&w->address[0][1], all4, port);
	w->listen[0].addresses = 2;
	start(w);
	connect_from(w, "127.0.0.1", port);
	until(w, 2, 0);
	assert_int_equal(w->got[0].peer.sa.sa_family, AF_INET);
}

static void without_descriptors_it_rests_and_comes_back(void **state)
{
	struct world *w = *state;
	struct rlimit old, tight;
	int turns = 0, a, b, next;

	log_setup(-1, LOG_LV_ERROR, &clock_system);
	start(w);
	a = connect_from(w, "127.0.0.1", port_of(w, 0, 0));
	b = connect_from(w, "127.0.0.1", port_of(w, 0, 0));
	/* The lowest free descriptor is the limit. */
	next = dup(a);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = old;
	tight.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	for (; turns < 5 && w->refused == 0; turns++)
		loop_once(w->loop, 1000);
	/* One is told, the other waits; nothing spins meanwhile. */
	assert_string_equal(w->reason, "no descriptors left");
	for (turns = 0; turns < TURNS && w->refused < 2; turns++)
		loop_once(w->loop, 50);
	assert_true(turns >= 2 && turns <= 20);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_told(a, "421 4.3.2 mx.example no descriptors left, try again "
	    "later\r\n");
	assert_told(b, "421 4.3.2 mx.example no descriptors left, try again "
	    "later\r\n");
	connect_from(w, "127.0.0.1", port_of(w, 0, 0));
	until(w, 1, 2);
}

static void sockets_of_the_service_manager_are_taken(void **state)
{
	struct world *w = *state;
	struct netaddr at;
	struct acceptor *a;
	struct error err;
	char pid[20];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(netaddr_parse(&at, SLICE("127.0.0.1"), 0), 0);
	assert_int_equal(bind(fd, &at.sa, at.len), 0);
	assert_int_equal(listen(fd, 4), 0);
	netaddr_local(&at, fd);
	assert_int_equal(dup2(fd, INHERITED_FD), INHERITED_FD);
	close(fd);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	a = acceptor_new(w->loop);
	unsetenv("LISTEN_FDS");
	acceptor_worker(a, &w->box[0], KIND);
	w->address[0][0].port = netaddr_port(&at);
	/* A plan that fails gives it back. */
	w->listen[0].addresses = 2;
	w->address[0][1].host = w->conf.hostname;
	assert_int_equal(acceptor_listen(a, &w->conf, &err), -1);
	assert_string_equal(
	    err.text, "cannot listen on mx.example: not an address");
	w->listen[0].addresses = 1;
	assert_int_equal(acceptor_listen(a, &w->conf, &err), 0);
	assert_int_not_equal(
	    fcntl(INHERITED_FD, F_GETFL) & O_NONBLOCK, 0);
	connect_from(w, "127.0.0.1", netaddr_port(&at));
	until(w, 1, 0);
	acceptor_free(a);
	assert_int_equal(fcntl(INHERITED_FD, F_GETFL), -1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_connection_goes_to_the_worker_with_the_fewest),
		T(a_client_over_its_limit_is_told_421),
		T(the_limit_of_all_connections_holds),
		T(a_proxy_has_no_limit_but_its_clients_have),
		T(a_v6_client_is_its_64),
		T(a_reload_keeps_what_stays_and_closes_what_left),
		T(a_port_in_use_changes_nothing_and_says_so),
		T(wildcards_of_both_families_stand_side_by_side),
		T(without_descriptors_it_rests_and_comes_back),
		T(sockets_of_the_service_manager_are_taken),
	};

	/* Nothing of ours may stand where a service manager puts its first. */
	if (fcntl(INHERITED_FD, F_GETFD) < 0)
		dup2(STDERR_FILENO, INHERITED_FD);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
