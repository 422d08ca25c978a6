/* SPDX-License-Identifier: ISC
 *
 * Clocks that can be set, for a program that is started under it (LD_PRELOAD):
 * the file PH_SHIFT, which the one who started it writes, holds two numbers of
 * microseconds. By the first both clocks are ahead, as if that time had
 * passed; by the second the wall clock is, as if it had been set. libfaketime
 * is not used for it: it moves the monotonic clock otherwise than the wall
 * clock.
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
		p = mmap(NULL, 2 * sizeof(*shift_us), PROT_READ, MAP_SHARED,
		    fd, 0);
		close(fd);
	}
	if (real == NULL || p == MAP_FAILED)
		abort();
	shift_us = p;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = real(id, t);
	int64_t us, ns;

	if (rc != 0 || id == CLOCK_THREAD_CPUTIME_ID ||
	    id == CLOCK_PROCESS_CPUTIME_ID)
		return rc;
	us = shift_us[0];
	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		us += shift_us[1];
	ns = t->tv_nsec + us % 1000000 * 1000;
	t->tv_sec += us / 1000000 + ns / 1000000000;
	t->tv_nsec = ns % 1000000000;
	if (t->tv_nsec < 0) {
		t->tv_nsec += 1000000000;
		t->tv_sec--;
	}
	return 0;
}
