/* SPDX-License-Identifier: ISC
 *
 * wave plan: many waves over the evenings of a calendar.
 */
#include <inttypes.h>
#include <stdio.h>

#include "policy/route.h"
#include "relay/base/rng.h"
#include "relay/cli/common/human.h"
#include "relay/cli/table/choice.h"
#include "relay/cli/table/cli_table.h"
#include "relay/cli/wave/plan_calendar.h"
#include "relay/cli/wave/start_options.h"
#include "relay/cli/wave/wave_commands.h"
#include "relay/cli/wave/wave_open.h"

enum { DETAIL_MAX = 400, SEED_DRAWN = 1000000000 };

struct plan {
	struct cli *c;
	struct plan_calendar calendar;
	struct plan_choice choice;
	struct choice rows;
	struct where *first, *last;
	struct plan_members members;
	struct wave_options options;
	const char *route;
	uint64_t seed;
	struct plan_wave *wave;
	int waves;
};

/* ---- the command line --------------------------------------------------- */

static int read_where(struct cli *c, const char *name, struct where **out)
{
	const char *text = cli_value(c, name);
	struct error err;

	if (text == NULL)
		return CLI_DONE;
	*out = where_parse(slice_str(text), &err);
	return *out != NULL ? CLI_DONE
			    : cli_usage(c, "--%s: %s", name, err.text);
}

static int read_seed(struct plan *p)
{
	const char *text = cli_value(p->c, "seed");

	p->seed = rng_below(&rng_system, SEED_DRAWN);
	if (text == NULL || slice_uint(slice_str(text), UINT64_MAX, &p->seed))
		return CLI_DONE;
	return cli_usage(p->c, "--seed wants a number, not %s", text);
}

/* The text that rows have; `both`, which is another one in each domain, is none
 * of them. */
static const char *stored_route(struct plan *p)
{
	struct strbuf text;
	struct error err;
	struct route r;
	const char *stored = "";

	if (route_parse(slice_str(p->route), p->c->conf, NULL, &r, &err) < 0)
		return stored;
	strbuf_init(&text, 1000);
	route_print(&r, p->c->names, &text);
	stored = arena_strdup(p->c->arena, strbuf_cstr(&text));
	strbuf_fini(&text);
	return stored;
}

static int read_line(struct plan *p)
{
	struct cli *c = p->c;
	const char *to = cli_value(c, "to");
	int code = choice_read(c, 0, &p->rows);

	if (code == CLI_DONE && to == NULL)
		code = cli_usage(c, "a plan needs --to ROUTE");
	if (code == CLI_DONE)
		code = plan_calendar_read(c, &p->calendar);
	p->options = wave_options_default();
	snprintf(p->options.zone, sizeof(p->options.zone), "%s",
	    code == CLI_DONE ? p->calendar.when.zone->name : "");
	if (code == CLI_DONE)
		code = start_options_read(c, &p->options);
	if (code == CLI_DONE)
		code = read_where(c, "first", &p->first);
	if (code == CLI_DONE)
		code = read_where(c, "last", &p->last);
	if (code == CLI_DONE)
		code = read_seed(p);
	if (code != CLI_DONE)
		return code;
	p->route = wave_route(c, to);
	if (p->route == NULL)
		return CLI_NO;
	p->choice = (struct plan_choice){c->conf, p->rows.where, p->first,
	    p->last, cli_value(c, "spread"), stored_route(p)};
	return CLI_DONE;
}

/* ---- the split ---------------------------------------------------------- */

struct group_naming {
	uint32_t member;
	char address[ADDR_MAX];
};

static int name_member(void *arg, uint32_t member, struct slice address,
    const char *route, struct error *err)
{
	struct group_naming *n = arg;

	(void)route;
	(void)err;
	if (member == n->member)
		snprintf(n->address, sizeof(n->address), "%.*s",
		    (int)address.n, address.p);
	return 0;
}

/* Says which group is too large, by one of its addresses. */
static int say_group(struct plan *p, uint32_t member, const struct error *why)
{
	struct group_naming n = {.member = member};
	const struct plan_each each = {name_member, &n};
	struct error ignored;

	if (plan_members_each(&p->members, &each, &ignored) < 0)
		n.address[0] = '\0';
	return cli_fail(p->c, "%s%s%s", n.address, n.address[0] == '\0' ? "" :
	    ": ", why->text);
}

static int split(struct plan *p)
{
	uint32_t *size, member = UINT32_MAX;
	struct split_how how = {.seed = p->seed,
	    .values = p->members.value_count == 0 ? 1
						  : p->members.value_count};
	struct error err;
	int rc;

	p->wave = plan_calendar_waves(p->c, &p->calendar, p->members.members,
	    &p->waves);
	if (p->wave == NULL)
		return CLI_NO;
	size = NEW_ARRAY(uint32_t, p->waves);
	for (int i = 0; i < p->waves; i++)
		size[i] = p->wave[i].size;
	how.size = size;
	how.waves = (unsigned)p->waves;
	rc = split_run(p->members.split, &how, &member, &err);
	mem_free(size);
	if (rc < 0)
		return say_group(p, member, &err);
	for (uint32_t i = 0; i < p->members.members; i++)
		p->wave[split_wave(p->members.split, i)].members++;
	return CLI_DONE;
}

/* ---- what is shown ------------------------------------------------------ */

static const struct out_column columns[] = {
	{"name", "NAME", false},
	{"local", "TIME", false},
	{"at", "UTC", false},
	{"members", "MEMBERS", true},
	{NULL, NULL, false},
};

static void put_waves(const struct plan *p)
{
	struct out *out = &p->c->out;

	out_table(out, columns);
	for (int i = 0; i < p->waves; i++) {
		const struct plan_wave *w = &p->wave[i];
		char local[ZONE_TEXT_MAX], utc[ZONE_TEXT_MAX];
		struct jout *j;

		if (w->members == 0)
			continue;
		zone_text(p->calendar.when.zone, w->at_s, local);
		zone_rfc3339(&zone_utc, w->at_s, utc);
		j = out_row(out);
		jout_str(j, "name", w->name);
		jout_str(j, "local", local);
		jout_str(j, "at", utc);
		jout_int(j, "members", w->members);
		out_row_end(out);
	}
	out_end(out);
}

static void say_count(struct plan *p, uint64_t n, const char *what)
{
	struct strbuf text;

	if (n == 0)
		return;
	strbuf_init(&text, 40);
	human_count((int64_t)n, &text);
	out_say(&p->c->out, "%s recipient%s %s", strbuf_cstr(&text),
	    n == 1 ? "" : "s", what);
	strbuf_fini(&text);
}

static void say_left_out(struct plan *p)
{
	char text[ADDR_MAX + 200];

	say_count(p, p->members.there, "with that route already: left out");
	snprintf(text, sizeof(text), "in waves that are scheduled, running or "
	    "paused, such as %s: left out", p->members.elsewhere_first);
	say_count(p, p->members.elsewhere, text);
}

static void say_plan(struct plan *p, bool dry)
{
	int waves = 0;
	char text[200];

	for (int i = 0; i < p->waves; i++)
		waves += p->wave[i].members > 0;
	snprintf(text, sizeof(text), "in %d wave%s to %s; --seed %" PRIu64
	    " repeats it", waves, waves == 1 ? "" : "s", p->route, p->seed);
	say_count(p, p->members.members, text);
	if (p->choice.spread != NULL)
		out_say(&p->c->out, "each wave has its share of each of %u "
		    "value%s of %s", p->members.value_count,
		    p->members.value_count == 1 ? "" : "s", p->choice.spread);
	say_left_out(p);
	if (dry)
		out_say(&p->c->out, "nothing was written");
}

/* ---- all of it ---------------------------------------------------------- */

static int write_plan(struct plan *p, struct wave_file *f)
{
	const struct change_by by = wave_by(p->c);
	char detail[DETAIL_MAX];
	const struct plan_writing w = {&p->members, p->wave, p->waves,
	    p->route, &p->options, &by, detail, cli_flag(p->c, "schedule")};
	struct error err;

	snprintf(detail, sizeof(detail), "planned to %s, with seed %" PRIu64
	    "%s%s", p->route, p->seed, p->choice.spread == NULL ? "" :
	    ", spread by ", p->choice.spread == NULL ? "" : p->choice.spread);
	progress_phase(&p->c->bar, "writing");
	if (plan_write(f, &w, &err) < 0) {
		progress_end(&p->c->bar);
		return cli_fail(p->c, "%s", err.text);
	}
	progress_end(&p->c->bar);
	return CLI_DONE;
}

static int make(struct plan *p, struct table *t, struct wave_file *f)
{
	bool dry = cli_flag(p->c, "dry-run");
	struct error err;
	int code = CLI_DONE;

	progress_begin(&p->c->bar, "", 0);
	progress_phase(&p->c->bar, "reading");
	if (plan_members_read(&p->members, &p->choice, t, f, &err) < 0)
		code = cli_fail(p->c, "%s", err.text);
	progress_end(&p->c->bar);
	if (code == CLI_DONE && p->members.members == 0) {
		say_left_out(p);
		code = cli_fail(p->c, "no recipient is selected");
	}
	if (code == CLI_DONE)
		code = split(p);
	if (code == CLI_DONE && !dry)
		code = write_plan(p, f);
	if (code == CLI_DONE) {
		put_waves(p);
		say_plan(p, dry);
	}
	plan_members_fini(&p->members);
	return code;
}

static int open_and_make(struct plan *p)
{
	struct table *t = cli_table(p->c);
	struct wave_file *f = NULL;
	int code = CLI_NO;

	if (t != NULL)
		f = wave_open(p->c, !cli_flag(p->c, "dry-run"));
	if (f != NULL)
		code = make(p, t, f);
	wave_file_close(f);
	if (t != NULL)
		table_close(t);
	return code;
}

static int run_plan(struct cli *c)
{
	struct plan p = {.c = c};
	int code = read_line(&p);

	if (code == CLI_DONE)
		code = open_and_make(&p);
	where_free(p.first);
	where_free(p.last);
	choice_end(&p.rows);
	return code;
}

static const struct cli_option plan_options[] = {
	{"all", "DOMAIN", "All recipients of a domain."},
	{"where", "EXPR", "Rows that fit; see EXPRESSIONS in posthouse(1)."},
	{"tag", "TAG", "All rows that bear the tag."},
	{"customer", "C", "Of those, rows of the domains of one customer."},
	{"to", "ROUTE", "Where they are to go."},
	{"calendar", "C", "Days, time and size of the waves, with commas "
	    "between."},
	{"from", "DATE", "The first day that may have a wave."},
	{"zone", "ZONE", "The time zone of the calendar; without it "
	    "wave.zone."},
	{"skip", "DATE", "A day without a wave; may be said again."},
	{"spread", "KEY", "Each wave has its share of each value of the tag "
	    "KEY=value."},
	{"first", "EXPR", "These mailboxes go first."},
	{"last", "EXPR", "These mailboxes go last."},
	{"seed", "N", "The same order as that plan had."},
	{"name", "PREFIX", "Of the names of the waves: w-2026-12-01."},
	{"schedule", NULL, "Schedules the waves too."},
	{"dry-run", NULL, "Shows the plan and writes nothing."},
	START_OPTIONS,
	{"late", "T", "Overdue by more, a scheduled wave is paused (15m)."},
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_wave_plan[] = {
	{
	    .name = "wave plan",
	    .args = "(--all D | --where E | --tag T) --to ROUTE --calendar C "
		    "--from DATE",
	    .summary = "Plans waves over the evenings of a calendar",
	    .details = "The order is random, and --seed repeats it. Mailboxes "
		       "and recipients of one tag\ntogether=X stay in one "
		       "wave. The waves are named by their dates and have "
		       "their\ntimes; wave schedule takes them, or "
		       "--schedule does it at once. Recipients that\nhave the "
		       "route already, or are in an active wave, are left "
		       "out.",
	    .example = "posthouse wave plan --all example.com --to cloud "
		       "--from 2026-12-01 \\\n    --calendar \"Tue-Thu 20:00 "
		       "22000, Fri 20:00 83000\" --zone Europe/London \\\n"
		       "    --spread dept --last vip --skip 2026-12-25 "
		       "--dry-run",
	    .options = plan_options,
	    .run = run_plan,
	},
	{.name = NULL},
};
