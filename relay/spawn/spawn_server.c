/* SPDX-License-Identifier: ISC
 *
 * The spawner's processes. There are two, since the daemon cannot start
 * another: one serves, the other, the keeper, starts it again when it dies.
 * When the keeper dies the one that serves takes its place and starts a new
 * server.
 *
 * Nothing outlives them. Programs are killed as groups. The groups are in
 * memory that both processes share: of a server that was killed the keeper
 * ends them. It is also the parent of processes that a program leaves behind,
 * so none stays as a zombie.
 */
#include "relay/spawn/spawn_int.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/thread.h"

enum {
	KEEPER_DIED = SIGUSR2,
	AGAIN_MS = 100, /* before a server that soon died is started again */
	SOON_MS = 1000,
	RUNNING_MAX = 1 + 8 + 512, /* the sum of spawn_lanes */
};

struct running {
	pid_t pid; /* 0: this place is free */
	const struct spawn_program *program;
	int control;	/* -1: none, or the daemon has closed it */
	int64_t end_ms; /* … then it is killed */
	bool late, asked; /* it was killed: at its limit, on request */
};

struct serving {
	const struct spawner_config *c;
	const int *lane;
	int signals;
	_Atomic pid_t *group; /* RUNNING_MAX; shared with the keeper */
	struct running run[RUNNING_MAX];
	unsigned runs[LANES];
	bool alone;  /* the daemon is gone */
	bool orphan; /* the keeper is gone */
};

static int64_t now_ms(void)
{
	return clock_mono_ms(&clock_system);
}

/* ---- programs ---- */

static void tell_end(const struct running *r, int status)
{
	if (r->asked || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
		return;
	log_warn("spawner.program", kv_str("program", r->program->path),
	    kv_str("ended", r->late		  ? "at its limit"
			    : WIFSIGNALED(status) ? "by a signal"
						  : "by itself"),
	    kv_int(WIFSIGNALED(status) ? "signal" : "exit",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)));
}

static void report(struct running *r, int status)
{
	struct spawn_report report = {.status = status, .late = r->late};

	if (r->control < 0)
		return;
	if (send(r->control, &report, sizeof(report),
		MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("spawner.report",
		    kv_str("program", r->program->path));
	close(r->control);
}

/* Processes that the program left in its group end too, while the number of
 * the group is still its own. */
static void reap(struct serving *s, unsigned at, int options)
{
	struct running *r = &s->run[at];
	siginfo_t info = {0};
	int status;

	if (waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOWAIT | options) <
		0 ||
	    info.si_pid == 0)
		return;
	kill(-r->pid, SIGKILL);
	atomic_store(&s->group[at], 0);
	if (waitpid(r->pid, &status, 0) == r->pid) {
		tell_end(r, status);
		report(r, status);
	}
	s->runs[r->program->lane]--;
	*r = (struct running){0};
}

static void kill_group(struct running *r)
{
	kill(-r->pid, SIGKILL);
	r->end_ms = INT64_MAX; /* once */
}

static void end_all(struct serving *s)
{
	for (unsigned i = 0; i < RUNNING_MAX; i++)
		if (s->run[i].pid != 0) {
			s->run[i].asked = true;
			kill_group(&s->run[i]);
			reap(s, i, 0);
		}
}

/* ---- requests ---- */

static void start(struct serving *s, struct spawning *what, int control)
{
	unsigned at = 0;
	struct running *r;
	int limit_ms = what->program->limit_ms;

	while (s->run[at].pid != 0) /* spawn_lanes has made sure of a place */
		at++;
	r = &s->run[at];
	what->group = &s->group[at];
	*r = (struct running){.pid = spawn_program_start(what),
	    .program = what->program, .control = control,
	    .end_ms = limit_ms > 0 ? now_ms() + limit_ms : INT64_MAX};
	if (r->pid > 0) {
		s->runs[what->program->lane]++;
		return;
	}
	if (control >= 0)
		close(control);
	*r = (struct running){0};
}

static int next_fd(unsigned *with, unsigned bit, const int **fd)
{
	if ((*with & bit) == 0)
		return -1;
	*with &= ~bit;
	return *(*fd)++;
}

/* Closed while it waited. */
static bool given_up(int control)
{
	struct pollfd p = {.fd = control};

	return control >= 0 && poll(&p, 1, 0) > 0;
}

static const struct spawn_program *program_of(const struct serving *s,
    enum spawn_lane lane, const struct spawn_message *m)
{
	const struct spawn_program *p;

	if (m->row >= SPAWN_ROWS || !spawn_arg_ok(m->arg))
		return NULL;
	p = &s->c->program[m->row];
	return p->path != NULL && p->lane == lane ? p : NULL;
}

/* A message of our own daemon, which an intruder may have taken over: what is
 * wrong with it is passed over, and its descriptors are closed. */
static void take_message(struct serving *s, enum spawn_lane lane,
    struct spawn_message *m, size_t n, const int *fd)
{
	struct spawning what = {.message = m};
	unsigned with = m->with;
	int control;

	what.in = next_fd(&with, WITH_INPUT, &fd);
	what.out = next_fd(&with, WITH_OUTPUT, &fd);
	control = next_fd(&with, WITH_CONTROL, &fd);
	m->arg[SPAWNER_ARG_MAX] = '\0';
	what.program = program_of(s, lane, m);
	if (what.program != NULL && !given_up(control)) {
		what.input = slice_of(m->input, n - MESSAGE_HEAD);
		start(s, &what, control);
	} else if (control >= 0) {
		close(control);
	}
	if (what.in >= 0)
		close(what.in);
	if (what.out >= 0)
		close(what.out);
}

/* As many descriptors as may come: what is padding for the sender is room for
 * the kernel. */
union fds_room {
	char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	struct cmsghdr align;
};

enum { FDS_ROOM = (sizeof(union fds_room) - CMSG_LEN(0)) / sizeof(int) };

/* Their number. */
static int fds_of(struct msghdr *h, int fd[FDS_ROOM])
{
	struct cmsghdr *c = CMSG_FIRSTHDR(h);
	size_t n;

	if (c == NULL || c->cmsg_level != SOL_SOCKET ||
	    c->cmsg_type != SCM_RIGHTS)
		return 0;
	n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fd, CMSG_DATA(c), n * sizeof(int));
	return (int)n;
}

static void take(struct serving *s, enum spawn_lane lane)
{
	union fds_room control;
	struct spawn_message m;
	struct iovec io = {.iov_base = &m, .iov_len = sizeof(m)};
	struct msghdr h = {.msg_iov = &io, .msg_iovlen = 1,
	    .msg_control = &control, .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(s->lane[lane], &h,
	    MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fd[FDS_ROOM], fds = n < 0 ? 0 : fds_of(&h, fd);

	if (n <= 0) {
		s->alone = n == 0 || (errno != EINTR && errno != EAGAIN);
		return;
	}
	if (n >= MESSAGE_HEAD &&
	    (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
	    m.with < 1 << FDS_MAX && __builtin_popcount(m.with) == fds) {
		take_message(s, lane, &m, (size_t)n, fd);
		return;
	}
	for (int i = 0; i < fds; i++)
		close(fd[i]);
}

/* ---- the loop ---- */

static void drain_signals(struct serving *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) > 0)
		if ((int)info.ssi_signo == KEEPER_DIED)
			s->orphan = true;
}

/* Programs may end by themselves for so long; helpers go on meanwhile. */
static void give_grace(struct serving *s)
{
	int64_t end = now_ms() + s->c->grace_ms;

	for (unsigned i = 0; i < RUNNING_MAX; i++)
		if (s->run[i].pid != 0 && s->run[i].end_ms > end)
			s->run[i].end_ms = end;
}

static bool is_leaving(const struct serving *s)
{
	return s->alone || s->orphan;
}

static bool has_work(const struct serving *s)
{
	return s->runs[LANE_ALARM] + s->runs[LANE_HOOK] > 0;
}

struct polled {
	struct pollfd p[1 + LANES + RUNNING_MAX];
	unsigned run[RUNNING_MAX]; /* whose control it is */
	unsigned controls;
	int wait_ms;
};

/* Of a socket that is not read poll() still tells the end. */
static void prepare(const struct serving *s, struct polled *w)
{
	int64_t left = INT64_MAX, now = now_ms();

	w->p[0] = (struct pollfd){.fd = s->signals, .events = POLLIN};
	for (int i = 0; i < LANES; i++)
		w->p[1 + i] = (struct pollfd){
		    .fd = s->alone ? -1 : s->lane[i],
		    .events = !s->orphan && s->runs[i] < spawn_lanes[i]
				  ? POLLIN : 0};
	w->controls = 0;
	for (unsigned i = 0; i < RUNNING_MAX; i++) {
		const struct running *r = &s->run[i];

		if (r->pid == 0)
			continue;
		if (r->end_ms != INT64_MAX && r->end_ms - now < left)
			left = r->end_ms > now ? r->end_ms - now : 0;
		if (r->control < 0)
			continue;
		w->p[1 + LANES + w->controls] = (struct pollfd){
		    .fd = r->control};
		w->run[w->controls++] = i;
	}
	w->wait_ms = left == INT64_MAX ? -1 : (int)left;
}

static void look_at_controls(struct serving *s, const struct polled *w)
{
	for (unsigned i = 0; i < w->controls; i++) {
		struct running *r = &s->run[w->run[i]];

		if (w->p[1 + LANES + i].revents == 0)
			continue;
		close(r->control);
		r->control = -1;
		r->asked = true;
		kill_group(r);
	}
}

static void look_at_programs(struct serving *s)
{
	int64_t now = now_ms();

	for (unsigned i = 0; i < RUNNING_MAX; i++) {
		struct running *r = &s->run[i];

		if (r->pid != 0 && now >= r->end_ms) {
			r->late = true;
			kill_group(r);
		}
		if (r->pid != 0)
			reap(s, i, WNOHANG);
	}
}

static void look_at_lanes(struct serving *s, const struct polled *w)
{
	for (int i = 0; i < LANES && !s->alone; i++) {
		short got = w->p[1 + i].revents;

		if ((got & (POLLHUP | POLLERR)) != 0)
			s->alone = true;
		else if ((got & POLLIN) != 0 && !s->orphan)
			take(s, i);
	}
}

/* Returns when the daemon is gone, or the keeper, and nothing runs. */
static void serve(struct serving *s)
{
	struct polled w;
	bool left = false;

	while (!is_leaving(s) || has_work(s)) {
		if (is_leaving(s) && !left) {
			left = true;
			give_grace(s);
		}
		prepare(s, &w);
		if (poll(w.p, 1 + LANES + w.controls, w.wait_ms) < 0 &&
		    errno != EINTR)
			_exit(1); /* the keeper starts another */
		drain_signals(s);
		look_at_controls(s, &w);
		look_at_lanes(s, &w);
		look_at_programs(s);
	}
	end_all(s);
}

/* ---- the two processes ---- */

/* Signals that end the daemon are not for us: it tells by going away. */
static void set_signals(sigset_t *ours_out)
{
	static const int not_ours[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1,
	    SIGPIPE, SIGQUIT};

	for (size_t i = 0; i < ARRAY_LEN(not_ours); i++)
		signal(not_ours[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* ignored, no end would be told */
	sigemptyset(ours_out);
	sigaddset(ours_out, SIGCHLD);
	sigaddset(ours_out, KEEPER_DIED);
	sigprocmask(SIG_BLOCK, ours_out, NULL);
}

/* True: the keeper is gone, and this process is the keeper now. */
static bool serve_under(struct serving *s, pid_t keeper, const sigset_t *ours)
{
	thread_name("ph-spawner");
	prctl(PR_SET_PDEATHSIG, KEEPER_DIED);
	s->signals = signalfd(-1, ours, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s->signals < 0)
		return false;
	s->orphan = getppid() != keeper;
	serve(s);
	close(s->signals);
	return s->orphan && !s->alone;
}

static bool daemon_gone(const struct serving *s)
{
	struct pollfd p = {.fd = s->lane[0]};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* The programs of a server that died, whose leaders have become this
 * process's children: no number is another process's before they are waited
 * for. */
static void end_groups(struct serving *s)
{
	for (unsigned i = 0; i < RUNNING_MAX; i++) {
		pid_t pid = atomic_exchange(&s->group[i], 0);

		if (pid > 0)
			kill(-pid, SIGKILL);
	}
}

/* Until the server has ended; others are left behind by its programs. */
static void wait_for(const struct serving *s, pid_t server)
{
	int status;
	pid_t pid;

	do
		pid = waitpid(-1, &status, 0);
	while (pid != server && (pid > 0 || errno == EINTR));
	if (!daemon_gone(s))
		log_warn("spawner.died", kv_int("status", status));
}

/* Starts the server, again whenever it dies, until the daemon is gone. True:
 * in the server, when it is to be the keeper. */
static bool keep(struct serving *s, const sigset_t *ours)
{
	pid_t pid, keeper = getpid();
	int64_t began;

	thread_name("ph-keeper");
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	while (!daemon_gone(s)) {
		began = now_ms();
		pid = fork();
		if (pid == 0) {
			if (serve_under(s, keeper, ours))
				return true;
			_exit(0);
		}
		if (pid > 0)
			wait_for(s, pid);
		end_groups(s);
		if (!daemon_gone(s) && now_ms() - began < SOON_MS)
			poll(NULL, 0, AGAIN_MS);
	}
	return false;
}

void spawn_keep(const struct spawner_config *c, const int lane[LANES])
{
	struct serving s = {.c = c, .lane = lane};
	sigset_t ours;

	s.group = mmap(NULL, sizeof(*s.group) * RUNNING_MAX,
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s.group == MAP_FAILED) {
		log_error("spawner.memory", kv_int("errno", errno));
		return;
	}
	set_signals(&ours);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	while (keep(&s, &ours)) {
		log_warn("spawner.keeper", kv_str("state", "died"));
		s.orphan = false;
	}
}
