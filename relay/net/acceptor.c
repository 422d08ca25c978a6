/* SPDX-License-Identifier: ISC
 *
 * The acceptor: one thread that accepts for all workers. With SO_REUSEPORT
 * the kernel would spread by address, and a legacy server's few connections
 * would meet in one worker; here each goes to the worker with the fewest.
 *
 * Out of descriptors: one is kept in reserve, so that the next client can be
 * told 421 and does not wait for nothing; then accepting rests for a moment.
 */
#include "relay/net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "relay/base/fd.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/net/listen_int.h"

enum {
	BURST = 64,    /* accepted a turn of the loop, of one listener */
	REST_MS = 200, /* after running out of descriptors */
	TELL_MS = 60000, /* … is logged once in this time */
};

struct listener {
	struct acceptor *a;
	struct io io; /* a listener of its own descriptor */
	struct netaddr asked, bound;
	int listen, index; /* of the configuration */
	bool inherited;	   /* from the service manager */
};

struct receiver {
	struct mailbox *to;
	int kind;
	_Atomic int connections;
};

struct acceptor {
	struct loop *loop;
	struct conf *conf;
	struct counts *counts;
	struct listener **listener;
	int listeners;
	struct receiver *worker;
	int workers;
	struct inherited *inherited;
	int inherits;
	struct timer rest;
	int reserve; /* a descriptor to give up */
	int64_t told_ms; /* when it was logged that there are none */
	void (*refused)(void *arg, const struct netaddr *peer,
	    const struct conf_listen *listen, const char *reason);
	void *refused_arg;
};

static int reserve_open(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void watch(struct acceptor *a, int what)
{
	for (int i = 0; i < a->listeners; i++)
		io_want(&a->listener[i]->io, what);
}

static void on_rested(void *arg)
{
	struct acceptor *a = arg;

	if (a->reserve < 0)
		a->reserve = reserve_open();
	watch(a, IO_READ);
}

struct acceptor *acceptor_new(struct loop *l)
{
	struct acceptor *a = NEW(struct acceptor);

	a->loop = l;
	a->counts = counts_new();
	a->inherited = listen_inherit(&a->inherits);
	a->reserve = reserve_open();
	timer_init(&a->rest, l, on_rested, a);
	return a;
}

void acceptor_free(struct acceptor *a)
{
	if (a == NULL)
		return;
	acceptor_stop(a);
	for (int i = 0; i < a->inherits; i++)
		close(a->inherited[i].fd);
	mem_free(a->inherited);
	timer_fini(&a->rest);
	if (a->reserve >= 0)
		close(a->reserve);
	conf_unref(a->conf);
	counts_free(a->counts);
	mem_free(a->worker);
	mem_free(a);
}

void acceptor_worker(struct acceptor *a, struct mailbox *to, int kind)
{
	a->worker = mem_resize(a->worker,
	    (size_t)(a->workers + 1) * sizeof(a->worker[0]));
	a->worker[a->workers] = (struct receiver){.to = to, .kind = kind};
	a->workers++;
}

void acceptor_on_refused(struct acceptor *a,
    void (*fn)(void *arg, const struct netaddr *peer,
	const struct conf_listen *listen, const char *reason), void *arg)
{
	a->refused = fn;
	a->refused_arg = arg;
}

/* ---- accepting ---- */

static struct receiver *least_busy(struct acceptor *a)
{
	struct receiver *best = &a->worker[0];

	for (int i = 1; i < a->workers; i++) {
		if (atomic_load(&a->worker[i].connections) <
		    atomic_load(&best->connections))
			best = &a->worker[i];
	}
	return best;
}

static void hand_over(const struct listener *l, int fd,
    const struct netaddr *peer)
{
	struct receiver *r = least_busy(l->a);
	struct accepted *m = NEW(struct accepted);

	m->letter.kind = r->kind;
	m->fd = fd;
	m->peer = *peer;
	m->listen = l->listen;
	m->conf = conf_ref(l->a->conf);
	atomic_fetch_add(&r->connections, 1);
	mailbox_post(r->to, &m->letter);
}

/* Best effort: a client that does not read it sees the connection close. */
static void refuse(const struct listener *l, int fd,
    const struct netaddr *peer, const char *why)
{
	const struct conf_listen *c = &l->a->conf->listen[l->listen];
	char text[400];
	int n = snprintf(text, sizeof(text),
	    "421 4.3.2 %s %s, try again later\r\n", l->a->conf->hostname, why);

	/* Where TLS comes first a client cannot read it. */
	if (c->tls != LISTEN_IMPLICIT)
		(void)send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
	if (l->a->refused != NULL)
		l->a->refused(l->a->refused_arg, peer, c, why);
}

static int accept_one(const struct listener *l, struct netaddr *peer)
{
	union {
		struct sockaddr sa;
		struct sockaddr_storage ss;
	} u;
	socklen_t len = sizeof(u);
	int fd = accept4(l->io.fd, &u.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		netaddr_from(peer, &u.sa);
	return fd;
}

static void admit(const struct listener *l, int fd, const struct netaddr *peer)
{
	const struct conf_listen *c = &l->a->conf->listen[l->listen];
	const char *why = counts_add(l->a->counts, peer,
	    conf_nets_have(&c->proxy_from, &peer->sa));

	if (why == NULL)
		hand_over(l, fd, peer);
	else
		refuse(l, fd, peer, why);
}

static void tell_exhausted(struct acceptor *a, int no)
{
	int64_t now_ms = loop_now_ms(a->loop);
	struct error err;

	if (a->told_ms != 0 && now_ms - a->told_ms < TELL_MS)
		return;
	a->told_ms = now_ms;
	error_sys(&err, no, "accept");
	log_warn("listen.exhausted", kv_err(&err));
}

static void out_of_descriptors(const struct listener *l, int no)
{
	struct acceptor *a = l->a;
	struct netaddr peer;
	int fd;

	tell_exhausted(a, no);
	if (a->reserve >= 0) {
		close(a->reserve);
		fd = accept_one(l, &peer);
		if (fd >= 0)
			refuse(l, fd, &peer, "no descriptors left");
		a->reserve = reserve_open();
	}
	watch(a, 0);
	timer_set(&a->rest, REST_MS);
}

static void on_connections(void *arg, int what)
{
	struct listener *l = arg;
	struct netaddr peer;

	(void)what;
	for (int i = 0; i < BURST; i++) {
		int fd = accept_one(l, &peer);

		if (fd_is_reserved(fd)) {
			tell_exhausted(l->a, EMFILE);
			refuse(l, fd, &peer, "no descriptors left");
		} else if (fd >= 0) {
			admit(l, fd, &peer);
		} else if (errno == EMFILE || errno == ENFILE ||
		    errno == ENOBUFS || errno == ENOMEM) {
			out_of_descriptors(l, errno);
			return;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		}
		/* Else this one connection went wrong (accept(2)). */
	}
}

/* ---- listeners ---- */

static bool same_address(const struct netaddr *a, const struct netaddr *b)
{
	return netaddr_same_ip(a, b) && netaddr_port(a) == netaddr_port(b);
}

static struct listener *listener_new(struct acceptor *a, int fd,
    const struct netaddr *asked)
{
	struct listener *l = NEW(struct listener);

	l->a = a;
	l->asked = *asked;
	netaddr_local(&l->bound, fd);
	io_init(&l->io, a->loop, fd, on_connections, l);
	return l;
}

static void listener_free(struct listener *l)
{
	int fd = l->io.fd;

	io_fini(&l->io);
	close(fd);
	mem_free(l);
}

void acceptor_stop(struct acceptor *a)
{
	timer_del(&a->rest);
	for (int i = 0; i < a->listeners; i++)
		listener_free(a->listener[i]);
	mem_free(a->listener);
	a->listener = NULL;
	a->listeners = 0;
}

/* The listeners that a configuration wants, in its order. */
struct listen_plan {
	struct acceptor *a;
	const struct conf *conf;
	struct listener **listener;
	int count;
};

static bool planned(const struct listen_plan *p, const struct listener *l)
{
	for (int i = 0; i < p->count; i++) {
		if (p->listener[i] == l)
			return true;
	}
	return false;
}

static struct listener *open_already(const struct listen_plan *p,
    const struct netaddr *at)
{
	for (int i = 0; i < p->a->listeners; i++) {
		struct listener *l = p->a->listener[i];

		if (same_address(&l->asked, at) && !planned(p, l))
			return l;
	}
	return NULL;
}

static int take_inherited(struct acceptor *a, const struct netaddr *at)
{
	for (int i = 0; i < a->inherits; i++) {
		int fd = a->inherited[i].fd;

		if (!same_address(&a->inherited[i].at, at))
			continue;
		a->inherited[i] = a->inherited[--a->inherits];
		return fd;
	}
	return -1;
}

/* [::] takes IPv4 too, unless 0.0.0.0 of that port is asked for as well. */
static bool wants_dual(const struct conf *c, const struct netaddr *at)
{
	struct netaddr all4;

	if (netaddr_parse(&all4, SLICE("0.0.0.0"), netaddr_port(at)) < 0)
		return false;
	for (int i = 0; i < c->listens; i++) {
		const struct conf_listen *l = &c->listen[i];

		for (int j = 0; j < l->addresses; j++) {
			struct netaddr other;

			if (netaddr_parse(&other, slice_str(l->address[j].host),
				l->address[j].port) == 0 &&
			    same_address(&other, &all4))
				return false;
		}
	}
	return true;
}

static struct listener *plan_one(struct listen_plan *p,
    const struct conf_hostport *h, struct error *err)
{
	struct listener *l;
	struct netaddr at;
	bool inherited;
	int fd;

	if (netaddr_parse(&at, slice_str(h->host), h->port) < 0) {
		error_set(err, "cannot listen on %s: not an address", h->host);
		return NULL;
	}
	l = open_already(p, &at);
	if (l != NULL)
		return l;
	fd = take_inherited(p->a, &at);
	inherited = fd >= 0;
	if (fd < 0)
		fd = listen_open(&at, wants_dual(p->conf, &at), err);
	if (fd < 0)
		return NULL;
	l = listener_new(p->a, fd, &at);
	l->inherited = inherited;
	return l;
}

static int plan_all(struct listen_plan *p, struct error *err)
{
	for (int i = 0; i < p->conf->listens; i++) {
		const struct conf_listen *c = &p->conf->listen[i];

		for (int j = 0; j < c->addresses; j++) {
			struct listener *l = plan_one(p, &c->address[j], err);

			if (l == NULL)
				return -1;
			p->listener = mem_resize(p->listener,
			    (size_t)(p->count + 1) * sizeof(p->listener[0]));
			p->listener[p->count++] = l;
		}
	}
	return 0;
}

static bool in_use(const struct acceptor *a, const struct listener *l)
{
	for (int i = 0; i < a->listeners; i++) {
		if (a->listener[i] == l)
			return true;
	}
	return false;
}

/* An inherited socket cannot be opened again, so it goes back to the list. */
static void give_back(struct acceptor *a, struct listener *l)
{
	if (!l->inherited) {
		listener_free(l);
		return;
	}
	a->inherited[a->inherits++] = (struct inherited){l->io.fd, l->asked};
	io_fini(&l->io);
	mem_free(l);
}

static void plan_drop(struct listen_plan *p)
{
	for (int i = 0; i < p->count; i++) {
		if (!in_use(p->a, p->listener[i]))
			give_back(p->a, p->listener[i]);
	}
	mem_free(p->listener);
}

/* From here on nothing can fail. */
static void plan_carry_out(struct listen_plan *p)
{
	struct acceptor *a = p->a;
	int at = 0;

	for (int i = 0; i < a->listeners; i++) {
		if (!planned(p, a->listener[i]))
			listener_free(a->listener[i]);
	}
	mem_free(a->listener);
	a->listener = p->listener;
	a->listeners = p->count;
	for (int i = 0; i < p->conf->listens; i++) {
		for (int j = 0; j < p->conf->listen[i].addresses; j++) {
			a->listener[at]->listen = i;
			a->listener[at++]->index = j;
		}
	}
}

int acceptor_listen(struct acceptor *a, struct conf *conf, struct error *err)
{
	struct listen_plan p = {.a = a, .conf = conf};

	if (plan_all(&p, err) < 0) {
		plan_drop(&p);
		return -1;
	}
	plan_carry_out(&p);
	conf_ref(conf);
	conf_unref(a->conf);
	a->conf = conf;
	counts_limit(
	    a->counts, conf->limits.connections, conf->limits.per_client);
	if (!a->rest.set)
		watch(a, IO_READ);
	return 0;
}

bool acceptor_address(const struct acceptor *a, int listen, int index,
    struct netaddr *out)
{
	for (int i = 0; i < a->listeners; i++) {
		const struct listener *l = a->listener[i];

		if (l->listen == listen && l->index == index) {
			*out = l->bound;
			return true;
		}
	}
	return false;
}

/* ---- counts ---- */

void acceptor_closed(struct acceptor *a, int worker,
    const struct netaddr *client)
{
	atomic_fetch_sub(&a->worker[worker].connections, 1);
	counts_remove(a->counts, client);
}

bool acceptor_recount(struct acceptor *a, const struct netaddr *from,
    const struct netaddr *to)
{
	return counts_move(a->counts, from, to);
}

int acceptor_connections(const struct acceptor *a)
{
	return counts_total(a->counts);
}
