/* SPDX-License-Identifier: ISC
 *
 * queue list, show: what waits. The daemon has the queue; this asks.
 *
 * queue.show answers rows with a "section": message, delivery, and with
 * --body body, whose "chunk" is base64.
 */
#include <inttypes.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/delivery.h"
#include "relay/base/mem.h"
#include "relay/cli/audit/event_words.h"
#include "relay/cli/common/human.h"
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

/* ---- which deliveries -------------------------------------------------- */

static bool add_age(struct cli *c, json_t *args)
{
	const char *age = cli_value(c, "age");
	int64_t us;

	if (age == NULL)
		return true;
	if (clock_duration(slice_str(age), &us) < 0) {
		cli_usage(c, "--age wants a time like 90s, 30m, 2h, 3d");
		return false;
	}
	json_object_set_new(args, "age_s",
	    json_integer((json_int_t)(us / 1000000)));
	return true;
}

/* The null sender is written <>. */
static const char *filter_value(const struct cli *c, const char *name)
{
	const char *given = cli_value(c, name);
	bool from = strcmp(name, "from") == 0;

	if (given == NULL || (!from && strcmp(name, "to") != 0))
		return given;
	if (from && given[0] != '\0' && cli_address(c, name)[0] == '\0')
		return "<>";
	return cli_address(c, name);
}

int queue_filters(struct cli *c, json_t *args)
{
	static const char *const names[] = {"leg", "to", "from", "state",
	    "customer"};
	const char *state = cli_value(c, "state");
	int n = cli_value(c, "age") != NULL;

	if (state != NULL && dstate_parse(slice_str(state)) < 0) {
		cli_usage(c, "there is no state %s: queued deferred held "
		    "frozen parked", state);
		return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = filter_value(c, names[i]);

		if (value == NULL)
			continue;
		if (value[0] == '\0') { /* an unset variable of a script */
			cli_usage(c, "--%s is empty, which would mean all of "
			    "them; leave it out, or say which", names[i]);
			return -1;
		}
		json_object_set_new(args, names[i], json_string(value));
		n++;
	}
	return add_age(c, args) ? n : -1;
}

int queue_choose(struct cli *c, json_t *args)
{
	json_t *ids = json_array();
	int n = queue_filters(c, args);

	for (int i = 0; i < c->args; i++)
		json_array_append_new(ids, json_string(c->arg[i]));
	json_object_set_new(args, "ids", ids);
	if (n < 0)
		return CLI_USAGE;
	if (n + c->args == 0)
		return cli_usage(c, "say which: ids, --leg, --to, --from, "
		    "--customer, --age or --state");
	return CLI_DONE;
}

/* ---- rows -------------------------------------------------------------- */

static void add_text(json_t *row, const char *key, struct strbuf *text)
{
	json_object_set_new(row, key, json_string(strbuf_cstr(text)));
	strbuf_reset(text);
}

static const char *text_of(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s == NULL ? "" : s;
}

void queue_show_row(struct cli *c, json_t *row)
{
	const json_t *age = json_object_get(row, "age_s");
	const json_t *size = json_object_get(row, "size");
	const char *why;
	struct strbuf b;

	strbuf_init(&b, 100);
	if (!c->json && json_is_integer(age)) {
		human_age(json_integer_value(age), &b);
		add_text(row, "age", &b);
	}
	if (!c->json && json_is_integer(size)) {
		human_bytes(json_integer_value(size), &b);
		add_text(row, "size_h", &b);
	}
	why = words_waits(text_of(row, "class"),
	    json_integer_value(json_object_get(row, "code")));
	if (!c->json && why != NULL && strcmp(text_of(row, "state"),
		dstate_text(D_DEFERRED)) == 0) {
		strbuf_addf(&b, "%s; waits: %s", text_of(row, "reason"), why);
		add_text(row, "reason", &b);
	}
	strbuf_fini(&b);
	out_row_json(&c->out, row);
}

/* A list, and the legs that its deliveries wait for. */
struct listing {
	struct cli *c;
	json_t *legs;
	char section[16]; /* of queue.show: message, deliveries, body */
	bool counts; /* queue.list */
	uint64_t rows, limit; /* of it; limit 0: none */
};

static void list_row(struct listing *l, json_t *row)
{
	const char *leg = text_of(row, "leg");
	int state = dstate_parse(slice_str(text_of(row, "state")));

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
		queue_say_legs(l->c, l->legs);
	}
	json_decref(l->legs);
	return code;
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
	if (limit != NULL || l.limit != 0)
		json_object_set_new(args, "limit",
		    json_integer((json_int_t)l.limit));
	out_table(&c->out, list_columns);
	l.legs = json_object();
	return end_list(&l, cli_call(c, "queue.list", args, on_row, &l));
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
		queue_write_chunk(row, s->c->out.to);
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

	return end_list(&s, cli_call(c, "queue.show", args, on_show, &s));
}

static const struct cli_option list_options[] = {
	QUEUE_FILTERS,
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
	    .example = "posthouse queue show 01JD5K3W7Q2MA --body",
	    .options = show_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_show},
	{.name = NULL},
};
