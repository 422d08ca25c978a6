/* SPDX-License-Identifier: ISC
 *
 * The control socket, server side: a listening Unix socket and a handful of
 * connections on one loop. One request at a time on each; what a client sends
 * ahead waits in its buffer. All on the loop's thread.
 *
 * A request outlives its client and even the socket, because its answer may
 * come from another thread: `conn` is freed when both have let go.
 */
#include "relay/ops/ctl.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"

enum { READ_STEP = 1 << 16, FLUSH_AT = 1 << 16, ACCEPT_PAUSE_MS = 1000 };

struct ctl {
	struct loop *loop;
	const struct ctl_command *table;
	void *arg;
	char *path;
	struct io io;
	struct timer pause; /* no descriptors left: try again later */
	struct list conns;
	unsigned count;
	gid_t group; /* of the socket */
	int fd;
};

struct ctl_request {
	struct conn *conn;
	struct strbuf row;
	struct jout jout;
	void (*drain)(void *arg);
	void *drain_arg;
	bool open, too_long;
};

struct conn {
	struct list node;
	struct ctl *ctl; /* NULL when the socket was closed */
	struct io io;
	struct defer work; /* flush, then the next line */
	struct strbuf in, out;
	size_t scanned; /* of `in`: no line end before here */
	struct ctl_request request;
	int64_t idle_ms; /* since when no request is open */
	char who[64];
	int fd; /* -1: the client went away */
	bool last; /* nothing more is read: close when the output is out */
};

/* ---- connections ------------------------------------------------------- */

static void conn_drop(struct conn *c)
{
	if (c->fd >= 0) {
		io_fini(&c->io);
		close(c->fd);
		c->fd = -1;
	}
	strbuf_reset(&c->out);
	strbuf_reset(&c->in);
	c->scanned = 0;
}

/* Only from the loop or with no request open. */
static void conn_free(struct conn *c)
{
	conn_drop(c);
	defer_cancel(&c->work);
	if (c->ctl != NULL)
		c->ctl->count--;
	list_remove(&c->node);
	strbuf_fini(&c->in);
	strbuf_fini(&c->out);
	strbuf_fini(&c->request.row);
	mem_free(c);
}

static void conn_later(struct conn *c)
{
	if (c->ctl != NULL)
		loop_defer(c->ctl->loop, &c->work);
}

static int conn_wants(const struct conn *c)
{
	int what = c->out.n > 0 ? IO_WRITE : 0;

	return !c->last && c->in.n < c->in.max ? what | IO_READ : what;
}

static void conn_flush(struct conn *c)
{
	size_t at = 0;

	while (c->fd >= 0 && at < c->out.n) {
		ssize_t n = send(c->fd, c->out.p + at, c->out.n - at,
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			conn_drop(c);
			return;
		}
		at += (size_t)n;
	}
	strbuf_drop_front(&c->out, at);
}

static void conn_read(struct conn *c)
{
	size_t room = c->in.max - c->in.n;
	char *p = strbuf_reserve(&c->in, room < READ_STEP ? room : READ_STEP);
	ssize_t n;

	if (p == NULL || room == 0)
		return;
	n = recv(c->fd, p, room < READ_STEP ? room : READ_STEP, MSG_DONTWAIT);
	if (n > 0)
		strbuf_used(&c->in, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		conn_drop(c);
}

static void on_conn(void *arg, int what)
{
	struct conn *c = arg;

	if (what & IO_READ)
		conn_read(c);
	conn_later(c);
}

/* ---- requests ---------------------------------------------------------- */

static void request_begin(struct conn *c)
{
	struct ctl_request *r = &c->request;

	r->open = true;
	r->too_long = false;
	r->drain = NULL;
}

static void request_run(struct conn *c, const json_t *line)
{
	const char *name = json_string_value(json_object_get(line, "command"));
	const json_t *args = json_object_get(line, "args");
	const struct ctl_command *cmd = c->ctl->table;

	if (name == NULL || (args != NULL && !json_is_object(args))) {
		ctl_end(&c->request, 2, "not a request");
		return;
	}
	while (cmd->name != NULL && strcmp(cmd->name, name) != 0)
		cmd++;
	if (cmd->name != NULL)
		cmd->run(c->ctl->arg, &c->request, args);
	else
		ctl_end(&c->request, 2, "unknown command \"%.64s\"", name);
}

/* A line that does not end ends the connection: no next one can be found. */
static void request_refuse(struct conn *c)
{
	strbuf_reset(&c->in);
	c->scanned = 0;
	c->last = true;
	request_begin(c);
	ctl_end(&c->request, 2, "a request is one line of at most %d bytes",
	    CTL_REQUEST_MAX);
}

static void conn_line(struct conn *c, size_t n)
{
	json_error_t why;
	json_t *line = json_loadb(c->in.p, n, JSON_REJECT_DUPLICATES, &why);

	strbuf_drop_front(&c->in, n + 1);
	c->scanned = 0;
	request_begin(c);
	if (line != NULL)
		request_run(c, line);
	else
		ctl_end(&c->request, 2, "not JSON: %s", why.text);
	json_decref(line);
}

static void conn_next(struct conn *c)
{
	const char *end = c->in.n == 0
	    ? NULL
	    : memchr(c->in.p + c->scanned, '\n', c->in.n - c->scanned);

	c->scanned = c->in.n;
	if (end != NULL)
		conn_line(c, (size_t)(end - c->in.p));
	else if (c->in.n == c->in.max)
		request_refuse(c);
}

static void conn_drained(struct conn *c)
{
	struct ctl_request *r = &c->request;
	void (*fn)(void *arg) = r->drain;

	if (fn == NULL || (c->fd >= 0 && c->out.n >= CTL_OUTPUT_HIGH / 2))
		return;
	r->drain = NULL;
	fn(r->drain_arg);
}

static void on_work(void *arg)
{
	struct conn *c = arg;

	conn_flush(c);
	if (c->request.open) {
		conn_drained(c);
	} else if (c->fd < 0 || (c->last && c->out.n == 0)) {
		conn_free(c);
		return;
	} else if (!c->last && c->out.n < CTL_OUTPUT_HIGH) {
		conn_next(c);
	}
	if (c->fd >= 0)
		io_want(&c->io, conn_wants(c));
	else if (!c->request.open)
		conn_later(c);
}

/* ---- rows and end ------------------------------------------------------ */

/* Whole lines only: past the ceiling the client is cut off, not confused. */
static void conn_send(struct conn *c, struct slice line)
{
	if (c->fd < 0)
		return;
	strbuf_addsl(&c->out, line);
	if (!strbuf_ok(&c->out)) {
		log_warn("ctl.slow", kv_str("who", c->who));
		conn_drop(c);
		strbuf_fini(&c->out);
	} else if (c->out.n >= FLUSH_AT) {
		conn_flush(c);
	}
	conn_later(c);
}

struct jout *ctl_row(struct ctl_request *r)
{
	strbuf_reset(&r->row);
	jout_init(&r->jout, &r->row);
	jout_object(&r->jout, NULL);
	jout_object(&r->jout, "row");
	return &r->jout;
}

static void row_send(struct ctl_request *r)
{
	if (strbuf_ok(&r->row))
		conn_send(r->conn, strbuf_view(&r->row));
	else
		r->too_long = true;
}

void ctl_row_end(struct ctl_request *r)
{
	jout_object_end(&r->jout);
	jout_object_end(&r->jout);
	strbuf_addc(&r->row, '\n');
	row_send(r);
}

void ctl_row_text(struct ctl_request *r, struct slice jout_object)
{
	strbuf_reset(&r->row);
	strbuf_adds(&r->row, "{\"row\":");
	strbuf_addsl(&r->row, jout_object);
	strbuf_adds(&r->row, "}\n");
	row_send(r);
}

static void end_line(struct ctl_request *r, int exit_code, const char *why)
{
	struct jout j;

	strbuf_reset(&r->row);
	jout_init(&j, &r->row);
	jout_object(&j, NULL);
	jout_object(&j, "end");
	jout_int(&j, "exit", exit_code);
	jout_str(&j, "error", why);
	jout_object_end(&j);
	jout_object_end(&j);
	strbuf_addc(&r->row, '\n');
	conn_send(r->conn, strbuf_view(&r->row));
}

void ctl_end(struct ctl_request *r, int exit_code, const char *fmt, ...)
{
	struct conn *c = r->conn;
	char why[400] = "";
	va_list ap;

	if (fmt != NULL) {
		va_start(ap, fmt);
		vsnprintf(why, sizeof(why), fmt, ap);
		va_end(ap);
	}
	if (r->too_long)
		end_line(r, 1, "a row of the answer was too long to send");
	else
		end_line(r, exit_code, why);
	strbuf_fini(&r->row); /* an idle connection keeps no memory */
	r->open = false;
	r->drain = NULL;
	if (c->ctl == NULL) {
		conn_free(c);
		return;
	}
	c->idle_ms = loop_now_ms(c->ctl->loop);
	conn_later(c);
}

bool ctl_busy(const struct ctl_request *r)
{
	return r->conn->out.n >= CTL_OUTPUT_HIGH;
}

void ctl_cut(struct ctl_request *r)
{
	conn_drop(r->conn);
	conn_later(r->conn);
}

void ctl_on_drain(struct ctl_request *r, void (*fn)(void *arg), void *arg)
{
	r->drain = fn;
	r->drain_arg = arg;
	conn_later(r->conn);
}

const char *ctl_who(const struct ctl_request *r)
{
	return r->conn->who;
}

bool ctl_gone(const struct ctl_request *r)
{
	return r->conn->fd < 0;
}

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

static void peer_name(uid_t uid, char *out, size_t n)
{
	struct passwd pw, *found = NULL;
	char buf[4096];

	if (getpwuid_r(uid, &pw, buf, sizeof(buf), &found) == 0 &&
	    found != NULL)
		snprintf(out, n, "%s", pw.pw_name);
	else
		snprintf(out, n, "uid %u", (unsigned)uid);
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
	conn_free(longest);
	return true;
}

static void conn_new(struct ctl *ctl, int fd)
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
	c = NEW(struct conn);
	*c = (struct conn){.ctl = ctl, .fd = fd, .request = {.conn = c},
	    .idle_ms = loop_now_ms(ctl->loop)};
	peer_name(cred.uid, c->who, sizeof(c->who));
	strbuf_init(&c->in, CTL_REQUEST_MAX);
	strbuf_init(&c->out, CTL_OUTPUT_MAX);
	strbuf_init(&c->request.row, CTL_ROW_MAX);
	list_push_back(&ctl->conns, &c->node);
	ctl->count++;
	defer_init(&c->work, on_work, c);
	io_init(&c->io, ctl->loop, fd, on_conn, c);
	io_want(&c->io, IO_READ);
}

static void on_listen(void *arg, int what)
{
	struct ctl *c = arg;
	int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (fd >= 0) {
		conn_new(c, fd);
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

/* Nothing waits for a client any more: who paused sees that it is gone. */
static void conn_orphan(struct conn *c)
{
	conn_drop(c);
	defer_cancel(&c->work);
	list_remove(&c->node);
	c->ctl = NULL;
	conn_drained(c);
}

void ctl_close(struct ctl *c)
{
	if (c == NULL)
		return;
	io_fini(&c->io);
	timer_fini(&c->pause);
	list_each_safe (n, &c->conns) {
		struct conn *conn = LIST_ENTRY(n, struct conn, node);

		conn_flush(conn);
		if (conn->request.open)
			conn_orphan(conn);
		else
			conn_free(conn);
	}
	close(c->fd);
	unlink(c->path);
	mem_free(c->path);
	mem_free(c);
}
