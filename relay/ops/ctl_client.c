/* SPDX-License-Identifier: ISC
 *
 * The control socket, client side: one blocking question of the command
 * line. No timeout: `--wait` may take as long as mail does; a daemon that
 * dies ends the connection.
 */
#include "relay/ops/ctl.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/ops/who.h"

enum {
	EXIT_REFUSED = 1,
	EXIT_NO_DAEMON = 3,
	LINE_MAX_BYTES = CTL_ROW_MAX + 64,
};

struct ctl_answer {
	int fd;
	struct strbuf in;
	const struct ctl_question *q;
	int exit_code; /* -1: the end line has not come */
};

static int connect_to(const char *path, int *fd_out, struct error *err)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int no;

	if (fd < 0 || strlen(path) >= sizeof(sa.sun_path)) {
		error_sys(err, fd < 0 ? errno : ENAMETOOLONG, "%s", path);
		if (fd >= 0)
			close(fd);
		return EXIT_REFUSED;
	}
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0) {
		*fd_out = fd;
		return 0;
	}
	no = errno;
	close(fd);
	if (no == EACCES || no == EPERM) {
		error_set(err, "%s: the control socket: %s; root and members "
		    "of its group may use it", path, strerror(no));
		return EXIT_REFUSED;
	}
	error_set(err, "%s: the daemon does not answer: %s; is it running?",
	    path, strerror(no));
	return EXIT_NO_DAEMON;
}

static int send_all(int fd, struct slice s)
{
	while (s.n > 0) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		s = slice_from(s, (size_t)n);
	}
	return 0;
}

/* Takes `line`. */
static int send_line(int fd, json_t *line, struct error *err)
{
	char *text = json_dumps(line, JSON_COMPACT);
	int rc;

	json_decref(line);
	if (text == NULL)
		return error_set(err, "the request is not valid UTF-8");
	rc = strlen(text) < CTL_REQUEST_MAX ? 0
	    : error_set(err, "the request is over %d bytes", CTL_REQUEST_MAX);
	/* A refusal may be there to read although sending failed. */
	if (rc == 0 && send_all(fd, slice_str(text)) == 0)
		(void)send_all(fd, SLICE("\n"));
	mem_free(text);
	return rc;
}

static int ask(int fd, const struct ctl_question *q, struct error *err)
{
	json_t *line = json_object();
	char self[WHO_TEXT];

	who_self(self);
	json_object_set_new(line, "claim", json_string(self));
	json_object_set_new(line, "command", json_string(q->command));
	json_object_set_new(line, "args",
	    q->args == NULL ? json_object() : q->args);
	return send_line(fd, line, err);
}

static int send_more(const struct ctl_answer *c, struct error *err)
{
	json_t *line = c->q->more == NULL ? NULL : c->q->more(c->q->arg);

	if (line != NULL)
		return send_line(c->fd, line, err);
	return error_set(err, "%s", "");
}

static void take_end(struct ctl_answer *c, const json_t *end, struct error *err)
{
	const char *why = json_string_value(json_object_get(end, "error"));

	c->exit_code = (int)json_integer_value(json_object_get(end, "exit"));
	error_set(err, "%s", why == NULL ? "" : why);
}

static int take_line(struct ctl_answer *c, struct slice text, struct error *err)
{
	json_error_t why;
	json_t *line = json_loadb(text.p, text.n, 0, &why);
	json_t *row = json_object_get(line, "row");
	json_t *end = json_object_get(line, "end");
	bool more = json_is_true(json_object_get(line, "more"));

	if (row != NULL && c->q->row != NULL)
		c->q->row(c->q->arg, row);
	else if (end != NULL)
		take_end(c, end, err);
	json_decref(line);
	if (more)
		return send_more(c, err);
	if (row != NULL || end != NULL)
		return 0;
	return error_set(err, "the daemon's answer is not understood");
}

/* 0: more is there; 1: the daemon closed; -1: `err`. */
static int read_more(struct ctl_answer *c, struct error *err)
{
	char *p = strbuf_reserve(&c->in, 1 << 14);
	ssize_t n;

	if (p == NULL)
		return error_set(err, "a line of the answer is too long");
	do
		n = recv(c->fd, p, 1 << 14, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return 1;
	strbuf_used(&c->in, (size_t)n);
	return 0;
}

static int read_answer(struct ctl_answer *c, struct error *err)
{
	while (c->exit_code < 0) {
		struct slice rest = strbuf_view(&c->in), line;
		size_t all = rest.n;
		int rc = 0;
		long end;

		while (c->exit_code < 0 &&
		    (end = slice_find(rest, '\n')) >= 0) {
			line = slice_head(rest, (size_t)end);
			rest = slice_from(rest, (size_t)end + 1);
			if (take_line(c, line, err) != 0)
				return -1;
		}
		strbuf_drop_front(&c->in, all - rest.n);
		if (c->exit_code < 0)
			rc = read_more(c, err);
		if (rc < 0)
			return -1;
		if (rc > 0)
			return error_set(err, "the daemon went away before "
			    "the end of its answer");
	}
	return 0;
}

int ctl_call(const struct ctl_question *q, struct error *err)
{
	struct ctl_answer c = {.q = q, .exit_code = -1};
	int rc = connect_to(q->path, &c.fd, err);

	if (rc != 0) {
		json_decref(q->args);
		return rc;
	}
	/* Room for a whole line and the read that ends it. */
	strbuf_init(&c.in, LINE_MAX_BYTES + (1 << 14));
	rc = ask(c.fd, q, err);
	if (rc == 0)
		rc = read_answer(&c, err);
	strbuf_fini(&c.in);
	close(c.fd);
	return rc == 0 ? c.exit_code : EXIT_REFUSED;
}
