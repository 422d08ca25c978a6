/* SPDX-License-Identifier: ISC
 *
 * Those who only look at a spool change nothing in it, whatever they call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/attr.h"
#include "relay/spool/disk/diskio_look.h"

enum { PATH_BYTES = 100 };

struct place {
	char dir[PATH_BYTES], file[PATH_BYTES + 10], other[PATH_BYTES + 10];
};

static int setup(void **state)
{
	static struct place p;
	int fd;

	snprintf(p.dir, sizeof(p.dir), "/tmp/test_diskio_look.XXXXXX");
	if (mkdtemp(p.dir) == NULL)
		return -1;
	snprintf(p.file, sizeof(p.file), "%s/a", p.dir);
	snprintf(p.other, sizeof(p.other), "%s/b", p.dir);
	fd = open(p.file, O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || write(fd, "hello", 5) != 5)
		return -1;
	*state = &p;
	return close(fd);
}

static int teardown(void **state)
{
	struct place *p = *state;

	unlink(p->other);
	unlink(p->file);
	return rmdir(p->dir);
}

static int look(const struct place *p, int flags)
{
	return diskio_look.open(&diskio_look, p->file, flags, 0600);
}

static void refused(int64_t rc)
{
	assert_int_equal(rc, -1);
	assert_int_equal(errno, EROFS);
	errno = 0;
}

static void see(void *arg, const char *name)
{
	*(unsigned *)arg += strcmp(name, "a") == 0;
}

static void all_that_reads_goes_through(void **state)
{
	const struct place *p = *state;
	struct diskio *d = &diskio_look;
	int fd = look(p, O_RDONLY);
	unsigned seen = 0;
	char text[5];

	assert_true(fd >= 0);
	assert_int_equal(d->pread(d, fd, text, 4, 1), 4);
	assert_memory_equal(text, "ello", 4);
	assert_int_equal(d->size(d, fd), 5);
	assert_int_equal(d->list(d, p->dir, see, &seen), 0);
	assert_int_equal(seen, 1);
	assert_true(d->total(d, p->dir) > 0);
	assert_true(d->space(d, p->dir) >= 0);
	assert_true(d->space(d, p->dir) <= d->total(d, p->dir));
	assert_int_equal(d->space(d, p->other), -1);
	assert_int_equal(d->total(d, p->other), -1);
	assert_int_equal(d->close(d, fd), 0);
	assert_int_equal(d->close(d, fd), -1);
}

static void all_that_writes_is_refused(void **state)
{
	const struct place *p = *state;
	struct diskio *d = &diskio_look;
	const struct iovec iov = {(void *)(uintptr_t)"x", 1};
	int fd = open(p->file, O_RDWR); /* the system would let it */
	struct stat st;

	assert_true(fd >= 0);
	refused(d->pwrite(d, fd, "x", 1, 0));
	refused(d->pwritev(d, fd, &iov, 1, 0));
	refused(d->allocate(d, fd, 4096));
	refused(d->rename(d, p->file, p->other));
	refused(d->mkdir(d, p->other, 0700));
	refused(d->unlink(d, p->file));
	refused(d->open(d, p->other, O_RDWR | O_CREAT, 0600));
	assert_int_equal(d->fsync(d, fd), 0);
	assert_int_equal(d->fdatasync(d, fd), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(access(p->file, F_OK), 0);
	assert_int_equal(access(p->other, F_OK), -1);
	close(fd);
}

static void what_is_opened_to_write_can_only_be_read(void **state)
{
	static const int flags[] = {O_RDONLY, O_RDWR, O_WRONLY};
	char c;

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		int fd = look(*state, flags[i] | O_CLOEXEC);

		assert_int_equal(read(fd, &c, 1), 1);
		assert_int_equal(write(fd, "x", 1), -1);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		close(fd);
	}
}

static void several_may_look_but_not_beside_one_that_writes(void **state)
{
	struct diskio *d = &diskio_look;
	int one = look(*state, O_RDWR), two = look(*state, O_RDWR);
	int writes = look(*state, O_RDWR);

	assert_int_equal(d->lock(d, one), 0);
	assert_int_equal(d->lock(d, two), 0);
	assert_int_equal(flock(writes, LOCK_EX | LOCK_NB), -1);
	close(one);
	close(two);
	assert_int_equal(flock(writes, LOCK_EX | LOCK_NB), 0);
	one = look(*state, O_RDWR);
	assert_int_equal(d->lock(d, one), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	close(one);
	close(writes);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(all_that_reads_goes_through),
		T(all_that_writes_is_refused),
		T(what_is_opened_to_write_can_only_be_read),
		T(several_may_look_but_not_beside_one_that_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
