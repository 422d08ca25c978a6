/* SPDX-License-Identifier: ISC
 *
 * The pipes of a program, and the report of its end. The pipes are the
 * program's own: the spawner's process neither reads nor writes them.
 */
#include "relay/spawn/spawn_run.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/error.h"
#include "relay/base/mem.h"
#include "relay/base/strbuf.h"

enum {
	READ_BYTES = 16384,
	LAST_READS = 8, /* of a pipe's whole room, after the end */
};

struct spawn_run {
	struct spawn_job job;
	struct io input, output, control; /* fd -1: closed */
	char *rest; /* of the input */
	size_t rest_at, rest_n;
	struct strbuf said; /* its last bytes, and some before them */
};

static void close_io(struct io *io)
{
	if (io->fd < 0)
		return;
	io_fini(io);
	close(io->fd);
	io->fd = -1;
}

/* A program that closed its input has all that it wants. */
static void on_input(void *arg, int what)
{
	struct spawn_run *r = arg;
	ssize_t n = 0;

	(void)what;
	while (r->rest_at < r->rest_n) {
		n = write(r->input.fd, r->rest + r->rest_at,
		    r->rest_n - r->rest_at);
		if (n < 0)
			break;
		r->rest_at += (size_t)n;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		io_want(&r->input, IO_WRITE);
	else
		close_io(&r->input);
}

/* False: there is no more now, or at all. */
static bool read_some(struct spawn_run *r)
{
	char *at = strbuf_reserve(&r->said, READ_BYTES);
	ssize_t n = read(r->output.fd, at, READ_BYTES);

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			close_io(&r->output);
		return false;
	}
	strbuf_used(&r->said, (size_t)n);
	if (r->job.said != NULL) {
		r->job.said(r->job.done_arg, strbuf_view(&r->said));
		strbuf_reset(&r->said);
	}
	if (r->said.n > SPAWN_RUN_OUTPUT)
		strbuf_drop_front(&r->said, r->said.n - SPAWN_RUN_OUTPUT);
	return true;
}

static void on_output(void *arg, int what)
{
	(void)what;
	read_some(arg);
}

static struct spawn_end end_of(const struct spawn_run *r,
    const struct spawn_report *report)
{
	int status = report->status;

	return (struct spawn_end){.output = strbuf_view(&r->said),
	    .fate = report->late	  ? SPAWN_LATE
		    : WIFSIGNALED(status) ? SPAWN_SIGNALLED
					  : SPAWN_EXITED,
	    .code = WIFSIGNALED(status) ? WTERMSIG(status)
					: WEXITSTATUS(status)};
}

/* All that it wrote is in the pipe by now. Other processes that hold the pipe
 * are not waited for. */
static void on_control(void *arg, int what)
{
	struct spawn_run *r = arg;
	struct spawn_report report;
	struct spawn_end end = {.fate = SPAWN_LOST};
	ssize_t n = recv(r->control.fd, &report, sizeof(report),
	    MSG_DONTWAIT);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	for (int i = 0; i < LAST_READS && r->output.fd >= 0; i++)
		if (!read_some(r))
			break;
	if (n == sizeof(report))
		end = end_of(r, &report);
	close_io(&r->control);
	close_io(&r->input);
	close_io(&r->output);
	r->job.done(r->job.done_arg, &end);
}

/* ---- the start ---- */

struct ends {
	int ours[3], theirs[3]; /* input, output, control */
};

static void close_ends(int fd[3])
{
	for (int i = 0; i < 3; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

static int make_ends(struct ends *e)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, control[2] = {-1, -1};
	int rc = 0;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
		rc = -1;
	*e = (struct ends){.ours = {in[1], out[0], control[0]},
	    .theirs = {in[0], out[1], control[1]}};
	for (int i = 0; i < 2 && rc == 0; i++)
		rc = fcntl(e->ours[i], F_SETFL, O_NONBLOCK);
	return rc;
}

static struct spawn_run *run_of(const struct spawn_job *job,
    const struct ends *e, struct loop *loop)
{
	struct spawn_run *r = NEW(struct spawn_run);

	r->job = *job;
	r->rest = mem_dup(job->input.p, job->input.n);
	r->rest_n = job->input.n;
	strbuf_init(&r->said, SPAWN_RUN_OUTPUT + READ_BYTES);
	io_init(&r->input, loop, e->ours[0], on_input, r);
	io_init(&r->output, loop, e->ours[1], on_output, r);
	io_init(&r->control, loop, e->ours[2], on_control, r);
	io_want(&r->input, IO_WRITE);
	io_want(&r->output, IO_READ);
	io_want(&r->control, IO_READ);
	return r;
}

struct spawn_run *spawn_run_new(struct spawner *s, struct loop *loop,
    const struct spawn_job *job, struct error *err)
{
	struct spawn_run *r = NULL;
	struct ends e;

	if (job->input.n > SPAWN_RUN_INPUT_MAX) {
		error_set(err, "the input has %zu bytes, of at most %d",
		    job->input.n, SPAWN_RUN_INPUT_MAX);
		return NULL;
	}
	if (make_ends(&e) < 0)
		error_sys(err, errno, "making pipes for a program");
	else if (!spawner_start(s, job->row, job->arg,
		     &(struct spawn_fds){e.theirs[0], e.theirs[1],
			 e.theirs[2]}))
		error_set(err, "there is no such program, too many wait, or "
			       "the spawner is gone");
	else
		r = run_of(job, &e, loop);
	close_ends(e.theirs);
	if (r == NULL)
		close_ends(e.ours);
	return r;
}

void spawn_run_free(struct spawn_run *r)
{
	if (r == NULL)
		return;
	close_io(&r->control);
	close_io(&r->input);
	close_io(&r->output);
	strbuf_fini(&r->said);
	mem_free(r->rest);
	mem_free(r);
}
