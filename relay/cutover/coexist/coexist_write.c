/* SPDX-License-Identifier: ISC
 *
 * A file of the section `coexist`. The new one has the mode of the old.
 */
#include "relay/cutover/coexist/coexist_write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/coexist/coexist_rows.h"
#include "relay/base/log.h"

enum { BUFFER = 1 << 20, FULL = BUFFER / 2, MODE = 0644 };

struct coexist_out {
	struct coexist_how how;
	struct strbuf bytes;
	const char *path;
	int fd;
};

static int flush(struct coexist_out *o, struct error *err)
{
	size_t at = 0;
	ssize_t n;

	if (!strbuf_ok(&o->bytes))
		return error_set(err, "%s: its heading is too long", o->path);
	for (; at < o->bytes.n; at += (size_t)n) {
		n = write(o->fd, o->bytes.p + at, o->bytes.n - at);
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n < 0)
			return error_sys(err, errno, "%s", o->path);
	}
	strbuf_reset(&o->bytes);
	return 0;
}

static int on_begin(void *arg, struct error *err)
{
	struct coexist_out *o = arg;

	(void)err;
	coexist_head(&o->how, &o->bytes);
	return 0;
}

static int on_entry(void *arg, const struct coexist_entry *e,
    struct error *err)
{
	struct coexist_out *o = arg;

	coexist_line(&o->how, e, &o->bytes);
	return o->bytes.n < FULL ? 0 : flush(o, err);
}

static int fill(struct coexist_out *o, struct table *t, struct error *err)
{
	struct coexist_walk w = {.how = &o->how, .since = -1,
	    .begin = on_begin, .entry = on_entry, .arg = o};

	if (coexist_rows(&w, t, err) < 0 || flush(o, err) < 0)
		return -1;
	if (w.counts.nowhere + w.counts.odd > 0)
		log_warn("coexist.left_out", kv_str("file", o->path),
		    kv_int("without_address", (int64_t)w.counts.nowhere),
		    kv_int("odd", (int64_t)w.counts.odd));
	return fsync(o->fd) == 0 ? 0 : error_sys(err, errno, "%s", o->path);
}

static void sync_folder(const char *path)
{
	char folder[PATH_MAX];
	char *slash;
	int fd;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL)
		return;
	slash[slash == folder ? 1 : 0] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd); /* without it the old file may be there after a power cut,
		    * and the next start writes it again */
	close(fd);
}

static int open_part(const char *path, char part[PATH_MAX], struct error *err)
{
	struct stat st;
	mode_t mode = stat(path, &st) == 0 ? st.st_mode & 0777 : MODE;
	int fd;

	if (snprintf(part, PATH_MAX, "%s.part", path) >= PATH_MAX)
		return error_sys(err, ENAMETOOLONG, "%s", path);
	unlink(part);
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_sys(err, errno, "%s", part);
	if (fchmod(fd, mode) == 0)
		return fd;
	error_sys(err, errno, "%s", part);
	close(fd);
	unlink(part);
	return -1;
}

int coexist_write(const struct conf *c, const struct conf_coexist *x,
    struct table *t, uint64_t *change_out, struct error *err)
{
	const struct coexist_said said = {x->format, x->map, x->leg, x->via};
	struct coexist_out o = {.path = x->path};
	char part[PATH_MAX];
	int rc;

	if (coexist_read(c, &said, &o.how, err) < 0)
		return -1;
	o.fd = open_part(x->path, part, err);
	if (o.fd < 0)
		return -1;
	strbuf_init(&o.bytes, BUFFER);
	rc = fill(&o, t, err);
	strbuf_fini(&o.bytes);
	if (close(o.fd) < 0 && rc == 0)
		rc = error_sys(err, errno, "%s", part);
	if (rc == 0 && rename(part, x->path) < 0)
		rc = error_sys(err, errno, "%s", x->path);
	if (rc < 0)
		unlink(part);
	else
		sync_folder(x->path);
	*change_out = o.how.change;
	return rc;
}
