/* SPDX-License-Identifier: ISC
 *
 * queue list, show: what waits. The daemon has the queue; this asks.
 *
 * queue.show answers rows with a "section": message, delivery, and with
 * --body body, whose "chunk" is base64.
 */
#include <inttypes.h>
#include <unistd.h>

#include "relay/base/delivery.h"
#include "relay/cli/common/json_get.h"
#include "relay/cli/common/leg_advice.h"
#include "relay/cli/queue/queue_commands.h"
#include "relay/cli/queue/queue_files.h"
#include "relay/cli/queue/queue_select.h"

enum { PAGE = 1000 }; /* deliveries on a terminal */

static const struct out_column list_columns[] = {
	{"id", "ID", false},	     {"from", "FROM", false},
	{"to", "TO", false},	     {"leg", "LEG", false},
	{"role", "ROLE", false},     {"state", "STATE", false},
	{"attempts", "TRIES", true}, {"age", "AGE", true},
	{"size_h", "SIZE", true},     {"next", "NEXT", false},
	{"reason", "REASON", false}, {NULL, NULL, false},
};

/* A list, and the legs that its deliveries wait for. */
struct listing {
	struct cli *c;
	json_t *legs;
	char section[16]; /* of queue.show: message, deliveries, body */
	bool unread;	  /* a part of the body is no base64 */
	bool counts; /* queue.list */
	uint64_t rows, limit; /* of it; limit 0: none */
};

static void list_row(struct listing *l, json_t *row)
{
	const char *leg = json_text(row, "leg");
	int state = dstate_parse(slice_str(json_text(row, "state")));

	if (*leg != '\0' && (state == D_QUEUED || state == D_DEFERRED))
		json_object_set_new(l->legs, leg, json_true());
	queue_show_row(l->c, row);
}

static void on_row(void *arg, json_t *row)
{
	struct listing *l = arg;

	l->rows++;
	list_row(l, row);
}

/* A screen takes a page; a program and a file take all. */
static void say_rows(const struct listing *l)
{
	if (l->c->json || !l->counts)
		return;
	if (l->rows > 0 && l->rows == l->limit)
		out_say(&l->c->out, "the first %" PRIu64 "; --limit N shows "
		    "more, or say which: --leg, --to, --from, --age, --state",
		    l->rows);
	else
		out_say(&l->c->out, "%" PRIu64 " %s", l->rows,
		    l->rows == 1 ? "delivery" : "deliveries");
}

static int end_list(struct listing *l, int code)
{
	out_end(&l->c->out);
	if (code == CLI_DONE) {
		say_rows(l);
		leg_advice_waiting(l->c, l->legs);
	}
	json_decref(l->legs);
	return code;
}

static int list(struct cli *c, struct listing *l, json_t *args)
{
	const char *wave = cli_value(c, "wave");

	if (l->limit != 0)
		json_object_set_new(args, "limit",
		    json_integer((json_int_t)l->limit));
	if (wave != NULL)
		json_object_set_new(args, "wave", json_string(wave));
	out_table(&c->out, list_columns);
	l->legs = json_object();
	return end_list(l, cli_call(c, "queue.list", args, on_row, l));
}

/* ---- list, show -------------------------------------------------------- */

static int run_list(struct cli *c)
{
	const char *limit = cli_value(c, "limit");
	struct listing l = {.c = c, .counts = true,
	    .limit = isatty(STDOUT_FILENO) && !c->json ? PAGE : 0};
	json_t *args = json_object();

	if (queue_filters(c, args) < 0) {
		json_decref(args);
		return CLI_USAGE;
	}
	if (limit != NULL &&
	    !slice_uint(slice_str(limit), INT64_MAX, &l.limit)) {
		json_decref(args);
		return cli_usage(c, "--limit wants a number");
	}
	return list(c, &l, args);
}

static const struct out_column message_columns[] = {
	{"id", "ID", false},	 {"accepted", "ACCEPTED", false},
	{"from", "FROM", false}, {"client", "CLIENT", false},
	{"size_h", "SIZE", true}, {"message_id", "MESSAGE-ID", false},
	{NULL, NULL, false},
};

static void on_show(void *arg, json_t *row)
{
	struct listing *s = arg;
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
		s->unread |= !queue_file_chunk(row, s->c->out.to);
		return;
	}
	if (fresh)
		out_table(&s->c->out, strcmp(section, "message") == 0
			? message_columns
			: list_columns);
	list_row(s, row);
}

static int run_show(struct cli *c)
{
	struct listing s = {.c = c, .legs = json_object()};
	json_t *args = json_pack("{s:s, s:b}", "id", c->arg[0], "body",
	    cli_flag(c, "body"));
	int code = end_list(&s, cli_call(c, "queue.show", args, on_show,
	    &s));

	return s.unread ? queue_file_unread(c, c->arg[0]) : code;
}

static const struct cli_option list_options[] = {
	QUEUE_FILTERS,
	{"wave", "WAVE", "To the members of a wave."},
	{"limit", "N", "At most so many (1000 on a terminal)."},
	{NULL, NULL, NULL},
};

static const struct cli_option show_options[] = {
	{"body", NULL, "The message too; that is on record."},
	{NULL, NULL, NULL},
};

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
	    .details = "Also one that is over, while it is kept "
		       "(spool.retain).",
	    .example = "posthouse queue show 01JD5K3W7Q2MA --body",
	    .options = show_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_show},
	{.name = NULL},
};
