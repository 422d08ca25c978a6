/* SPDX-License-Identifier: ISC
 *
 * The daemon's side of the spawner: makes the process and sends requests. A
 * request is one message, so threads need no lock.
 */
#include "relay/spawn/spawner.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/error.h"
#include "relay/base/mem.h"
#include "relay/spawn/spawn_int.h"

struct spawner {
	int lane[LANES]; /* the daemon's ends */
	bool has[SPAWN_ROWS];
	enum spawn_lane lane_of[SPAWN_ROWS];
};

static void close_all(const int fd[LANES])
{
	for (int i = 0; i < LANES; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

static int make_lanes(int ours[LANES], int theirs[LANES], struct error *err)
{
	int fds[2];

	for (int i = 0; i < LANES; i++)
		ours[i] = theirs[i] = -1;
	for (int i = 0; i < LANES; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			fds) < 0)
			return error_sys(err, errno, "socketpair");
		ours[i] = fds[0];
		theirs[i] = fds[1];
	}
	return 0;
}

/* Never returns. */
static void be_spawner(const struct spawner_config *c,
    const struct spawner *s, const int theirs[LANES])
{
	close_all(s->lane);
	if (c->shut_in != NULL)
		c->shut_in();
	spawn_keep(c, theirs);
	_exit(0);
}

struct spawner *spawner_new(const struct spawner_config *c, struct error *err)
{
	struct spawner *s = NEW(struct spawner);
	int theirs[LANES], rc = make_lanes(s->lane, theirs, err);
	pid_t pid;

	for (int i = 0; i < SPAWN_ROWS; i++) {
		s->has[i] = c->program[i].path != NULL;
		s->lane_of[i] = c->program[i].lane;
	}
	if (rc == 0) {
		pid = fork();
		if (pid == 0)
			be_spawner(c, s, theirs);
		if (pid < 0)
			rc = error_sys(err, errno, "fork");
	}
	close_all(theirs);
	if (rc == 0)
		return s;
	spawner_free(s);
	return NULL;
}

void spawner_free(struct spawner *s)
{
	if (s == NULL)
		return;
	close_all(s->lane);
	mem_free(s);
}

bool spawner_has(const struct spawner *s, enum spawn_row row)
{
	return s != NULL && s->has[row];
}

/* ---- requests ---- */

static void add_fd(struct spawn_message *m, unsigned bit, int fd,
    int fd_out[FDS_MAX])
{
	if (fd < 0)
		return;
	fd_out[__builtin_popcount(m->with)] = fd;
	m->with |= bit;
}

static bool send_message(const struct spawner *s, struct spawn_message *m,
    size_t input, const struct spawn_fds *fds)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
		struct cmsghdr align;
	} control = {0};
	struct iovec io = {.iov_base = m, .iov_len = MESSAGE_HEAD + input};
	struct msghdr h = {.msg_iov = &io, .msg_iovlen = 1};
	struct cmsghdr *c = &control.align;
	int fd[FDS_MAX];
	size_t n;

	add_fd(m, WITH_INPUT, fds->input, fd);
	add_fd(m, WITH_OUTPUT, fds->output, fd);
	add_fd(m, WITH_CONTROL, fds->control, fd);
	n = (size_t)__builtin_popcount(m->with) * sizeof(int);
	if (n > 0) {
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(n);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n);
		memcpy(CMSG_DATA(c), fd, n);
	}
	return sendmsg(s->lane[s->lane_of[m->row]], &h,
		   MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

static bool ask(struct spawner *s, struct spawn_message *m, const char *arg,
    const struct spawn_fds *fds, size_t input)
{
	if (!spawner_has(s, m->row) || !spawn_arg_ok(arg))
		return false;
	memcpy(m->arg, arg, strlen(arg) + 1);
	return send_message(s, m, input, fds);
}

bool spawner_run(struct spawner *s, enum spawn_row row, const char *arg,
    struct slice input)
{
	struct spawn_message m = {.row = row};

	if (input.n > SPAWNER_INPUT_MAX)
		return false;
	memcpy(m.input, input.p, input.n);
	return ask(s, &m, arg, &(struct spawn_fds){-1, -1, -1}, input.n);
}

bool spawner_start(struct spawner *s, enum spawn_row row, const char *arg,
    const struct spawn_fds *fds)
{
	struct spawn_message m = {.row = row};

	return ask(s, &m, arg, fds, 0);
}
