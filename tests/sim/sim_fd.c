/* SPDX-License-Identifier: ISC
 *
 * Simulated descriptors.
 *
 * Bytes are under way for a moment drawn from the seed, and arrive in order,
 * in pieces drawn from the seed too.
 */
#include "tests/sim/sim_fd.h"

#include <arpa/inet.h>
#include <errno.h>

#include "relay/base/loop.h"
#include "relay/base/mem.h"
#include "relay/base/strbuf.h"
#include "tests/sim/sim_trace.h"

enum {
	WINDOW = 64 << 10, /* bytes under way or not read yet */
	DELAY_US = 3000,
	BACKLOG = 64,
};

enum vfd_kind { VFD_NONE, VFD_BELL, VFD_SOCKET, VFD_LISTENER, VFD_STREAM };

struct vfd {
	enum vfd_kind kind;
	enum task_side side;
	void (*changed)(void *arg);
	void *arg;
	struct task *waiter;
	struct netaddr local, remote;
	bool rung;	 /* a bell */
	int backlog[BACKLOG], waiting; /* a listener */
	/* A connection: what came for this side. */
	int peer; /* -1: gone */
	struct strbuf in;
	size_t arrived; /* of `in` */
	int64_t last_us;
	bool connecting, end_sent, eof, reset;
	int error;
	uint64_t life; /* tells two uses of a number apart */
};

static struct vfd *table[SIM_FDS];
static uint64_t lives;
static int next_port = 20000;
static int (*connect_fate)(const struct netaddr *to, bool *hangs_out);

static struct vfd *at(int fd)
{
	struct vfd *v = sim_fd_is(fd) ? table[fd - SIM_FD_BASE] : NULL;

	if (v == NULL)
		sim_fail("descriptor %d is not open", fd);
	return v;
}

static int vfd_new(enum vfd_kind kind)
{
	for (int i = 0; i < SIM_FDS; i++) {
		struct vfd *v;

		if (table[i] != NULL)
			continue;
		v = table[i] = NEW(struct vfd);
		v->kind = kind;
		v->side = task_side();
		v->peer = -1;
		v->life = ++lives;
		strbuf_init(&v->in, 2 * WINDOW);
		return SIM_FD_BASE + i;
	}
	errno = EMFILE;
	return -1;
}

static void tell(struct vfd *v)
{
	task_wake(v->waiter);
	if (v->changed != NULL)
		v->changed(v->arg);
}

/* ---- readiness ---- */

static bool readable(const struct vfd *v)
{
	switch (v->kind) {
	case VFD_BELL:
		return v->rung;
	case VFD_LISTENER:
		return v->waiting > 0;
	case VFD_STREAM:
		return v->arrived > 0 || v->eof || v->reset ||
		       v->error != 0;
	default:
		return false;
	}
}

static size_t room(const struct vfd *v)
{
	size_t used = v->peer < 0 ? 0 : at(v->peer)->in.n;

	return used < WINDOW ? WINDOW - used : 0;
}

static bool writable(const struct vfd *v)
{
	return v->kind == VFD_STREAM && !v->connecting &&
	       (v->reset || v->error != 0 || v->peer < 0 || room(v) > 0);
}

int sim_fd_ready(int fd)
{
	const struct vfd *v = at(fd);

	return (readable(v) ? IO_READ : 0) | (writable(v) ? IO_WRITE : 0);
}

void sim_fd_watch(int fd, void (*fn)(void *arg), void *arg)
{
	struct vfd *v;

	if (fd < 0)
		return;
	v = at(fd);
	v->changed = fn;
	v->arg = arg;
}

void sim_fd_wait(int fd, int64_t until_us)
{
	struct vfd *v = at(fd);

	v->waiter = task_self();
	task_wait_until(until_us);
	v->waiter = NULL;
}

/* ---- bells ---- */

int sim_bell_new(void)
{
	return vfd_new(VFD_BELL);
}

void sim_bell_ring(int fd)
{
	struct vfd *v = at(fd);

	v->rung = true;
	tell(v);
	task_maybe_yield();
}

ssize_t sim_bell_silence(int fd)
{
	struct vfd *v = at(fd);

	if (!v->rung) {
		errno = EAGAIN;
		return -1;
	}
	v->rung = false;
	return sizeof(uint64_t);
}

/* ---- what is under way ---- */

struct parcel {
	int to;
	uint64_t life;
	size_t bytes;
	enum { PARCEL_BYTES, PARCEL_EOF, PARCEL_RESET, PARCEL_UP } what;
	int error;
};

static void on_arrival(void *arg)
{
	struct parcel *p = arg;
	struct vfd *v = table[p->to - SIM_FD_BASE];

	if (v != NULL && v->life == p->life) {
		if (p->what == PARCEL_BYTES)
			v->arrived += p->bytes;
		else if (p->what == PARCEL_EOF)
			v->eof = true;
		else if (p->what == PARCEL_RESET)
			v->reset = true;
		else
			v->connecting = false;
		if (p->error != 0)
			v->error = p->error;
		tell(v);
	}
	mem_free(p);
}

static void dispatch(int to, struct parcel what)
{
	struct vfd *v = at(to);
	struct parcel *p = mem_dup(&what, sizeof(what));
	int64_t when = sim_now_us() + 20 + (int64_t)sim_below(DELAY_US);

	p->to = to;
	p->life = v->life;
	if (when < v->last_us)
		when = v->last_us;
	v->last_us = when;
	task_at(when, on_arrival, p);
}

/* ---- connections ---- */

int sim_socket(void)
{
	return vfd_new(VFD_SOCKET);
}

int sim_bind(int fd, const struct netaddr *address)
{
	at(fd)->local = *address;
	return 0;
}

static int listener_at(const struct netaddr *to)
{
	for (int i = 0; i < SIM_FDS; i++) {
		const struct vfd *v = table[i];

		if (v != NULL && v->kind == VFD_LISTENER &&
		    netaddr_same_ip(&v->local, to) &&
		    netaddr_port(&v->local) == netaddr_port(to))
			return SIM_FD_BASE + i;
	}
	return -1;
}

int sim_listen(int fd)
{
	struct vfd *v = at(fd);

	if (listener_at(&v->local) >= 0) {
		errno = EADDRINUSE;
		return -1;
	}
	v->kind = VFD_LISTENER;
	return 0;
}

int sim_accept(int fd, struct netaddr *peer_out)
{
	struct vfd *l = at(fd);
	int got;

	if (l->waiting == 0) {
		errno = EAGAIN;
		return -1;
	}
	got = l->backlog[0];
	for (int i = 1; i < l->waiting; i++)
		l->backlog[i - 1] = l->backlog[i];
	l->waiting--;
	at(got)->side = task_side();
	*peer_out = at(got)->remote;
	return got;
}

static void on_knock(void *arg)
{
	struct vfd *l = arg;

	tell(l);
}

static int join(int fd, int listener)
{
	struct vfd *v = at(fd), *l = at(listener), *o;
	int other = vfd_new(VFD_STREAM);

	if (other < 0 || l->waiting == BACKLOG)
		return ECONNREFUSED;
	o = at(other);
	o->side = l->side;
	o->local = l->local;
	o->remote = v->local;
	o->peer = fd;
	v->peer = other;
	l->backlog[l->waiting++] = other;
	on_knock(l);
	return 0;
}

int sim_connect(int fd, const struct netaddr *to)
{
	struct vfd *v = at(fd);
	int listener = listener_at(to), error = 0;
	bool hangs = false;

	if (connect_fate != NULL)
		error = connect_fate(to, &hangs);
	v->kind = VFD_STREAM;
	v->connecting = true;
	v->remote = *to;
	if (v->local.len == 0)
		netaddr_parse(&v->local, SLICE("192.0.2.200"), 0);
	if (netaddr_port(&v->local) == 0)
		v->local.in.sin_port = htons((uint16_t)next_port++);
	if (next_port > 60000)
		next_port = 20000;
	if (error == 0 && listener < 0)
		error = ECONNREFUSED;
	if (error == 0 && !hangs)
		error = join(fd, listener);
	if (!hangs)
		dispatch(fd, (struct parcel){.what = PARCEL_UP,
		    .error = error});
	errno = EINPROGRESS;
	return -1;
}

ssize_t sim_send(int fd, const void *p, size_t n)
{
	struct vfd *v = at(fd), *o;
	size_t fits = room(v);

	if (v->reset || v->peer < 0) {
		errno = EPIPE;
		return -1;
	}
	if (fits == 0 || v->connecting) {
		errno = EAGAIN;
		return -1;
	}
	n = n < fits ? n : fits;
	if (n > 1 && sim_below(16) == 0)
		n = 1 + sim_below(n);
	o = at(v->peer);
	strbuf_add(&o->in, p, n);
	dispatch(v->peer, (struct parcel){.what = PARCEL_BYTES, .bytes = n});
	return (ssize_t)n;
}

ssize_t sim_recv(int fd, void *p, size_t n)
{
	struct vfd *v = at(fd);

	if (v->arrived == 0) {
		if (v->reset) {
			errno = ECONNRESET;
			return -1;
		}
		if (v->eof)
			return 0;
		errno = EAGAIN;
		return -1;
	}
	n = n < v->arrived ? n : v->arrived;
	if (n > 1 && sim_below(8) == 0)
		n = 1 + sim_below(n);
	memcpy(p, v->in.p, n);
	strbuf_drop_front(&v->in, n);
	v->arrived -= n;
	if (v->peer >= 0)
		tell(at(v->peer));
	return (ssize_t)n;
}

/* ---- ends ---- */

static void part(struct vfd *v, bool reset)
{
	struct vfd *o;

	if (v->peer < 0)
		return;
	o = at(v->peer);
	dispatch(v->peer, (struct parcel){
	    .what = reset || v->in.n > 0 ? PARCEL_RESET : PARCEL_EOF});
	o->peer = -1;
	v->peer = -1;
}

static void close_all(struct vfd *l)
{
	for (int i = 0; i < l->waiting; i++)
		sim_reset(l->backlog[i]);
	l->waiting = 0;
}

static int finish(int fd, bool reset)
{
	struct vfd *v = at(fd);

	if (v->kind == VFD_LISTENER)
		close_all(v);
	part(v, reset);
	strbuf_fini(&v->in);
	table[fd - SIM_FD_BASE] = NULL;
	mem_free(v);
	return 0;
}

int sim_close(int fd)
{
	return finish(fd, false);
}

void sim_reset(int fd)
{
	finish(fd, true);
}

void sim_fd_kill_daemon(void)
{
	for (int i = 0; i < SIM_FDS; i++)
		if (table[i] != NULL && table[i]->side == SIDE_DAEMON) {
			table[i]->changed = NULL;
			table[i]->waiter = NULL;
			finish(SIM_FD_BASE + i, sim_chance(50));
		}
}

unsigned sim_fd_daemon_open(void)
{
	unsigned n = 0;

	for (int i = 0; i < SIM_FDS; i++)
		n += table[i] != NULL && table[i]->side == SIDE_DAEMON;
	return n;
}

/* ---- looking ---- */

bool sim_fd_parted(int fd)
{
	return at(fd)->peer < 0;
}

int sim_fd_error(int fd)
{
	struct vfd *v = at(fd);
	int error = v->error;

	v->error = 0;
	return error;
}

const struct netaddr *sim_fd_local(int fd)
{
	return &at(fd)->local;
}

const struct netaddr *sim_fd_peer(int fd)
{
	return &at(fd)->remote;
}

void sim_on_connect(int (*fn)(const struct netaddr *to, bool *hangs_out))
{
	connect_fate = fn;
}
