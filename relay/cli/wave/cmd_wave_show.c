/* SPDX-License-Identifier: ISC
 *
 * wave list, wave show: the waves, and how one gets on.
 */
#include <inttypes.h>
#include <stdio.h>

#include "relay/base/clock.h"
#include "relay/cli/common/human.h"
#include "relay/cli/wave/show_soak.h"
#include "relay/cli/wave/wave_commands.h"
#include "relay/cli/wave/wave_figures.h"
#include "relay/cli/wave/wave_open.h"
#include "relay/cli/wave/wave_rows.h"
#include "relay/observed/unfit.h"
#include "relay/when/zone_file.h"

/* ---- list ------------------------------------------------------------- */

static const struct out_column list_columns[] = {
	{"name", "NAME", false},
	{"state", "STATE", false},
	{"members", "MEMBERS", true},
	{"flipped", "FLIPPED", true},
	{"failed", "FAILED", true},
	{"pending", "PENDING", true},
	{"route", "TO", false},
	{"at", "AT", false},
	{"reason", "REASON", false},
	{"note", "NOTE", false},
	{NULL, NULL, false},
};

struct wave_listing {
	struct cli *c;
	struct wave_file *f;
	struct error err;
	int rc;
};

static void put_wave(void *arg, const struct wave *w)
{
	struct wave_listing *l = arg;
	struct wave_counts n;
	struct jout *j;

	if (l->rc < 0 || wave_count(l->f, w->id, &n, &l->err) < 0) {
		l->rc = -1;
		return;
	}
	j = out_row(&l->c->out);
	jout_str(j, "name", w->name);
	jout_str(j, "state", wave_state_text((int)w->state));
	jout_int(j, "members", (int64_t)n.members);
	jout_int(j, "flipped", (int64_t)n.state[MEMBER_DONE]);
	jout_int(j, "failed", (int64_t)n.state[MEMBER_FAILED]);
	jout_int(j, "pending", (int64_t)n.state[MEMBER_PENDING]);
	jout_str(j, "route", w->route);
	if (w->at_us != 0)
		jout_time(j, "at", w->at_us);
	jout_str(j, "reason", w->reason);
	jout_str(j, "note", w->note);
	out_row_end(&l->c->out);
}

static int run_list(struct cli *c)
{
	struct wave_listing l = {.c = c, .f = wave_open(c, false)};

	if (l.f == NULL)
		return CLI_NO;
	out_table(&c->out, list_columns);
	if (wave_each(l.f, put_wave, &l, &l.err) < 0)
		l.rc = -1;
	out_end(&c->out);
	if (l.rc == 0 && cli_flag(c, "decisions"))
		l.rc = wave_decisions(c, l.f, &l.err);
	wave_file_close(l.f);
	return l.rc < 0 ? cli_fail(c, "%s", l.err.text) : CLI_DONE;
}

/* ---- show, for programs ------------------------------------------------ */

static void put_time(struct jout *j, const char *key, int64_t us)
{
	if (us != 0)
		jout_time(j, key, us);
}

static void put_options(struct jout *j, const struct wave_options *o)
{
	jout_int(j, "slice", (int64_t)o->slice);
	jout_int(j, "pause_s", o->pause_s);
	jout_int(j, "late_s", o->late_s);
	jout_bool(j, "hold", o->hold);
	jout_int(j, "deadline_s", o->deadline_s);
	jout_bool(j, "force", o->force);
	jout_int(j, "soak_s", o->soak_s);
	jout_str(j, "on_bad", o->take_back ? "rollback" : "pause");
	jout_int(j, "complaints", (int64_t)o->complaints);
	if (o->rollback > 0)
		jout_int(j, "rollback", (int64_t)o->rollback);
	jout_str(j, "zone", o->zone);
}

static void put_figures(struct jout *j, const struct wave_figures *g)
{
	jout_int(j, "members", (int64_t)g->counts.members);
	jout_int(j, "done", (int64_t)g->counts.there);
	jout_int(j, "failed", (int64_t)g->counts.state[MEMBER_FAILED]);
	jout_int(j, "left", (int64_t)g->left);
	jout_int(j, "pending", (int64_t)g->counts.state[MEMBER_PENDING]);
	jout_int(j, "held", (int64_t)(g->counts.state[MEMBER_HELD] +
	    g->counts.state[MEMBER_FLIPPED]));
	jout_int(j, "moved_on", (int64_t)g->counts.moved_on);
	jout_int(j, "excluded", (int64_t)g->counts.state[MEMBER_EXCLUDED]);
	jout_int(j, "skipped", (int64_t)g->counts.state[MEMBER_SKIPPED]);
	jout_int(j, "slices", (int64_t)g->slices);
	put_time(j, "last_slice", g->last_us);
	if (g->per_hour > 0)
		jout_int(j, "rate_per_hour", (int64_t)g->per_hour);
	put_time(j, "end", g->end_us);
	jout_str(j, "waits_for", wave_wait_text(g->due.wait));
	if (g->due.step == WAVE_WAIT)
		put_time(j, "waits_until", g->due.until_us);
}

static void put_preflight(struct jout *j, const struct cli *c,
    const struct wave *w)
{
	const struct unfit_wave of = {w->name, w->route, w->created_us};
	struct unfit *u = unfit_new(c->conf->audit.path);

	if (unfit_asked_at(u, &of) != 0) {
		jout_time(j, "preflight", unfit_asked_at(u, &of));
		jout_int(j, "unfit", (int64_t)unfit_count(u, &of));
	}
	unfit_free(u);
}

static void put_json(struct cli *c, const struct wave *w,
    const struct wave_figures *g)
{
	struct jout *j = out_row(&c->out);

	jout_str(j, "name", w->name);
	jout_str(j, "state", wave_state_text((int)w->state));
	put_figures(j, g);
	jout_str(j, "route", w->route);
	jout_int(j, "run", w->run);
	put_time(j, "at", w->at_us);
	put_preflight(j, c, w);
	jout_str(j, "reason", w->reason);
	put_options(j, &w->options);
	show_soak_json(j, &g->soak);
	jout_time(j, "created", w->created_us);
	jout_str(j, "who", w->who);
	jout_str(j, "host", w->host);
	jout_str(j, "note", w->note);
	out_row_end(&c->out);
}

/* ---- show, for people -------------------------------------------------- */

static void add_count(struct strbuf *b, const char *before, uint64_t n,
    const char *what)
{
	strbuf_adds(b, before);
	human_count((int64_t)n, b);
	strbuf_addf(b, " %s", what);
}

/* A wave on the screen; `zone` NULL: times are the machine's. */
struct wave_view {
	struct cli *c;
	const struct wave *w;
	const struct wave_figures *g;
	const struct zone *zone;
};

/* Local, and UTC beside it. */
static void add_time(struct strbuf *b, const struct wave_view *v, int64_t us)
{
	char machine[CLOCK_LOCAL_MAX], local[ZONE_TEXT_MAX];
	char utc[CLOCK_RFC3339_MAX];

	clock_rfc3339(us, utc);
	if (v->zone == NULL) {
		clock_local(us, machine);
		strbuf_addf(b, "%s (UTC %.19sZ)", machine, utc);
		return;
	}
	zone_text(v->zone, us / 1000000, local);
	strbuf_addf(b, "%s, %s (UTC %.19sZ)", local, v->zone->name, utc);
}

static void say_time(const struct wave_view *v, const char *what, int64_t us)
{
	struct strbuf b;

	if (us == 0)
		return;
	strbuf_init(&b, OUT_LINE_MAX);
	add_time(&b, v, us);
	out_say(&v->c->out, "%-10s %s", what, strbuf_cstr(&b));
	strbuf_fini(&b);
}

static void say_members(const struct wave_view *v)
{
	const struct wave_figures *g = v->g;
	const struct wave_counts *n = &g->counts;
	struct strbuf b;

	strbuf_init(&b, OUT_LINE_MAX);
	human_count((int64_t)n->members, &b);
	add_count(&b, ": ", n->there, "done");
	add_count(&b, ", ", n->state[MEMBER_FAILED], "failed");
	add_count(&b, ", ", g->left, "left");
	if (n->moved_on > 0)
		add_count(&b, " (", n->moved_on, n->moved_on == 1
		    ? "of them was flipped and has another route by now)"
		    : "of them were flipped and have another route by now)");
	if (n->state[MEMBER_HELD] + n->state[MEMBER_FLIPPED] > 0)
		add_count(&b, ", the mail of ", n->state[MEMBER_HELD] +
		    n->state[MEMBER_FLIPPED], "held");
	if (n->state[MEMBER_EXCLUDED] > 0)
		add_count(&b, ", ", n->state[MEMBER_EXCLUDED], "excluded");
	if (n->state[MEMBER_SKIPPED] > 0)
		add_count(&b, ", ", n->state[MEMBER_SKIPPED], "skipped");
	out_say(&v->c->out, "%-10s %s", "members", strbuf_cstr(&b));
	strbuf_fini(&b);
}

static void say_options(struct cli *c, const struct wave_options *o)
{
	struct strbuf b;

	strbuf_init(&b, OUT_LINE_MAX);
	add_count(&b, "", o->slice, "members a slice");
	if (o->pause_s > 0) {
		strbuf_adds(&b, ", a pause of ");
		human_age(o->pause_s, &b);
	}
	if (o->hold)
		strbuf_adds(&b, ", with a hold");
	if (o->deadline_s > 0) {
		strbuf_adds(&b, " of at most ");
		human_age(o->deadline_s, &b);
	}
	if (o->soak_s > 0) {
		strbuf_adds(&b, ", a soak of ");
		human_age(o->soak_s, &b);
	}
	if (o->take_back)
		strbuf_adds(&b, ", a bad slice goes back");
	if (o->complaints > 0)
		add_count(&b, ", pauses at ", o->complaints, "complaints");
	if (o->force)
		strbuf_adds(&b, ", also what was moved or has no row");
	if (o->rollback > 0)
		add_count(&b, ", goes back in slices of ", o->rollback,
		    "members");
	out_say(&c->out, "%-10s %s", "options", strbuf_cstr(&b));
	strbuf_fini(&b);
}

static void say_slices(const struct wave_view *v)
{
	const struct wave_figures *g = v->g;
	struct strbuf b;

	if (g->slices == 0)
		return;
	strbuf_init(&b, OUT_LINE_MAX);
	add_count(&b, "", g->slices, g->slices == 1 ? "slice" : "slices");
	strbuf_addf(&b, " in run %u", v->w->run);
	if (g->per_hour > 0)
		add_count(&b, ", ", g->per_hour, "members an hour");
	strbuf_adds(&b, ", the newest at ");
	add_time(&b, v, g->last_us);
	out_say(&v->c->out, "%-10s %s", "slices", strbuf_cstr(&b));
	strbuf_fini(&b);
}

static void say_wait(const struct wave_view *v)
{
	const struct wave *w = v->w;
	const struct wave_figures *g = v->g;
	struct strbuf b;

	strbuf_init(&b, OUT_LINE_MAX);
	if (w->state == WAVE_PLANNED)
		strbuf_adds(&b, "wave schedule, or wave start");
	else if (w->state == WAVE_PAUSED)
		strbuf_addf(&b, "wave resume%s%s",
		    w->reason[0] == '\0' ? "" : "; paused: ", w->reason);
	else if (g->due.step == WAVE_WAIT)
		strbuf_adds(&b, wave_wait_text(g->due.wait));
	if (g->due.step == WAVE_WAIT && g->due.until_us > 0 &&
	    g->due.until_us < INT64_MAX) {
		strbuf_adds(&b, ", until ");
		add_time(&b, v, g->due.until_us);
	}
	if (b.n > 0)
		out_say(&v->c->out, "%-10s %s", "waits for", strbuf_cstr(&b));
	strbuf_fini(&b);
}

/* The zone in which its time was said, else that of the configuration. */
static const struct zone *zone_of(struct cli *c, const struct wave *w)
{
	const struct zone *z = NULL;
	struct error ignored;

	if (w->options.zone[0] != '\0')
		z = zone_load(c->arena, slice_str(w->options.zone), &ignored);
	return z != NULL ? z : c->conf->wave.clock;
}

static void say_preflight(const struct wave_view *v)
{
	const struct wave *w = v->w;
	const struct unfit_wave of = {w->name, w->route, w->created_us};
	struct unfit *u = unfit_new(v->c->conf->audit.path);
	int64_t us = unfit_asked_at(u, &of);
	struct strbuf b;

	strbuf_init(&b, OUT_LINE_MAX);
	if (us != 0) {
		add_time(&b, v, us);
		add_count(&b, ": ", unfit_count(u, &of), "would fail");
		out_say(&v->c->out, "%-10s %s", "preflight", strbuf_cstr(&b));
	}
	strbuf_fini(&b);
	unfit_free(u);
}

static void say_wave(struct cli *c, const struct wave *w,
    const struct wave_figures *g)
{
	const struct wave_view v = {c, w, g, zone_of(c, w)};

	out_say(&c->out, "%-10s %s, %s%s%s", "wave", w->name,
	    wave_state_text((int)w->state), w->route[0] == '\0' ? "" : ", to ",
	    w->route);
	say_members(&v);
	say_time(&v, "at", w->at_us);
	say_options(c, &w->options);
	if (w->reason[0] != '\0' && w->state != WAVE_PAUSED)
		out_say(&c->out, "%-10s %s", "stopped", w->reason);
	say_slices(&v);
	show_soak(c, &g->soak);
	say_time(&v, "done by", g->end_us);
	say_wait(&v);
	say_preflight(&v);
	say_time(&v, "created", w->created_us);
	out_say(&c->out, "%-10s %s%s%s", "by", w->who,
	    w->note[0] == '\0' ? "" : ": ", w->note);
}

/* ---- the commands ------------------------------------------------------- */

static int read_state(struct cli *c, int *state_out)
{
	const char *text = cli_value(c, "state");

	*state_out = text == NULL ? -1 : member_state_named(slice_str(text));
	if (text != NULL && *state_out < 0)
		return cli_usage(c, "no member has the state %s; pending, "
		    "held, flipped, done, failed, excluded and skipped are",
		    text);
	return CLI_DONE;
}

static int show(struct cli *c, struct wave_file *f, int state,
    struct error *err)
{
	struct wave_figures g;
	struct wave w;
	const struct wave_of of = {&w, state};

	if (wave_need(f, c->arg[0], &w, err) < 0 ||
	    wave_figures(f, &w, c->conf, &g, err) < 0)
		return -1;
	if (c->json)
		put_json(c, &w, &g);
	else
		say_wave(c, &w, &g);
	return wave_rows(c, f, &of, err);
}

static int run_show(struct cli *c)
{
	struct error err = {0};
	struct wave_file *f;
	int state, rc;

	if (read_state(c, &state) != CLI_DONE)
		return CLI_USAGE;
	f = wave_open(c, false);
	if (f == NULL)
		return CLI_NO;
	rc = show(c, f, state, &err);
	wave_file_close(f);
	return rc < 0 ? cli_fail(c, "%s", err.text) : CLI_DONE;
}

static const struct cli_option list_options[] = {
	{"decisions", NULL, "What was decided about all waves and rules too, "
	    "those that are gone included."},
	{NULL, NULL, NULL},
};

static const struct cli_option show_options[] = {
	{"members", NULL, "Its members too: what each had and has, and why "
	    "it was left out."},
	{"state", "S", "Of those, pending, held, flipped, done, failed, "
	    "excluded or skipped ones."},
	{"watermarks", NULL, "The watermarks of its members too: since when "
	    "their old legs get no more mail."},
	{"slices", NULL, "Its slices too."},
	{"decisions", NULL, "What was decided about it, by which user, and "
	    "why."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_wave_show[] = {
	{
	    .name = "wave list",
	    .args = "",
	    .summary = "The waves, oldest first",
	    .details = "FLIPPED counts members by what the slices did; wave "
		       "show looks what each has now.",
	    .example = "posthouse wave list",
	    .options = list_options,
	    .run = run_list,
	},
	{
	    .name = "wave show",
	    .args = "NAME",
	    .summary = "How a wave gets on, and what it waits for",
	    .details = "Done are the members that a slice moved and that "
		       "have its route still: an undo shows as\nleft. "
		       "Excluded and skipped ones are left out, each with "
		       "its reason (--members).",
	    .example = "posthouse wave show w7\n"
		       "posthouse wave show w7 --state skipped",
	    .options = show_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_show,
	},
	{.name = NULL},
};
