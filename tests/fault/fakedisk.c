/* SPDX-License-Identifier: ISC
 *
 * A disk in memory that forgets what was not synced.
 */
#include "tests/fault/fakedisk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "relay/base/assert.h"
#include "relay/base/attr.h"
#include "relay/base/mem.h"

static struct fakedisk *of(struct diskio *io)
{
	return CONTAINER_OF(io, struct fakedisk, io);
}

/* True when this call is to fail; errno is set. */
static bool fails(struct fakedisk *d, enum fake_call call, bool *short_out)
{
	if (call != CALL_READ && call != CALL_REOPEN && d->before != NULL)
		d->before(d->before_arg, call);
	if (d->fault == FAULT_NONE || (d->fail_mask & (1u << call)) == 0)
		return false;
	d->calls++;
	if (d->calls < d->fail_at ||
	    (d->calls > d->fail_at + d->fail_more && !d->fail_on))
		return false;
	d->hit = true;
	if (d->fault == FAULT_SHORT && short_out != NULL) {
		*short_out = true;
		return false;
	}
	errno = d->fault == FAULT_ENOSPC ? ENOSPC :
	    d->fault == FAULT_EMFILE	 ? EMFILE : EIO;
	return true;
}

static bool is_spared(const struct fakedisk *d, const char *path)
{
	return d->fail_path != NULL && strcmp(path, d->fail_path) != 0;
}

static struct fake_entry *find(struct fakedisk *d, const char *path);

static bool file_spared(struct fakedisk *d, const struct fake_inode *i)
{
	return d->fail_path != NULL && find(d, d->fail_path)->now != i;
}

static struct fake_entry *find(struct fakedisk *d, const char *path)
{
	for (unsigned i = 0; i < d->files; i++)
		if (strcmp(d->file[i].path, path) == 0)
			return &d->file[i];
	return NULL;
}

static struct fake_inode *inode_new(struct fakedisk *d)
{
	struct fake_inode *i = NEW(struct fake_inode);

	d->inode[d->inodes++] = i;
	return i;
}

static void reserve(struct fake_inode *i, size_t n)
{
	size_t cap;

	if (n <= i->cap)
		return;
	cap = n < 4096 ? 4096 : n;
	i->now = mem_resize(i->now, cap);
	i->safe = mem_resize(i->safe, cap);
	i->dirty = mem_resize(i->dirty, cap / FAKE_SECTOR + 1);
	memset(i->now + i->cap, 0, cap - i->cap);
	memset(i->safe + i->cap, 0, cap - i->cap);
	memset(i->dirty + i->cap / FAKE_SECTOR, 0,
	    cap / FAKE_SECTOR + 1 - i->cap / FAKE_SECTOR);
	i->cap = cap;
}

static int fd_new(struct fakedisk *d, struct fake_inode *i)
{
	for (int fd = 0; fd < FAKE_FDS; fd++)
		if (d->fd[fd] == NULL) {
			d->fd[fd] = i;
			return fd + 1000;
		}
	errno = EMFILE;
	return -1;
}

static struct fake_inode *at(struct fakedisk *d, int fd)
{
	return d->fd[fd - 1000];
}

static struct fake_entry *entry_for(struct fakedisk *d, const char *path)
{
	struct fake_entry *e = find(d, path);

	if (e != NULL)
		return e;
	if (d->files == FAKE_FILES)
		return NULL;
	e = &d->file[d->files++];
	e->path = mem_strdup(path);
	return e;
}

static int fake_open(struct diskio *io, const char *path, int flags, int mode)
{
	struct fakedisk *d = of(io);
	struct fake_entry *e = find(d, path);

	/* Mail is for the daemon's own user. */
	PH_ASSERT((flags & O_CREAT) == 0 || mode == 0600);
	if ((flags & O_DIRECTORY) != 0)
		return fd_new(d, &d->dir);
	if (!is_spared(d, path) &&
	    fails(d, (flags & O_CREAT) != 0 ? CALL_OPEN : CALL_REOPEN, NULL))
		return -1;
	if (d->read_only && (flags & O_ACCMODE) != O_RDONLY) {
		errno = EROFS;
		return -1;
	}
	if ((e == NULL || e->now == NULL) && (flags & O_CREAT) == 0) {
		errno = ENOENT;
		return -1;
	}
	if (e != NULL && e->now != NULL && (flags & O_EXCL) != 0) {
		errno = EEXIST;
		return -1;
	}
	e = entry_for(d, path);
	if (e == NULL) {
		errno = ENOSPC;
		return -1;
	}
	if (e->now == NULL)
		e->now = inode_new(d);
	if ((flags & O_TRUNC) != 0)
		e->now->now_n = 0;
	return fd_new(d, e->now);
}

static ssize_t fake_pread(struct diskio *io, int fd, void *p, size_t n,
    int64_t off)
{
	struct fakedisk *d = of(io);
	struct fake_inode *i = at(d, fd);

	if (!file_spared(d, i) &&
	    (d->bad_at == 0 ||
		(d->bad_at >= (size_t)off && d->bad_at < (size_t)off + n)) &&
	    fails(d, CALL_READ, NULL))
		return -1;
	if ((size_t)off >= i->now_n)
		return 0;
	if (n > i->now_n - (size_t)off)
		n = i->now_n - (size_t)off;
	memcpy(p, i->now + off, n);
	return (ssize_t)n;
}

static void put(struct fake_inode *i, const void *p, size_t n, size_t off)
{
	if (n == 0)
		return;
	memcpy(i->now + off, p, n);
	for (size_t s = off / FAKE_SECTOR; s <= (off + n - 1) / FAKE_SECTOR;
	     s++)
		i->dirty[s] = 1;
	if (off + n > i->now_n)
		i->now_n = off + n;
}

/* Blocks up to byte n. 0, or -1 and errno. */
static int grow(struct fakedisk *d, struct fake_inode *i, size_t n)
{
	if (n <= i->now_n) {
		reserve(i, n);
		return 0;
	}
	if ((int64_t)(n - i->now_n) > d->space) {
		errno = ENOSPC;
		return -1;
	}
	d->space -= (int64_t)(n - i->now_n);
	reserve(i, n);
	return 0;
}

static ssize_t write_iov(struct fakedisk *d, int fd, const struct iovec *iov,
    int n, size_t off)
{
	struct fake_inode *i = at(d, fd);
	size_t total = 0, left;
	bool cut = false;

	if (fails(d, CALL_WRITE, &cut))
		return -1;
	for (int k = 0; k < n; k++)
		total += iov[k].iov_len;
	if (d->cow && (int64_t)total > d->space) {
		errno = ENOSPC;
		return -1;
	}
	if (grow(d, i, off + total) < 0)
		return -1;
	left = total = cut ? total / 2 : total;
	for (int k = 0; k < n && left > 0; k++) {
		size_t m = iov[k].iov_len < left ? iov[k].iov_len : left;

		put(i, iov[k].iov_base, m, off);
		off += m;
		left -= m;
	}
	return (ssize_t)total;
}

static ssize_t fake_pwritev(struct diskio *io, int fd,
    const struct iovec *iov, int n, int64_t off)
{
	return write_iov(of(io), fd, iov, n, (size_t)off);
}

static ssize_t fake_pwrite(struct diskio *io, int fd, const void *p, size_t n,
    int64_t off)
{
	struct iovec iov = {(void *)(uintptr_t)p, n};

	return write_iov(of(io), fd, &iov, 1, (size_t)off);
}

static void sync_names(struct fakedisk *d)
{
	for (unsigned i = 0; i < d->files; i++)
		d->file[i].safe = d->file[i].now;
}

static int fake_sync(struct diskio *io, int fd)
{
	struct fakedisk *d = of(io);
	struct fake_inode *i = at(d, fd);

	if (fails(d, CALL_SYNC, NULL)) {
		/* As Linux has it: the pages count as clean from now on,
		 * and are not on the disk. */
		if (i != &d->dir && i->cap > 0)
			memset(i->dirty, 0, i->cap / FAKE_SECTOR + 1);
		return -1;
	}
	if (i == &d->dir) {
		sync_names(d);
		return 0;
	}
	for (size_t s = 0; s * FAKE_SECTOR < i->now_n; s++) {
		if (i->dirty[s] == 0)
			continue;
		size_t from = s * FAKE_SECTOR, n = FAKE_SECTOR;

		if (n > i->cap - from)
			n = i->cap - from;
		memcpy(i->safe + from, i->now + from, n);
		i->dirty[s] = 0;
	}
	i->safe_n = i->now_n;
	return 0;
}

static int fake_close(struct diskio *io, int fd)
{
	struct fakedisk *d = of(io);

	d->fd[fd - 1000]->locked = false;
	d->fd[fd - 1000] = NULL;
	return 0;
}

static int fake_rename(struct diskio *io, const char *from, const char *to)
{
	struct fakedisk *d = of(io);
	struct fake_entry *a, *b;

	if (fails(d, CALL_RENAME, NULL))
		return -1;
	a = find(d, from);
	if (a == NULL || a->now == NULL) {
		errno = ENOENT;
		return -1;
	}
	b = entry_for(d, to);
	b->now = a->now;
	a->now = NULL;
	return 0;
}

static int fake_unlink(struct diskio *io, const char *path)
{
	struct fakedisk *d = of(io);
	struct fake_entry *e = find(d, path);

	if (fails(d, CALL_UNLINK, NULL))
		return -1;
	if (e == NULL || e->now == NULL) {
		errno = ENOENT;
		return -1;
	}
	d->space += (int64_t)e->now->now_n;
	e->now = NULL;
	return 0;
}

static int fake_mkdir(struct diskio *io, const char *path, int mode)
{
	struct fakedisk *d = of(io);

	(void)path;
	(void)mode;
	if (d->dir_made) {
		errno = EEXIST;
		return -1;
	}
	if (fails(d, CALL_MKDIR, NULL))
		return -1;
	d->dir_made = true;
	return 0;
}

static int64_t fake_space(struct diskio *io, const char *path)
{
	(void)path;
	return of(io)->space;
}

static int64_t fake_total(struct diskio *io, const char *path)
{
	(void)path;
	return of(io)->total;
}

static int64_t fake_size(struct diskio *io, int fd)
{
	return (int64_t)at(of(io), fd)->now_n;
}

static int fake_allocate(struct diskio *io, int fd, uint64_t n)
{
	struct fakedisk *d = of(io);
	struct fake_inode *i = at(d, fd);

	if (fails(d, CALL_ALLOCATE, NULL) || grow(d, i, (size_t)n) < 0)
		return -1;
	if (i->now_n < n)
		i->now_n = (size_t)n;
	return 0;
}

static int fake_list(struct diskio *io, const char *path,
    void (*name)(void *arg, const char *name), void *arg)
{
	struct fakedisk *d = of(io);
	size_t n = strlen(path);

	for (unsigned i = 0; i < d->files; i++)
		if (d->file[i].now != NULL)
			name(arg, d->file[i].path + n + 1);
	return 0;
}

static int fake_lock(struct diskio *io, int fd)
{
	struct fake_inode *i = at(of(io), fd);

	if (i->locked) {
		errno = EWOULDBLOCK;
		return -1;
	}
	i->locked = true;
	return 0;
}

static bool fake_cow(struct diskio *io, const char *path)
{
	(void)path;
	return of(io)->dir_made && of(io)->cow; /* else what is looked at? */
}

struct fakedisk *fakedisk_new(void)
{
	struct fakedisk *d = NEW(struct fakedisk);

	d->space = INT64_C(1) << 40;
	d->io = (struct diskio){
	    .open = fake_open,
	    .pread = fake_pread,
	    .pwrite = fake_pwrite,
	    .pwritev = fake_pwritev,
	    .fdatasync = fake_sync,
	    .fsync = fake_sync,
	    .close = fake_close,
	    .rename = fake_rename,
	    .unlink = fake_unlink,
	    .mkdir = fake_mkdir,
	    .space = fake_space,
	    .total = fake_total,
	    .size = fake_size,
	    .allocate = fake_allocate,
	    .list = fake_list,
	    .lock = fake_lock,
	    .copies_on_write = fake_cow,
	};
	return d;
}

void fakedisk_free(struct fakedisk *d)
{
	if (d == NULL)
		return;
	for (unsigned i = 0; i < d->files; i++)
		mem_free(d->file[i].path);
	for (unsigned i = 0; i < d->inodes; i++) {
		mem_free(d->inode[i]->now);
		mem_free(d->inode[i]->safe);
		mem_free(d->inode[i]->dirty);
		mem_free(d->inode[i]);
	}
	mem_free(d);
}

static bool chance(enum fake_cut how, struct rng *rng)
{
	return how == CUT_KEEPS_ALL ||
	    (how == CUT_TEARS && rng_below(rng, 2) == 1);
}

static struct fake_inode *cut_inode(struct fakedisk *to,
    const struct fake_inode *i, enum fake_cut how, struct rng *rng)
{
	struct fake_inode *n = inode_new(to);
	bool longer = chance(how, rng);

	reserve(n, i->cap);
	n->now_n = longer || i->now_n < i->safe_n ? i->now_n : i->safe_n;
	if (i->cap > 0)
		memcpy(n->now, i->safe, i->cap);
	for (size_t s = 0; s * FAKE_SECTOR < i->now_n; s++) {
		size_t from = s * FAKE_SECTOR, m = FAKE_SECTOR;

		if (m > i->cap - from)
			m = i->cap - from;
		if (i->dirty[s] != 0 && chance(how, rng))
			memcpy(n->now + from, i->now + from, m);
		/* Pages that a failed sync left as clean are in memory, and
		 * gone with it, unless the machine lives. */
		if (how == CUT_KEEPS_ALL)
			memcpy(n->now + from, i->now + from, m);
	}
	if (i->cap > 0)
		memcpy(n->safe, n->now, i->cap);
	n->safe_n = n->now_n;
	return n;
}

struct fakedisk *fakedisk_cut(const struct fakedisk *d, enum fake_cut how,
    uint64_t seed)
{
	struct fakedisk *to = fakedisk_new();
	struct rng_seeded rng;

	rng_seeded_init(&rng, seed);
	to->dir_made = d->dir_made;
	to->space = d->space;
	to->total = d->total;
	to->cow = d->cow;
	for (unsigned i = 0; i < d->files; i++) {
		const struct fake_entry *e = &d->file[i];
		struct fake_inode *is =
		    chance(how, &rng.rng) ? e->now : e->safe;
		struct fake_entry *n = entry_for(to, e->path);

		if (is != NULL)
			n->now = n->safe = cut_inode(to, is, how, &rng.rng);
	}
	return to;
}

char *fakedisk_bytes(struct fakedisk *d, const char *path, size_t *n_out)
{
	struct fake_entry *e = find(d, path);

	if (e == NULL || e->now == NULL)
		return NULL;
	*n_out = e->now->now_n;
	return e->now->now;
}

void fakedisk_restore(struct fakedisk *to, const struct fakedisk *from)
{
	for (unsigned i = 0; i < to->files; i++) {
		struct fake_entry *e = &to->file[i];
		const struct fake_entry *f = find((void *)(uintptr_t)from,
		    e->path);

		if (f == NULL || f->now == NULL) {
			e->now = NULL;
			continue;
		}
		reserve(e->now, f->now->cap);
		memcpy(e->now->now, f->now->now, f->now->cap);
		e->now->now_n = f->now->now_n;
	}
}
