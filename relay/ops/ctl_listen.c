/* SPDX-License-Identifier: ISC
 *
 * The control socket, server side: the listening Unix socket, and who may ask.
 * On the loop's thread.
 */
#include "relay/ops/ctl_int.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/base/assert.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/ops/who.h"

enum { ACCEPT_PAUSE_MS = 1000 };

/* ---- who may ask ------------------------------------------------------- */

static bool in_groups(int fd, gid_t group)
{
	gid_t groups[256];
	socklen_t len = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

static bool peer_allowed(const struct ctl *c, int fd, struct ucred *cred)
{
	socklen_t len = sizeof(*cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, cred, &len) != 0)
		return false;
	return cred->uid == 0 || cred->uid == geteuid() ||
	    cred->gid == c->group || in_groups(fd, c->group);
}

/* ---- the listening socket ---------------------------------------------- */

static void turn_away(int fd, const char *why)
{
	char line[200];
	int n = snprintf(line, sizeof(line),
	    "{\"end\":{\"exit\":1,\"error\":\"%s\"}}\n", why);

	if (send(fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("ctl.refused", kv_str("why", why));
	close(fd);
}

/* Closes a connection that asks nothing: else a few forgotten ones would keep
 * all others out. */
static bool make_room(struct ctl *ctl)
{
	int64_t before = loop_now_ms(ctl->loop) - CTL_IDLE_MS;
	struct conn *longest = NULL;

	list_each_safe (n, &ctl->conns) {
		struct conn *c = LIST_ENTRY(n, struct conn, node);

		if (!c->request.open && c->idle_ms <= before &&
		    (longest == NULL || c->idle_ms < longest->idle_ms))
			longest = c;
	}
	if (longest == NULL)
		return false;
	ctl_conn_free(longest);
	return true;
}

static void on_peer(struct ctl *ctl, int fd)
{
	struct ucred cred = {0};
	struct conn *c;

	if (!peer_allowed(ctl, fd, &cred)) {
		log_warn("ctl.refused", kv_int("uid", cred.uid));
		turn_away(fd, "this user may not use the control socket");
		return;
	}
	if (ctl->count >= CTL_PEERS_MAX && !make_room(ctl)) {
		turn_away(fd, "too many users of the control socket; try "
		    "again when one of their commands has ended");
		return;
	}
	c = ctl_conn_new(ctl, fd);
	who_peer(fd, &cred, c->peer);
}

static void on_listen(void *arg, int what)
{
	struct ctl *c = arg;
	int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (fd >= 0) {
		on_peer(c, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
		io_want(&c->io, 0);
		timer_set(&c->pause, ACCEPT_PAUSE_MS);
	}
}

static void on_pause_over(void *arg)
{
	struct ctl *c = arg;

	io_want(&c->io, IO_READ);
}

static int path_of(struct sockaddr_un *sa, const char *path, struct error *err)
{
	sa->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sa->sun_path))
		return error_set(err, "%s: longer than the %zu bytes of a "
		    "socket's name", path, sizeof(sa->sun_path) - 1);
	memcpy(sa->sun_path, path, strlen(path) + 1);
	return 0;
}

/* A dead daemon's socket refuses connections; a file that is no socket belongs
 * to another program and is left alone, a symbolic link too. */
static int clear_stale(const struct sockaddr_un *sa, struct error *err)
{
	struct stat st;
	int fd, rc, no;

	if (lstat(sa->sun_path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, "%s is no socket; remove it, or name "
		    "another control.socket", sa->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_sys(err, errno, "socket");
	rc = connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
	no = errno;
	close(fd);
	if (rc == 0 || no == EAGAIN)
		return error_set(
		    err, "%s: another daemon answers there", sa->sun_path);
	if (no == ECONNREFUSED && unlink(sa->sun_path) != 0)
		return error_sys(err, errno, "%s: unlink", sa->sun_path);
	return 0;
}

/* fchmod() before bind() makes the socket with that mode at once. */
static int bind_at(const struct sockaddr_un *sa, gid_t *group_out,
    struct error *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd < 0)
		return error_sys(err, errno, "socket");
	if (fchmod(fd, 0660) != 0 ||
	    bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) != 0 ||
	    chmod(sa->sun_path, 0660) != 0 || stat(sa->sun_path, &st) != 0 ||
	    listen(fd, CTL_PEERS_MAX) != 0) {
		error_sys(err, errno, "%s", sa->sun_path);
		close(fd);
		return -1;
	}
	*group_out = st.st_gid;
	return fd;
}

struct ctl *ctl_open(struct loop *l, const char *path,
    const struct ctl_command *table, void *arg, struct error *err)
{
	struct sockaddr_un sa = {0};
	struct ctl *c;
	gid_t group = 0;
	int fd;

	if (path_of(&sa, path, err) != 0 || clear_stale(&sa, err) != 0)
		return NULL;
	fd = bind_at(&sa, &group, err);
	if (fd < 0)
		return NULL;
	c = NEW(struct ctl);
	*c = (struct ctl){.loop = l, .table = table, .arg = arg,
	    .path = mem_strdup(path), .group = group, .fd = fd};
	list_init(&c->conns);
	timer_init(&c->pause, l, on_pause_over, c);
	io_init(&c->io, l, fd, on_listen, c);
	io_want(&c->io, IO_READ);
	return c;
}

void ctl_close(struct ctl *c)
{
	if (c == NULL)
		return;
	io_fini(&c->io);
	timer_fini(&c->pause);
	list_each_safe (n, &c->conns)
		ctl_conn_end(LIST_ENTRY(n, struct conn, node));
	PH_ASSERT(c->count == 0 && list_empty(&c->conns));
	close(c->fd);
	unlink(c->path);
	mem_free(c->path);
	mem_free(c);
}
