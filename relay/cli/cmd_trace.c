/* SPDX-License-Identifier: ISC
 *
 * trace: what happened to a message, from the audit index. Needs no daemon.
 */
#include "relay/audit/search.h"
#include "relay/base/clock.h"
#include "relay/base/id.h"
#include "relay/base/mem.h"
#include "relay/cli/cli.h"
#include "relay/cli/words.h"

enum { LAST_HOUR_S = 3600, WORDS_MAX = 1 << 16, LIMIT_MAX = 1000000 };

struct tracing {
	struct cli *c;
	char id[ID_TEXT]; /* of the line before */
	uint64_t shown;
};

/* What is of no message, a change or a refusal, is the relay's. */
static void say_whose(struct tracing *t, const char *id)
{
	if (t->shown > 0)
		out_say(&t->c->out, "%s", "");
	out_say(&t->c->out, "%s", id[0] == '\0' ? "relay" : id);
}

static void print_words(struct tracing *t, const json_t *e)
{
	const char *time = json_string_value(json_object_get(e, "time"));
	const char *id = json_string_value(json_object_get(e, "id"));
	const char *about = json_string_value(json_object_get(e, "about"));
	struct strbuf words;

	if (about != NULL) /* a notification is told where it belongs */
		id = about;
	if (id == NULL)
		id = "";
	if (strcmp(t->id, id) != 0 || t->shown == 0)
		say_whose(t, id);
	snprintf(t->id, sizeof(t->id), "%s", id);
	strbuf_init(&words, WORDS_MAX);
	words_event(e, &words);
	out_say(&t->c->out, "  %.10s %.12s  %s", time, time + 11,
	    strbuf_cstr(&words));
	strbuf_fini(&words);
}

static void on_event(void *arg, struct slice object)
{
	struct tracing *t = arg;
	json_t *e;

	if (t->c->json) {
		fprintf(t->c->out.to, "%.*s\n", (int)object.n, object.p);
		t->shown++;
		return;
	}
	e = json_loadb(object.p, object.n, 0, NULL);
	if (e != NULL) {
		print_words(t, e);
		t->shown++;
	}
	json_decref(e);
}

static int time_value(struct cli *c, const char *name, int64_t now_us,
    int64_t *us_out)
{
	const char *text = cli_value(c, name);

	if (text == NULL ||
	    clock_parse(slice_str(text), now_us, us_out) == 0)
		return CLI_DONE;
	return cli_usage(c, "--%s %s: a time is 2026-11-22T05:00:00Z, or -2h, "
	    "-3d, now", name, text);
}

static int read_query(struct cli *c, struct search *q)
{
	int64_t now = clock_wall_us(&clock_system);
	const char *limit = cli_value(c, "limit");
	uint64_t n = 0;
	bool any = false;

	for (const struct search_field *f = search_fields; f->name; f++) {
		search_set(q, f, cli_value(c, f->name));
		any |= cli_value(c, f->name) != NULL;
	}
	if (time_value(c, "since", now, &q->since_us) != CLI_DONE ||
	    time_value(c, "until", now, &q->until_us) != CLI_DONE)
		return CLI_USAGE;
	if (limit != NULL && (!slice_uint(slice_str(limit), LIMIT_MAX, &n) ||
				 n == 0))
		return cli_usage(c, "--limit wants a number up to %d",
		    LIMIT_MAX);
	q->limit = (unsigned)n;
	if (c->args == 1 && id_parse(slice_str(c->arg[0]), &q->id) != 0)
		return cli_usage(c, "%s is not a message's id", c->arg[0]);
	if (c->args == 0 && !any && q->since_us == 0)
		q->since_us = now - INT64_C(1000000) * LAST_HOUR_S;
	return CLI_DONE;
}

/* ---- asked of the daemon ---------------------------------------------- */

static json_t *query_args(struct cli *c, const struct search *q)
{
	json_t *args = json_pack("{s:I, s:I, s:I}", "since_us",
	    (json_int_t)q->since_us, "until_us", (json_int_t)q->until_us,
	    "limit", (json_int_t)q->limit);

	for (const struct search_field *f = search_fields; f->name; f++)
		if (search_text(q, f) != NULL)
			json_object_set_new(args, f->name,
			    json_string(search_text(q, f)));
	if (c->args == 1)
		json_object_set_new(args, "id", json_string(c->arg[0]));
	return args;
}

static void on_row(void *arg, json_t *row)
{
	char *text = json_dumps(row,
	    JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);

	if (text != NULL)
		on_event(arg, slice_str(text));
	mem_free(text);
}

static int search_local(struct tracing *t, struct search *q,
    struct error *err)
{
	struct conf *conf = cli_conf_try(t->c);

	if (conf == NULL) {
		*err = t->c->conf_fault;
		return -1;
	}
	if (search_run(conf->audit.path, q, on_event, t, err) != 0)
		return -1;
	if (q->more)
		cli_fail(t->c, "there are more messages; narrow the search or "
		    "raise --limit");
	return 0;
}

/* Members of the group may ask the daemon and not read the index; and while
 * the configuration cannot be read only the daemon knows where that is. */
static int search_index(struct tracing *t, struct search *q)
{
	struct error err = {0};
	int code;

	if (search_local(t, q, &err) == 0)
		return CLI_DONE;
	if (t->shown > 0)
		return cli_fail(t->c, "%s", err.text);
	code = cli_call_if_running(t->c, "trace", query_args(t->c, q), on_row,
	    t);
	return code == CLI_NO_DAEMON ? cli_fail(t->c, "%s", err.text) : code;
}

static int run_trace(struct cli *c)
{
	struct tracing t = {.c = c};
	struct search q = {.id = 0};
	int code = read_query(c, &q);

	if (code == CLI_DONE)
		code = search_index(&t, &q);
	if (code != CLI_DONE)
		return code;
	if (t.shown == 0 && !c->json)
		return cli_fail(c, "nothing is known of such a message");
	return t.shown > 0 ? CLI_DONE : CLI_NO;
}

static const struct cli_option trace_options[] = {
	{"message-id", "M", "The Message-ID field, with or without <>."},
	{"from", "A", "The envelope sender."},
	{"to", "A", "A recipient, as the sender wrote it."},
	{"client", "IP", "Who delivered it to us."},
	{"since", "T", "Not before: RFC 3339, or -2h, -3d."},
	{"until", "T", "Not after."},
	{"limit", "N", "At most so many messages (1000)."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_trace[] = {
	{.name = "trace",
	    .args = "[ID]",
	    .summary = "All that happened to a message, in order",
	    .details =
		"Reads the audit index; the daemon need not run. Of the "
		"message with that ID, or\nof those that fit all options; "
		"without any, of the last hour. --json gives the\nevents.",
	    .example = "posthouse trace 01JD5K3W7Q2MA\n"
		       "posthouse trace --to ann@example.com --since -2h",
	    .options = trace_options,
	    .max_args = 1,
	    .run = run_trace},
	{.name = NULL},
};
