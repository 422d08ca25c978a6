/* SPDX-License-Identifier: ISC
 *
 * The disk of the journal.
 */
#include "tests/sim/sim_disk.h"

#include "relay/base/mem.h"
#include "tests/sim/sim_task.h"
#include "tests/sim/sim_trace.h"

enum { SYNC_US = 400, SLOW_US = 400000, WRITE_US = 60 };

static struct fakedisk *disk;
static int64_t space; /* while it is full: what was free */
static bool full, slow;

/* A task that is killed meanwhile leaves the call undone, or done. */
static void takes(int64_t us)
{
	if (task_side() != SIDE_DAEMON)
		return;
	task_sleep_us((int64_t)sim_below((uint64_t)us) +
		      (slow ? (int64_t)sim_below(SLOW_US) : 0));
}

#define IO (&disk->io)

static int d_open(struct diskio *d, const char *path, int flags, int mode)
{
	(void)d;
	return IO->open(IO, path, flags, mode);
}

static ssize_t d_pread(struct diskio *d, int fd, void *p, size_t n,
    int64_t off)
{
	(void)d;
	takes(WRITE_US);
	return IO->pread(IO, fd, p, n, off);
}

static ssize_t d_pwrite(struct diskio *d, int fd, const void *p, size_t n,
    int64_t off)
{
	(void)d;
	takes(WRITE_US);
	return IO->pwrite(IO, fd, p, n, off);
}

static ssize_t d_pwritev(struct diskio *d, int fd, const struct iovec *iov,
    int n, int64_t off)
{
	(void)d;
	takes(WRITE_US);
	return IO->pwritev(IO, fd, iov, n, off);
}

static int d_sync(struct diskio *d, int fd)
{
	int rc;

	(void)d;
	takes(SYNC_US);
	rc = IO->fdatasync(IO, fd);
	if (rc < 0)
		trace_line("disk: a sync fails");
	takes(SYNC_US);
	return rc;
}

static int d_close(struct diskio *d, int fd)
{
	(void)d;
	return IO->close(IO, fd);
}

static int d_rename(struct diskio *d, const char *from, const char *to)
{
	(void)d;
	return IO->rename(IO, from, to);
}

static int d_unlink(struct diskio *d, const char *path)
{
	(void)d;
	return IO->unlink(IO, path);
}

static int d_mkdir(struct diskio *d, const char *path, int mode)
{
	(void)d;
	return IO->mkdir(IO, path, mode);
}

static int64_t d_space(struct diskio *d, const char *path)
{
	(void)d;
	return IO->space(IO, path);
}

static int64_t d_total(struct diskio *d, const char *path)
{
	(void)d;
	return IO->total(IO, path);
}

static int64_t d_size(struct diskio *d, int fd)
{
	(void)d;
	return IO->size(IO, fd);
}

static int d_allocate(struct diskio *d, int fd, uint64_t n)
{
	(void)d;
	takes(WRITE_US);
	return IO->allocate(IO, fd, n);
}

static int d_list(struct diskio *d, const char *path,
    void (*name)(void *arg, const char *name), void *arg)
{
	(void)d;
	return IO->list(IO, path, name, arg);
}

static int d_lock(struct diskio *d, int fd)
{
	(void)d;
	return IO->lock(IO, fd);
}

static bool d_cow(struct diskio *d, const char *path)
{
	(void)d;
	return IO->copies_on_write(IO, path);
}

/* Linked instead of relay/spool/disk/diskio.c. */
struct diskio diskio_system = {
	.open = d_open, .pread = d_pread, .pwrite = d_pwrite,
	.pwritev = d_pwritev, .fdatasync = d_sync, .fsync = d_sync,
	.close = d_close, .rename = d_rename, .unlink = d_unlink,
	.mkdir = d_mkdir, .space = d_space, .total = d_total, .size = d_size,
	.allocate = d_allocate,
	.list = d_list, .lock = d_lock, .copies_on_write = d_cow,
};

void sim_disk_setup(void)
{
	disk = fakedisk_new();
}

void sim_disk_cut(enum fake_cut how, uint64_t seed)
{
	sim_disk_heal();
	disk = fakedisk_cut(disk, how, seed); /* the old one has its owners */
}

void sim_disk_fail(enum fake_call call, unsigned nth)
{
	disk->fault = FAULT_EIO;
	disk->fail_mask = 1u << call;
	disk->calls = 0;
	disk->fail_at = nth;
	disk->hit = false;
}

bool sim_disk_failed(void)
{
	bool hit = disk->hit;

	disk->hit = false;
	return hit;
}

void sim_disk_full(bool is_full)
{
	if (is_full == full)
		return;
	full = is_full;
	if (full)
		space = disk->space;
	disk->space = full ? 0 : space;
}

void sim_disk_slow(bool is_slow)
{
	slow = is_slow;
}

void sim_disk_heal(void)
{
	sim_disk_full(false);
	slow = false;
	disk->fault = FAULT_NONE;
	disk->fail_mask = 0;
}
