/* SPDX-License-Identifier: ISC
 *
 * seccomp (libseccomp) and Landlock (no library in Debian 12, so its three
 * system calls as they are). The filter allows what it does not know: a
 * library that learns a new call must not cost mail. What it refuses is the
 * table below: the ways to another program, another process's memory, more
 * privileges, and the corners of the kernel where most of its holes were.
 * Landlock guards writing alone; certificates, zone files and resolv.conf
 * may be anywhere, and are read again at a reload.
 *
 * A program that a sanitizer is built into keeps what that needs: it looks
 * for leaks by ptrace from a process of its own, and starts a symbolizer.
 */
#include "relay/daemon/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/daemon/places.h"
#include "relay/daemon/privileges.h"

/* ---- system calls ---- */

enum answer {
	KILL,   /* no code of ours or of a library's asks for it */
	REFUSE, /* a library may try, and goes on without        */
	ABSENT, /* and goes on with the older one                */
};

/* Bits. DAEMON: not for the spawner, which exists to start programs; they
 * inherit its filter, and some make code as they run. */
enum { ALWAYS = 0, UNLESS_SANITIZED = 1, DAEMON = 2 };


/* clang-format off */
static const struct denied {
	int call;
	enum answer answer;
	int unless;
	unsigned arg; /* of the call, when `mask` is not 0:       */
	uint64_t mask, is; /* only if (arg & mask) == is          */
} denied[] = {
	/* Another program. */
	{ SCMP_SYS(execve),            KILL,   UNLESS_SANITIZED | DAEMON, 0, 0, 0 },
	{ SCMP_SYS(execveat),          KILL,   UNLESS_SANITIZED | DAEMON, 0, 0, 0 },
	/* Another process; threads are made by clone(2) and remain. The flags
	 * of clone3(2) cannot be seen here, so libc has to do without it. */
	{ SCMP_SYS(fork),              REFUSE, UNLESS_SANITIZED | DAEMON, 0, 0, 0 },
	{ SCMP_SYS(vfork),             REFUSE, UNLESS_SANITIZED | DAEMON, 0, 0, 0 },
	{ SCMP_SYS(clone3),            ABSENT, UNLESS_SANITIZED | DAEMON, 0, 0, 0 },
#ifndef __s390__ /* where arguments come in another order */
	{ SCMP_SYS(clone),             REFUSE, UNLESS_SANITIZED | DAEMON, 0, CLONE_THREAD, 0 },
	/* Code that was not there at the start, wherever it comes from: memory,
	 * a file of the spool, one without a name. Libraries that are loaded
	 * late are loaded before (load_libraries()). */
	{ SCMP_SYS(mmap),              REFUSE, UNLESS_SANITIZED | DAEMON, 2, PROT_EXEC, PROT_EXEC },
	{ SCMP_SYS(mmap2),             REFUSE, UNLESS_SANITIZED | DAEMON, 2, PROT_EXEC, PROT_EXEC },
	{ SCMP_SYS(mmap),              REFUSE, DAEMON, 2, PROT_WRITE | PROT_EXEC,
	                                                  PROT_WRITE | PROT_EXEC },
#endif
	{ SCMP_SYS(memfd_create),      REFUSE, UNLESS_SANITIZED | DAEMON, 0, 0, 0 },
	{ SCMP_SYS(mprotect),          REFUSE, DAEMON, 2, PROT_EXEC, PROT_EXEC },
	{ SCMP_SYS(pkey_mprotect),     REFUSE, DAEMON, 2, PROT_EXEC, PROT_EXEC },
	{ SCMP_SYS(shmat),             REFUSE, DAEMON, 2, SHM_EXEC, SHM_EXEC },
	/* The memory and the files of other processes. */
	{ SCMP_SYS(ptrace),            KILL,   UNLESS_SANITIZED, 0, 0, 0 },
	{ SCMP_SYS(process_vm_readv),  KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(process_vm_writev), KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(process_madvise),   KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(pidfd_getfd),       KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(kcmp),              REFUSE, ALWAYS, 0, 0, 0 },
	/* The shape of the file system. */
	{ SCMP_SYS(mount),             KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(umount),            KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(umount2),           KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(mount_setattr),     KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(move_mount),        KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(open_tree),         KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(fsopen),            KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(fsconfig),          KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(fsmount),           KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(fspick),            KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(pivot_root),        KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(chroot),            KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(open_by_handle_at), KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(quotactl),          REFUSE, ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(quotactl_fd),       REFUSE, ALWAYS, 0, 0, 0 },
	/* Namespaces: an ordinary user's way to root's code in the kernel. */
	{ SCMP_SYS(setns),             KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(unshare),           KILL,   ALWAYS, 0, 0, 0 },
	/* Another kernel, or more of it. */
	{ SCMP_SYS(kexec_load),        KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(kexec_file_load),   KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(init_module),       KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(finit_module),      KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(delete_module),     KILL,   ALWAYS, 0, 0, 0 },
	/* The machine. */
	{ SCMP_SYS(reboot),            KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(swapon),            KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(swapoff),           KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(acct),              KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(iopl),              KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(ioperm),            KILL,   ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(sethostname),       REFUSE, ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(setdomainname),     REFUSE, ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(settimeofday),      REFUSE, ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(clock_settime),     REFUSE, ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(syslog),            REFUSE, ALWAYS, 0, 0, 0 },
	/* Large, seldom used and often broken parts of the kernel. io_uring
	 * also does what this filter would refuse. */
	{ SCMP_SYS(bpf),               REFUSE, ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(io_uring_setup),    REFUSE, ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(perf_event_open),   REFUSE, ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(userfaultfd),       REFUSE, ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(keyctl),            REFUSE, ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(add_key),           REFUSE, ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(request_key),       REFUSE, ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(modify_ldt),        REFUSE, ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(uselib),            REFUSE, ALWAYS, 0, 0, 0 },
	{ SCMP_SYS(personality),       REFUSE, UNLESS_SANITIZED, 0, 0, 0 },
	/* Typing into the terminal that we were started from. */
	{ SCMP_SYS(ioctl),             REFUSE, ALWAYS, 1, UINT32_MAX, TIOCSTI },
	{ SCMP_SYS(ioctl),             REFUSE, ALWAYS, 1, UINT32_MAX, TIOCLINUX },
};
/* clang-format on */

/* SMTP, DNS and control; netlink is how libc lists our addresses. */
static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

static uint32_t action(enum answer a)
{
	switch (a) {
	case KILL:
		return SCMP_ACT_KILL_PROCESS;
	case ABSENT:
		return SCMP_ACT_ERRNO(ENOSYS);
	default:
		return SCMP_ACT_ERRNO(EPERM);
	}
}

/* A program that the spawner starts is refused what it may not; it may try. */
static int deny_calls(scmp_filter_ctx ctx, bool spawner)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(denied); i++) {
		const struct denied *d = &denied[i];
		struct scmp_arg_cmp only = {.arg = d->arg,
		    .op = SCMP_CMP_MASKED_EQ, .datum_a = d->mask,
		    .datum_b = d->is};

		if ((PH_SANITIZED && (d->unless & UNLESS_SANITIZED) != 0) ||
		    (spawner && (d->unless & DAEMON) != 0))
			continue;
		rc = seccomp_rule_add_array(ctx,
		    action(spawner ? REFUSE : d->answer), d->call,
		    d->mask != 0, &only);
	}
	return rc;
}

static bool family_wanted(int family)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (families[i] == family)
			return true;
	return false;
}

static int deny_socket(scmp_filter_ctx ctx, enum scmp_compare op, int family)
{
	struct scmp_arg_cmp of = {.arg = 0, .op = op,
	    .datum_a = (scmp_datum_t)family};

	return seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT),
	    SCMP_SYS(socket), 1, &of);
}

static int deny_families(scmp_filter_ctx ctx)
{
	int rc = deny_socket(ctx, SCMP_CMP_GT, AF_NETLINK);

	for (int i = 0; rc == 0 && i <= AF_NETLINK; i++)
		if (!family_wanted(i))
			rc = deny_socket(ctx, SCMP_CMP_EQ, i);
	return rc;
}

/* 0 or -errno. A thread that some library made gets the filter too. */
static int filter_calls(bool spawner)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc;

	if (ctx == NULL)
		return -ENOMEM;
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
	    SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (rc == 0)
		rc = deny_calls(ctx, spawner);
	if (rc == 0)
		rc = deny_families(ctx);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc;
}

/* ---- files ---- */

/* Missing in the header of Debian 12. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_SCOPE_SIGNAL
#define LANDLOCK_SCOPE_SIGNAL (1ULL << 1)
#endif

enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_IOCTL = 5, ABI_SCOPE = 6 };

/* A kernel that knows less takes it when the rest is 0. */
struct ruleset {
	uint64_t files, net, scope;
};

#define FS(right) LANDLOCK_ACCESS_FS_##right
#define MAY_ADD (FS(WRITE_FILE) | FS(TRUNCATE) | FS(MAKE_REG))
#define MAY_KEEP (MAY_ADD | FS(REMOVE_FILE))
#define MAY_BIND (FS(MAKE_SOCK) | FS(REMOVE_FILE))

static const uint64_t rights[] = {
	[PLACE_KEEP] = MAY_KEEP,
	[PLACE_ADD] = MAY_ADD,
	[PLACE_BIND] = MAY_BIND,
};

/* All that changes something, and running a program. The right to move a file
 * to another folder (REFER) is never given. */
static uint64_t guarded(int abi)
{
	uint64_t all = FS(WRITE_FILE) | FS(REMOVE_DIR) | FS(REMOVE_FILE) |
		       FS(MAKE_CHAR) | FS(MAKE_DIR) | FS(MAKE_REG) |
		       FS(MAKE_SOCK) | FS(MAKE_FIFO) | FS(MAKE_BLOCK) |
		       FS(MAKE_SYM);

	if (!PH_SANITIZED)
		all |= FS(EXECUTE);
	if (abi >= ABI_REFER)
		all |= FS(REFER);
	if (abi >= ABI_TRUNCATE)
		all |= FS(TRUNCATE);
	if (abi >= ABI_IOCTL)
		all |= FS(IOCTL_DEV);
	return all;
}

struct ruleset_part {
	int rules, abi;
};

/* Takes the folder. 0 or -errno. */
static int allow(const struct ruleset_part *r, char *folder,
    enum place_use use)
{
	struct landlock_path_beneath_attr below = {
	    .allowed_access = rights[use] & guarded(r->abi)};
	int rc;

	below.parent_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	rc = -errno;
	mem_free(folder);
	if (below.parent_fd < 0)
		return rc;
	rc = (int)syscall(SYS_landlock_add_rule, r->rules,
	    LANDLOCK_RULE_PATH_BENEATH, &below, 0);
	rc = rc == 0 ? 0 : -errno;
	close(below.parent_fd);
	return rc;
}

/* The folder of a file of `coexist` may be missing: that is no reason to go
 * without rules, and it is told when the file is written. */
static int allow_all(const struct ruleset_part *r, const struct conf *c)
{
	const struct place *p;
	char *folder;
	int rc = 0;

	for (size_t i = 0; rc == 0 && (p = place_at(i)) != NULL; i++)
		if (place_path(p, c)[0] != '\0')
			rc = allow(r, place_folder(p, c), p->use);
	for (int i = 0; rc == 0 && (folder = place_coexist(c, i)) != NULL; i++)
		rc = allow(r, folder, PLACE_KEEP) == -EINVAL ? -EINVAL : 0;
	return rc;
}

static int make_rules(int abi)
{
	struct ruleset r = {.files = guarded(abi)};

	if (abi >= ABI_SCOPE && !PH_SANITIZED)
		r.scope = LANDLOCK_SCOPE_SIGNAL;
	return (int)syscall(SYS_landlock_create_ruleset, &r, sizeof(r), 0);
}

/* The ABI that is in force, or -errno. A folder that cannot be named would
 * be closed to us for good: then rather no rules. */
static int guard_files(const struct conf *c)
{
	int abi, rules, rc;

	abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (abi <= 0)
		return abi < 0 ? -errno : -ENOSYS;
	rules = make_rules(abi);
	if (rules < 0)
		return -errno;
	rc = allow_all(&(struct ruleset_part){rules, abi}, c);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, rules, 0) != 0)
		rc = -errno;
	close(rules);
	return rc == 0 ? abi : rc;
}

/* ---- all of it ---- */

/* The modules of the name service are loaded when a name is asked for that
 * the first of them does not have. */
static void load_libraries(void)
{
	(void)getpwnam("posthouse-has-no-such-user");
	(void)getgrnam("posthouse-has-no-such-group");
}

void sandbox_prepare(const struct conf *c)
{
	if (!c->sandbox)
		return;
	setenv("SQLITE_TMPDIR", c->audit.path, 1);
	load_libraries();
}

void sandbox_enter_spawner(void)
{
	int rc;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	rc = privileges_drop(PRIVILEGES_NONE);
	if (rc == 0)
		rc = filter_calls(true);
	if (rc != 0)
		log_warn("sandbox", kv_str("state", "partial"),
		    kv_str("process", "spawner"),
		    kv_str("error", strerror(-rc)));
}

static void tell(const struct sandbox *s, int filter, int files)
{
	const char *sanitized = PH_SANITIZED ? "yes" : "no";

	if (s->filter && s->landlock > 0)
		log_info("sandbox", kv_str("state", "on"),
		    kv_int("landlock", s->landlock),
		    kv_str("sanitized", sanitized));
	else
		log_warn("sandbox", kv_str("state", "partial"),
		    kv_str("seccomp", s->filter ? "on" : strerror(-filter)),
		    kv_str("landlock",
			files > 0 ? "on" : strerror(-files)),
		    kv_str("sanitized", sanitized));
}

static void tell_privileges(int dropped)
{
	if (dropped != 0)
		log_warn("privileges", kv_str("error", strerror(-dropped)));
	else if (geteuid() == 0)
		log_warn("privileges", kv_str("user", "root"),
		    kv_str("advice", "give spool, table and audit to a user of "
				     "their own (chown -R posthouse); the "
				     "daemon then runs as that user"));
}

struct sandbox sandbox_enter(const struct conf *c)
{
	struct sandbox s = {0};
	int filter, files;

	tell_privileges(privileges_drop(PRIVILEGES_BIND));
	if (!c->sandbox) {
		log_warn("sandbox", kv_str("state", "off"));
		return s;
	}
	/* Without it neither of the two is given to an ordinary user. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!PH_SANITIZED)
		s.secret = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
	files = guard_files(c);
	filter = filter_calls(false);
	s.landlock = files > 0 ? files : 0;
	s.filter = filter == 0;
	tell(&s, filter, files);
	return s;
}
