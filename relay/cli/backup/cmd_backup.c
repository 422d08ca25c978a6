/* SPDX-License-Identifier: ISC
 *
 * backup: all of a Posthouse in one folder, taken while mail flows.
 *
 * The parts are of different moments, in an order in which that does no harm
 * (doc/backup.md): the audit index, the journal, the table, the configuration.
 * The journal is never behind the index, nor the table behind the journal.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "policy/change/table_copy.h"
#include "relay/base/clock.h"
#include "relay/cli/backup/backup_commands.h"
#include "relay/cli/backup/backup_files.h"
#include "relay/cli/common/folder.h"
#include "relay/cli/common/human.h"
#include "relay/cli/common/json_get.h"

/* ---- table, configuration ---- */

static int copy_table(struct backing_up *b)
{
	char path[PATH_MAX];
	struct error err = {0};

	snprintf(path, sizeof(path), "%s/" BACKUP_TABLE, b->dir);
	if (table_backup(b->conf->table.path, path, &err) < 0)
		return cli_fail(b->c, "%s", err.text);
	return backup_note(b, BACKUP_TABLE, b->conf->table.path);
}

/* By the name that the configuration has for it: a link is restored as the file
 * that it leads to. 0, or -1 and errno. */
static int whole_path(const char *path, char out[PATH_MAX])
{
	char here[PATH_MAX] = "";

	if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return -1;
	errno = ENAMETOOLONG;
	return snprintf(out, PATH_MAX, "%s%s%s", here,
	    path[0] == '/' ? "" : "/", path) < PATH_MAX ? 0 : -1;
}

static void copy_named(void *arg, const char *path)
{
	struct backing_up *b = arg;
	char whole[PATH_MAX], name[32];
	struct stat st;

	if (b->code == CLI_DONE && (whole_path(path, whole) != 0 ||
				       stat(whole, &st) != 0))
		b->code = cli_fail(b->c, "%s: %s", path, strerror(errno));
	if (b->code == CLI_DONE) {
		snprintf(name, sizeof(name), "config/%u", b->steps++);
		b->code = backup_copy(b, whole, name, UINT64_MAX);
	}
	if (b->code == CLI_DONE) {
		json_object_set_new(backup_last(b), "path",
		    json_string(whole));
		json_object_set_new(backup_last(b), "uid",
		    json_integer(st.st_uid));
		json_object_set_new(backup_last(b), "gid",
		    json_integer(st.st_gid));
	}
}

/* The key of tokens is made beside the table when none is named. */
static int copy_configuration(struct backing_up *b)
{
	char token[PATH_MAX];
	struct error err = {0};
	const char *slash = strrchr(b->conf->table.path, '/');
	struct stat st;

	b->steps = 0;
	if (conf_files(b->c->conf_file, copy_named, b, &err) < 0)
		return cli_fail(b->c, "%s", err.text);
	snprintf(token, sizeof(token), "%.*stoken.secrets",
	    slash == NULL ? 0 : (int)(slash + 1 - b->conf->table.path),
	    b->conf->table.path);
	if (b->code == CLI_DONE && stat(token, &st) == 0)
		copy_named(b, token);
	return b->code;
}

/* ---- index and journal ---- */

static void on_row(void *arg, json_t *row)
{
	struct backing_up *b = arg;

	if (json_object_get(row, "offset") == NULL) {
		json_array_append(b->slots, row);
	} else {
		json_decref(b->position);
		b->position = json_incref(row);
	}
}

/* The daemon holds the spool since before the first call. */
static json_t *on_more(void *arg)
{
	struct backing_up *b = arg;

	switch (b->steps++) {
	case 0:
		b->code = backup_audit_rest(b);
		return b->code == CLI_DONE ? json_pack("{s:b}", "take", 1)
					   : NULL;
	case 1:
		b->code = backup_spool(b);
		return b->code == CLI_DONE ? json_pack("{s:b}", "end", 1)
					   : NULL;
	default:
		return NULL;
	}
}

static int copy_live(struct backing_up *b)
{
	const struct cli_talk talk = {.command = "backup.hold", .about = "",
	    .row = on_row, .more = on_more, .arg = b, .if_running = true};
	int code;

	b->slots = json_array();
	code = cli_converse(b->c, &talk);
	return code == CLI_NO_DAEMON && b->steps == 0 ? backup_spool_alone(b)
						      : code;
}

/* ---- all ---- */

static int write_manifest(struct backing_up *b)
{
	const struct conf *conf = b->conf;
	json_t *o = json_pack("{s:i, s:s, s:s, s:i, s:I}", BACKUP_KEY,
	    BACKUP_FORMAT, "version", PACKAGE_VERSION, "hostname",
	    conf->hostname, "node", conf->node, "time_us",
	    (json_int_t)clock_wall_us(&clock_system));
	int code;

	if (b->position != NULL)
		json_object_set(o, "position", b->position);
	json_object_set_new(o, "paths", json_pack("{s:s, s:s, s:s}", "spool",
	    conf->spool.path, "audit", conf->audit.path, "table",
	    conf->table.path));
	json_object_set(o, "files", b->files);
	code = folder_write_json(b->c, b->dir, BACKUP_MANIFEST, o,
	    true);
	json_decref(o);
	return code == CLI_DONE ? folder_sync(b->c, b->dir) : code;
}

static int make_folders(struct backing_up *b)
{
	static const char *const subs[] = {"spool", "audit", "config"};
	int code = folder_make(b->c, b->dir);
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(subs) && code == CLI_DONE; i++) {
		if (snprintf(path, sizeof(path), "%s/%s", b->dir, subs[i]) >=
		    (int)sizeof(path))
			code = cli_fail(b->c, "%s: the name is too long",
			    b->dir);
		else
			code = folder_make(b->c, path);
	}
	return code;
}

static int sync_folders(struct backing_up *b)
{
	static const char *const subs[] = {"spool", "audit", "config"};
	int code = CLI_DONE;
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(subs) && code == CLI_DONE; i++) {
		snprintf(path, sizeof(path), "%s/%s", b->dir, subs[i]);
		code = folder_sync(b->c, path);
	}
	return code;
}

static void show(struct backing_up *b)
{
	struct strbuf bytes;
	struct jout *j;

	strbuf_init(&bytes, 40);
	human_bytes((int64_t)b->bytes, &bytes);
	out_say(&b->c->out, "%s: %zu files, %s%s", b->dir,
	    json_array_size(b->files), strbuf_cstr(&bytes),
	    b->position == NULL ? ", posthoused did not run" : "");
	strbuf_fini(&bytes);
	if (!b->c->json)
		return;
	j = out_row(&b->c->out);
	jout_int(j, "files", (int64_t)json_array_size(b->files));
	jout_int(j, "bytes", (int64_t)b->bytes);
	jout_int(j, "generation", json_number(b->position, "generation"));
	jout_int(j, "offset", json_number(b->position, "offset"));
	out_row_end(&b->c->out);
}

static int (*const parts[])(struct backing_up *b) = {
	make_folders, backup_audit_sealed, backup_events_rotated, copy_live,
	copy_table, copy_configuration, sync_folders, write_manifest,
};

static const char *const part_titles[] = {
	"folder", "audit index", "events", "journal", "table", "configuration",
	"sync", "manifest",
};

static int run_backup(struct cli *c)
{
	struct backing_up b = {.c = c, .conf = cli_conf(c), .dir = c->arg[0],
	    .files = json_array(), .names = json_object(),
	    .copied = json_object()};
	struct progress bar;
	int code = b.conf == NULL ? CLI_NO : CLI_DONE;

	progress_begin(&bar, "backup", 0);
	for (size_t i = 0; i < ARRAY_LEN(parts) && code == CLI_DONE; i++) {
		progress_phase(&bar, part_titles[i]);
		code = parts[i](&b);
	}
	progress_end(&bar);
	if (code == CLI_DONE)
		show(&b);
	json_decref(b.files);
	json_decref(b.names);
	json_decref(b.copied);
	json_decref(b.slots);
	json_decref(b.position);
	return code;
}

const struct cli_command cmd_backup[] = {
	{.name = "backup",
	    .args = "FOLDER",
	    .summary = "All of it in one folder: table, spool, audit index, "
		       "secrets, configuration",
	    .details = "Taken while mail flows, or without the daemon. The "
		       "folder is made, with mode 0700;\n"
		       "it holds mail and secrets.",
	    .example = "posthouse backup /root/posthouse-2026-11-30",
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_backup},
	{.name = NULL},
};
