/* SPDX-License-Identifier: ISC
 *
 * The acts that the sandbox refuses, and those that it must allow. Each case
 * runs in a child of its own, because there is no way out of a sandbox.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/assert.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/daemon/sandbox.h"

static const char *const folders[] = {"spool", "audit", "table", "log", "run",
    "outside"};
static char home[] = "/tmp/posthouse-sandbox-XXXXXX";

/* A path below `home`; lives until the process makes eight more. */
static char *at(const char *name)
{
	static char text[8][200];
	static unsigned n;
	char *t = text[n++ % ARRAY_LEN(text)];

	snprintf(t, sizeof(text[0]), "%s/%s", home, name);
	return t;
}

static struct conf *conf(void)
{
	struct conf *c = NEW(struct conf);

	c->sandbox = true;
	c->spool.path = mem_strdup(at("spool"));
	c->audit.path = mem_strdup(at("audit"));
	c->table.path = mem_strdup(at("table/cutover.db"));
	c->audit.events = mem_strdup(at("log/events.jsonl"));
	c->log.file = mem_strdup("");
	c->control.socket = mem_strdup(at("run/control.sock"));
	return c;
}

/* ---- what is tried; 0 when it worked, else errno ---- */

static int run_a_program(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return errno;
}

static int run_a_program_by_its_descriptor(void)
{
	char *const none[] = {NULL};
	int fd = open("/bin/true", O_PATH);

	syscall(SYS_execveat, fd, "", none, none, AT_EMPTY_PATH);
	return errno;
}

static int become_two(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

static int be_traced(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : errno;
}

static int read_the_parents_memory(void)
{
	return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0,
	    0) == 0 ? 0 : errno;
}

static int mount_something(void)
{
	return mount("none", at("outside"), "tmpfs", 0, "") == 0 ? 0 : errno;
}

static int leave_the_namespace(void)
{
	return unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
}

static int count_events(void)
{
	struct perf_event_attr a = {.size = sizeof(a)};

	return syscall(SYS_perf_event_open, &a, 0, -1, -1, 0) >= 0 ? 0 : errno;
}

static int type_into_the_terminal(void)
{
	return ioctl(0, TIOCSTI, "x") == 0 ? 0 : errno;
}

static int map(int prot)
{
	void *p = mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED ? 0 : errno;
}

static int map_data(void)
{
	return map(PROT_READ | PROT_WRITE);
}

static int map_data_that_runs(void)
{
	return map(PROT_READ | PROT_WRITE | PROT_EXEC);
}

static int make_data_run(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0 ? 0 : errno;
}

static int have_socket(int family, int type)
{
	return socket(family, type, 0) >= 0 ? 0 : errno;
}

static int packet_socket(void)
{
	return have_socket(AF_PACKET, SOCK_RAW);
}

static int vsock_socket(void)
{
	return have_socket(AF_VSOCK, SOCK_STREAM);
}

static int kernel_crypto_socket(void)
{
	return have_socket(AF_ALG, SOCK_SEQPACKET);
}

static int good_sockets(void)
{
	int no = have_socket(AF_INET, SOCK_STREAM);

	no = no != 0 ? no : have_socket(AF_INET, SOCK_DGRAM);
	no = no != 0 ? no : have_socket(AF_UNIX, SOCK_STREAM);
	no = no != 0 ? no : have_socket(AF_NETLINK, SOCK_RAW);
	/* A kernel without IPv6 has none to give. */
	return no != 0 || access("/proc/net/if_inet6", F_OK) != 0
		   ? no
		   : have_socket(AF_INET6, SOCK_STREAM);
}

/* A socket made by a thread that was there before, which the filter must
 * reach, and one made after, which it must let through. */
static struct {
	pthread_t thread;
	pthread_barrier_t gate;
} early;

static void *early_thread(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&early.gate);
	return (void *)(intptr_t)packet_socket();
}

static int packet_socket_of_an_early_thread(void)
{
	void *no;

	pthread_barrier_wait(&early.gate);
	pthread_join(early.thread, &no);
	return (int)(intptr_t)no;
}

static void *late_thread(void *arg)
{
	return arg;
}

static int a_late_thread(void)
{
	pthread_t t;
	int no = pthread_create(&t, NULL, late_thread, NULL);

	return no == 0 ? pthread_join(t, NULL) : no;
}

static int create(const char *name)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	return write(fd, "x", 1) == 1 && close(fd) == 0 ? 0 : errno;
}

static int keep_files(void)
{
	static const char *const where[] = {"spool", "audit", "table"};
	char from[60], to[60];
	int no = 0;

	for (size_t i = 0; no == 0 && i < ARRAY_LEN(where); i++) {
		snprintf(from, sizeof(from), "%s/from", where[i]);
		snprintf(to, sizeof(to), "%s/to", where[i]);
		no = create(from);
		if (no == 0 && (rename(at(from), at(to)) != 0 ||
				   truncate(at(to), 0) != 0 ||
				   unlink(at(to)) != 0))
			no = errno;
	}
	return no;
}

static int create_a_log(void)
{
	return create("log/new.jsonl");
}

static int remove_a_log(void)
{
	return unlink(at("log/old.jsonl")) == 0 ? 0 : errno;
}

static int create_outside(void)
{
	return create("outside/new");
}

static int overwrite_outside(void)
{
	return open(at("outside/there"), O_WRONLY) >= 0 ? 0 : errno;
}

static int remove_outside(void)
{
	return unlink(at("outside/there")) == 0 ? 0 : errno;
}

static int move_outside(void)
{
	int no = create("spool/leaves");

	if (no != 0)
		return no;
	return rename(at("spool/leaves"), at("outside/new")) == 0 ? 0 : errno;
}

static int read_outside(void)
{
	return open(at("outside/there"), O_RDONLY) >= 0 ? 0 : errno;
}

static int bind_at(const char *name)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", at(name));
	return bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 ? 0 : errno;
}

static int bind_the_control_socket(void)
{
	int no = bind_at("run/control.sock");

	if (no == 0 && unlink(at("run/control.sock")) != 0)
		return errno;
	return no;
}

static int bind_outside(void)
{
	return bind_at("outside/sock");
}

/* More than a cache of one page holds, put into a file without a name. */
static int let_sqlite_spill(void)
{
	static const char sql[] =
	    "PRAGMA temp_store = FILE; PRAGMA cache_size = 1;"
	    "CREATE TEMP TABLE t(x);"
	    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
	    " WHERE i < 2000) INSERT INTO t SELECT randomblob(500) FROM n;"
	    "CREATE INDEX temp.ti ON t(x);";
	sqlite3 *db;
	int no = 0;

	if (sqlite3_open(at("table/cutover.db"), &db) != SQLITE_OK ||
	    sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		fprintf(stderr, "%s\n", sqlite3_errmsg(db));
		no = EIO;
	}
	sqlite3_close(db);
	return no;
}

/* Code that an intruder brought along: in a file of the spool, or in one that
 * has no name. */
static int map_a_file_that_runs(void)
{
	int fd = open(at("spool/code"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, 4096) != 0)
		return errno;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) !=
		       MAP_FAILED ? 0 : errno;
}

static int have_a_file_without_a_name(void)
{
	return syscall(SYS_memfd_create, "code", 0) >= 0 ? 0 : errno;
}

/* The kernel writes there whatever the protection of the page is. */
static int write_code_by_proc(void)
{
	return open("/proc/self/mem", O_RDWR | O_CLOEXEC) >= 0 ? 0 : errno;
}

static int give_a_file_away(void)
{
	return chown(at("outside/there"), 1, 1) == 0 ? 0 : errno;
}

/* Bits of the capabilities that are left but for the one that may be. */
static int have_capabilities(void)
{
	struct __user_cap_header_struct h = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) != 0)
		return errno;
	d[0].permitted &= ~(1U << CAP_NET_BIND_SERVICE);
	return (d[0].permitted | d[1].permitted | d[0].inheritable |
		   d[1].inheritable) == 0 &&
		       (geteuid() != 0 || prctl(PR_CAPBSET_READ,
					      CAP_SYS_ADMIN, 0, 0, 0) == 0)
		   ? EPERM : 0;
}

static int know_users(void)
{
	return getpwuid(0) != NULL && getpwnam("nobody-of-that-name") == NULL
		   ? 0 : ENOENT;
}

static int load_a_library(void)
{
	return dlopen("libresolv.so.2", RTLD_NOW) != NULL ? 0 : ENOENT;
}

static int dump_core(void)
{
	return prctl(PR_GET_DUMPABLE) != 0 ? 0 : EPERM;
}

static int gain_privileges(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ? 0 : EPERM;
}

/* ---- what comes of it ---- */

enum need { ANY_BUILD, NOT_SANITIZED, LANDLOCK };

/* clang-format off */
static const struct attempt {
	const char *name;
	int (*try)(void);
	int errno_, signal; /* 0: it works */
	enum need need;
} attempts[] = {
	{ "run a program",        run_a_program,                    0, SIGSYS,   NOT_SANITIZED },
	{ "run a descriptor",     run_a_program_by_its_descriptor,  0, SIGSYS,   NOT_SANITIZED },
	{ "fork",                 become_two,                       EPERM, 0,    NOT_SANITIZED },
	{ "be traced",            be_traced,                        0, SIGSYS,   NOT_SANITIZED },
	{ "read another's memory", read_the_parents_memory,         0, SIGSYS,   ANY_BUILD },
	{ "mount",                mount_something,                  0, SIGSYS,   ANY_BUILD },
	{ "new user namespace",   leave_the_namespace,              0, SIGSYS,   ANY_BUILD },
	{ "perf_event_open",      count_events,                     EPERM, 0,    ANY_BUILD },
	{ "TIOCSTI",              type_into_the_terminal,           EPERM, 0,    ANY_BUILD },
	{ "map data",             map_data,                         0, 0,        ANY_BUILD },
	{ "map data that runs",   map_data_that_runs,               EPERM, 0,    ANY_BUILD },
	{ "make data run",        make_data_run,                    EPERM, 0,    ANY_BUILD },
	{ "AF_PACKET",            packet_socket,                    EAFNOSUPPORT, 0, ANY_BUILD },
	{ "AF_PACKET, other thread", packet_socket_of_an_early_thread, EAFNOSUPPORT, 0, ANY_BUILD },
	{ "AF_VSOCK",             vsock_socket,                     EAFNOSUPPORT, 0, ANY_BUILD },
	{ "AF_ALG",               kernel_crypto_socket,             EAFNOSUPPORT, 0, ANY_BUILD },
	{ "sockets of mail",      good_sockets,                     0, 0,        ANY_BUILD },
	{ "a thread",             a_late_thread,                    0, 0,        ANY_BUILD },
	{ "a file as code",       map_a_file_that_runs,             EPERM, 0,    NOT_SANITIZED },
	{ "a file without a name", have_a_file_without_a_name,      EPERM, 0,    NOT_SANITIZED },
	{ "code by /proc",        write_code_by_proc,               EACCES, 0,   LANDLOCK },
	{ "give a file away",     give_a_file_away,                 EPERM, 0,    ANY_BUILD },
	{ "capabilities",         have_capabilities,                EPERM, 0,    ANY_BUILD },
	{ "names of users",       know_users,                       0, 0,        ANY_BUILD },
	{ "a library",            load_a_library,                   ENOENT, 0,   NOT_SANITIZED },
	{ "core dump",            dump_core,                        EPERM, 0,    NOT_SANITIZED },
	{ "new privileges",       gain_privileges,                  EPERM, 0,    ANY_BUILD },
	{ "keep files",           keep_files,                       0, 0,        ANY_BUILD },
	{ "create a log",         create_a_log,                     0, 0,        ANY_BUILD },
	{ "remove a log",         remove_a_log,                     EACCES, 0,   LANDLOCK },
	{ "create outside",       create_outside,                   EACCES, 0,   LANDLOCK },
	{ "overwrite outside",    overwrite_outside,                EACCES, 0,   LANDLOCK },
	{ "remove outside",       remove_outside,                   EACCES, 0,   LANDLOCK },
	{ "move outside",         move_outside,                     EACCES, 0,   LANDLOCK },
	{ "read outside",         read_outside,                     0, 0,        ANY_BUILD },
	{ "bind control",         bind_the_control_socket,          0, 0,        ANY_BUILD },
	{ "bind outside",         bind_outside,                     EACCES, 0,   LANDLOCK },
	{ "SQLite spills",        let_sqlite_spill,                 0, 0,        ANY_BUILD },
};
/* clang-format on */

static bool possible(enum need need)
{
	if (need == NOT_SANITIZED)
		return !PH_SANITIZED;
	return need != LANDLOCK ||
	       syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

static void child(const struct attempt *a)
{
	struct conf *c = conf();
	struct sandbox s;

	pthread_barrier_init(&early.gate, NULL, 2);
	pthread_create(&early.thread, NULL, early_thread, NULL);
	sandbox_prepare(c);
	s = sandbox_enter(c);
	_exit(s.filter ? a->try() : 255);
}

static int ends_with(const struct attempt *a)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		child(a);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void only_what_mail_needs_is_left(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
		const struct attempt *a = &attempts[i];
		int status;

		print_message("%s\n", a->name);
		if (!possible(a->need)) {
			print_message("  skipped: not in this build, or no "
				      "Landlock here\n");
			continue;
		}
		status = ends_with(a);
		if (a->signal != 0) {
			assert_true(WIFSIGNALED(status));
			assert_int_equal(WTERMSIG(status), a->signal);
			continue;
		}
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), a->errno_);
	}
}

/* The process that starts programs does that and no more, and so do they. */
static void the_spawner_and_its_programs_have_a_filter_too(void **state)
{
	/* clang-format off */
	static const struct {
		const char *name;
		int (*try)(void);
		int errno_;
	} cases[] = {
		{ "fork",               become_two,           0            },
		{ "run a program",      run_a_program,        0            },
		{ "make data run",      make_data_run,        0            },
		{ "mount",              mount_something,      EPERM        },
		{ "new user namespace", leave_the_namespace,  EPERM        },
		{ "perf_event_open",    count_events,         EPERM        },
		{ "AF_PACKET",          packet_socket,        EAFNOSUPPORT },
		{ "AF_ALG",             kernel_crypto_socket, EAFNOSUPPORT },
		{ "give a file away",   give_a_file_away,     EPERM        },
		{ "capabilities",       have_capabilities,    EPERM        },
		{ "new privileges",     gain_privileges,      EPERM        },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		pid_t pid = fork();
		int status;

		print_message("%s\n", cases[i].name);
		assert_true(pid >= 0);
		if (pid == 0) {
			sandbox_enter_spawner();
			_exit(cases[i].try());
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), cases[i].errno_);
	}
}

/* Returns what the sandboxed child left in its log. */
static const char *log_of_a_failed_assertion(void)
{
	static char text[2000];
	int fd = open(at("log/assert"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int status;
	ssize_t n;
	pid_t pid;

	assert_true(fd >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		log_setup(fd, LOG_LV_ERROR, &clock_system);
		if (sandbox_enter(conf()).filter)
			PH_ASSERT(strcmp(home, "") == 0);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	n = pread(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	close(fd);
	return text;
}

/* The filter lets the signal through, and the line is in the log. */
static void a_failed_assertion_ends_the_sandboxed_process(void **state)
{
	const char *text = log_of_a_failed_assertion();

	(void)state;
	assert_non_null(strstr(text, " error assert.failed at=tests/unit/"
				     "test_sandbox.c:"));
	assert_non_null(strstr(text, "strcmp(home"));
}

static void without_a_sandbox_nothing_is_refused(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		struct conf *c = conf();

		c->sandbox = false;
		sandbox_enter(c);
		_exit(create_outside() != 0 || become_two() != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int make_home(void **state)
{
	(void)state;
	log_setup(2, LOG_LV_WARN, &clock_system);
	if (mkdtemp(home) == NULL)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (mkdir(at(folders[i]), 0700) != 0)
			return -1;
	return create("outside/there") + create("log/old.jsonl");
}

static int remove_one(const char *path, const struct stat *st, int type,
    struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static int remove_home(void **state)
{
	(void)state;
	return nftw(home, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_mail_needs_is_left),
	    cmocka_unit_test(the_spawner_and_its_programs_have_a_filter_too),
	    cmocka_unit_test(a_failed_assertion_ends_the_sandboxed_process),
	    cmocka_unit_test(without_a_sandbox_nothing_is_refused),
	};

	return cmocka_run_group_tests(tests, make_home, remove_home);
}
