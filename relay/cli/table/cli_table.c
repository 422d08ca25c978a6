/* SPDX-License-Identifier: ISC
 *
 * The cutover table for the commands.
 */
#include "relay/cli/table/cli_table.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/change/table_make.h"
#include "policy/row.h"
#include "relay/base/mem.h"

/* ---- the user that writes the table ------------------------------------ */

/* The file's owner, or its directory's when it is still to be made. */
static int owner_of(const char *path, struct stat *st)
{
	char *copy;
	int rc;

	if (stat(path, st) == 0)
		return 0;
	copy = mem_strdup(path);
	rc = stat(dirname(copy), st);
	mem_free(copy);
	return rc;
}

/* The daemon could not read files that root wrote (the log beside the table,
 * say), so root becomes the daemon's user. */
static int become_owner(struct cli *c, const char *path)
{
	struct stat st;

	if (geteuid() != 0 || owner_of(path, &st) < 0 || st.st_uid == 0)
		return 0;
	if (setgroups(0, NULL) < 0 ||
	    setresgid(st.st_gid, st.st_gid, st.st_gid) < 0 ||
	    setresuid(st.st_uid, st.st_uid, st.st_uid) < 0)
		return cli_fail(c, "can not become the owner of %s (uid %u)",
		    path, (unsigned)st.st_uid);
	return 0;
}

const char *cli_table_path(struct cli *c)
{
	struct conf *conf = cli_conf(c);

	if (conf == NULL || become_owner(c, conf->table.path) != 0)
		return NULL;
	return conf->table.path;
}

/* ---- opening ---------------------------------------------------------- */

struct table *cli_table(struct cli *c)
{
	const char *path = cli_table_path(c);
	struct error err = {0};
	struct table *t;

	if (path == NULL)
		return NULL;
	if (access(path, F_OK) != 0 && errno == ENOENT &&
	    table_prepare(path, c->conf, c->who, &err) < 0) {
		cli_fail(c, "%s", err.text);
		return NULL;
	}
	t = table_open(path, c->names, &err);
	if (t == NULL)
		cli_fail(c, "%s", err.text);
	return t;
}

int cli_open_input(struct cli *c, const char *name)
{
	int fd;

	if (strcmp(name, "-") == 0)
		return dup(STDIN_FILENO);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		struct error err;

		error_sys(&err, errno, "%s", name);
		cli_fail(c, "%s", err.text);
	}
	return fd;
}

int cli_key(struct cli *c, const char *text, struct strbuf *key_out)
{
	struct error err;

	if (row_key(slice_str(text), key_out, &err) < 0)
		return cli_fail(c, "%s", err.text);
	return CLI_DONE;
}

bool cli_customer(struct cli *c, const char *name)
{
	const struct conf *conf = cli_conf(c);

	if (conf == NULL)
		return false;
	for (int i = 0; i < conf->domains; i++)
		if (strcmp(conf->domain[i].customer, name) == 0)
			return true;
	cli_fail(c, "no domain of the configuration belongs to the customer "
	    "%s", name);
	return false;
}

bool cli_number(struct cli *c, const char *text, uint64_t *number_out)
{
	if (slice_uint(slice_str(text), INT64_MAX, number_out))
		return true;
	cli_usage(c, "'%s' is no change number", text);
	return false;
}
