/* SPDX-License-Identifier: ISC
 *
 * The sandbox of `posthouse-spf`.
 */
#include "relay/spf/guard/confine.h"

#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "relay/base/attr.h"

enum { MEMORY_MAX = 256 * 1024 * 1024 };

static bool limit(int what, rlim_t most)
{
	struct rlimit r = {most, most};

	return setrlimit(what, &r) == 0;
}

/* A call with its first argument, or with none. */
static const struct allowed {
	int call;
	bool has_fd; /* of descriptor 0 alone */
} allowed[] = {
	/* clang-format off */
	{ SCMP_SYS(read),          true  },
	{ SCMP_SYS(write),         true  },
	{ SCMP_SYS(brk),           false },
	{ SCMP_SYS(munmap),        false },
	{ SCMP_SYS(mremap),        false },
	{ SCMP_SYS(madvise),       false },
	{ SCMP_SYS(exit),          false },
	{ SCMP_SYS(exit_group),    false },
	/* After a stop by a debugger, or by SIGSTOP. */
	{ SCMP_SYS(restart_syscall), false },
	{ SCMP_SYS(rt_sigreturn),  false },
	/* Where the kernel gives no time without a call. */
	{ SCMP_SYS(clock_gettime), false },
	{ SCMP_SYS(gettimeofday),  false },
	/* clang-format on */
};

static int add_rules(scmp_filter_ctx f)
{
	int e = 0;

	for (size_t i = 0; i < ARRAY_LEN(allowed) && e == 0; i++)
		e = allowed[i].has_fd ?
		    seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i].call, 1,
			SCMP_A0(SCMP_CMP_EQ, 0, 0)) :
		    seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i].call, 0);
	/* Memory, but none that code runs from. */
	if (e == 0)
		e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return e;
}

/* Each other call ends the process, and with it one check. */
static bool filter(void)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int e;

	if (f == NULL)
		return false;
	e = add_rules(f);
	if (e == 0)
		e = seccomp_load(f);
	seccomp_release(f);
	return e == 0;
}

bool confine(void)
{
	if (clearenv() != 0 || close_range(1, ~0U, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    !limit(RLIMIT_CORE, 0))
		return false;
	if (PH_SANITIZED)
		return true;
	return limit(RLIMIT_AS, MEMORY_MAX) && filter();
}
