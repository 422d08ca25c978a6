/* SPDX-License-Identifier: ISC
 *
 * A clock that can be set forward, for a program that is started under it
 * (LD_PRELOAD): both clocks are ahead by the microseconds that stand in the
 * file PH_SHIFT, which the one who started it writes. libfaketime is not
 * used for it: it moves the monotonic clock otherwise than the wall clock.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int (*real)(clockid_t id, struct timespec *t);
static volatile int64_t *shift_us;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("PH_SHIFT");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	void *p = MAP_FAILED;

	*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	if (fd >= 0) {
		p = mmap(NULL, sizeof(*shift_us), PROT_READ, MAP_SHARED, fd,
		    0);
		close(fd);
	}
	if (real == NULL || p == MAP_FAILED)
		abort();
	shift_us = p;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = real(id, t);
	int64_t ns;

	if (rc != 0 || id == CLOCK_THREAD_CPUTIME_ID ||
	    id == CLOCK_PROCESS_CPUTIME_ID)
		return rc;
	ns = t->tv_nsec + *shift_us % 1000000 * 1000;
	t->tv_sec += *shift_us / 1000000 + ns / 1000000000;
	t->tv_nsec = ns % 1000000000;
	return 0;
}
