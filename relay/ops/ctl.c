/* SPDX-License-Identifier: ISC
 *
 * The control socket, server side: the connections and their requests, on one
 * loop (ctl_listen.c accepts them). One request at a time on each; what a
 * client sends ahead waits in its buffer. All on the loop's thread.
 *
 * A request outlives its client and even the socket, because its answer may
 * come from another thread: `conn` is freed when both have let go.
 */
#include "relay/ops/ctl_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/assert.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"

enum { READ_STEP = 1 << 16, FLUSH_AT = 1 << 16 };

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
void ctl_conn_free(struct conn *c)
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
	r->more = NULL;
}

static void request_run(struct conn *c, const json_t *line)
{
	const char *name = json_string_value(json_object_get(line, "command"));
	const json_t *args = json_object_get(line, "args");
	const json_t *claim = json_object_get(line, "claim");
	const struct ctl_command *cmd = c->ctl->table;

	if (name == NULL || (args != NULL && !json_is_object(args))) {
		ctl_end(&c->request, 2, "not a request");
		return;
	}
	who_claims(c->peer, json_string_value(claim), c->who);
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

/* Where the first line ends; -1: not yet. */
static long line_end(struct conn *c)
{
	const char *end = c->in.n == 0
	    ? NULL
	    : memchr(c->in.p + c->scanned, '\n', c->in.n - c->scanned);

	c->scanned = c->in.n;
	return end == NULL ? -1 : end - c->in.p;
}

static void conn_next(struct conn *c)
{
	long end = line_end(c);

	if (end >= 0)
		conn_line(c, (size_t)end);
	else if (c->in.n == c->in.max)
		request_refuse(c);
}

static void more_give(struct conn *c, const json_t *line)
{
	struct ctl_request *r = &c->request;
	ctl_more_fn fn = r->more;

	r->more = NULL;
	fn(r->more_arg, line);
}

/* No object, or one that does not end: the client is not understood. */
static void conn_more(struct conn *c)
{
	long end = c->fd < 0 ? -1 : line_end(c);
	json_t *line;

	if (end < 0 && c->fd >= 0 && c->in.n < c->in.max)
		return;
	line = end < 0 ? NULL
		       : json_loadb(c->in.p, (size_t)end,
			     JSON_REJECT_DUPLICATES, NULL);
	if (end >= 0) {
		strbuf_drop_front(&c->in, (size_t)end + 1);
		c->scanned = 0;
	}
	if (!json_is_object(line))
		conn_drop(c);
	more_give(c, json_is_object(line) ? line : NULL);
	json_decref(line);
}

static void conn_drained(struct conn *c)
{
	struct ctl_request *r = &c->request;
	void (*fn)(void *arg) = r->drain;

	if (c->fd >= 0 && c->out.n >= CTL_OUTPUT_HIGH / 2)
		return;
	r->drain = NULL;
	fn(r->drain_arg);
}

/* The request waits for its client: for one of two things. It may be over,
 * and `c` freed, when this returns. */
static void conn_go_on(struct conn *c)
{
	if (c->request.drain != NULL)
		conn_drained(c);
	else if (c->request.more != NULL)
		conn_more(c);
}

static void on_work(void *arg)
{
	struct conn *c = arg;

	conn_flush(c);
	if (c->request.open) {
		conn_go_on(c);
	} else if (c->fd < 0 || (c->last && c->out.n == 0)) {
		ctl_conn_free(c);
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

	PH_ASSERT(r->open); /* a request is answered once */
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
	r->more = NULL;
	if (c->ctl == NULL) {
		ctl_conn_free(c);
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

void ctl_more(struct ctl_request *r, ctl_more_fn fn, void *arg)
{
	PH_ASSERT(r->open && r->drain == NULL && r->more == NULL);
	r->more = fn;
	r->more_arg = arg;
	conn_send(r->conn, SLICE("{\"more\":true}\n"));
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

/* ---- made and ended by the listening socket ---------------------------- */

struct conn *ctl_conn_new(struct ctl *ctl, int fd)
{
	struct conn *c = NEW(struct conn);

	*c = (struct conn){.ctl = ctl, .fd = fd, .request = {.conn = c},
	    .idle_ms = loop_now_ms(ctl->loop)};
	strbuf_init(&c->in, CTL_REQUEST_MAX);
	strbuf_init(&c->out, CTL_OUTPUT_MAX);
	strbuf_init(&c->request.row, CTL_ROW_MAX);
	list_push_back(&ctl->conns, &c->node);
	ctl->count++;
	defer_init(&c->work, on_work, c);
	io_init(&c->io, ctl->loop, fd, on_conn, c);
	io_want(&c->io, IO_READ);
	return c;
}

/* Nothing waits for a client any more: who paused sees that it is gone. */
static void conn_orphan(struct conn *c)
{
	conn_drop(c);
	defer_cancel(&c->work);
	list_remove(&c->node);
	c->ctl->count--;
	c->ctl = NULL;
	conn_go_on(c);
}

void ctl_conn_end(struct conn *c)
{
	conn_flush(c);
	if (c->request.open)
		conn_orphan(c);
	else
		ctl_conn_free(c);
}
