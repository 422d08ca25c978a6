/* SPDX-License-Identifier: ISC
 *
 * queue: what waits, and what an administrator does with it. The daemon has
 * the queue; this asks. What destroys is counted and asked for first.
 *
 * queue.show answers rows with a "section": message, delivery, and with
 * --body body, whose "chunk" is base64; queue.export body rows alone.
 */
#include <inttypes.h>
#include <openssl/evp.h>

#include "relay/base/delivery.h"
#include "relay/base/mem.h"
#include "relay/cli/cli.h"

static const struct out_column list_columns[] = {
	{"id", "ID", false},	     {"from", "FROM", false},
	{"to", "TO", false},	     {"leg", "LEG", false},
	{"role", "ROLE", false},     {"state", "STATE", false},
	{"attempts", "TRIES", true}, {"age_s", "AGE/S", true},
	{"size", "SIZE", true},	     {"next", "NEXT", false},
	{"reason", "REASON", false}, {NULL, NULL, false},
};

/* ---- which deliveries -------------------------------------------------- */

/* The filters that were given; false: the reason was said. */
static bool add_filters(struct cli *c, json_t *args)
{
	static const char *const names[] = {"leg", "to", "from", "state"};
	const char *state = cli_value(c, "state");

	if (state != NULL && dstate_parse(slice_str(state)) < 0) {
		cli_usage(c, "there is no state %s: queued deferred held "
		    "frozen parked", state);
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = cli_value(c, names[i]);

		if (value != NULL)
			json_object_set_new(args, names[i], json_string(value));
	}
	return true;
}

/* ---- list, show -------------------------------------------------------- */

static int run_list(struct cli *c)
{
	const char *limit = cli_value(c, "limit");
	json_t *args = json_object();
	uint64_t n;

	if (!add_filters(c, args)) {
		json_decref(args);
		return CLI_USAGE;
	}
	if (limit != NULL) {
		if (!slice_uint(slice_str(limit), INT64_MAX, &n)) {
			json_decref(args);
			return cli_usage(c, "--limit wants a number");
		}
		json_object_set_new(args, "limit", json_integer((json_int_t)n));
	}
	out_table(&c->out, list_columns);
	return cli_call(c, "queue.list", args, NULL, NULL);
}

static void write_chunk(struct cli *c, const json_t *row)
{
	const char *text = json_string_value(json_object_get(row, "chunk"));
	size_t n = text == NULL ? 0 : strlen(text);
	unsigned char *bytes;
	int got;

	if (n == 0)
		return;
	bytes = mem_new(n / 4 * 3 + 4);
	got = EVP_DecodeBlock(
	    bytes, (const unsigned char *)text, (int)n);
	for (size_t i = n; got > 0 && i > 0 && text[i - 1] == '='; i--)
		got--;
	if (got > 0)
		fwrite(bytes, 1, (size_t)got, c->out.to);
	mem_free(bytes);
}

static const struct out_column message_columns[] = {
	{"id", "ID", false},	 {"accepted", "ACCEPTED", false},
	{"from", "FROM", false}, {"client", "CLIENT", false},
	{"size", "SIZE", true},	 {"message_id", "MESSAGE-ID", false},
	{NULL, NULL, false},
};

/* Sections come in their order: message, deliveries, body. */
struct showing {
	struct cli *c;
	char section[16];
};

static void on_show(void *arg, json_t *row)
{
	struct showing *s = arg;
	const char *section =
	    json_string_value(json_object_get(row, "section"));
	bool fresh;

	if (section == NULL || s->c->json) {
		out_row_json(&s->c->out, row);
		return;
	}
	fresh = strcmp(section, s->section) != 0;
	if (fresh && s->section[0] != '\0') {
		out_end(&s->c->out);
		out_say(&s->c->out, "%s", "");
	}
	snprintf(s->section, sizeof(s->section), "%s", section);
	if (strcmp(section, "body") == 0) {
		write_chunk(s->c, row);
		return;
	}
	if (fresh)
		out_table(&s->c->out, strcmp(section, "message") == 0
			? message_columns
			: list_columns);
	out_row_json(&s->c->out, row);
}

static int run_show(struct cli *c)
{
	struct showing s = {.c = c};

	return cli_call(c, "queue.show",
	    json_pack("{s:s, s:b}", "id", c->arg[0], "body",
		cli_flag(c, "body")),
	    on_show, &s);
}

static void on_export(void *arg, json_t *row)
{
	write_chunk(arg, row);
}

static int run_export(struct cli *c)
{
	return cli_call(c, "queue.export", json_pack("{s:s}", "id", c->arg[0]),
	    on_export, c);
}

/* ---- acting ------------------------------------------------------------ */

/* The rows are what was found; what was done to them is in the trace. */
static const struct out_column act_columns[] = {
	{"id", "ID", false},
	{"to", "TO", false},
	{"leg", "LEG", false},
	{"state", "WAS", false},
	{NULL, NULL, false},
};

static json_t *act_args(struct cli *c, const char *action)
{
	const char *reason = cli_value(c, "reason");
	json_t *args = json_object(), *ids = json_array();

	json_object_set_new(args, "action", json_string(action));
	json_object_set_new(
	    args, "reason", json_string(reason == NULL ? "" : reason));
	for (int i = 0; i < c->args; i++)
		json_array_append_new(ids, json_string(c->arg[i]));
	json_object_set_new(args, "ids", ids);
	if (add_filters(c, args))
		return args;
	json_decref(args);
	return NULL;
}

static void on_count(void *arg, json_t *row)
{
	uint64_t *n = arg;

	(void)row;
	(*n)++;
}

/* How many it would be; CLI_NO: the answer was no, or there are none. */
static int ask_first(struct cli *c, const char *action, json_t *args)
{
	json_t *dry = json_deep_copy(args);
	char question[120];
	uint64_t n = 0;
	int code;

	json_object_set_new(dry, "dry_run", json_true());
	code = cli_call(c, "queue.act", dry, on_count, &n);
	if (code != CLI_DONE)
		return code;
	if (n == 0)
		return cli_fail(c, "nothing in the queue fits");
	snprintf(question, sizeof(question),
	    "%s %" PRIu64 " %s of the queue?", action, n,
	    n == 1 ? "delivery" : "deliveries");
	return cli_confirm(c, question) ? CLI_DONE : CLI_NO;
}

static bool destroys(const char *action)
{
	return strcmp(action, "park") == 0 || strcmp(action, "bounce") == 0 ||
	       strcmp(action, "delete") == 0;
}

static int run_act(struct cli *c)
{
	const char *action = strchr(c->command->name, ' ') + 1;
	json_t *args = act_args(c, action);
	int code = CLI_DONE;

	if (args == NULL)
		return CLI_USAGE;
	if (c->args == 0 && json_object_size(args) == 3) {
		json_decref(args);
		return cli_usage(c, "say which: ids, --leg, --to, --from or "
		    "--state");
	}
	if (destroys(action) && !cli_flag(c, "yes"))
		code = ask_first(c, action, args);
	if (code != CLI_DONE) {
		json_decref(args);
		return code;
	}
	out_table(&c->out, act_columns);
	code = cli_call(c, "queue.act", args, NULL, NULL);
	if (code == CLI_DONE && c->out.total == 0)
		return cli_fail(c, "nothing in the queue fits");
	return code;
}

#define FILTERS \
	{"leg", "L", "Deliveries of this leg."}, \
	{"to", "A", "To this recipient."}, \
	{"from", "A", "From this sender."}, \
	{"state", "S", "queued, deferred, held, frozen or parked."}

static const struct cli_option list_options[] = {
	FILTERS,
	{"limit", "N", "At most so many."},
	{NULL, NULL, NULL},
};

static const struct cli_option show_options[] = {
	{"body", NULL, "The message too; that is on record."},
	{NULL, NULL, NULL},
};

static const struct cli_option act_options[] = {
	FILTERS,
	{"reason", "R", "Why, for the audit trail."},
	{"yes", NULL, "Do not ask."},
	{NULL, NULL, NULL},
};

#define ACT(verb, does, more) \
	{.name = "queue " verb, .args = "[ID...]", .summary = does, \
	    .details = more, \
	    .example = "posthouse queue " verb " 01JD5K3W7Q2MA\n" \
		       "posthouse queue " verb " --leg cloud", \
	    .options = act_options, .max_args = -1, .run = run_act}

const struct cli_command cmd_queue[] = {
	{.name = "queue list",
	    .args = "",
	    .summary = "What waits, oldest first",
	    .example = "posthouse queue list --leg cloud --state deferred",
	    .options = list_options,
	    .run = run_list},
	{.name = "queue show",
	    .args = "ID",
	    .summary = "One message and its deliveries",
	    .example = "posthouse queue show 01JD5K3W7Q2MA --body",
	    .options = show_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_show},
	ACT("retry", "Makes deliveries due now", NULL),
	ACT("freeze", "Stops deliveries until they are thawed", NULL),
	ACT("thaw", "Lets frozen deliveries go on", NULL),
	ACT("park", "Gives deliveries up for now and keeps them",
	    "Asks before it is done; --yes does not."),
	ACT("bounce", "Gives deliveries up and tells their senders",
	    "Asks before it is done; --yes does not. Only a primary's sender "
	    "is told."),
	ACT("delete", "Ends deliveries without telling anybody",
	    "Asks before it is done; --yes does not. It is on record who did "
	    "it."),
	{.name = "queue export",
	    .args = "ID",
	    .summary = "The message as it was received, on standard output",
	    .details = "That it was read is on record.",
	    .example = "posthouse queue export 01JD5K3W7Q2MA > mail.eml",
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_export},
	{.name = NULL},
};
