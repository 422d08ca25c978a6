/* SPDX-License-Identifier: ISC
 *
 * Folders of carried mail and of backups.
 */
#include "relay/cli/common/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/newfile.h"
#include "relay/cli/common/json_get.h"

static bool is_empty(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	bool empty = d != NULL;

	while (empty && (e = readdir(d)) != NULL)
		empty = strcmp(e->d_name, ".") == 0 ||
			strcmp(e->d_name, "..") == 0;
	if (d != NULL)
		closedir(d);
	return empty;
}

int folder_make(struct cli *c, const char *dir)
{
	struct stat st;

	if (mkdir(dir, 0700) == 0)
		return CLI_DONE;
	if (errno == EEXIST && (lstat(dir, &st) != 0 || !S_ISDIR(st.st_mode) ||
				   !is_empty(dir)))
		return cli_fail(c, "%s: it is there and is no empty folder; "
		    "say a new one", dir);
	if (errno == EEXIST && chmod(dir, 0700) == 0)
		return CLI_DONE;
	return cli_fail(c, "%s: %s", dir, strerror(errno));
}

int folder_sync(struct cli *c, const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = CLI_DONE;

	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
		code = cli_fail(c, "%s: %s", dir, strerror(errno));
	if (fd >= 0)
		close(fd);
	return code;
}

int folder_sync_all(struct cli *c, const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = CLI_DONE;

	if (fd < 0 || syncfs(fd) < 0)
		code = cli_fail(c, "%s: %s", dir, strerror(errno));
	if (fd >= 0)
		close(fd);
	return code;
}

/* ---- reading ---- */

/* The folder that `name` is in, and the rest of the name. */
static int open_parent(const char *dir, const char **name)
{
	int top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), sub;
	const char *slash = strchr(*name, '/');
	char part[NAME_MAX + 1];

	if (top < 0 || slash == NULL)
		return top;
	snprintf(part, sizeof(part), "%.*s", (int)(slash - *name), *name);
	sub = openat(top, part,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	close(top);
	*name = slash + 1;
	return sub;
}

static const char *fault_of(int no)
{
	return no == ELOOP || no == ENOTDIR ? "it is a link, or in one"
					     : strerror(no);
}

int folder_open(struct cli *c, const char *dir, const char *name,
    uint64_t *size_out)
{
	const char *rest = name;
	int parent = open_parent(dir, &rest), fd = -1;
	struct stat st;

	if (parent >= 0)
		fd = openat(parent, rest,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		cli_fail(c, "%s/%s: %s", dir, name, fault_of(errno));
	else if (!S_ISREG(st.st_mode))
		cli_fail(c, "%s/%s: it is no file", dir, name);
	else
		*size_out = (uint64_t)st.st_size;
	if (parent >= 0)
		close(parent);
	if (fd >= 0 && S_ISREG(st.st_mode))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

json_t *folder_read_json(struct cli *c, const char *dir,
    const struct folder_json *j)
{
	uint64_t size;
	int fd = folder_open(c, dir, j->name, &size);
	json_error_t why;
	json_t *o;

	if (fd < 0)
		return NULL;
	o = json_loadfd(fd, JSON_REJECT_DUPLICATES, &why);
	close(fd);
	if (o == NULL) {
		cli_fail(c, "%s/%s: line %d: %s", dir, j->name, why.line,
		    why.text);
	} else if (json_number(o, j->key) != j->format) {
		cli_fail(c, "%s/%s: \"%s\" is not %d: it is not ours, or of a "
		    "newer Posthouse", dir, j->name, j->key, j->format);
		json_decref(o);
		o = NULL;
	}
	return o;
}

/* ---- writing ---- */

/* `fd` is closed. */
static int write_all(int fd, const json_t *o, bool sync)
{
	FILE *to = fdopen(fd, "w");
	bool ok;

	if (to == NULL) {
		close(fd);
		return -1;
	}
	ok = json_dumpf(o, to, JSON_INDENT(1)) == 0 && fputc('\n', to) != EOF &&
	    fflush(to) == 0 && (!sync || fsync(fd) == 0);
	return fclose(to) == 0 && ok ? 0 : -1;
}

int folder_write_json(struct cli *c, const char *dir, const char *name,
    const json_t *o, bool sync)
{
	char path[PATH_MAX], part[NEWFILE_PATH];
	int fd, n = snprintf(path, sizeof(path), "%s/%s", dir, name);

	if (n < 0 || n >= (int)sizeof(path))
		return cli_fail(c, "%s: the name is too long", dir);
	fd = newfile_open(path, part);
	if (fd >= 0 && write_all(fd, o, sync) == 0 &&
	    newfile_keep(part, path) == 0)
		return CLI_DONE;
	cli_fail(c, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		unlink(part);
	return CLI_NO;
}
