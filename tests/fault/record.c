/* SPDX-License-Identifier: ISC
 *
 * Records what a program does to the files below a folder (LD_PRELOAD), in the
 * order in which it took effect, so that powercut.py can build the disk as a
 * power cut at any of these points may leave it. The folder is PH_RECORD_ROOT,
 * the record PH_RECORD. Several processes may write one record: each call is
 * made and written down under a lock of all of them.
 *
 * An entry is a head, a name and data. Files are told apart by their inode; a
 * number that is used again begins with a CREATE. What an index of SQLite
 * shares in memory (-shm) is never on the disk.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* As in powercut.py. */
enum kind {
	K_CREATE = 1, /* name, file                             */
	K_WRITE,      /* file, at, data                         */
	K_SIZE,	      /* file, at: its new size                 */
	K_SYNC,	      /* file                                   */
	K_SYNC_DIR,   /* name                                   */
	K_RENAME,     /* name; data: its new one                */
	K_UNLINK,     /* name                                   */
	K_MKDIR,      /* name                                   */
	K_MODE,	      /* file, at: the mode                     */
	K_LINK,	      /* name, file: another name of it         */
	K_SAID,	      /* data: what went to a peer              */
	K_MARK,	      /* data: written by powercut.py           */
};

struct head {
	uint32_t kind, name_n;
	uint64_t file;
	int64_t at;
	uint64_t data_n;
};

enum { FDS = 4096, SAID_MAX = 512 };

enum what { W_OTHER, W_FILE, W_DIR };

static struct {
	enum what what;
	uint64_t file;
	char *name; /* of a directory */
} fds[FDS];

static int out = -1;
static char root[PATH_MAX];
static size_t root_n;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) \
	static __typeof__(&name) real; \
	if (real == NULL) \
		*(void **)&real = dlsym(RTLD_NEXT, #name)

/* ---- the record -------------------------------------------------------- */

static ssize_t raw_writev(int fd, const struct iovec *iov, int n)
{
	REAL(writev);
	return real(fd, iov, n);
}

static void lock(void)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	pthread_mutex_lock(&mutex);
	while (fcntl(out, F_SETLKW, &l) != 0)
		if (errno != EINTR)
			abort();
}

static void unlock(void)
{
	struct flock l = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
	int no = errno;

	fcntl(out, F_SETLK, &l);
	pthread_mutex_unlock(&mutex);
	errno = no;
}

static void note(enum kind kind, uint64_t file, int64_t at, const char *name,
    const struct iovec *data, size_t bytes)
{
	struct head h = {kind, name == NULL ? 0 : (uint32_t)strlen(name),
	    file, at, bytes};
	struct iovec iov[3] = {{&h, sizeof(h)}, {(void *)name, h.name_n}};
	ssize_t want = (ssize_t)(sizeof(h) + h.name_n + bytes);
	char *copy = NULL;
	int no = errno;

	if (bytes > 0) {
		size_t left = bytes;

		copy = malloc(bytes);
		for (size_t at_copy = 0; left > 0; data++) {
			size_t n = data->iov_len < left ? data->iov_len : left;

			memcpy(copy + at_copy, data->iov_base, n);
			at_copy += n;
			left -= n;
		}
		iov[2] = (struct iovec){copy, bytes};
	}
	if (raw_writev(out, iov, bytes > 0 ? 3 : 2) != want)
		abort();
	free(copy);
	errno = no;
}

static void note_plain(enum kind kind, uint64_t file, int64_t at,
    const char *name)
{
	note(kind, file, at, name, NULL, 0);
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("PH_RECORD"), *dir = getenv("PH_RECORD_ROOT");

	if (path == NULL || dir == NULL || realpath(dir, root) == NULL)
		return;
	root_n = strlen(root);
	REAL(open);
	out = real(path, O_WRONLY | O_APPEND | O_CLOEXEC);
}

/* ---- which files ------------------------------------------------------- */

/* The name below the root, "" for the root itself; NULL: not ours. */
static const char *ours(const char *path, char full[PATH_MAX])
{
	size_t n;

	if (out < 0 || path == NULL)
		return NULL;
	if (path[0] != '/') {
		if (getcwd(full, PATH_MAX) == NULL)
			return NULL;
		n = strlen(full);
		snprintf(full + n, PATH_MAX - n, "/%s", path);
		path = full;
	}
	if (strncmp(path, root, root_n) != 0 ||
	    (path[root_n] != '/' && path[root_n] != '\0'))
		return NULL;
	path += root_n;
	while (*path == '/')
		path++;
	n = strlen(path);
	if (n > 4 && strcmp(path + n - 4, "-shm") == 0)
		return NULL;
	return path;
}

static bool is_file(int fd)
{
	return out >= 0 && fd >= 0 && fd < FDS && fds[fd].what == W_FILE;
}

static void track(int fd, const char *name, int flags, bool created)
{
	struct stat st;

	if (fd < 0 || fd >= FDS || fstat(fd, &st) != 0)
		return;
	fds[fd].file = st.st_ino;
	fds[fd].what = S_ISDIR(st.st_mode) ? W_DIR : W_FILE;
	if (fds[fd].what == W_DIR)
		fds[fd].name = strdup(name);
	else if (created)
		note_plain(K_CREATE, st.st_ino, st.st_mode & 07777, name);
	else if ((flags & O_TRUNC) != 0)
		note_plain(K_SIZE, st.st_ino, 0, NULL);
}

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
	char full[PATH_MAX];
	const char *name = dir == AT_FDCWD || path[0] == '/' ? ours(path, full)
							     : NULL;
	struct stat st;
	bool created;
	int fd;
	REAL(openat);

	if (name == NULL) {
		fd = real(dir, path, flags, mode);
		if (fd >= 0 && fd < FDS)
			fds[fd].what = W_OTHER;
		return fd;
	}
	lock();
	created = (flags & O_CREAT) != 0 && stat(path, &st) != 0;
	fd = real(dir, path, flags, mode);
	if (fd >= 0)
		track(fd, name, flags, created);
	unlock();
	return fd;
}

static mode_t mode_of(int flags, va_list ap)
{
	return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
}

#define OPEN(call) \
	int call(const char *path, int flags, ...) \
	{ \
		va_list ap; \
		mode_t mode; \
		va_start(ap, flags); \
		mode = mode_of(flags, ap); \
		va_end(ap); \
		return open_at(AT_FDCWD, path, flags, mode); \
	}
#define OPENAT(call) \
	int call(int dir, const char *path, int flags, ...) \
	{ \
		va_list ap; \
		mode_t mode; \
		va_start(ap, flags); \
		mode = mode_of(flags, ap); \
		va_end(ap); \
		return open_at(dir, path, flags, mode); \
	}
OPEN(open)
OPEN(open64)
OPENAT(openat64)

int close(int fd)
{
	REAL(close);
	if (out >= 0 && fd == out) { /* one who closes all that it inherited */
		errno = EBADF;
		return -1;
	}
	if (fd >= 0 && fd < FDS && fds[fd].what != W_OTHER) {
		free(fds[fd].name);
		fds[fd].name = NULL;
		fds[fd].what = W_OTHER;
	}
	return real(fd);
}

/* ---- bytes ------------------------------------------------------------- */

/* A reply to a client counts from before it is sent. */
static void said(int fd, const struct iovec *iov, int n)
{
	static const char taken[] = "queued as";
	struct iovec one;
	int domain;
	socklen_t len = sizeof(domain);

	if (out < 0)
		return;
	for (int i = 0; i < n; i++) {
		one = iov[i];
		if (one.iov_len > SAID_MAX)
			one.iov_len = SAID_MAX;
		if (memmem(one.iov_base, one.iov_len, taken,
			sizeof(taken) - 1) == NULL ||
		    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0)
			continue;
		lock();
		note(K_SAID, 0, 0, NULL, &one, one.iov_len);
		unlock();
	}
}

static void wrote(int fd, int64_t at, const struct iovec *iov, ssize_t n)
{
	if (n > 0)
		note(K_WRITE, fds[fd].file, at, NULL, iov, (size_t)n);
}

ssize_t write(int fd, const void *p, size_t n)
{
	struct iovec iov = {(void *)p, n};
	ssize_t rc;
	REAL(write);

	if (!is_file(fd)) {
		said(fd, &iov, 1);
		return real(fd, p, n);
	}
	lock();
	rc = real(fd, p, n);
	wrote(fd, lseek(fd, 0, SEEK_CUR) - rc, &iov, rc);
	unlock();
	return rc;
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	ssize_t rc;

	if (!is_file(fd)) {
		said(fd, iov, n);
		return raw_writev(fd, iov, n);
	}
	lock();
	rc = raw_writev(fd, iov, n);
	wrote(fd, lseek(fd, 0, SEEK_CUR) - rc, iov, rc);
	unlock();
	return rc;
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
	struct iovec iov = {(void *)p, n};
	REAL(send);

	said(fd, &iov, 1);
	return real(fd, p, n, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	REAL(sendmsg);
	said(fd, m->msg_iov, (int)m->msg_iovlen);
	return real(fd, m, flags);
}

#define PWRITE(call, type) \
	ssize_t call(int fd, const void *p, size_t n, type at) \
	{ \
		struct iovec iov = {(void *)p, n}; \
		ssize_t rc; \
		REAL(call); \
		if (!is_file(fd)) \
			return real(fd, p, n, at); \
		lock(); \
		rc = real(fd, p, n, at); \
		wrote(fd, at, &iov, rc); \
		unlock(); \
		return rc; \
	}
#define PWRITEV(call, type) \
	ssize_t call(int fd, const struct iovec *iov, int n, type at) \
	{ \
		ssize_t rc; \
		REAL(call); \
		if (!is_file(fd)) \
			return real(fd, iov, n, at); \
		lock(); \
		rc = real(fd, iov, n, at); \
		wrote(fd, at, iov, rc); \
		unlock(); \
		return rc; \
	}
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)

#define FTRUNCATE(call, type) \
	int call(int fd, type size) \
	{ \
		int rc; \
		REAL(call); \
		if (!is_file(fd)) \
			return real(fd, size); \
		lock(); \
		rc = real(fd, size); \
		if (rc == 0) \
			note_plain(K_SIZE, fds[fd].file, size, NULL); \
		unlock(); \
		return rc; \
	}
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

static void grew(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0)
		note_plain(K_SIZE, fds[fd].file, st.st_size, NULL);
}

#define FALLOCATE(call, type) \
	int call(int fd, type at, type n) \
	{ \
		int rc; \
		REAL(call); \
		if (!is_file(fd)) \
			return real(fd, at, n); \
		lock(); \
		rc = real(fd, at, n); \
		if (rc == 0) \
			grew(fd); \
		unlock(); \
		return rc; \
	}
FALLOCATE(posix_fallocate, off_t)
FALLOCATE(posix_fallocate64, off64_t)

/* Without punching: nothing here does. */
#define FALLOCATE_MODE(call, type) \
	int call(int fd, int mode, type at, type n) \
	{ \
		int rc; \
		REAL(call); \
		if (!is_file(fd)) \
			return real(fd, mode, at, n); \
		if (mode != 0) \
			abort(); \
		lock(); \
		rc = real(fd, mode, at, n); \
		if (rc == 0) \
			grew(fd); \
		unlock(); \
		return rc; \
	}
FALLOCATE_MODE(fallocate, off_t)
FALLOCATE_MODE(fallocate64, off64_t)

#define SYNC(call) \
	int call(int fd) \
	{ \
		bool dir = out >= 0 && fd >= 0 && fd < FDS && \
		    fds[fd].what == W_DIR; \
		int rc; \
		REAL(call); \
		if (!dir && !is_file(fd)) \
			return real(fd); \
		lock(); \
		rc = real(fd); \
		if (rc == 0 && dir) \
			note_plain(K_SYNC_DIR, 0, 0, fds[fd].name); \
		else if (rc == 0) \
			note_plain(K_SYNC, fds[fd].file, 0, NULL); \
		unlock(); \
		return rc; \
	}
SYNC(fsync)
SYNC(fdatasync)

/* ---- names ------------------------------------------------------------- */

int rename(const char *from, const char *to)
{
	char full[PATH_MAX], full_to[PATH_MAX];
	const char *a = ours(from, full), *b = ours(to, full_to);
	struct iovec iov;
	int rc;
	REAL(rename);

	if (a == NULL || b == NULL)
		return real(from, to);
	lock();
	rc = real(from, to);
	iov = (struct iovec){(void *)b, strlen(b)};
	if (rc == 0)
		note(K_RENAME, 0, 0, a, &iov, iov.iov_len);
	unlock();
	return rc;
}

int link(const char *from, const char *to)
{
	char full[PATH_MAX];
	const char *name = ours(to, full);
	struct stat st;
	int rc;
	REAL(link);

	if (name == NULL)
		return real(from, to);
	lock();
	rc = real(from, to);
	if (rc == 0 && stat(to, &st) == 0)
		note_plain(K_LINK, st.st_ino, 0, name);
	unlock();
	return rc;
}

int unlink(const char *path)
{
	char full[PATH_MAX];
	const char *name = ours(path, full);
	int rc;
	REAL(unlink);

	if (name == NULL)
		return real(path);
	lock();
	rc = real(path);
	if (rc == 0)
		note_plain(K_UNLINK, 0, 0, name);
	unlock();
	return rc;
}

int mkdir(const char *path, mode_t mode)
{
	char full[PATH_MAX];
	const char *name = ours(path, full);
	int rc;
	REAL(mkdir);

	if (name == NULL)
		return real(path, mode);
	lock();
	rc = real(path, mode);
	if (rc == 0)
		note_plain(K_MKDIR, 0, mode, name);
	unlock();
	return rc;
}

int chmod(const char *path, mode_t mode)
{
	char full[PATH_MAX];
	const char *name = ours(path, full);
	struct stat st;
	int rc;
	REAL(chmod);

	if (name == NULL)
		return real(path, mode);
	lock();
	rc = real(path, mode);
	if (rc == 0 && stat(path, &st) == 0)
		note_plain(K_MODE, st.st_ino, mode, NULL);
	unlock();
	return rc;
}

int fchmod(int fd, mode_t mode)
{
	int rc;
	REAL(fchmod);

	if (!is_file(fd))
		return real(fd, mode);
	lock();
	rc = real(fd, mode);
	if (rc == 0)
		note_plain(K_MODE, fds[fd].file, mode, NULL);
	unlock();
	return rc;
}
