/* SPDX-License-Identifier: ISC
 *
 * queue retry, freeze, thaw, park, bounce, delete: what an administrator
 * does with what waits. What cannot be taken back is counted and asked for
 * first; what comes in meanwhile is not meant.
 */
#include <inttypes.h>
#include <unistd.h>

#include "relay/cli/queue/queue_commands.h"
#include "relay/cli/queue/queue_select.h"


static const struct out_column act_columns[] = {
	{"id", "ID", false},	 {"to", "TO", false},
	{"leg", "LEG", false},	 {"role", "ROLE", false},
	{"state", "WAS", false}, {"why", "REFUSED", false},
	{NULL, NULL, false},
};

static const struct out_column dry_columns[] = {
	{"id", "ID", false},	 {"from", "FROM", false},
	{"to", "TO", false},	 {"leg", "LEG", false},
	{"role", "ROLE", false}, {"state", "STATE", false},
	{"age", "AGE", true}, {NULL, NULL, false},
};

/* The question that is put before an act. */
static const struct {
	const char *action, *after;
} asked[] = {
	{"park", "they are kept, and nobody is told"},
	{"bounce", "their senders are told that they failed"},
	{"delete", "nobody is told, and nothing is kept"},
};

struct acting {
	struct cli *c;
	const char *action;
	json_t *args;
	uint64_t count; /* how many there were; 0: not counted */
	uint64_t seen, refused;
	bool totals; /* the daemon counts; not each has a row */
	struct progress bar;
};

static void on_count(void *arg, json_t *row)
{
	struct acting *a = arg;
	json_t *last = json_object_get(row, "last");

	a->count = (uint64_t)json_integer_value(json_object_get(row, "count"));
	if (json_is_string(last))
		json_object_set(a->args, "until", last);
}

static int count(struct acting *a)
{
	json_t *args = json_deep_copy(a->args);

	json_object_set_new(args, "count", json_true());
	return cli_call(a->c, "queue.act", args, on_count, a);
}

static int ask(struct acting *a)
{
	char question[160];

	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		if (strcmp(asked[i].action, a->action) != 0)
			continue;
		snprintf(question, sizeof(question),
		    "%s %" PRIu64 " %s of the queue? (%s)", a->action, a->count,
		    a->count == 1 ? "delivery" : "deliveries",
		    asked[i].after);
		return cli_confirm(a->c, question) ? CLI_DONE : CLI_NO;
	}
	/* An act that can be taken back is asked about only for many
	 * deliveries, and only at a terminal. */
	if (a->count <= CLI_ASK_ABOVE || !isatty(STDIN_FILENO))
		return CLI_DONE;
	snprintf(question, sizeof(question),
	    "%s %" PRIu64 " deliveries of the queue?", a->action, a->count);
	return cli_confirm(a->c, question) ? CLI_DONE : CLI_NO;
}

static void read_total(struct acting *a, const json_t *row)
{
	a->totals = true;
	a->seen = (uint64_t)json_integer_value(json_object_get(row, "total"));
	a->refused =
	    (uint64_t)json_integer_value(json_object_get(row, "refused"));
	progress_at(&a->bar, a->seen);
}

static void on_row(void *arg, json_t *row)
{
	struct acting *a = arg;
	bool done = json_is_true(json_object_get(row, "done"));

	if (json_object_get(row, "total") != NULL) {
		read_total(a, row);
		return;
	}
	out_row_json(&a->c->out, row);
	if (a->totals)
		return;
	a->seen++;
	a->refused += !done;
	progress_at(&a->bar, a->seen);
}

static int act(struct acting *a)
{
	struct cli *c = a->c;
	int code;

	if (!c->json)
		json_object_set_new(a->args, "brief", json_true());
	out_table(&c->out, act_columns);
	progress_begin(&a->bar, a->action, a->count);
	code = cli_call(c, "queue.act", json_incref(a->args), on_row, a);
	progress_end(&a->bar);
	out_end(&c->out);
	if (a->seen == 0 && code == CLI_DONE)
		return cli_fail(c, "nothing in the queue fits");
	if (a->seen > 0)
		out_say(&c->out, "%s: %" PRIu64 " done, %" PRIu64 " refused",
		    a->action, a->seen - a->refused, a->refused);
	return code;
}

static void on_dry_row(void *arg, json_t *row)
{
	queue_show_row(arg, row);
}

static int dry_run(struct acting *a)
{
	struct cli *c = a->c;
	int code;

	json_object_set_new(a->args, "dry_run", json_true());
	out_table(&c->out, dry_columns);
	code = cli_call(c, "queue.act", json_incref(a->args), on_dry_row, c);
	if (code == CLI_DONE && c->out.total == 0)
		return cli_fail(c, "nothing in the queue fits");
	return code;
}

/* Messages that are named and not there are the daemon's to tell of. */
static int count_and_ask(struct acting *a)
{
	int code = count(a);

	if (code != CLI_DONE)
		return code;
	if (a->count != 0)
		return ask(a);
	return a->c->args > 0 ? CLI_DONE
			      : cli_fail(a->c, "nothing in the queue fits");
}

static int run_act(struct cli *c)
{
	const char *reason = cli_value(c, "reason");
	struct acting a = {.c = c, .args = json_object(),
	    .action = strchr(c->command->name, ' ') + 1};
	bool shows = isatty(STDERR_FILENO) && !c->json;
	int code = queue_choose(c, a.args);

	json_object_set_new(a.args, "action", json_string(a.action));
	json_object_set_new(a.args, "reason",
	    json_string(reason == NULL ? "" : reason));
	if (code == CLI_DONE && cli_flag(c, "dry-run"))
		code = dry_run(&a);
	else if (code == CLI_DONE) {
		if (!cli_flag(c, "yes") || shows)
			code = count_and_ask(&a);
		if (code == CLI_DONE)
			code = act(&a);
	}
	json_decref(a.args);
	return code;
}

static const struct cli_option act_options[] = {
	QUEUE_FILTERS,
	{"reason", "R", "Why, for the audit trail."},
	{"dry-run", NULL, "Shows which they are, and does nothing."},
	{"yes", NULL, "Do not ask."},
	{NULL, NULL, NULL},
};

#define ASKS "Says how many there are and asks before it is done; --yes does " \
	"not ask, and\nwithout a terminal nothing is done without it."
#define ACT(verb, does, more) \
	{.name = "queue " verb, .args = "[ID...]", .summary = does, \
	    .details = more, \
	    .example = "posthouse queue " verb " 01JD5K3W7Q2MA\n" \
		       "posthouse queue " verb " --leg cloud --age 2h " \
		       "--dry-run", \
	    .options = act_options, .max_args = -1, .run = run_act}

const struct cli_command cmd_queue_act[] = {
	ACT("retry", "Makes deliveries due now; what was parked goes again",
	    "What was parked begins a lifetime of its own."),
	ACT("freeze", "Stops deliveries until they are thawed",
	    "The time does not count for their lifetime."),
	ACT("thaw", "Lets frozen deliveries go on", NULL),
	ACT("park", "Gives deliveries up for now and keeps them",
	    ASKS " They are kept for\nspool.parked."),
	ACT("bounce", "Gives deliveries up and tells their senders",
	    ASKS " A copy is\nrefused: its sender is never told."),
	ACT("delete", "Ends deliveries without telling anybody",
	    ASKS " It is on\nrecord who did it."),
	{.name = NULL},
};
