/* SPDX-License-Identifier: ISC
 *
 * Simulated descriptors: the bells of mailboxes (eventfd), listeners and
 * connections. The daemon meets them through the system calls of sim_calls.c;
 * the peers of the world use the blocking calls below.
 */
#ifndef TESTS_SIM_SIM_FD_H
#define TESTS_SIM_SIM_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "relay/net/sockaddr.h"
#include "tests/sim/sim_task.h"

enum { SIM_FD_BASE = 2000, SIM_FDS = 2000 };

static inline bool sim_fd_is(int fd)
{
	return fd >= SIM_FD_BASE && fd < SIM_FD_BASE + SIM_FDS;
}

/* IO_READ | IO_WRITE of what would not block now. */
int sim_fd_ready(int fd);
/* fn(arg) when that may have changed; one watcher; NULL: none. */
void sim_fd_watch(int fd, void (*fn)(void *arg), void *arg);
/* The task that runs waits for a change of `fd`, or this moment. */
void sim_fd_wait(int fd, int64_t until_us);
/* All of the daemon's are closed, as the system does after a kill. */
void sim_fd_kill_daemon(void);
/* How many the daemon has open. */
unsigned sim_fd_daemon_open(void);

/* ---- as the system calls; -1 and errno ---- */

int sim_bell_new(void);
void sim_bell_ring(int fd);
ssize_t sim_bell_silence(int fd);
int sim_socket(void);
int sim_bind(int fd, const struct netaddr *at);
int sim_listen(int fd);
int sim_accept(int fd, struct netaddr *peer_out);
int sim_connect(int fd, const struct netaddr *to);
ssize_t sim_send(int fd, const void *p, size_t n);
ssize_t sim_recv(int fd, void *p, size_t n);
int sim_close(int fd);
void sim_reset(int fd); /* closes, and the peer sees ECONNRESET */
bool sim_fd_parted(int fd); /* the other side has closed it */
int sim_fd_error(int fd); /* SO_ERROR */
const struct netaddr *sim_fd_local(int fd);
const struct netaddr *sim_fd_peer(int fd);

/* The fate of a connection to that address: 0, or an errno; `hangs`: no
 * answer at all. Asked at the moment of the connect. */
void sim_on_connect(int (*fn)(const struct netaddr *to, bool *hangs_out));

/* ---- locks ---- */

unsigned sim_locks_held(void); /* by tasks that wait */
void sim_locks_forget(void);   /* after a kill */

#endif
