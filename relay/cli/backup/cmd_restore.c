/* SPDX-License-Identifier: ISC
 *
 * restore: a backup is put into empty places, with the daemon stopped. What was
 * open comes back frozen; restore accept lets it go.
 */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "relay/cli/backup/backup_commands.h"
#include "relay/cli/backup/backup_files.h"
#include "relay/cli/backup/restore_files.h"
#include "relay/cli/common/folder.h"
#include "relay/cli/common/json_get.h"
#include "relay/spool/backup/renew.h"

/* ---- restore ---- */

/* By the configuration that is there, else by that of the backup. */
static int find_places(struct putting_back *p)
{
	const json_t *paths = json_object_get(p->manifest, "paths");
	static const char *const keys[] = {[TO_SPOOL] = "spool",
	    [TO_AUDIT] = "audit", [TO_TABLE] = "table"};
	const struct conf *conf;

	if (access(p->c->conf_file, F_OK) == 0 || errno != ENOENT) {
		conf = cli_conf(p->c);
		if (conf == NULL)
			return CLI_NO;
		p->place[TO_SPOOL] = conf->spool.path;
		p->place[TO_AUDIT] = conf->audit.path;
		p->place[TO_TABLE] = conf->table.path;
		p->place[TO_EVENTS] = conf->audit.events;
		return CLI_DONE;
	}
	for (int kind = TO_SPOOL; kind <= TO_TABLE; kind++) {
		p->place[kind] = json_text(paths, keys[kind]);
		if (p->place[kind][0] != '/')
			return cli_fail(p->c, "%s/" BACKUP_MANIFEST ": its "
			    "%s is no path", p->dir, keys[kind]);
	}
	return CLI_DONE;
}

static void show(struct putting_back *p)
{
	struct jout *j;

	out_say(&p->c->out, "restored into %s, %s, %s; %u files of the "
	    "configuration were written, %u were there and stay",
	    p->place[TO_SPOOL], p->place[TO_AUDIT], p->place[TO_TABLE],
	    p->configs, p->kept);
	out_say(&p->c->out, "start posthoused: all mail that was open is "
	    "frozen, since it may have gone out after the backup; look at "
	    "`queue list`, then say `posthouse restore accept`");
	if (!p->c->json)
		return;
	j = out_row(&p->c->out);
	jout_str(j, "spool", p->place[TO_SPOOL]);
	jout_str(j, "audit", p->place[TO_AUDIT]);
	jout_str(j, "table", p->place[TO_TABLE]);
	jout_int(j, "configuration", p->configs);
	out_row_end(&p->c->out);
}

/* A backup that was taken without the daemon has none. */
static int find_generation(struct putting_back *p)
{
	int64_t known = json_number(
	    json_object_get(p->manifest, "position"), "generation");

	if (known < 0 || (uint64_t)known > GENERATION_MOST)
		return cli_fail(p->c, "%s/" BACKUP_MANIFEST ": generation %"
		    PRId64 " of its position is none that a journal reaches",
		    p->dir, known);
	p->known = (uint64_t)known;
	return CLI_DONE;
}

static int restore(struct putting_back *p)
{
	int code = find_places(p);

	if (code == CLI_DONE)
		code = find_generation(p);
	if (code == CLI_DONE)
		code = restore_look(p);
	if (code == CLI_DONE)
		code = restore_check(p);
	if (code == CLI_DONE)
		code = restore_check_conf(p);
	if (code != CLI_DONE) {
		cli_fail(p->c, "nothing was restored");
		return code;
	}
	code = restore_put(p);
	if (code == CLI_DONE)
		show(p);
	return code;
}

static int run_restore(struct cli *c)
{
	struct putting_back p = {.c = c, .dir = c->arg[0], .lock = -1};
	int code;

	p.manifest = folder_read_json(c, p.dir, &(struct folder_json){
	    BACKUP_MANIFEST, BACKUP_KEY, BACKUP_FORMAT});
	if (p.manifest == NULL)
		return cli_fail(c, "%s: it is no backup, or one that did not "
		    "come to its end; nothing was restored", p.dir);
	code = restore(&p);
	if (p.lock >= 0)
		close(p.lock);
	json_decref(p.manifest);
	return code;
}

/* ---- restore accept ---- */

struct accepting {
	struct cli *c;
	json_t *args;
	uint64_t count, done, refused;
	struct progress bar;
};

static void on_count(void *arg, json_t *row)
{
	struct accepting *a = arg;
	json_t *last = json_object_get(row, "last");

	a->count = (uint64_t)json_number(row, "count");
	if (json_is_string(last))
		json_object_set(a->args, "until", last);
}

static void on_thawed(void *arg, json_t *row)
{
	struct accepting *a = arg;

	if (json_is_true(json_object_get(row, "done")))
		a->done++;
	else
		a->refused++;
	progress_at(&a->bar, a->done + a->refused);
}

static int count(struct accepting *a)
{
	json_t *args = json_deep_copy(a->args);

	json_object_set_new(args, "count", json_true());
	return cli_call(a->c, "queue.act", args, on_count, a);
}

static bool agreed(struct accepting *a)
{
	char question[200];

	snprintf(question, sizeof(question), "let %" PRIu64 " %s go that %s "
	    "open when the backup was taken? (each may have gone out since; "
	    "it is marked uncertain)", a->count,
	    a->count == 1 ? "delivery" : "deliveries",
	    a->count == 1 ? "was" : "were");
	return cli_confirm(a->c, question);
}

static int thaw(struct accepting *a)
{
	struct jout *j;
	int code;

	progress_begin(&a->bar, "accept", a->count);
	code = cli_call(a->c, "queue.act", json_incref(a->args), on_thawed, a);
	progress_end(&a->bar);
	out_say(&a->c->out, "%" PRIu64 " deliver%s on, %" PRIu64
	    " could not be changed", a->done,
	    a->done == 1 ? "y goes" : "ies go", a->refused);
	if (a->c->json) {
		j = out_row(&a->c->out);
		jout_int(j, "accepted", (int64_t)a->done);
		jout_int(j, "refused", (int64_t)a->refused);
		out_row_end(&a->c->out);
	}
	return code;
}

static int run_accept(struct cli *c)
{
	struct accepting a = {.c = c, .args = json_pack("{s:s, s:s, s:b}",
	    "action", "thaw", "state", "frozen", "restored", 1)};
	int code = count(&a);

	if (code == CLI_DONE && a.count == 0)
		code = cli_fail(c, "nothing waits that was restored");
	if (code == CLI_DONE)
		code = agreed(&a) ? thaw(&a) : CLI_NO;
	json_decref(a.args);
	return code;
}

static const struct cli_option accept_options[] = {
	{"yes", NULL, "Does not ask."}, {NULL, NULL, NULL},
};

const struct cli_command cmd_restore[] = {
	{.name = "restore accept",
	    .args = "",
	    .summary = "Lets mail go that a restore brought back frozen",
	    .details = "Says how many deliveries there are and asks; they are "
		       "marked uncertain.\nSingle ones are for `queue thaw`, "
		       "`queue delete` and the like.",
	    .example = "posthouse restore accept",
	    .options = accept_options,
	    .run = run_accept},
	{.name = "restore",
	    .args = "FOLDER",
	    .summary = "A backup into empty places, with the daemon stopped",
	    .details = "Spool, audit index, table and events.jsonl must be "
		       "absent or empty; files\n"
		       "of the configuration are written where there are "
		       "none. All is looked at\n"
		       "before anything is written.",
	    .example = "posthouse restore /root/posthouse-2026-11-30",
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_restore},
	{.name = NULL},
};
