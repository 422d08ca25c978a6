/* SPDX-License-Identifier: ISC
 *
 * sched_setattr(2), for which glibc has no function before 2.41.
 */
#include "relay/post/behind_mail.h"

#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "relay/base/log.h"

/* As the kernel has it (sched_setattr(2)), version 0. */
struct sched_request {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

void thread_behind_mail(int nicer)
{
	enum { NICEST = 19 };
	int nice = getpriority(PRIO_PROCESS, 0) + nicer; /* of this thread */
	/* A thread that wakes up takes the processor from one whose slice is
	 * longer than its own (Linux 6.12), which is 2.8 ms at most. Not much
	 * longer: all threads of a service wait for the end of one by which
	 * their group has had its share. */
	struct sched_request r = {
	    .size = sizeof(r),
	    .policy = SCHED_BATCH,
	    .nice = nice < NICEST ? nice : NICEST,
	    .runtime_ns = 4000000,
	};
	char name[16] = ""; /* prctl(2) */

	if (syscall(SYS_sched_setattr, 0, &r, 0) == 0)
		return;
	prctl(PR_GET_NAME, name, 0, 0, 0);
	log_warn("thread.priority", kv_str("thread", name),
	    kv_str("advice", "allow sched_setattr: its work competes with "
			     "mail"));
}
