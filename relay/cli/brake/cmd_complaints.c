/* SPDX-License-Identifier: ISC
 *
 * complaints: how much of the mail of which tags failed at the first attempt.
 * complaints add: a complaint of a user, which no leg's reply tells.
 */
#include <inttypes.h>
#include <stdio.h>

#include "policy/route.h"
#include "policy/row.h"
#include "policy/wave/file/complaint.h"
#include "relay/audit/delivered/outcome_reader.h"
#include "relay/base/clock.h"
#include "relay/base/hashtable.h"
#include "relay/cli/brake/brake_commands.h"
#include "relay/cli/brake/tag_shares.h"
#include "relay/cli/table/cli_table.h"
#include "relay/cli/wave/wave_open.h"

enum { PAGE_ROWS = 1000, BAR = 20, KEPT_DAYS = 30, SINCE_DAYS = 7 };

/* ---- complaints -------------------------------------------------------- */

struct complained {
	UT_hash_handle hh;
	uint64_t n;
	char address[];
};

struct shares_look {
	struct cli *c;
	struct wave_file *waves;
	const char *wave; /* NULL: all recipients */
	int64_t since_us;
	struct complained *complained;
	struct outcome_reader *reader;
	struct tag_shares *shares;
	struct error err;
	bool failed;
	double most; /* the largest share of a tag */
};

static void on_complaint(void *arg, const struct complaint *m)
{
	struct shares_look *l = arg;
	struct complained *found = NULL;

	HASH_FIND(hh, l->complained, m->address.p, m->address.n, found);
	if (found == NULL) {
		found = mem_new(sizeof(*found) + m->address.n + 1);
		memcpy(found->address, m->address.p, m->address.n);
		found->address[m->address.n] = '\0';
		found->n = 0;
		HASH_ADD_KEYPTR(hh, l->complained, found->address,
		    m->address.n, found);
	}
	found->n++;
}

static uint64_t complaints_of(const struct shares_look *l, struct slice key)
{
	struct complained *found = NULL;

	HASH_FIND(hh, l->complained, key.p, key.n, found);
	return found == NULL ? 0 : found->n;
}

static void forget(struct shares_look *l)
{
	struct complained *m, *next;

	HASH_ITER(hh, l->complained, m, next) {
		HASH_DEL(l->complained, m);
		mem_free(m);
	}
	outcome_reader_close(l->reader);
	tag_shares_free(l->shares);
	wave_file_close(l->waves);
}

/* ---- all recipients ---------------------------------------------------- */

/* 1, 0: it is none of them, -1. */
static int is_wanted(struct shares_look *l, struct slice key)
{
	if (key.n == 0 || key.p[0] == '@')
		return 0;
	return l->wave == NULL ? 1 : wave_has(l->waves, slice_str(l->wave),
					 key, &l->err);
}

static int add_row(struct shares_look *l, struct slice key, const char *tags)
{
	struct outcome_of of = {.leg = -1, .from = l->since_us / DAY_US,
	    .to = INT64_MAX, .since_us = INT64_MAX};
	struct outcome_sum sum = {0};
	struct tag_met met = {.complaints = complaints_of(l, key)};
	struct strbuf base;
	int rc = 0;

	strbuf_init(&base, 2 * ADDR_MAX);
	if (route_base(l->c->conf, key, &base)) {
		of.recipient = outcome_reader_key(l->reader,
		    strbuf_view(&base));
		rc = outcome_reader_add(l->reader, &of, &sum, &l->err);
	}
	strbuf_fini(&base);
	met.share = (struct brake_share){sum.delivered + sum.failed,
	    sum.failed};
	tag_shares_add(l->shares, slice_str(tags), &met);
	return rc;
}

static void on_row(void *arg, struct slice key, const struct table_row *row)
{
	struct shares_look *l = arg;
	int rc = l->failed ? 0 : is_wanted(l, key);

	if (rc > 0)
		rc = add_row(l, key, row->tags);
	if (rc < 0)
		l->failed = true;
}

struct last_key {
	struct shares_look *look;
	struct strbuf key;
};

static void on_page_row(void *arg, struct slice key,
    const struct table_row *row)
{
	struct last_key *last = arg;

	on_row(last->look, key, row);
	strbuf_reset(&last->key);
	strbuf_addsl(&last->key, key);
}

static int read_rows(struct shares_look *l, struct table *t)
{
	struct last_key last = {.look = l};
	int n;

	strbuf_init(&last.key, 2 * ADDR_MAX);
	do {
		struct arena *a = arena_new();
		const struct table_page page = {
		    .after = strbuf_view(&last.key),
		    .limit = PAGE_ROWS,
		    .a = a,
		    .fn = on_page_row,
		    .arg = &last,
		};

		n = table_rows(t, &page, &l->err);
		arena_free(a);
	} while (n == PAGE_ROWS && !l->failed);
	strbuf_fini(&last.key);
	return n < 0 || l->failed ? -1 : 0;
}

/* ---- since when -------------------------------------------------------- */

struct first_slice {
	unsigned run;
	int64_t time_us; /* 0: none */
};

static void on_slice(void *arg, const struct slice_row *s)
{
	struct first_slice *f = arg;

	if (s->run == f->run && f->time_us == 0)
		f->time_us = s->time_us;
}

/* Of the wave's run: its first slice. */
static int since_wave(struct shares_look *l, int64_t *us_out)
{
	struct first_slice first;
	struct wave w;

	if (wave_need(l->waves, l->wave, &w, &l->err) < 0)
		return -1;
	first = (struct first_slice){.run = w.run};
	if (wave_slices(l->waves, w.id, on_slice, &first, &l->err) < 0)
		return -1;
	if (first.time_us == 0)
		return error_set(&l->err, "wave %s has not moved anything "
		    "yet", l->wave);
	*us_out = first.time_us;
	return 0;
}

static int find_since(struct shares_look *l)
{
	const char *text = cli_value(l->c, "since");
	int64_t now_us = clock_wall_us(&clock_system);

	l->since_us = now_us - SINCE_DAYS * DAY_US;
	if (text != NULL &&
	    clock_parse(slice_str(text), now_us, &l->since_us) < 0)
		return cli_usage(l->c, "--since wants a time: RFC 3339, "
		    "'2026-11-22 05:00', -2h, yesterday, not %s", text);
	if (text == NULL && l->wave != NULL &&
	    since_wave(l, &l->since_us) < 0)
		return cli_fail(l->c, "%s", l->err.text);
	if (l->since_us < now_us - KEPT_DAYS * DAY_US)
		return cli_fail(l->c, "first outcomes are kept for %d days: "
		    "say a later --since", KEPT_DAYS);
	return CLI_DONE;
}

/* ---- printing ---------------------------------------------------------- */

static const struct out_column columns[] = {
	{"tag", "TAG", false},
	{"recipients", "RECIPIENTS", true},
	{"tried", "TRIED", true},
	{"failed", "FAILED", true},
	{"percent", "%", true},
	{"times", "TIMES OTHERS", true},
	{"lower", "AT LEAST", true},
	{"complaints", "COMPLAINTS", true},
	{"bar", "", false},
	{NULL, NULL, false},
};

static double percent(const struct tag_share *s)
{
	return s->met.share.tried == 0 ? 0
	    : 100 * (double)s->met.share.failed / (double)s->met.share.tried;
}

static void find_most(void *arg, const struct tag_share *s)
{
	struct shares_look *l = arg;

	if (percent(s) > l->most)
		l->most = percent(s);
}

/* 5.1 of 5.08. */
static double tenth(double v)
{
	return (double)(int64_t)(v * 10 + (v < 0 ? -0.5 : 0.5)) / 10;
}

static void put_share(void *arg, const struct tag_share *s)
{
	struct shares_look *l = arg;
	struct jout *j = out_row(&l->c->out);
	char bar[BAR + 1] = "";

	jout_str(j, "tag", s->tag == NULL ? "" : s->tag);
	jout_int(j, "recipients", (int64_t)s->recipients);
	jout_int(j, "tried", (int64_t)s->met.share.tried);
	jout_int(j, "failed", (int64_t)s->met.share.failed);
	jout_real(j, "percent", tenth(percent(s)));
	if (s->times >= 0)
		jout_real(j, "times", tenth(s->times));
	if (s->tag != NULL) {
		jout_real(j, "lower", tenth(100 * s->interval.lower));
		jout_real(j, "upper", tenth(100 * s->interval.upper));
	}
	jout_int(j, "complaints", (int64_t)s->met.complaints);
	if (!l->c->json && l->most > 0) {
		memset(bar, '#', (size_t)(percent(s) / l->most * BAR));
		jout_str(j, "bar", bar);
	}
	out_row_end(&l->c->out);
}

static void print(struct shares_look *l)
{
	char day[CLOCK_RFC3339_MAX];
	int64_t known_us = outcome_reader_since(l->reader);
	struct tag_shares *t = l->shares;

	tag_shares_each(t, find_most, l);
	out_table(&l->c->out, columns);
	tag_shares_each(t, put_share, l);
	out_end(&l->c->out);
	clock_rfc3339(l->since_us > known_us ? l->since_us : known_us, day);
	out_say(&l->c->out, "first attempts since the day of %.10s (UTC); the "
	    "first line is all of them. AT LEAST: so many points more failed "
	    "than of all others.", day);
}

/* ---- the commands ------------------------------------------------------ */

static int look(struct shares_look *l)
{
	const struct complaint_page page = {l->since_us, on_complaint, l};
	struct table *t;
	int rc;

	if (complaint_each(l->waves, &page, &l->err) < 0)
		return cli_fail(l->c, "%s", l->err.text);
	l->reader = outcome_reader_open(l->c->conf, &l->err);
	if (l->reader == NULL)
		return cli_fail(l->c, "%s", l->err.text);
	t = cli_table(l->c);
	if (t == NULL)
		return CLI_NO;
	rc = read_rows(l, t);
	table_close(t);
	if (rc < 0)
		return cli_fail(l->c, "%s", l->err.text);
	print(l);
	return CLI_DONE;
}

static int run_complaints(struct cli *c)
{
	struct shares_look l = {.c = c, .wave = cli_value(c, "wave")};
	int code;

	l.waves = wave_open(c, false);
	if (l.waves == NULL)
		return CLI_NO;
	l.shares = tag_shares_new();
	code = find_since(&l);
	if (code == CLI_DONE)
		code = look(&l);
	forget(&l);
	return code;
}

static int add_one(struct cli *c, struct wave_file *f, struct slice key,
    struct error *err)
{
	const struct change_by by = wave_by(c);
	const struct complaint m = {.address = key,
	    .time_us = clock_wall_us(&clock_system), .who = by.who,
	    .host = by.host, .note = by.note};

	return wave_begin(f, err) < 0
		   ? -1 : wave_end(f, complaint_add(f, &m, err), err);
}

/* A complaint about an address that has no row is of no wave, and most
 * likely misspelt. */
static int has_row(struct cli *c, struct slice key)
{
	struct table *t = cli_table(c);
	struct table_row row;
	struct error err;
	int rc = t == NULL ? -1 : table_get(t, key, c->arena, &row, &err);

	if (t != NULL && rc < 0)
		cli_fail(c, "%s", err.text);
	table_close(t);
	return rc;
}

static int add_complaint(struct cli *c, struct slice key)
{
	struct wave_file *f;
	struct error err;
	int rc = has_row(c, key);

	if (rc == 0)
		return cli_fail(c, "%.*s has no row: posthouse route get "
		    "tells", (int)key.n, key.p);
	f = rc < 0 ? NULL : wave_open(c, true);
	if (f == NULL)
		return CLI_NO;
	rc = add_one(c, f, key, &err);
	wave_file_close(f);
	if (rc < 0)
		return cli_fail(c, "%s", err.text);
	out_say(&c->out, "noted for %.*s", (int)key.n, key.p);
	return CLI_DONE;
}

static int run_add(struct cli *c)
{
	struct strbuf key;
	struct error err;
	int code;

	if (cli_value(c, "note") == NULL)
		return cli_usage(c, "--note says what the user complains of");
	strbuf_init(&key, 2 * ADDR_MAX);
	code = row_key(slice_str(c->arg[0]), &key, &err) < 0
		   ? cli_fail(c, "%s", err.text)
		   : add_complaint(c, strbuf_view(&key));
	strbuf_fini(&key);
	return code;
}

static const struct cli_option add_options[] = {
	{"note", "TEXT", "The complaint, in a few words."},
	{NULL, NULL, NULL},
};

static const struct cli_option options[] = {
	{"wave", "W", "Of its members alone, since its first slice."},
	{"since", "T", "Since that day (UTC), at most 30 days: RFC 3339, "
	    "'2026-11-22 05:00', -2d, yesterday (-7d)."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_complaints[] = {
	{
	    .name = "complaints add",
	    .args = "ADDR",
	    .summary = "Writes down that a user complained",
	    .details = "No reply of a leg tells that a mail program "
		       "misbehaves. A wave that was started with\n"
		       "--complaints N is paused when so many of the members "
		       "that it moved complained.",
	    .example = "posthouse complaints add ann@example.com --note "
		       "'the calendar is empty'",
	    .options = add_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_add,
	},
	{
	    .name = "complaints",
	    .args = "",
	    .summary = "Which tags have more of their mail refused",
	    .details = "By the first attempt at each delivery, at all legs: "
		       "what was refused or deferred for the\nmessage, the "
		       "recipient or the mailbox. The tag that stands first "
		       "has the largest\ndifference to all others that is "
		       "certain (the lower end of its interval of 90 %).",
	    .example = "posthouse complaints --wave w7",
	    .options = options,
	    .run = run_complaints,
	},
	{.name = NULL},
};
