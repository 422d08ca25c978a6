/* SPDX-License-Identifier: ISC
 *
 * wave rehearse: all that a start would do, without doing it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "relay/base/clock.h"
#include "relay/cli/common/human.h"
#include "relay/cli/wave/rehearsal.h"
#include "relay/cli/wave/start_options.h"
#include "relay/cli/wave/wave_commands.h"
#include "relay/cli/wave/wave_open.h"
#include "relay/cli/wave/wave_when.h"
#include "relay/when/zone_file.h"

enum { LEFT_OUT_SHOWN = 20, MS_US = 1000 };

struct rehearsing {
	struct cli *c;
	const struct zone *zone; /* in which times are shown */
	struct rehearsal r;
};

/* ---- the command line ---------------------------------------------------- */

/* For --at that of --zone, else of the configuration; times are shown in it,
 * else in that of the wave, else in the system's. */
static int find_zone(struct rehearsing *h, const struct zone **at_zone)
{
	struct cli *c = h->c;
	const char *of_wave = h->r.wave.options.zone;
	int code = wave_zone(c, at_zone);
	struct error err;

	h->zone = code == CLI_DONE ? *at_zone : NULL;
	if (code == CLI_DONE && h->zone == NULL && of_wave[0] != '\0')
		h->zone = zone_load(c->arena, slice_str(of_wave), &err);
	if (code == CLI_DONE && h->zone == NULL)
		h->zone = zone_load_system(c->arena, &err);
	if (code != CLI_DONE || h->zone != NULL)
		return code;
	return cli_fail(c, "%s", err.text);
}

/* When it would begin: --at, else its own time, else now. */
static int find_begin(struct rehearsing *h)
{
	int64_t now_us = clock_wall_us(&clock_system);
	const struct zone *at_zone = NULL;
	struct rehearsal *r = &h->r;
	int code = find_zone(h, &at_zone);

	r->from_us = r->wave.at_us > now_us ? r->wave.at_us : now_us;
	return code == CLI_DONE ? wave_at_option(h->c, at_zone, &r->from_us)
				: code;
}

static int read_line(struct rehearsing *h, struct wave_file *f)
{
	struct cli *c = h->c;
	struct rehearsal *r = &h->r;
	const char *to = cli_value(c, "to");
	struct error err;
	int code;

	if (wave_need(f, c->arg[0], &r->wave, &err) < 0)
		return cli_fail(c, "%s", err.text);
	r->route = to == NULL ? r->wave.route : wave_route(c, to);
	if (r->route == NULL)
		return CLI_NO;
	if (r->route[0] == '\0')
		return cli_usage(c, "wave %s has no target yet; write --to "
		    "ROUTE", r->wave.name);
	r->options = r->wave.options;
	code = start_options_read(c, &r->options);
	return code == CLI_DONE ? find_begin(h) : code;
}

/* ---- for people ---------------------------------------------------------- */

static void add_time(const struct rehearsing *h, struct strbuf *b, int64_t us)
{
	wave_time_text(h->zone, us, b);
}

static void say(const struct rehearsing *h, const char *what,
    struct strbuf *b)
{
	out_say(&h->c->out, "%-10s %s", what, strbuf_cstr(b));
	strbuf_reset(b);
}

static void say_moves(const struct rehearsing *h, struct strbuf *b)
{
	const struct rehearsal *r = &h->r;

	human_count((int64_t)r->moves, b);
	strbuf_addf(b, " to %s", r->route);
	for (int i = 0; i < r->routes; i++) {
		strbuf_adds(b, i == 0 ? ": " : ", ");
		human_count((int64_t)r->was[i].members, b);
		strbuf_addf(b, " from %s", r->was[i].text);
	}
	if (r->there > 0)
		strbuf_addf(b, "; %" PRIu64 " have it already", r->there);
	if (r->held > 0)
		strbuf_addf(b, "; %" PRIu64 " of both are held, and stay so",
		    r->held);
	say(h, "moves", b);
}

static const char *wait_words(const struct course_part *p)
{
	return p->wait == WAVE_WAIT_BLACKOUT && p->blackout != NULL
		   ? p->blackout->text : wave_wait_text(p->wait);
}

static void say_part(const struct rehearsing *h, const struct course_part *p,
    struct strbuf *b)
{
	if (p->slices > 0) {
		human_count((int64_t)p->slices, b);
		strbuf_addf(b, " slice%s of ", p->slices == 1 ? "" : "s");
		human_count((int64_t)p->members, b);
		strbuf_addf(b, " member%s, ", p->members == 1 ? "" : "s");
		add_time(h, b, p->from_us);
		if (p->slices > 1) {
			strbuf_adds(b, " to ");
			add_time(h, b, p->to_us);
		}
		say(h, "slices", b);
	}
	if (p->wait == WAVE_WAIT_NONE)
		return;
	strbuf_adds(b, wait_words(p));
	if (p->until_us < INT64_MAX) {
		strbuf_adds(b, ", until ");
		add_time(h, b, p->until_us);
	}
	say(h, "waits for", b);
}

static void say_course(const struct rehearsing *h, struct strbuf *b)
{
	const struct rehearsal *r = &h->r;

	add_time(h, b, r->from_us);
	say(h, "begins", b);
	for (int i = 0; i < r->course.parts; i++)
		say_part(h, &r->course.part[i], b);
	if (r->course.end_us == INT64_MAX)
		strbuf_adds(b, "never: the limits leave it no moment");
	else
		add_time(h, b, r->course.end_us);
	say(h, "ends", b);
	if (r->timed == 0)
		strbuf_adds(b, "not known: no two slices are on record here, "
		    "so none is counted");
	else
		strbuf_addf(b, "%" PRId64 " ms, the median of %" PRIu64
		    " on record here", r->slice_us / MS_US, r->timed);
	say(h, "a slice", b);
}

/* They take from what an hour has room for, by their own times. */
static void say_others(const struct rehearsing *h, struct strbuf *b)
{
	const struct rehearsal *r = &h->r;

	if (r->others == 0)
		return;
	for (int i = 0; i < r->others; i++) {
		strbuf_addf(b, "%swave %s is %s, ", i == 0 ? "" : "; ",
		    r->other[i].name, r->other[i].state);
		human_count((int64_t)r->other[i].left, b);
		strbuf_adds(b, " to go");
	}
	if (r->conf->wave.limits.per_hour > 0)
		strbuf_adds(b, ": their slices count in wave.per_hour too, "
		    "and are not in the times above");
	say(h, "beside", b);
}

static void add_expected(const struct rehearsal *r, struct strbuf *b)
{
	const struct hold_expected *e = &r->hold;

	strbuf_adds(b, "about ");
	human_bytes((int64_t)e->bytes, b);
	strbuf_adds(b, " at a time, if a slice is held until its deadline (");
	human_age(r->options.deadline_s, b);
	strbuf_adds(b, "): the members got ");
	human_count((int64_t)e->messages, b);
	strbuf_addf(b, " message%s in ", e->messages == 1 ? "" : "s");
	human_age(e->window_s, b);
	strbuf_adds(b, ", of ");
	human_bytes((int64_t)e->message_bytes, b);
	strbuf_adds(b, " on average");
}

static void say_hold(const struct rehearsing *h, struct strbuf *b)
{
	const struct rehearsal *r = &h->r;

	if (!r->options.hold)
		strbuf_adds(b, "none");
	else if (r->moves == 0)
		strbuf_adds(b, "nothing: no member moves");
	else if (r->hold_fault.text[0] != '\0')
		strbuf_addf(b, "what comes for a member while it is held; how "
		    "much that is, is not known: %s", r->hold_fault.text);
	else if (r->hold.members > 0)
		add_expected(r, b);
	if (r->options.hold && r->rowless > 0)
		strbuf_addf(b, "%snot known for %" PRIu64
		    " member%s without a row", b->n > 0 ? "; " : "",
		    r->rowless, r->rowless == 1 ? "" : "s");
	say(h, "hold", b);
}

static void say_preflight(const struct rehearsing *h, struct strbuf *b)
{
	const struct rehearsal *r = &h->r;
	int64_t us = r->preflight_us;

	if (r->preflight_fault[0] != '\0') {
		strbuf_addf(b, "not known: %s", r->preflight_fault);
	} else if (us == 0) {
		strbuf_adds(b, "none is on record for that target");
	} else {
		add_time(h, b, us);
		strbuf_adds(b, ", ");
		human_age((clock_wall_us(&clock_system) - us) / 1000000, b);
		strbuf_addf(b, " ago: %" PRIu64 " would fail", r->unfit);
	}
	say(h, "preflight", b);
}

static void say_safety(const struct rehearsing *h, struct strbuf *b)
{
	int64_t retain_ms = h->c->conf->spool.retain_ms;

	say_hold(h, b);
	if (h->r.options.soak_s > 0) {
		human_age(h->r.options.soak_s, b);
		strbuf_adds(b, " a slice, if each is good by then");
		say(h, "soak", b);
	}
	if (retain_ms == 0)
		strbuf_adds(b, "routes alone: spool.retain is 0, so nothing "
		    "that was delivered can be replayed");
	else {
		strbuf_adds(b, "routes at any time; delivered mail can be "
		    "replayed for ");
		human_age(retain_ms / 1000, b);
		strbuf_adds(b, " after its delivery (spool.retain)");
	}
	say(h, "rollback", b);
	say_preflight(h, b);
}

static const struct out_column left_columns[] = {
	{"address", "LEFT OUT", false}, {"state", "STATE", false},
	{"reason", "REASON", false},	{NULL, NULL, false},
};

static void put_left_out(const struct rehearsing *h)
{
	const struct rehearsal *r = &h->r;
	struct out *out = &h->c->out;

	if (r->outs == 0)
		return;
	out_table(out, left_columns);
	for (int i = 0; i < r->outs && i < LEFT_OUT_SHOWN; i++) {
		struct jout *j = out_row(out);

		jout_str(j, "address", r->out[i].address);
		jout_str(j, "state", r->out[i].state);
		jout_str(j, "reason", r->out[i].reason);
		out_row_end(out);
	}
	out_end(out);
	if (r->left_out > LEFT_OUT_SHOWN)
		out_say(out, "and %" PRIu64 " more", r->left_out -
		    LEFT_OUT_SHOWN);
}

static void show(const struct rehearsing *h)
{
	const struct rehearsal *r = &h->r;
	struct strbuf b;

	strbuf_init(&b, OUT_LINE_MAX);
	strbuf_addf(&b, "%s, %s; nothing is written", r->wave.name,
	    wave_state_text((int)r->wave.state));
	say(h, "wave", &b);
	say_moves(h, &b);
	human_count((int64_t)r->left_out, &b);
	say(h, "left out", &b);
	say_course(h, &b);
	say_others(h, &b);
	say_safety(h, &b);
	strbuf_fini(&b);
	put_left_out(h);
}

/* ---- for programs -------------------------------------------------------- */

static void put_parts(struct jout *j, const struct wave_course *course)
{
	jout_array(j, "course");
	for (int i = 0; i < course->parts; i++) {
		const struct course_part *p = &course->part[i];

		jout_object(j, NULL);
		jout_int(j, "slices", (int64_t)p->slices);
		jout_int(j, "members", (int64_t)p->members);
		jout_time(j, "from", p->from_us);
		jout_time(j, "to", p->to_us);
		if (p->wait != WAVE_WAIT_NONE)
			jout_str(j, "waits_for", wait_words(p));
		if (p->wait != WAVE_WAIT_NONE && p->until_us < INT64_MAX)
			jout_time(j, "until", p->until_us);
		jout_object_end(j);
	}
	jout_array_end(j);
}

static void put_others(struct jout *j, const struct rehearsal *r)
{
	jout_array(j, "beside");
	for (int i = 0; i < r->others; i++) {
		jout_object(j, NULL);
		jout_str(j, "name", r->other[i].name);
		jout_str(j, "state", r->other[i].state);
		jout_int(j, "left", (int64_t)r->other[i].left);
		jout_object_end(j);
	}
	jout_array_end(j);
}

static void put_outs(struct jout *j, const struct rehearsal *r)
{
	jout_array(j, "members_left_out");
	for (int i = 0; i < r->outs; i++) {
		jout_object(j, NULL);
		jout_str(j, "address", r->out[i].address);
		jout_str(j, "state", r->out[i].state);
		jout_str(j, "reason", r->out[i].reason);
		jout_object_end(j);
	}
	jout_array_end(j);
}

static void put_hold(struct jout *j, const struct rehearsal *r)
{
	const struct hold_expected *e = &r->hold;

	if (!r->options.hold)
		return;
	jout_int(j, "hold_rowless", (int64_t)r->rowless);
	if (r->hold_fault.text[0] != '\0') {
		jout_str(j, "hold_unknown", r->hold_fault.text);
		return;
	}
	if (e->members == 0)
		return;
	jout_int(j, "hold_bytes", (int64_t)e->bytes);
	jout_int(j, "hold_messages", (int64_t)e->messages);
	jout_int(j, "hold_window_s", e->window_s);
	jout_int(j, "hold_message_bytes", (int64_t)e->message_bytes);
}

static void put_preflight(struct jout *j, const struct rehearsal *r)
{
	if (r->preflight_fault[0] != '\0')
		jout_str(j, "preflight_unknown", r->preflight_fault);
	if (r->preflight_us != 0) {
		jout_time(j, "preflight", r->preflight_us);
		jout_int(j, "unfit", (int64_t)r->unfit);
	}
}

static void put_json(const struct rehearsing *h)
{
	const struct rehearsal *r = &h->r;
	struct jout *j = out_row(&h->c->out);

	jout_str(j, "name", r->wave.name);
	jout_str(j, "state", wave_state_text((int)r->wave.state));
	jout_str(j, "route", r->route);
	jout_int(j, "moves", (int64_t)r->moves);
	jout_int(j, "there", (int64_t)r->there);
	jout_int(j, "held", (int64_t)r->held);
	jout_int(j, "left_out", (int64_t)r->left_out);
	jout_time(j, "begins", r->from_us);
	if (r->course.end_us < INT64_MAX)
		jout_time(j, "ends", r->course.end_us);
	jout_int(j, "slices", (int64_t)r->course.slices);
	jout_int(j, "timed_slices", (int64_t)r->timed);
	if (r->timed > 0)
		jout_int(j, "slice_ms", r->slice_us / MS_US);
	put_parts(j, &r->course);
	put_hold(j, r);
	put_preflight(j, r);
	put_others(j, r);
	put_outs(j, r);
	out_row_end(&h->c->out);
}

/* ---- all of it ----------------------------------------------------------- */

/* The texts of the wave live as long as `f` is open. */
static int rehearse_from(struct rehearsing *h, struct wave_file *f)
{
	struct error err;
	int code = read_line(h, f);

	if (code != CLI_DONE)
		return code;
	if (rehearse(f, &h->r, &err) < 0)
		return cli_fail(h->c, "%s", err.text);
	if (h->c->json)
		put_json(h);
	else
		show(h);
	return CLI_DONE;
}

static int run_rehearse(struct cli *c)
{
	struct rehearsing *h = arena_alloc(c->arena, sizeof(*h));
	struct wave_file *f = wave_open(c, false);
	int code;

	if (f == NULL)
		return CLI_NO;
	h->c = c;
	h->r.texts = c->arena;
	h->r.conf = c->conf;
	h->r.names = c->names;
	code = rehearse_from(h, f);
	wave_file_close(f);
	return code;
}

static const struct cli_option rehearse_options[] = {
	{"to", "ROUTE", "Where they are to go, if the wave has no target."},
	{"at", "TIME", "When it is to begin; without it at its own time, or "
	    "now."},
	{"zone", "ZONE", "The time zone of --at and of the times that are "
	    "shown."},
	START_OPTIONS,
	{NULL, NULL, NULL},
};

const struct cli_command cmd_wave_rehearse[] = {
	{
	    .name = "wave rehearse",
	    .args = "NAME",
	    .summary = "Shows what a start of the wave would do, and writes "
		       "nothing",
	    .details = "Members that move and from where, members that are "
		       "left out and why, each slice\nthrough the pauses, "
		       "blackouts and wave.per_hour, and when the last one "
		       "is made.\nWhat a slice takes is the median of those "
		       "on record here. With --hold, how much\nmail will be "
		       "kept, by what the members got lately.",
	    .example = "posthouse wave rehearse w7 --at '2026-12-01 20:00' "
		       "--zone Europe/London",
	    .options = rehearse_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_rehearse,
	},
	{.name = NULL},
};
