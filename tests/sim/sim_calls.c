/* SPDX-License-Identifier: ISC
 *
 * The system calls that the product makes on sockets, mailboxes and threads,
 * redirected by the linker (--wrap): true ones for true descriptors, the
 * simulation for its own.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/sim/sim_fd.h"
#include "tests/sim/sim_trace.h"

/* Declared by the linker's rule alone: --wrap=NAME makes both of them. */
#define CALL(result, name, ...) \
	result __real_##name(__VA_ARGS__); \
	result __wrap_##name(__VA_ARGS__); \
	result __wrap_##name(__VA_ARGS__)

/* ---- mailboxes ---- */

int __wrap_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags)
{
	(void)count;
	(void)flags;
	return sim_bell_new();
}

CALL(ssize_t, write, int fd, const void *p, size_t n)
{
	if (fd == TRACE_LOG_FD) {
		trace_log(slice_of(p, n));
		return (ssize_t)n;
	}
	if (!sim_fd_is(fd))
		return __real_write(fd, p, n);
	sim_bell_ring(fd);
	return (ssize_t)n;
}

CALL(ssize_t, read, int fd, void *p, size_t n)
{
	if (!sim_fd_is(fd))
		return __real_read(fd, p, n);
	memset(p, 0, n);
	return sim_bell_silence(fd);
}

/* A thread that slept comes back late, as on a busy machine. */
static int64_t late_us(int timeout_ms)
{
	return timeout_ms < 20 ? 0
	    : (int64_t)sim_below((uint64_t)timeout_ms * 10000);
}

CALL(int, poll, struct pollfd *p, nfds_t n, int timeout_ms)
{
	int64_t end = timeout_ms < 0 ? INT64_MAX
	    : sim_now_us() + timeout_ms * INT64_C(1000) + late_us(timeout_ms);

	if (n != 1 || !sim_fd_is(p->fd))
		return __real_poll(p, n, timeout_ms);
	while (sim_fd_ready(p->fd) == 0 && sim_now_us() < end)
		sim_fd_wait(p->fd, end);
	p->revents = sim_fd_ready(p->fd) == 0 ? 0 : POLLIN;
	return p->revents != 0;
}

/* ---- sockets ---- */

int __wrap_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol)
{
	(void)protocol;
	(void)type;
	if (family == AF_UNIX)
		sim_fail("a Unix socket is not simulated");
	return sim_socket();
}

int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t n);
int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t n)
{
	struct netaddr a;

	(void)n;
	netaddr_from(&a, sa);
	return sim_bind(fd, &a);
}

int __wrap_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog)
{
	(void)backlog;
	return sim_listen(fd);
}

static void put_address(const struct netaddr *a, struct sockaddr *sa,
    socklen_t *n)
{
	memcpy(sa, &a->sa, a->len < *n ? a->len : *n);
	*n = a->len;
}

int __wrap_accept4(int fd, struct sockaddr *sa, socklen_t *n, int flags);
int __wrap_accept4(int fd, struct sockaddr *sa, socklen_t *n, int flags)
{
	struct netaddr peer;
	int got = sim_accept(fd, &peer);

	(void)flags;
	if (got >= 0 && sa != NULL)
		put_address(&peer, sa, n);
	return got;
}

int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t n);
int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t n)
{
	struct netaddr to;

	(void)n;
	netaddr_from(&to, sa);
	return sim_connect(fd, &to);
}

ssize_t __wrap_send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t n, int flags)
{
	(void)flags;
	return sim_send(fd, p, n);
}

ssize_t __wrap_recv(int fd, void *p, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *p, size_t n, int flags)
{
	(void)flags;
	return sim_recv(fd, p, n);
}

CALL(int, close, int fd)
{
	return sim_fd_is(fd) ? sim_close(fd) : __real_close(fd);
}

int __wrap_getsockopt(int fd, int level, int name, void *p, socklen_t *n);
int __wrap_getsockopt(int fd, int level, int name, void *p, socklen_t *n)
{
	int value = level == SOL_SOCKET && name == SO_ERROR
	    ? sim_fd_error(fd) : 0;

	memcpy(p, &value, *n < sizeof(value) ? *n : sizeof(value));
	return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *p,
    socklen_t n);
int __wrap_setsockopt(int fd, int level, int name, const void *p,
    socklen_t n)
{
	(void)fd;
	(void)level;
	(void)name;
	(void)p;
	(void)n;
	return 0;
}

int __wrap_getsockname(int fd, struct sockaddr *sa, socklen_t *n);
int __wrap_getsockname(int fd, struct sockaddr *sa, socklen_t *n)
{
	put_address(sim_fd_local(fd), sa, n);
	return 0;
}

int __wrap_getpeername(int fd, struct sockaddr *sa, socklen_t *n);
int __wrap_getpeername(int fd, struct sockaddr *sa, socklen_t *n)
{
	put_address(sim_fd_peer(fd), sa, n);
	return 0;
}

int __wrap_getrlimit(int what, struct rlimit *lim);
int __wrap_getrlimit(int what, struct rlimit *lim)
{
	(void)what;
	lim->rlim_cur = lim->rlim_max = 1 << 20;
	return 0;
}

int __wrap_setrlimit(int what, const struct rlimit *lim);
int __wrap_setrlimit(int what, const struct rlimit *lim)
{
	(void)what;
	(void)lim;
	return 0;
}

/* ---- threads ---- */

static const char *thread_name(void)
{
	static unsigned threads;
	char name[20];

	snprintf(name, sizeof(name), "thread%u", ++threads);
	return mem_strdup(name); /* as long as the run */
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
    void *(*fn)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
    void *(*fn)(void *arg), void *arg)
{
	struct task *t = task_new(SIDE_DAEMON, thread_name(), fn, arg);

	(void)attr;
	memcpy(thread, &t, sizeof(t));
	return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result)
{
	struct task *t;

	(void)result;
	memcpy(&t, &thread, sizeof(t));
	task_join(t);
	return 0;
}

static unsigned locks;

unsigned sim_locks_held(void)
{
	return locks;
}

void sim_locks_forget(void)
{
	locks = 0;
}

/* One thread of the system: a task that finds it locked lets the holder go
 * on. */
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	while (pthread_mutex_trylock(m) == EBUSY) {
		if (task_self() == NULL)
			sim_fail("a lock is held by a task that waits");
		task_yield();
	}
	locks++;
	return 0;
}

CALL(int, pthread_mutex_unlock, pthread_mutex_t *m)
{
	locks--;
	return __real_pthread_mutex_unlock(m);
}

/* ---- tables of functions that the product names itself ---- */

extern const struct clock __wrap_clock_system;
extern struct rng __wrap_rng_system;

static int64_t mono(const struct clock *c)
{
	(void)c;
	return sim_now_us();
}

static int64_t wall(const struct clock *c)
{
	(void)c;
	return sim_wall_us();
}

const struct clock __wrap_clock_system = {mono, wall};

static void fill(struct rng *r, void *p, size_t n)
{
	(void)r;
	sim_rng.rng.fill(&sim_rng.rng, p, n);
}

struct rng __wrap_rng_system = {fill};
