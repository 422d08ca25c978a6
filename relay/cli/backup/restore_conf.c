/* SPDX-License-Identifier: ISC
 *
 * Files of the configuration go to the paths that the manifest says, as root:
 * so the configuration in the backup must name each of them.
 */
#include "relay/cli/backup/restore_files.h"

#include <sys/stat.h>

#include "relay/cli/backup/backup_files.h"
#include "relay/cli/common/json_get.h"

struct naming_files {
	struct putting_back *p;
	json_t *named; /* paths, as keys */
	char at[PATH_MAX];
};

/* The file of the configuration with that value; NULL. */
static const json_t *find(const struct putting_back *p, const char *key,
    const char *value)
{
	const json_t *files = json_object_get(p->manifest, "files");
	json_t *file;
	size_t i;

	json_array_foreach(files, i, file)
		if (restore_place(json_text(file, "name")) == TO_CONFIG &&
		    strcmp(json_text(file, key), value) == 0)
			return file;
	return NULL;
}

static const char *in_backup(void *arg, const char *path)
{
	struct naming_files *n = arg;
	const json_t *file = find(n->p, "path", path);

	if (file == NULL || snprintf(n->at, sizeof(n->at), "%s/%s", n->p->dir,
		json_text(file, "name")) >= (int)sizeof(n->at))
		return NULL;
	return n->at;
}

static void on_named(void *arg, const char *path)
{
	struct naming_files *n = arg;

	json_object_set_new(n->named, path, json_true());
}

/* The key of tokens has its place beside the table when none is named. */
static void name_token(struct naming_files *n)
{
	const char *table = json_text(json_object_get(n->p->manifest, "paths"),
	    "table"), *slash = strrchr(table, '/');
	char path[PATH_MAX];

	if (slash != NULL && snprintf(path, sizeof(path), "%.*s/token.secrets",
		(int)(slash - table), table) < (int)sizeof(path))
		on_named(n, path);
}

static int name_all(struct naming_files *n)
{
	const json_t *first = find(n->p, "name", "config/0");
	const struct conf_source from = {json_text(first, "path"), in_backup,
	    n};
	struct error err = {0};

	if (first == NULL)
		return cli_fail(n->p->c, "%s: it has files of a configuration, "
		    "and not config/0, which names them", n->p->dir);
	if (conf_files_from(&from, on_named, n, &err) < 0)
		return cli_fail(n->p->c, "%s: its configuration cannot be "
		    "read: %s", n->p->dir, err.text);
	name_token(n);
	return CLI_DONE;
}

static bool is_written(const json_t *file)
{
	struct stat st;

	return restore_place(json_text(file, "name")) == TO_CONFIG &&
	       lstat(json_text(file, "path"), &st) != 0;
}

static int check_names(const struct naming_files *n, const json_t *files)
{
	int code = CLI_DONE;
	json_t *file;
	size_t i;

	json_array_foreach(files, i, file) {
		const char *path = json_text(file, "path");

		if (is_written(file) &&
		    json_object_get(n->named, path) == NULL)
			code = cli_fail(n->p->c, "%s/" BACKUP_MANIFEST
			    ": \"%s\" is to go to %s, which the "
			    "configuration of the backup does not name",
			    n->p->dir, json_text(file, "name"), path);
	}
	return code;
}

int restore_check_conf(struct putting_back *p)
{
	const json_t *files = json_object_get(p->manifest, "files");
	struct naming_files n = {.p = p, .named = json_object()};
	int code = CLI_DONE;
	bool any = false;
	json_t *file;
	size_t i;

	json_array_foreach(files, i, file)
		any = any || is_written(file);
	if (any)
		code = name_all(&n);
	if (any && code == CLI_DONE)
		code = check_names(&n, files);
	json_decref(n.named);
	return code;
}
