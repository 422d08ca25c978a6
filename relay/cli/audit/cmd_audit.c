/* SPDX-License-Identifier: ISC
 *
 * audit verify: recounts the deliveries of each leg from the index, and
 * compares every figure with the journal's at one place.
 */
#include <inttypes.h>
#include <stdio.h>

#include "relay/base/clock.h"
#include "relay/base/id.h"
#include "relay/base/mem.h"
#include "relay/cli/audit/audit_commands.h"
#include "relay/cli/audit/verify.h"

enum { WAIT_MS = 10000, PLACE_TEXT = 48 };

static const struct out_column columns[] = {
	{"leg", "LEG", false},	       {"created", "CREATED", true},
	{"delivered", "DELIVERED", true}, {"open", "OPEN", true},
	{"parked", "PARKED", true},    {"bounced", "BOUNCED", true},
	{"superseded", "SUPERSEDED", true}, {"deleted", "DELETED", true},
	{"gap", "GAP", true},	       {NULL, NULL, false},
};

static const struct out_column missing_columns[] = {
	{"id", "ID", false}, {"sender", "FROM", false},
	{"recipients", "TO", false}, {"leg", "LEG", false}, {NULL, NULL, false},
};

/* ---- the recount's callbacks ------------------------------------------- */

void verify_on_lost(void *arg, uint64_t id, const char *to)
{
	struct verifying *v = arg;
	char text[ID_TEXT];

	id_text(id, text);
	cli_fail(v->c, "%s to %s: no delivery stands", text, to);
}

static bool same(const struct verify_missing *a,
    const struct conserve_missing *b)
{
	return a->id == b->id && strcmp(a->leg, b->leg) == 0;
}

void verify_on_missing(void *arg, const struct conserve_missing *m)
{
	struct verifying *v = arg;
	struct verify_missing *last =
	    v->missings == 0 ? NULL : &v->missing[v->missings - 1];

	if (last == NULL || !same(last, m)) {
		if (v->missings == v->cap) {
			v->cap = v->cap * 2 + 16;
			v->missing = mem_resize(v->missing,
			    v->cap * sizeof(*v->missing));
		}
		last = &v->missing[v->missings++];
		*last = (struct verify_missing){.id = m->id,
		    .from = arena_strdup(v->c->arena, m->from),
		    .leg = arena_strdup(v->c->arena, m->leg),
		    .to = json_array()};
	}
	json_array_append_new(last->to, json_string(m->to));
}

static void drop_missing(struct verifying *v)
{
	while (v->missings > 0)
		json_decref(v->missing[--v->missings].to);
}

void verify_reset(struct verifying *v, struct spool_pos want)
{
	drop_missing(v);
	memset(&v->count, 0, sizeof(v->count));
	v->count.on_lost = verify_on_lost;
	v->count.on_missing = verify_on_missing;
	v->count.arg = v;
	v->count.want = want;
}

/* ---- what is shown ----------------------------------------------------- */

static void put_totals(struct jout *j, const int64_t total[TOTALS])
{
	for (int t = 0; t < TOTALS; t++)
		jout_int(j, total_text((enum total)t), total[t]);
}

static bool is_used(const struct conserve_leg *l)
{
	for (int t = 0; t < TOTALS; t++)
		if (l->total[t] != 0 || l->journal[t] != 0)
			return true;
	return l->rows != 0;
}

static void print_legs(struct verifying *v)
{
	out_table(&v->c->out, columns);
	for (int i = 0; i < names_count(v->c->names); i++) {
		const struct conserve_leg *l = &v->count.leg[i];
		struct jout *j;

		if (!is_used(l))
			continue;
		j = out_row(&v->c->out);
		jout_str(j, "leg", names_text(v->c->names, i));
		put_totals(j, l->total);
		jout_int(j, "gap", l->gap);
		if (v->count.known) {
			jout_object(j, "journal");
			put_totals(j, l->journal);
			jout_object_end(j);
		}
		out_row_end(&v->c->out);
	}
	out_end(&v->c->out);
}

static void say_difference(struct verifying *v, int leg)
{
	const struct conserve_leg *l = &v->count.leg[leg];
	struct strbuf text;

	strbuf_init(&text, 1024);
	for (int t = 0; t < TOTALS; t++)
		if (l->total[t] != l->journal[t])
			strbuf_addf(&text, "; %s: the index %" PRId64
			    ", the journal %" PRId64, total_text((enum total)t),
			    l->total[t], l->journal[t]);
	if (l->rows != l->total[T_CREATED])
		strbuf_addf(&text, "; created: by the rows %" PRId64
		    ", by the moves %" PRId64, l->rows, l->total[T_CREATED]);
	if (text.n == 0 && l->gap != 0)
		strbuf_addf(&text, "; the gap is %" PRId64, l->gap);
	cli_fail(v->c, "leg %s%s", names_text(v->c->names, leg),
	    strbuf_cstr(&text));
	strbuf_fini(&text);
}

/* Where the journal's figures are not known at that place, only the balance
 * of the index itself can be. */
static bool legs_agree(struct verifying *v)
{
	bool good = true;

	for (int i = 0; i < names_count(v->c->names); i++) {
		const struct conserve_leg *l = &v->count.leg[i];

		if (v->count.known ? conserve_agrees(l) : l->gap == 0)
			continue;
		good = false;
		say_difference(v, i);
	}
	return good;
}

static void print_missing(struct verifying *v)
{
	out_table(&v->c->out, missing_columns);
	for (size_t i = 0; i < v->missings; i++) {
		const struct verify_missing *m = &v->missing[i];
		json_t *row = json_object();
		char id[ID_TEXT];

		id_text(m->id, id);
		json_object_set_new(row, "id", json_string(id));
		json_object_set_new(row, "sender", json_string(m->from));
		json_object_set(row, "recipients", m->to);
		json_object_set_new(row, "leg", json_string(m->leg));
		out_row_json(&v->c->out, row);
		json_decref(row);
	}
	out_end(&v->c->out);
}

/* ---- the verdict ------------------------------------------------------- */

static bool nothing_lost(struct verifying *v)
{
	const struct conserve *n = &v->count;

	if (v->why != NULL)
		cli_fail(v->c, "%s: %s", v->conf->spool.path, v->why);
	if (n->missing > 0)
		cli_fail(v->c, "%" PRIu64 " deliver%s open by the index, and "
		    "the journal does not hold %s%s", n->missing,
		    n->missing == 1 ? "y is" : "ies are",
		    n->missing == 1 ? "it" : "them",
		    cli_flag(v->c, "lost") ? "" :
		    ": posthouse audit verify --lost names the messages");
	if (n->skipped > 0)
		cli_fail(v->c, "the index has %" PRIu64 " gap%s: posthouse "
		    "trace --since -90d shows audit.gap", n->skipped,
		    n->skipped == 1 ? "" : "s");
	return v->why == NULL && n->missing == 0 && n->skipped == 0 &&
	       n->lost == 0;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void say_verdict(struct verifying *v, bool good, const char *place)
{
	const struct conserve *n = &v->count;
	const char *alone = v->daemon ? "" : " (the daemon does not run)";

	if (v->late && good && v->behind == 0)
		out_say(&v->c->out, "the index does not know the journal's "
		    "figures yet, at %s%s: it reads them when posthoused runs",
		    place, alone);
	else if (v->late && good)
		out_say(&v->c->out, "the index is behind the journal by %"
		    PRIu64 " record%s, at %s%s", v->behind, plural(v->behind),
		    place, alone);
	else
		out_say(&v->c->out, "%" PRIu64 " message%s, %" PRIu64
		    " recipient%s: %s at %s%s", n->messages,
		    plural(n->messages), n->recipients, plural(n->recipients),
		    good ? "every one is accounted for; index and journal "
			   "agree" : "NOT accounted for; index and journal "
				     "differ", place, alone);
}

static void say_history(struct verifying *v)
{
	if (strcmp(v->history, "whole") == 0)
		out_say(&v->c->out, "%" PRIu64 " change%s of the table, %"
		    PRIu64 " decision%s: as they were written; %" PRIu64
		    " of the changes compared with the index", v->lines,
		    plural(v->lines), v->decisions, plural(v->decisions),
		    v->recorded);
}

static void print_verdict(struct verifying *v, bool good, const char *place)
{
	struct jout *j;

	if (!v->c->out.json)
		return;
	j = out_row(&v->c->out);
	jout_str(j, "verdict", !good ? "differs" : v->late ? "behind"
							    : "agrees");
	jout_str(j, "position", place);
	jout_int(j, "behind", (int64_t)v->behind);
	jout_int(j, "messages", (int64_t)v->count.messages);
	jout_int(j, "recipients", (int64_t)v->count.recipients);
	jout_int(j, "missing", (int64_t)v->count.missing);
	jout_int(j, "gaps", (int64_t)v->count.skipped);
	jout_str(j, "history", v->history);
	jout_int(j, "changes", (int64_t)v->lines);
	jout_int(j, "decisions", (int64_t)v->decisions);
	jout_int(j, "recorded", (int64_t)v->recorded);
	out_row_end(&v->c->out);
}

static int verdict(struct verifying *v)
{
	char place[PLACE_TEXT];
	bool good;
	int code;

	snprintf(place, sizeof(place), "%" PRIu64 ":%" PRIu64,
	    v->count.at.generation, v->count.at.offset);
	if (cli_flag(v->c, "lost"))
		print_missing(v);
	print_legs(v);
	good = legs_agree(v);
	good = nothing_lost(v) && good;
	say_verdict(v, good, place);
	code = verify_history(v);
	say_history(v);
	print_verdict(v, good, place);
	return good && !v->late ? code : CLI_NO;
}

/* ---- the command ------------------------------------------------------- */

/* A time like 10s, or a number of seconds. */
static int read_wait(struct cli *c, int64_t *ms_out)
{
	const char *text = cli_value(c, "wait");
	uint64_t s;
	int64_t us;

	*ms_out = WAIT_MS;
	if (text == NULL)
		return CLI_DONE;
	if (slice_uint(slice_str(text), 86400, &s))
		us = (int64_t)s * 1000000;
	else if (clock_duration(slice_str(text), &us) < 0)
		return cli_usage(c, "--wait wants a time like 10s, 5m");
	*ms_out = us / 1000;
	return CLI_DONE;
}

static int run_verify(struct cli *c)
{
	struct conf *conf = cli_conf(c);
	struct verifying *v;
	int64_t wait_ms;
	int code;

	if (conf == NULL)
		return CLI_NO;
	if (read_wait(c, &wait_ms) != CLI_DONE)
		return CLI_USAGE;
	v = NEW(struct verifying);
	v->c = c;
	v->conf = conf;
	v->wait_ms = wait_ms;
	code = verify_with_daemon(v);
	if (code == CLI_NO_DAEMON)
		code = verify_alone(v);
	if (code == CLI_DONE)
		code = verdict(v);
	drop_missing(v);
	mem_free(v->missing);
	mem_free(v);
	return code;
}

static const struct cli_option verify_options[] = {
	{"wait", "TIME", "How long to wait until the index is where the "
			 "journal is now (10s)."},
	{"lost", NULL, "Lists the messages that are open by the index and "
		       "that the journal does not hold."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_audit[] = {
	{.name = "audit verify",
	    .args = "",
	    .summary = "Recounts every delivery: is anything unaccounted for?",
	    .details = "Counts the rows of the index up to one place of the "
		       "journal and compares, per leg,\nwhat was created, "
		       "delivered, is open, parked, bounced, superseded and "
		       "deleted\nwith what the journal counts at that place. "
		       "Answers that both agree (exit code 0),\nthat they "
		       "differ, with both values, or how many records the "
		       "index is behind (1).\nA new index, or one that has "
		       "just begun with a new spool, may not know the\n"
		       "journal's figures yet (exit code 1): posthoused reads "
		       "them as it runs.\nMessages and recipients are those "
		       "that were accepted in the hours that are kept.\n"
		       "Without the daemon the journal is read to its end. "
		       "Names each recipient whose\ndeliveries all "
		       "vanished. Then it looks at the history of the "
		       "cutover table: names\nthe first line, row or decision "
		       "that was edited, taken out or put in, and the\nfirst "
		       "change that is not the one that the index recorded.",
	    .example = "posthouse audit verify\n"
		       "posthouse audit verify --wait 1m --json\n"
		       "posthouse audit verify --lost",
	    .options = verify_options,
	    .run = run_verify},
	{.name = NULL},
};
