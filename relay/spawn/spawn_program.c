/* SPDX-License-Identifier: ISC
 *
 * Starts one program: in the spawner's process, between fork and exec.
 */
#include "relay/spawn/spawn_int.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "relay/base/log.h"

static void reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool set_descriptors(const struct spawning *s)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int in = s->in >= 0 ? s->in : null;
	int out = s->out >= 0 ? s->out : null;

	return dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
	       (s->out < 0 || dup2(out, STDERR_FILENO) >= 0);
}

/* Never returns. Nothing but what may be called after a fork. */
static void become(const struct spawning *s, pid_t parent)
{
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	char *const env[] = {s->program->bare ? NULL : path, NULL};
	char *arg = (char *)s->message->arg;
	char *const argv[] = {(char *)s->program->path,
	    arg[0] == '\0' ? NULL : arg, NULL};

	setpgid(0, 0);
	atomic_store(s->group, getpid());
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	reset_signals();
	if (getppid() != parent || !set_descriptors(s) || chdir("/") < 0)
		_exit(126);
	close_range(3, ~0U, 0);
	execve(s->program->path, argv, env);
	_exit(127);
}

/* The input of a message fits a pipe, so it is written whether or not it is
 * read. */
static int input_of(const struct spawning *s)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	if (write(fds[1], s->input.p, s->input.n) < 0)
		log_debug("spawner.input", kv_str("program", s->program->path));
	close(fds[1]);
	return fds[0];
}

pid_t spawn_program_start(const struct spawning *s)
{
	struct spawning own = *s;
	pid_t pid, parent = getpid();
	bool made = s->in < 0;

	if (made)
		own.in = input_of(s);
	pid = own.in < 0 ? -1 : fork();
	if (pid == 0)
		become(&own, parent);
	if (made && own.in >= 0)
		close(own.in);
	if (pid < 0) {
		log_error("spawner.fork", kv_str("program", s->program->path));
		return -1;
	}
	setpgid(pid, pid); /* the program does it too; the first counts */
	atomic_store(s->group, pid);
	return pid;
}
