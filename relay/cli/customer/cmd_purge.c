/* SPDX-License-Identifier: ISC
 *
 * purge: a customer leaves. Its rows and the mail that waits for it are
 * written to a folder, then removed; nothing is removed before all of it is
 * written. What comes in meanwhile stays and is counted.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/cli/customer/customer_commands.h"
#include "relay/cli/queue/queue_files.h"
#include "relay/cli/route/rows_csv.h"
#include "relay/cli/table/cli_change.h"
#include "relay/cli/table/cli_commit.h"
#include "relay/cli/table/cli_table.h"

struct purge {
	struct cli *c;
	const char *customer, *folder;
	FILE *rows;	  /* of rows.csv */
	uint64_t waiting; /* deliveries */
	json_t *until;	  /* the last message of them */
	uint64_t refused;
};

static const char *deliveries(uint64_t n)
{
	return n == 1 ? "delivery" : "deliveries";
}

static json_t *arguments(const struct purge *p)
{
	json_t *args = json_pack("{s:s}", "customer", p->customer);

	if (p->until != NULL)
		json_object_set(args, "until", p->until);
	return args;
}

static json_t *act_arguments(const struct purge *p)
{
	json_t *args = arguments(p);

	json_object_set_new(args, "action", json_string("delete"));
	json_object_set_new(args, "reason", json_string("purge"));
	return args;
}

static void on_count(void *arg, json_t *row)
{
	struct purge *p = arg;
	json_t *last = json_object_get(row, "last");

	p->waiting = (uint64_t)json_integer_value(
	    json_object_get(row, "count"));
	if (p->until == NULL && json_is_string(last))
		p->until = json_incref(last);
}

/* The daemon must run: what waits is its own. */
static int count(struct purge *p)
{
	json_t *args = act_arguments(p);

	p->waiting = 0;
	json_object_set_new(args, "count", json_true());
	return cli_call(p->c, "queue.act", args, on_count, p);
}

/* The folder is new, so that nothing of before is taken for the export. It is
 * made before root becomes the table's owner. */
static int make_folder(struct purge *p)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/rows.csv", p->folder);
	if (mkdir(p->folder, 0700) < 0)
		return cli_fail(p->c, "%s: %s%s", p->folder, strerror(errno),
		    errno == EEXIST ? "; name a folder that is not there yet"
				    : "");
	p->rows = fopen(path, "wxe");
	return p->rows == NULL ? cli_fail(p->c, "%s: %s", path,
				     strerror(errno)) : CLI_DONE;
}

static int export_mail(struct purge *p)
{
	json_t *ids = json_array();
	int code = cli_call(p->c, "queue.list", arguments(p), queue_file_add,
	    ids);

	if (code == CLI_DONE && json_array_size(ids) > 0)
		code = queue_files_write(p->c, p->folder, ids);
	out_end(&p->c->out);
	json_decref(ids);
	return code;
}

static int export_rows(struct purge *p)
{
	struct table *t = cli_table(p->c);
	int code = t == NULL ? CLI_NO
			     : rows_csv_export(p->c, t, p->rows, p->customer,
				   false);
	bool bad;

	table_close(t);
	bad = fflush(p->rows) != 0 || ferror(p->rows) != 0 ||
	      syncfs(fileno(p->rows)) != 0; /* with the folder's names */
	if (bad && code == CLI_DONE)
		code = cli_fail(p->c, "%s/rows.csv: %s", p->folder,
		    strerror(errno));
	return code;
}

static void on_deleted(void *arg, json_t *row)
{
	struct purge *p = arg;

	p->refused += !json_is_true(json_object_get(row, "done"));
}

static int stage(struct purge *p, struct change *ch)
{
	struct where *w = where_all();
	struct error err;
	int rc = where_narrow(w, WHERE_CUSTOMER, slice_str(p->customer), &err);

	if (rc == 0)
		rc = change_delete_where(ch, w, &err);
	where_free(w);
	return rc < 0 ? cli_change_fail(p->c, ch, &err) : CLI_DONE;
}

static int ask(struct purge *p, struct change *ch,
    const struct change_how *how)
{
	struct change_done done;
	char question[400];
	struct error err;

	if (change_preview(ch, how, NULL, &done, &err) < 0)
		return cli_change_fail(p->c, ch, &err);
	snprintf(question, sizeof(question), "The %" PRIu64 " row%s and %"
	    PRIu64 " %s of the customer %s are in %s; remove them? "
	    "(nobody is told, and nothing else is kept)", done.recipients,
	    done.recipients == 1 ? "" : "s", p->waiting,
	    deliveries(p->waiting), p->customer, p->folder);
	return cli_confirm(p->c, question) ? CLI_DONE
					   : cli_fail(p->c, "nothing was "
						 "removed");
}

static int delete_mail(struct purge *p)
{
	int code = p->waiting == 0
		       ? CLI_DONE
		       : cli_call(p->c, "queue.act", act_arguments(p),
			     on_deleted, p);

	if (code == CLI_DONE)
		out_say(&p->c->out, "%" PRIu64 " %s removed",
		    p->waiting - p->refused,
		    deliveries(p->waiting - p->refused));
	return code;
}

static int remove_all(struct purge *p)
{
	static const struct change_how how = {.as_of = -1};
	struct change *ch = cli_change(p->c);
	struct change_done done;
	int code = ch == NULL ? CLI_NO : stage(p, ch);

	if (code == CLI_DONE)
		code = ask(p, ch, &how);
	if (code == CLI_DONE)
		code = delete_mail(p);
	if (code == CLI_DONE)
		code = cli_make(p->c, ch, &how, &done);
	change_close(ch);
	return code;
}

/* Under way, or accepted since the export. */
static int say_rest(struct purge *p)
{
	int code;

	json_decref(p->until);
	p->until = NULL;
	code = count(p);
	if (code == CLI_DONE && p->waiting > 0)
		return cli_fail(p->c, "%" PRIu64 " %s under way or came in "
		    "meanwhile and %s not exported: posthouse queue list "
		    "--customer %s", p->waiting,
		    p->waiting == 1 ? "delivery was" : "deliveries were",
		    p->waiting == 1 ? "is" : "are", p->customer);
	return code;
}

static int run_purge(struct cli *c)
{
	struct purge p = {.c = c, .customer = cli_value(c, "customer"),
	    .folder = cli_value(c, "to")};
	int code;

	if (p.customer == NULL || p.folder == NULL)
		return cli_usage(c, "say --customer C and --to FOLDER");
	if (!cli_customer(c, p.customer))
		return CLI_NO;
	code = count(&p);
	if (code == CLI_DONE)
		code = make_folder(&p);
	if (code == CLI_DONE)
		code = export_mail(&p);
	if (code == CLI_DONE)
		code = export_rows(&p);
	if (code == CLI_DONE)
		code = remove_all(&p);
	if (code == CLI_DONE)
		code = say_rest(&p);
	if (p.rows != NULL)
		fclose(p.rows);
	json_decref(p.until);
	return code;
}

static const struct cli_option purge_options[] = {
	{"customer", "C", "The customer that leaves."},
	{"to", "FOLDER", "Where its rows and mail are written; made anew."},
	{"yes", NULL, "Does not ask."},
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_purge[] = {
	{
	    .name = "purge",
	    .args = "",
	    .summary = "Exports the rows and the waiting mail of a customer, "
		       "then removes them",
	    .details = "FOLDER gets rows.csv, which route import reads, and "
		       "each message as ID.eml. It\nasks before it removes. "
		       "The history of the rows, the audit trail and "
		       "delivered mail\nthat is retained stay; the domains can "
		       "be taken out of the configuration then.",
	    .example = "posthouse purge --customer example --to "
		       "/root/example",
	    .options = purge_options,
	    .run = run_purge,
	},
	{.name = NULL},
};
