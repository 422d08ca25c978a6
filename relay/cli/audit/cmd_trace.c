/* SPDX-License-Identifier: ISC
 *
 * trace: what happened to a message, from the audit index. Needs no daemon.
 */
#include <arpa/inet.h>
#include <inttypes.h>

#include "relay/audit/event.h"
#include "relay/audit/search/search.h"
#include "relay/base/clock.h"
#include "relay/base/id.h"
#include "relay/base/mem.h"
#include "relay/cli/audit/audit_commands.h"
#include "relay/cli/audit/event_words.h"

enum { WORDS_MAX = 1 << 16, LIMIT_MAX = 1000000 };

/* Counts of the messages that are shown. */
struct totals {
	uint64_t messages;
	json_t *last; /* by message, recipient and leg: the last event */
};

struct tracing {
	struct cli *c;
	char id[ID_TEXT]; /* of the line before */
	uint64_t shown;
	struct totals totals;
};

/* Events of no message, a change or a refusal, are the relay's. */
static void say_whose(struct tracing *t, const char *id)
{
	if (t->shown > 0)
		out_say(&t->c->out, "%s", "");
	out_say(&t->c->out, "%s", id[0] == '\0' ? "relay" : id);
}

/* In the machine's zone unless --utc is given. */
static void show_time(const struct cli *c, const char *time,
    char out[CLOCK_LOCAL_MAX])
{
	int64_t us;

	if (time == NULL || strlen(time) < sizeof("2026-11-22T05:12:17") ||
	    clock_parse(slice_str(time), 0, &us) != 0)
		snprintf(out, CLOCK_LOCAL_MAX, "%.24s",
		    time == NULL ? "" : time);
	else if (cli_flag(c, "utc"))
		snprintf(out, CLOCK_LOCAL_MAX, "%.10s %.12sZ", time, time + 11);
	else
		clock_local(us, out);
}

/* ---- totals ------------------------------------------------------------ */

static bool is_fate(const char *event)
{
	static const char *const fates[] = {"delivered", "deferred", "bounced",
	    "parked", "superseded", "deleted", "held", "frozen", NULL};

	for (int i = 0; fates[i] != NULL; i++)
		if (strcmp(fates[i], event) == 0)
			return true;
	return false;
}

static void count_event(struct totals *n, const json_t *e, const char *id)
{
	const char *event = json_string_value(json_object_get(e, "event"));
	const char *to = json_string_value(json_object_get(e, "to"));
	const char *leg = json_string_value(json_object_get(e, "leg"));
	struct strbuf key;

	if (event == NULL)
		return;
	n->messages += strcmp(event, "accepted") == 0;
	if (to == NULL || leg == NULL || !is_fate(event))
		return;
	strbuf_init(&key, WORDS_MAX);
	strbuf_addf(&key, "%s %s %s", id, leg, to);
	json_object_set_new(n->last, strbuf_cstr(&key), json_string(event));
	strbuf_fini(&key);
}

/* "3 messages: 4 delivered, 1 parked" */
static void say_totals(struct cli *c, const struct totals *n)
{
	json_t *sums = json_object(), *v;
	struct strbuf line;
	const char *key;

	json_object_foreach(n->last, key, v) {
		const char *event = json_string_value(v);

		json_object_set_new(sums, event, json_integer(1 +
		    json_integer_value(json_object_get(sums, event))));
	}
	strbuf_init(&line, WORDS_MAX);
	strbuf_addf(&line, "%" PRIu64 " message%s", n->messages,
	    n->messages == 1 ? "" : "s");
	json_object_foreach(sums, key, v)
		strbuf_addf(&line, "%s %" JSON_INTEGER_FORMAT " %s",
		    line.n > 0 && strchr(strbuf_cstr(&line), ':') ? "," : ":",
		    json_integer_value(v), key);
	out_say(&c->out, "%s", "");
	out_say(&c->out, "%s", strbuf_cstr(&line));
	strbuf_fini(&line);
	json_decref(sums);
}

/* ---- lines ------------------------------------------------------------- */

static void print_words(struct tracing *t, const json_t *e)
{
	const char *time = json_string_value(json_object_get(e, "time"));
	const char *id = json_string_value(json_object_get(e, "id"));
	const char *about = json_string_value(json_object_get(e, "about"));
	char local[CLOCK_LOCAL_MAX];
	struct strbuf words;

	if (id != NULL && about != NULL) /* a notification: where it belongs */
		id = about;
	if (id == NULL)
		id = "";
	if (strcmp(t->id, id) != 0 || t->shown == 0)
		say_whose(t, id);
	snprintf(t->id, sizeof(t->id), "%s", id);
	strbuf_init(&words, WORDS_MAX);
	words_event(e, &words);
	show_time(t->c, time, local);
	out_say(&t->c->out, "  %s  %s", local, strbuf_cstr(&words));
	strbuf_fini(&words);
	count_event(&t->totals, e, id);
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
	return cli_usage(c, "--%s %s: a time is 2026-11-22T05:00:00Z, "
	    "'2026-11-22 05:00' (local), -2h, -3d, yesterday or now", name,
	    text);
}

/* A condition that nothing can meet is a slip of the pen. */
static bool check_query(struct cli *c, const struct search *q)
{
	static const char *const others[] = {"refused", "aborted", NULL};
	bool known = q->outcome == NULL ||
		     event_kind_named(q->outcome) != EV_NONE;
	size_t digits = q->code == NULL ? 3 : strspn(q->code, "0123456789.");

	for (int i = 0; !known && others[i] != NULL; i++)
		known = strcmp(q->outcome, others[i]) == 0;
	if (!known)
		cli_usage(c, "--outcome %s: there are delivered deferred "
		    "bounced parked superseded released deleted replayed held "
		    "frozen refused aborted", q->outcome);
	else if (q->code != NULL && (digits < 3 || q->code[digits] != '\0'))
		cli_usage(c, "--code %s: a code is 550 or 5.7.64", q->code);
	else
		return true;
	return false;
}

/* As the record writes it: an IPv4 client of an IPv6 listener is IPv4. */
static int client_value(struct cli *c, struct search *q)
{
	struct in_addr v4;
	struct in6_addr v6;
	char text[INET6_ADDRSTRLEN];

	if (q->client == NULL)
		return CLI_DONE;
	if (inet_pton(AF_INET6, q->client, &v6) == 1) {
		if (IN6_IS_ADDR_V4MAPPED(&v6))
			inet_ntop(AF_INET, &v6.s6_addr[12], text,
			    sizeof(text));
		else
			inet_ntop(AF_INET6, &v6, text, sizeof(text));
		q->client = arena_strdup(c->arena, text);
	} else if (inet_pton(AF_INET, q->client, &v4) != 1) {
		return cli_usage(c, "--client %s: an IP address is expected, "
		    "such as 192.0.2.10 or 2001:db8::1", q->client);
	}
	return CLI_DONE;
}

static int read_times(struct cli *c, struct search *q, int64_t now_us)
{
	if (time_value(c, "since", now_us, &q->since_us) != CLI_DONE ||
	    time_value(c, "until", now_us, &q->until_us) != CLI_DONE)
		return CLI_USAGE;
	if (q->until_us != 0 && q->until_us < q->since_us)
		return cli_usage(c, "--until is before --since");
	return CLI_DONE;
}

/* A condition beside the ID would be left out of account. */
static int read_id(struct cli *c, struct search *q, bool conditions)
{
	if (id_parse(slice_str(c->arg[0]), &q->id) != 0)
		return cli_usage(c, "%s is not a message's id", c->arg[0]);
	if (conditions)
		return cli_usage(c, "%s is one message: leave the ID or the "
		    "conditions out", c->arg[0]);
	return CLI_DONE;
}

static int read_query(struct cli *c, struct search *q)
{
	int64_t now = clock_wall_us(&clock_system);
	const char *limit = cli_value(c, "limit");
	uint64_t n = 0;
	bool any = false;

	for (const struct search_field *f = search_fields; f->name; f++) {
		search_set(q, f, f->address ? cli_address(c, f->name)
					    : cli_value(c, f->name));
		any |= cli_value(c, f->name) != NULL;
	}
	if (!check_query(c, q) || client_value(c, q) != CLI_DONE ||
	    read_times(c, q, now) != CLI_DONE)
		return CLI_USAGE;
	if (limit != NULL && (!slice_uint(slice_str(limit), LIMIT_MAX, &n) ||
				 n == 0))
		return cli_usage(c, "--limit wants a number from 1 to %d",
		    LIMIT_MAX);
	q->limit = (unsigned)n;
	if (c->args == 1)
		return read_id(c, q, any || q->since_us != 0 ||
					 q->until_us != 0);
	if (!any && q->since_us == 0)
		q->since_us = now - HOUR_US;
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
	struct tracing t = {.c = c, .totals.last = json_object()};
	struct search q = {.id = 0};
	int code = read_query(c, &q);

	if (code == CLI_DONE)
		code = search_index(&t, &q);
	if (code == CLI_DONE && t.shown == 0)
		code = c->json ? CLI_NO
			       : cli_fail(c, "nothing is known of such a "
				     "message");
	else if (code == CLI_DONE && !c->json && q.id == 0)
		say_totals(c, &t.totals);
	json_decref(t.totals.last);
	return code;
}

static const struct cli_option trace_options[] = {
	{"message-id", "M", "The Message-ID field, with or without <>."},
	{"from", "A", "The envelope sender; <> is the null sender."},
	{"to", "A", "A recipient, as the sender wrote it."},
	{"client", "IP", "The client that delivered it to us."},
	{"domain", "D", "The domain of its sender or of a recipient."},
	{"outcome", "O", "delivered, deferred, bounced, refused and more."},
	{"leg", "L", "The leg of a delivery."},
	{"code", "C", "Of a reply: 550, or 5.7.64."},
	{"reply", "TEXT", "A part of a reply."},
	{"address", "A", "The address that it was rewritten to."},
	{"remote-id", "R", "A part of the id that the other server gave."},
	{"subject", "TEXT", "A part of the subject (audit.subject)."},
	{"since", "T", "Not before: RFC 3339, '2026-11-22 05:00', -2h, "
		       "yesterday."},
	{"until", "T", "Not after."},
	{"limit", "N", "At most so many messages (1000)."},
	{"utc", NULL, "Times in UTC instead of this machine's zone."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_trace[] = {
	{.name = "trace",
	    .args = "[ID]",
	    .summary = "All that happened to a message, in order",
	    .details =
		"Reads the audit index; the daemon need not run. Of the "
		"message with that ID, or\nof those that fit all options; "
		"without any, of the last hour. --outcome, --leg, --code,\n"
		"--reply, --address and --remote-id must be true of one "
		"delivery at one time. Totals are\nof the last state that is "
		"shown. --json gives the events, in UTC.",
	    .example = "posthouse trace 01JD5K3W7Q2MA\n"
		       "posthouse trace --to ann@example.com --since -2h\n"
		       "posthouse trace --leg cloud --outcome deferred --code "
		       "5.7.64 --since yesterday",
	    .options = trace_options,
	    .max_args = 1,
	    .run = run_trace},
	{.name = NULL},
};
