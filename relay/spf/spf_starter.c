/* SPDX-License-Identifier: ISC
 *
 * The two ways to a process `posthouse-spf`. Either way it gets an empty
 * environment, and of our descriptors nothing but its socket and the standard
 * error.
 */
#include "relay/spf/spf_starter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/spawn/spawner.h"

/* ---- by fork ---- */

/* Never returns. Nothing but what may be called after a fork. */
static void become(const char *program, int channel, pid_t parent)
{
	char *const env[] = {NULL}, *const argv[] = {(char *)program, NULL};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || dup2(channel, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0)
		_exit(126);
	close_range(3, ~0U, 0);
	execve(program, argv, env);
	_exit(127);
}

/* The handle is the process. */
static int start_fork(const struct spf_starter *s, int channel,
    struct error *err)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		become(s->program, channel, parent);
	return pid < 0 ? error_sys(err, errno, "starting %s", s->program)
		       : pid;
}

static void end_fork(const struct spf_starter *s, int handle)
{
	(void)s;
	kill(handle, SIGKILL);
	while (waitpid(handle, NULL, 0) < 0 && errno == EINTR)
		;
}

struct spf_starter spf_starter_fork(const char *program)
{
	return (struct spf_starter){.start = start_fork, .end = end_fork,
	    .program = program};
}

/* ---- by the spawner ---- */

/* The handle is our end of its control. */
static int start_spawn(const struct spf_starter *s, int channel,
    struct error *err)
{
	int fds[2];
	struct spawn_fds give = {.input = channel, .output = -1};

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return error_sys(err, errno, "socketpair");
	give.control = fds[1];
	if (!spawner_start(s->spawner, SPAWN_SPF, "", &give)) {
		close(fds[0]);
		fds[0] = error_set(err, "the spawner is gone, or does not "
					"read what it is asked");
	}
	close(fds[1]);
	return fds[0];
}

static void end_spawn(const struct spf_starter *s, int handle)
{
	(void)s;
	close(handle);
}

struct spf_starter spf_starter_spawn(struct spawner *spawner)
{
	return (struct spf_starter){.start = start_spawn, .end = end_spawn,
	    .spawner = spawner};
}

/* ---- the program ---- */

bool spf_program_find(char path_out[SPF_PROGRAM_BYTES])
{
	static const char name[] = "posthouse-spf";
	ssize_t n = readlink("/proc/self/exe", path_out,
	    SPF_PROGRAM_BYTES - sizeof(name));
	char *name_at;

	if (n > 0) {
		path_out[n] = '\0';
		name_at = strrchr(path_out, '/');
		if (name_at != NULL) {
			memcpy(name_at + 1, name, sizeof(name));
			if (access(path_out, X_OK) == 0)
				return true;
		}
	}
	snprintf(path_out, SPF_PROGRAM_BYTES, PH_LIBEXECDIR "/%s", name);
	return access(path_out, X_OK) == 0;
}
