/* SPDX-License-Identifier: ISC
 *
 * Makes the n-th call of a kind fail, in a program that is started under it
 * (LD_PRELOAD). The file PH_FAIL, 4 KiB, says which, and may be changed while
 * the program runs; it also counts the calls of each kind:
 *
 *   u32 kind, from, times, errno   what fails: calls from..from+times-1 of
 *                                  that kind; kind 0: none
 *   u32 hits                       so many did
 *   u32 calls[KINDS]               since they were last set to 0
 *   char path[256]                 only calls on names that contain this
 *
 * Calls with a descriptor count for regular files alone, except for those of
 * sockets; what goes to standard error, the log, is left alone.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* tests/fault/calls.py has the same list. */
enum kind {
	K_NONE, K_OPEN, K_READ, K_WRITE, K_SYNC, K_RENAME, K_UNLINK, K_MKDIR,
	K_ALLOCATE, K_TRUNCATE, K_ACCEPT, K_SOCKET, K_CONNECT, K_EPOLL,
	K_EVENTFD, K_OPENDIR, K_READDIR, K_MMAP, K_LOCK, K_THREAD, K_STAT,
	K_MALLOC, KINDS
};

struct control {
	_Atomic uint32_t kind, from, times, no, hits, calls[KINDS];
	char path[256];
};

static struct control *control;

#define REAL(name) \
	static __typeof__(&name) real; \
	if (real == NULL) \
		*(void **)&real = dlsym(RTLD_NEXT, #name)

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t m);
extern void *__libc_realloc(void *p, size_t n);

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("PH_FAIL");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *p = MAP_FAILED;

	if (fd >= 0) {
		p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0);
		close(fd);
	}
	if (p == MAP_FAILED)
		abort();
	control = p;
}

static int fails(enum kind k)
{
	uint32_t n;

	if (control == NULL)
		return 0;
	n = atomic_fetch_add(&control->calls[k], 1) + 1;
	if (control->kind != k || n < control->from ||
	    n - control->from >= control->times)
		return 0;
	atomic_fetch_add(&control->hits, 1);
	errno = (int)control->no;
	return 1;
}

static int named(const char *path)
{
	return control == NULL || control->path[0] == '\0' ||
	    (path != NULL && strstr(path, control->path) != NULL);
}

/* Only a file of which the path is asked for has to be looked up. */
static int fd_counts(int fd)
{
	char link[40], path[512];
	struct stat st;
	ssize_t n;

	if (control == NULL || fd == STDERR_FILENO || fd == STDOUT_FILENO ||
	    fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return 0;
	if (control->path[0] == '\0')
		return 1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return named(path);
}

/* ---- names ---- */

#define OPEN(name) \
	int name(const char *path, int flags, ...) \
	{ \
		REAL(name); \
		va_list ap; \
		int mode; \
\
		va_start(ap, flags); \
		mode = va_arg(ap, int); \
		va_end(ap); \
		if (named(path) && fails(K_OPEN)) \
			return -1; \
		return real(path, flags, mode); \
	}
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
	int name(int at, const char *path, int flags, ...) \
	{ \
		REAL(name); \
		va_list ap; \
		int mode; \
\
		va_start(ap, flags); \
		mode = va_arg(ap, int); \
		va_end(ap); \
		if (named(path) && fails(K_OPEN)) \
			return -1; \
		return real(at, path, flags, mode); \
	}
OPENAT(openat)
OPENAT(openat64)

FILE *fopen(const char *path, const char *mode)
{
	REAL(fopen);
	return named(path) && fails(K_OPEN) ? NULL : real(path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
	REAL(fopen64);
	return named(path) && fails(K_OPEN) ? NULL : real(path, mode);
}

int rename(const char *from, const char *to)
{
	REAL(rename);
	return named(from) && fails(K_RENAME) ? -1 : real(from, to);
}

int unlink(const char *path)
{
	REAL(unlink);
	return named(path) && fails(K_UNLINK) ? -1 : real(path);
}

int mkdir(const char *path, mode_t mode)
{
	REAL(mkdir);
	return named(path) && fails(K_MKDIR) ? -1 : real(path, mode);
}

int stat(const char *restrict path, struct stat *restrict st)
{
	REAL(stat);
	return named(path) && fails(K_STAT) ? -1 : real(path, st);
}

int stat64(const char *restrict path, struct stat64 *restrict st)
{
	REAL(stat64);
	return named(path) && fails(K_STAT) ? -1 : real(path, st);
}

DIR *opendir(const char *path)
{
	REAL(opendir);
	return named(path) && fails(K_OPENDIR) ? NULL : real(path);
}

struct dirent *readdir(DIR *d)
{
	REAL(readdir);
	return fails(K_READDIR) ? NULL : real(d);
}

struct dirent64 *readdir64(DIR *d)
{
	REAL(readdir64);
	return fails(K_READDIR) ? NULL : real(d);
}

/* ---- files ---- */

#define ON_FILE(k, fd) (fd_counts(fd) && fails(k))

ssize_t read(int fd, void *p, size_t n)
{
	REAL(read);
	return ON_FILE(K_READ, fd) ? -1 : real(fd, p, n);
}

ssize_t pread(int fd, void *p, size_t n, off_t off)
{
	REAL(pread);
	return ON_FILE(K_READ, fd) ? -1 : real(fd, p, n, off);
}

ssize_t pread64(int fd, void *p, size_t n, off64_t off)
{
	REAL(pread64);
	return ON_FILE(K_READ, fd) ? -1 : real(fd, p, n, off);
}

ssize_t write(int fd, const void *p, size_t n)
{
	REAL(write);
	return ON_FILE(K_WRITE, fd) ? -1 : real(fd, p, n);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	REAL(writev);
	return ON_FILE(K_WRITE, fd) ? -1 : real(fd, v, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t off)
{
	REAL(pwrite);
	return ON_FILE(K_WRITE, fd) ? -1 : real(fd, p, n, off);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t off)
{
	REAL(pwrite64);
	return ON_FILE(K_WRITE, fd) ? -1 : real(fd, p, n, off);
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t off)
{
	REAL(pwritev);
	return ON_FILE(K_WRITE, fd) ? -1 : real(fd, v, n, off);
}

ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t off)
{
	REAL(pwritev64);
	return ON_FILE(K_WRITE, fd) ? -1 : real(fd, v, n, off);
}

int fsync(int fd)
{
	REAL(fsync);
	return fails(K_SYNC) ? -1 : real(fd);
}

int fdatasync(int fd)
{
	REAL(fdatasync);
	return fails(K_SYNC) ? -1 : real(fd);
}

int posix_fallocate(int fd, off_t off, off_t n)
{
	REAL(posix_fallocate);
	return ON_FILE(K_ALLOCATE, fd) ? errno : real(fd, off, n);
}

int posix_fallocate64(int fd, off64_t off, off64_t n)
{
	REAL(posix_fallocate64);
	return ON_FILE(K_ALLOCATE, fd) ? errno : real(fd, off, n);
}

int ftruncate(int fd, off_t n)
{
	REAL(ftruncate);
	return ON_FILE(K_TRUNCATE, fd) ? -1 : real(fd, n);
}

int ftruncate64(int fd, off64_t n)
{
	REAL(ftruncate64);
	return ON_FILE(K_TRUNCATE, fd) ? -1 : real(fd, n);
}

/* SQLite's locks. To let one go does not fail on any local file system, and
 * what asks only for a flag is left alone. */
#define FCNTL(name) \
	int name(int fd, int cmd, ...) \
	{ \
		REAL(name); \
		va_list ap; \
		void *arg; \
\
		va_start(ap, cmd); \
		arg = va_arg(ap, void *); \
		va_end(ap); \
		if ((cmd == F_SETLK || cmd == F_SETLKW) && \
		    ((struct flock *)arg)->l_type != F_UNLCK && \
		    ON_FILE(K_LOCK, fd)) \
			return -1; \
		return real(fd, cmd, arg); \
	}
FCNTL(fcntl)
FCNTL(fcntl64)

/* Mapped files only: libc's own memory is its business. */
#define MMAP(name, off_type) \
	void *name(void *at, size_t n, int prot, int flags, int fd, \
	    off_type off) \
	{ \
		REAL(name); \
		return fd >= 0 && fails(K_MMAP) ? \
		    MAP_FAILED : real(at, n, prot, flags, fd, off); \
	}
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)

/* ---- sockets, loops, threads ---- */

int accept(int fd, struct sockaddr *sa, socklen_t *n)
{
	REAL(accept);
	return fails(K_ACCEPT) ? -1 : real(fd, sa, n);
}

int accept4(int fd, struct sockaddr *sa, socklen_t *n, int flags)
{
	REAL(accept4);
	return fails(K_ACCEPT) ? -1 : real(fd, sa, n, flags);
}

int socket(int domain, int type, int protocol)
{
	REAL(socket);
	return fails(K_SOCKET) ? -1 : real(domain, type, protocol);
}

int connect(int fd, const struct sockaddr *sa, socklen_t n)
{
	REAL(connect);
	return fails(K_CONNECT) ? -1 : real(fd, sa, n);
}

int epoll_create1(int flags)
{
	REAL(epoll_create1);
	return fails(K_EPOLL) ? -1 : real(flags);
}

int epoll_ctl(int ep, int op, int fd, struct epoll_event *e)
{
	REAL(epoll_ctl);
	return fails(K_EPOLL) ? -1 : real(ep, op, fd, e);
}

int eventfd(unsigned n, int flags)
{
	REAL(eventfd);
	return fails(K_EVENTFD) ? -1 : real(n, flags);
}

int pthread_create(pthread_t *t, const pthread_attr_t *a,
    void *(*fn)(void *), void *arg)
{
	REAL(pthread_create);
	return fails(K_THREAD) ? (int)control->no : real(t, a, fn, arg);
}

/* ---- memory ---- */

void *malloc(size_t n)
{
	return fails(K_MALLOC) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t m)
{
	return fails(K_MALLOC) ? NULL : __libc_calloc(n, m);
}

void *realloc(void *p, size_t n)
{
	return fails(K_MALLOC) ? NULL : __libc_realloc(p, n);
}
