/* SPDX-License-Identifier: ISC
 *
 * Files of a backup, and their lines of the manifest.
 */
#include "relay/cli/backup/backup_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/cli/common/file_hash.h"

enum { ROTATED_MAX = 100 };

static int note(struct backing_up *b, const char *name, uint64_t size,
    const struct stat *like, const char *sha)
{
	json_array_append_new(b->files, json_pack("{s:s, s:I, s:i, s:s}",
	    "name", name, "bytes", (json_int_t)size, "mode",
	    (int)(like->st_mode & 0777), "sha256", sha));
	json_object_set_new(b->names, name, json_true());
	b->bytes += size;
	return CLI_DONE;
}

json_t *backup_last(const struct backing_up *b)
{
	return json_array_get(b->files, json_array_size(b->files) - 1);
}

bool backup_is_rotated(const char *behind)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	static const struct slice restoring = SLICE(".restoring");
	size_t n = strlen(behind);

	return n > 1 && n <= ROTATED_MAX && strspn(behind, set) == n &&
	       (behind[0] == '.' || behind[0] == '-') &&
	       (n < restoring.n ||
		   strcmp(behind + n - restoring.n, restoring.p) != 0);
}

bool backup_has(const struct backing_up *b, const char *name)
{
	return json_object_get(b->names, name) != NULL;
}

static bool path_in(const struct backing_up *b, const char *name,
    char out[PATH_MAX])
{
	if (snprintf(out, PATH_MAX, "%s/%s", b->dir, name) < PATH_MAX)
		return true;
	cli_fail(b->c, "%s: the name is too long", b->dir);
	return false;
}

int backup_copy_from(struct backing_up *b, int from, const char *path,
    const char *name, uint64_t bytes)
{
	char to_path[PATH_MAX], sha[FILE_HASH_TEXT];
	struct stat st;
	int to, rc;

	if (fstat(from, &st) != 0)
		return cli_fail(b->c, "%s: %s", path, strerror(errno));
	if (!path_in(b, name, to_path))
		return CLI_NO;
	to = open(to_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		return cli_fail(b->c, "%s: %s", to_path, strerror(errno));
	if (bytes == UINT64_MAX)
		bytes = (uint64_t)st.st_size;
	rc = file_hash_copy(from, to,
	    (struct file_part){bytes, (uint64_t)st.st_size}, sha);
	if (rc != 0)
		cli_fail(b->c, "copying %s to %s: %s", path, to_path,
		    errno == EBADMSG ? "it is shorter than it should be"
				     : strerror(errno));
	if (close(to) != 0 && rc == 0)
		rc = cli_fail(b->c, "%s: %s", to_path, strerror(errno));
	if (bytes < (uint64_t)st.st_size)
		bytes = (uint64_t)st.st_size;
	return rc == 0 ? note(b, name, bytes, &st, sha) : CLI_NO;
}

int backup_copy(struct backing_up *b, const char *path, const char *name,
    uint64_t bytes)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), code;

	if (from < 0)
		return cli_fail(b->c, "%s: %s", path, strerror(errno));
	code = backup_copy_from(b, from, path, name, bytes);
	close(from);
	return code;
}

int backup_note(struct backing_up *b, const char *name, const char *like)
{
	char path[PATH_MAX], sha[FILE_HASH_TEXT];
	struct stat mode, st;
	int fd, rc;

	if (!path_in(b, name, path))
		return CLI_NO;
	if (stat(like, &mode) != 0)
		return cli_fail(b->c, "%s: %s", like, strerror(errno));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cli_fail(b->c, "%s: %s", path, strerror(errno));
	rc = fstat(fd, &st);
	if (rc == 0 && fchmod(fd, 0600) == 0)
		rc = file_hash_copy(fd, -1,
		    (struct file_part){(uint64_t)st.st_size, 0}, sha);
	if (rc == 0)
		rc = fsync(fd);
	if (rc != 0)
		cli_fail(b->c, "%s: %s", path, strerror(errno));
	close(fd);
	return rc == 0 ? note(b, name, (uint64_t)st.st_size, &mode, sha)
		       : CLI_NO;
}

/* All names before the first is taken: when an hour of the index ends
 * meanwhile, its file is copied as it is then, and the next one is not, whose
 * cursor would be behind rows that the copy lacks. */
static json_t *list(const struct backup_folder *f)
{
	json_t *names = json_array();
	DIR *d = opendir(f->path);
	const struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' &&
		    strncmp(e->d_name, f->prefix, strlen(f->prefix)) == 0)
			json_array_append_new(names, json_string(e->d_name));
	if (d != NULL)
		closedir(d);
	else if (errno != ENOENT)
		json_array_append_new(names, json_null());
	return names;
}

int backup_each(struct backing_up *b, const struct backup_folder *f)
{
	json_t *names = list(f), *name;
	int code = CLI_DONE;
	size_t i;

	json_array_foreach(names, i, name) {
		if (code == CLI_DONE && json_is_null(name))
			code = cli_fail(b->c, "%s: %s", f->path,
			    strerror(errno));
		if (code == CLI_DONE)
			code = f->fn(b, json_string_value(name));
	}
	json_decref(names);
	return code;
}
