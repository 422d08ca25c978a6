/* SPDX-License-Identifier: ISC
 *
 * Shows stragglers.
 */
#include "relay/cli/straggler/straggler_view.h"

#include <inttypes.h>
#include <stdio.h>

#include "policy/csv/csv_cell.h"
#include "relay/base/clock.h"
#include "relay/cli/common/human.h"
#include "relay/observed/spread/spread_of.h"

enum { CELL = 32, LINE_BYTES = 8192, SENDERS_SHOWN = 5, BAR = 50 };

const struct out_column straggler_columns[] = {
	{"client", "CLIENT", false},	{"called", "NAME", false},
	{"listen", "LISTENER", false},	{"messages_h", "MESSAGES", true},
	{"refused_h", "REFUSED", true},	{"pass", "SPF PASS", true},
	{"first_day", "FIRST", false},	{"age", "LAST", true},
	{"late", "AFTER", true},	{"state", "STATE", false},
	{"mark", "MARK", false},	{"note", "NOTE", false},
	{NULL, NULL, false},
};

/* ---- opening ------------------------------------------------------------- */

/* The latest of all our domains; 0 where one is not known, or has not ended. */
static int64_t old_answers_ended(struct straggler_view *v)
{
	struct spread_asked q = {.conf = v->c->conf, .now_us = v->now_us};
	struct arena *a = arena_new();
	struct spread_found found;
	int64_t ended_us = 0;
	struct error ignored;

	for (int i = 0; i < v->c->conf->domains; i++) {
		q.domain = v->c->conf->domain[i].name;
		if (spread_of(&q, a, &found, &ignored) != 0 ||
		    found.judged.state != SPREAD_CLEAN ||
		    found.judged.until_us == 0) {
			ended_us = 0;
			break;
		}
		if (found.judged.until_us > ended_us)
			ended_us = found.judged.until_us;
	}
	arena_free(a);
	return ended_us;
}

static int read_after(struct straggler_view *v)
{
	const char *after = cli_value(v->c, "after");

	if (after == NULL)
		v->ended_us = old_answers_ended(v);
	if (after == NULL || clock_parse(slice_str(after), v->now_us,
		&v->ended_us) == 0)
		return CLI_DONE;
	return cli_usage(v->c, "--after %s is no time: 2026-12-01, "
	    "2026-12-01T20:00:00Z, or -3d", after);
}

int straggler_view_open(struct cli *c, struct straggler_view *v)
{
	const struct conf_verdict *verdict;
	struct error err;

	*v = (struct straggler_view){.c = c,
	    .now_us = clock_wall_us(&clock_system)};
	if (cli_conf(c) == NULL)
		return CLI_NO;
	verdict = conf_verdict(c->conf, SLICE(""));
	v->quiet_us = verdict == NULL ? STRAGGLER_QUIET_US
				      : verdict->quiet_ms * 1000;
	if (read_after(v) != CLI_DONE)
		return CLI_USAGE;
	v->all = stragglers_open(c->conf, &err);
	return v->all != NULL ? CLI_DONE : cli_fail(c, "%s", err.text);
}

void straggler_view_close(struct straggler_view *v)
{
	stragglers_close(v->all);
}

/* ---- conclusions --------------------------------------------------------- */

enum straggler_group straggler_group_of(const struct straggler_view *v,
    const struct straggler_found *f)
{
	if (straggler_late(&f->facts, v->ended_us))
		return GROUP_LATE;
	return f->legitimate ? GROUP_LEGITIMATE : GROUP_OTHER;
}

const char *straggler_state(const struct straggler_view *v,
    const struct straggler_found *f)
{
	if (f->marked.mark == STRAGGLER_IGNORE)
		return "ignored";
	if (!f->legitimate)
		return "unproven";
	return f->quiet_at_us <= v->now_us ? "quiet" : "legitimate";
}

int straggler_after(struct straggler_view *v, const struct straggler_found *f)
{
	struct straggler_day day[STRAGGLER_DAYS_KEPT + 1];
	uint64_t late = 0;
	struct error err;
	int n;

	if (v->ended_us == 0 || f->seen.messages == 0 || f->imported)
		return -1;
	n = stragglers_days(v->all, f->seen.id, v->ended_us / DAY_US + 1, day,
	    &err);
	for (int i = 0; i < n; i++)
		late += day[i].messages;
	if (late > f->seen.messages)
		late = f->seen.messages;
	return n < 0 ? -1 : (int)(late * 100 / f->seen.messages);
}

void straggler_values_of(struct straggler_view *v,
    const struct straggler_found *f, bool after, struct straggler_values *out)
{
	const struct straggler *s = &f->seen;

	*out = (struct straggler_values){
		.text = {slice_str(s->key.client), slice_str(s->name),
		    slice_str(s->helo), slice_str(s->key.listen),
		    slice_str(s->key.customer), slice_str(s->senders)},
		.number = {s->first_us, s->last_us, (int64_t)s->messages,
		    (int64_t)s->recipients, (int64_t)s->refused,
		    (int64_t)s->delivered,
		    after ? straggler_after(v, f) : -1},
	};
}

/* ---- rows ---------------------------------------------------------------- */

static void put_count(struct jout *j, const char *key, uint64_t n)
{
	struct strbuf text;

	strbuf_init(&text, CELL);
	human_count((int64_t)n, &text);
	jout_str(j, key, strbuf_cstr(&text));
	strbuf_fini(&text);
}

static void put_percent(struct jout *j, const char *key, int percent)
{
	char text[CELL];

	snprintf(text, sizeof(text), "%d%%", percent);
	jout_str(j, key, percent < 0 ? "-" : text);
}

static int pass_share(const struct straggler *s)
{
	return s->judged == 0 ? -1 : (int)(s->passed * 100 / s->judged);
}

/* The columns that people see in place of figures. */
static void put_human(struct straggler_view *v, const struct straggler_found *f,
    struct jout *j)
{
	const struct straggler *s = &f->seen;
	int64_t age_s = (v->now_us - s->last_us) / 1000000;
	char day[CLOCK_RFC3339_MAX];
	struct strbuf age;

	jout_str(j, "called", s->name[0] != '\0' ? s->name : s->helo);
	put_count(j, "messages_h", s->messages);
	put_count(j, "refused_h", s->refused);
	put_percent(j, "pass", pass_share(s));
	clock_rfc3339(s->first_us, day);
	day[10] = '\0';
	jout_str(j, "first_day", day);
	strbuf_init(&age, CELL);
	human_age(age_s < 0 ? 0 : age_s, &age);
	jout_str(j, "age", strbuf_cstr(&age));
	strbuf_fini(&age);
	put_percent(j, "late", straggler_after(v, f));
}

static void put_senders(struct jout *j, const char *senders)
{
	struct slice rest = slice_str(senders), domain, count;
	uint64_t n;

	jout_array(j, "senders");
	for (int i = 0; i < SENDERS_SHOWN && slice_next(&rest, ' ', &domain) &&
	     slice_next(&rest, ' ', &count); i++) {
		jout_object(j, NULL);
		jout_slice(j, "domain", slice_eq(domain, SLICE("-"))
		    ? SLICE("") : domain);
		jout_int(j, "messages", slice_uint(count, INT64_MAX, &n)
		    ? (int64_t)n : 0);
		jout_object_end(j);
	}
	jout_array_end(j);
}

static void put_figures(struct straggler_view *v,
    const struct straggler_found *f, struct jout *j)
{
	const struct straggler *s = &f->seen;
	int after = straggler_after(v, f);

	jout_int(j, "messages", (int64_t)s->messages);
	jout_int(j, "recipients", (int64_t)s->recipients);
	jout_int(j, "refused", (int64_t)s->refused);
	jout_int(j, "judged", (int64_t)s->judged);
	jout_int(j, "passed", (int64_t)s->passed);
	jout_int(j, "delivered", (int64_t)s->delivered);
	jout_time(j, "first", s->first_us);
	jout_time(j, "last", s->last_us);
	jout_int(j, "gap_s", f->facts.gap_us / 1000000);
	jout_time(j, "quiet_at", f->quiet_at_us);
	if (after >= 0)
		jout_int(j, "after_percent", after);
	jout_bool(j, "late", straggler_late(&f->facts, v->ended_us));
	jout_bool(j, "legitimate", f->legitimate);
	jout_bool(j, "imported", f->imported);
	put_senders(j, s->senders);
}

void straggler_put(struct straggler_view *v, const struct straggler_found *f)
{
	struct jout *j = out_row(&v->c->out);
	const struct straggler *s = &f->seen;

	jout_str(j, "client", s->key.client);
	jout_str(j, "listen", f->imported && !v->c->json ? "(logs)"
							  : s->key.listen);
	if (v->c->json) {
		jout_str(j, "customer", s->key.customer);
		jout_str(j, "name", s->name);
		jout_str(j, "helo", s->helo);
		jout_str(j, "tls", s->tls);
		put_figures(v, f, j);
	} else {
		put_human(v, f, j);
	}
	jout_str(j, "state", straggler_state(v, f));
	jout_str(j, "mark", straggler_mark_text(f->marked.mark));
	jout_str(j, "note", f->marked.note);
	out_row_end(&v->c->out);
}

/* ---- CSV ----------------------------------------------------------------- */

static const char csv_header[] = "client,name,helo,listen,customer,state,"
    "first,last,quiet_at,messages,recipients,refused,delivered,spf_pass,"
    "after_percent,senders,mark,note\n";

static void put_line(struct straggler_view *v, struct slice line)
{
	fwrite(line.p, 1, line.n, v->c->out.to);
}

void straggler_put_csv_header(struct straggler_view *v)
{
	put_line(v, slice_str(csv_header));
}

static void add_time(struct strbuf *line, int64_t time_us)
{
	char text[CLOCK_RFC3339_MAX];

	clock_rfc3339(time_us, text);
	csv_cell(line, time_us == 0 ? "" : text);
}

static void add_number(struct strbuf *line, int64_t n)
{
	char text[CELL];

	snprintf(text, sizeof(text), "%" PRId64, n);
	csv_cell(line, n < 0 ? "" : text);
}

void straggler_put_csv(struct straggler_view *v,
    const struct straggler_found *f)
{
	const struct straggler *s = &f->seen;
	struct strbuf line;

	strbuf_init(&line, LINE_BYTES);
	csv_cell(&line, s->key.client);
	csv_cell_foreign(&line, s->name);
	csv_cell_foreign(&line, s->helo);
	csv_cell(&line, s->key.listen);
	csv_cell(&line, s->key.customer);
	csv_cell(&line, straggler_state(v, f));
	add_time(&line, s->first_us);
	add_time(&line, s->last_us);
	add_time(&line, f->quiet_at_us);
	add_number(&line, (int64_t)s->messages);
	add_number(&line, (int64_t)s->recipients);
	add_number(&line, (int64_t)s->refused);
	add_number(&line, (int64_t)s->delivered);
	add_number(&line, pass_share(s));
	add_number(&line, straggler_after(v, f));
	csv_cell_foreign(&line, s->senders);
	csv_cell(&line, straggler_mark_text(f->marked.mark));
	csv_cell_foreign(&line, f->marked.note);
	strbuf_addc(&line, '\n');
	put_line(v, strbuf_view(&line));
	strbuf_fini(&line);
}

/* ---- chart --------------------------------------------------------------- */

static void put_bar(struct straggler_view *v, const struct straggler_day *d,
    uint64_t most)
{
	uint64_t n = d->messages + d->refused;
	unsigned full = (unsigned)(n * BAR / most), mail = n == 0 ? 0
	    : (unsigned)(d->messages * full / n);
	char day[CLOCK_RFC3339_MAX], bar[BAR + 1] = "";

	clock_rfc3339(d->day * DAY_US, day);
	day[10] = '\0';
	memset(bar, '#', mail);
	memset(bar + mail, '-', full - mail);
	out_say(&v->c->out, "  %s %-*s %" PRIu64 " taken, %" PRIu64 " refused",
	    day, BAR, bar, d->messages, d->refused);
}

void straggler_chart(struct straggler_view *v,
    const struct straggler_found *f)
{
	struct straggler_day day[STRAGGLER_DAYS_KEPT + 1];
	uint64_t most = 1;
	struct error err;
	int n = f->imported ? 0
	    : stragglers_days(v->all, f->seen.id,
		v->now_us / DAY_US - STRAGGLER_DAYS_KEPT, day, &err);

	for (int i = 0; i < n; i++)
		if (day[i].messages + day[i].refused > most)
			most = day[i].messages + day[i].refused;
	out_say(&v->c->out, "%s", "");
	out_say(&v->c->out, "%s at %s, a day (# taken, - refused):",
	    f->seen.key.client, f->imported ? "the old server, by its logs; "
	    "days are not kept" : f->seen.key.listen);
	for (int i = 0; i < n; i++)
		put_bar(v, &day[i], most);
}
