/* SPDX-License-Identifier: ISC
 *
 * The spawner. What waits to be run waits in the socket: while a program
 * runs nothing is read, and when the socket is full the daemon is told so.
 * The program gets a clean environment, its standard error is ours, and it
 * is the leader of a group of its own, which is killed as a whole.
 *
 * There are two processes, since the daemon cannot start another: one serves,
 * the other, the keeper, starts it again when it dies. When the keeper dies
 * the one that serves takes its place and starts a new server.
 */
#include "relay/spawn/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"

enum {
	ARG_BYTES = 64,
	MESSAGE_BYTES = ARG_BYTES + SPAWNER_INPUT_MAX,
	KEEPER_DIED = SIGUSR2,
	AGAIN_MS = 100, /* before a server that died is started again */
};

struct spawner {
	int fd; /* the daemon's end */
};

/* In the process itself. */
struct serving {
	const char *program;
	int fd, signals;
	int limit_ms, grace_ms;
	pid_t child; /* 0: none */
	int64_t end_ms; /* … then it is killed */
	bool alone; /* the daemon is gone */
	bool orphan; /* the keeper is gone */
};

static int64_t now_ms(void)
{
	return clock_mono_ms(&clock_system);
}

/* ---- the program ---- */

static bool arg_ok(const char *arg)
{
	size_t n = strspn(arg, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n < ARG_BYTES && arg[n] == '\0';
}

/* Never returns. Nothing but what may be called after a fork. */
static void become(const struct serving *s, char *arg, int input)
{
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	static char *const env[] = {path, NULL};
	char *const argv[] = {(char *)s->program, arg, NULL};
	int null = open("/dev/null", O_WRONLY);
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(input, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    chdir("/") < 0)
		_exit(126);
	close_range(3, ~0U, 0);
	execve(s->program, argv, env);
	_exit(127);
}

/* The input fits the pipe, so it is written whether or not it is read. */
static void start(struct serving *s, char *arg, struct slice input)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0)
		become(s, arg, fds[0]);
	close(fds[0]);
	if (pid > 0 && write(fds[1], input.p, input.n) < 0)
		log_debug("spawner.input", kv_str("program", s->program));
	close(fds[1]);
	if (pid < 0) {
		log_error("spawner.fork", kv_str("program", s->program));
		return;
	}
	setpgid(pid, pid); /* the program does it too; the first counts */
	s->child = pid;
	s->end_ms = now_ms() + s->limit_ms;
}

static void tell_end(const struct serving *s, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	log_warn("spawner.program", kv_str("program", s->program),
	    kv_str("ended", WIFSIGNALED(status) ? "by a signal" : "by itself"),
	    kv_int(WIFSIGNALED(status) ? "signal" : "exit",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)));
}

/* Processes that the program left in its group end too, while the number of
 * the group is still its own. */
static void reap(struct serving *s)
{
	siginfo_t info = {0};
	int status;

	if (s->child == 0 ||
	    waitid(P_PID, (id_t)s->child, &info,
		WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
		return;
	kill(-s->child, SIGKILL);
	if (waitpid(s->child, &status, 0) == s->child)
		tell_end(s, status);
	s->child = 0;
}

/* ---- the loop ---- */

static void take(struct serving *s)
{
	char m[MESSAGE_BYTES + 1];
	ssize_t n = recv(s->fd, m, MESSAGE_BYTES, MSG_TRUNC);
	size_t arg;

	if (n <= 0) {
		s->alone = n == 0 || (errno != EINTR && errno != EAGAIN);
		return;
	}
	if (n > MESSAGE_BYTES)
		return;
	m[n] = '\0';
	arg = strlen(m) + 1;
	if (arg <= (size_t)n && arg_ok(m))
		start(s, m, slice_of(m + arg, (size_t)n - arg));
}

static void drain_signals(struct serving *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) > 0)
		if ((int)info.ssi_signo == KEEPER_DIED)
			s->orphan = true;
}

static int wait_ms(const struct serving *s)
{
	int64_t left = s->end_ms - now_ms();

	return s->child == 0 ? -1 : left < 0 ? 0 : (int)left;
}

static void gone(struct serving *s)
{
	int64_t end = now_ms() + s->grace_ms;

	s->alone = true;
	if (s->child != 0 && s->end_ms > end)
		s->end_ms = end;
}

/* While a program runs, of the socket only its end counts; poll() tells that
 * unasked. Returns when the daemon is gone, or the keeper. */
static void serve(struct serving *s)
{
	while (s->child != 0 || (!s->alone && !s->orphan)) {
		struct pollfd p[2] = {
		    {.fd = s->signals, .events = POLLIN},
		    {.fd = s->alone ? -1 : s->fd,
			.events = s->child == 0 ? POLLIN : 0}};

		if (poll(p, 2, wait_ms(s)) < 0 && errno != EINTR)
			_exit(1); /* the keeper starts another */
		drain_signals(s);
		reap(s);
		if (s->child != 0 && now_ms() >= s->end_ms) {
			kill(-s->child, SIGKILL);
			s->end_ms = now_ms() + s->limit_ms;
		}
		if (!s->alone && (p[1].revents & (POLLHUP | POLLERR)) != 0)
			gone(s);
		else if (s->child == 0 && !s->orphan &&
			 (p[1].revents & POLLIN) != 0)
			take(s);
	}
}

/* ---- the two processes ---- */

/* Signals that end the daemon are not for us: it tells by going away. */
static void set_signals(void)
{
	static const int not_ours[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1,
	    SIGPIPE, SIGQUIT};
	sigset_t ours;

	for (size_t i = 0; i < ARRAY_LEN(not_ours); i++)
		signal(not_ours[i], SIG_IGN);
	sigemptyset(&ours);
	sigaddset(&ours, SIGCHLD);
	sigaddset(&ours, KEEPER_DIED);
	sigprocmask(SIG_BLOCK, &ours, NULL);
}

/* True: the keeper is gone, and this process is the keeper now. */
static bool serve_under(struct serving *s, pid_t keeper)
{
	sigset_t ours;

	prctl(PR_SET_NAME, "ph-spawner", 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, KEEPER_DIED);
	sigemptyset(&ours);
	sigaddset(&ours, SIGCHLD);
	sigaddset(&ours, KEEPER_DIED);
	s->signals = signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s->signals < 0)
		return false;
	s->orphan = getppid() != keeper;
	serve(s);
	close(s->signals);
	return s->orphan && !s->alone;
}

static bool daemon_gone(const struct serving *s)
{
	struct pollfd p = {.fd = s->fd};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* Starts the server, again whenever it dies, until the daemon is gone. */
static void keep(struct serving *s)
{
	int status;
	pid_t pid, keeper = getpid();

	prctl(PR_SET_NAME, "ph-keeper", 0, 0, 0);
	while (!daemon_gone(s)) {
		pid = fork();
		if (pid == 0) {
			if (!serve_under(s, keeper))
				_exit(0);
			log_warn("spawner.keeper", kv_str("state", "died"));
			s->orphan = false;
			keep(s);
			return;
		}
		if (pid > 0 && waitpid(pid, &status, 0) == pid &&
		    !daemon_gone(s))
			log_warn("spawner.died", kv_int("status", status));
		poll(NULL, 0, daemon_gone(s) ? 0 : AGAIN_MS);
	}
}

static void live(struct serving *s)
{
	set_signals();
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	keep(s);
}

/* ---- the daemon's side ---- */

struct spawner *spawner_new(const char *program, int limit_ms, int grace_ms,
    void (*shut_in)(void), struct error *err)
{
	struct serving serving = {.program = program, .limit_ms = limit_ms,
	    .grace_ms = grace_ms};
	struct spawner *s;
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		error_sys(err, errno, "socketpair");
		return NULL;
	}
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		serving.fd = fds[1];
		if (shut_in != NULL)
			shut_in();
		live(&serving);
		_exit(0);
	}
	close(fds[1]);
	if (pid < 0) {
		error_sys(err, errno, "fork");
		close(fds[0]);
		return NULL;
	}
	s = NEW(struct spawner);
	s->fd = fds[0];
	return s;
}

bool spawner_run(struct spawner *s, const char *arg, struct slice input)
{
	char m[MESSAGE_BYTES];
	size_t n = strlen(arg) + 1;

	if (!arg_ok(arg) || input.n > SPAWNER_INPUT_MAX)
		return false;
	memcpy(m, arg, n);
	memcpy(m + n, input.p, input.n);
	return send(s->fd, m, n + input.n, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

void spawner_free(struct spawner *s)
{
	if (s == NULL)
		return;
	close(s->fd);
	mem_free(s);
}
