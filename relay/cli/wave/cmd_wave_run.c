/* SPDX-License-Identifier: ISC
 *
 * wave start, schedule, unschedule, rollback: what the daemon does.
 */
#include <inttypes.h>
#include <unistd.h>

#include "policy/where.h"
#include "relay/base/clock.h"
#include "relay/cli/common/human.h"
#include "relay/cli/replay/replay_wave.h"
#include "relay/cli/wave/wave_ask.h"
#include "relay/cli/wave/wave_commands.h"
#include "relay/cli/wave/wave_open.h"
#include "relay/cli/wave/wave_when.h"
#include "relay/cli/wave/start_options.h"

/* ---- options ---------------------------------------------------------- */

static void set_number(json_t *args, const char *key, int64_t n)
{
	if (n >= 0)
		json_object_set_new(args, key, json_integer((json_int_t)n));
}

static void set_true(json_t *args, const char *key, bool is)
{
	if (is)
		json_object_set_new(args, key, json_true());
}

/* Those of start, which schedule keeps for it. An option that is not given
 * stays as it was planned. False: one is wrong, which was said. */
static bool set_start(struct cli *c, json_t *args)
{
	struct wave_options o = {.pause_s = -1, .late_s = -1,
	    .deadline_s = -1, .soak_s = -1};

	if (start_options_read(c, &o) != CLI_DONE)
		return false;
	if (c->args > 1)
		json_object_set_new(args, "route", json_string(c->arg[1]));
	set_true(args, "force", o.force);
	set_true(args, "hold", o.hold);
	set_number(args, "slice", o.slice == 0 ? -1 : (int64_t)o.slice);
	set_number(args, "complaints",
	    o.complaints == 0 ? -1 : (int64_t)o.complaints);
	set_number(args, "pause_s", o.pause_s);
	set_number(args, "late_s", o.late_s);
	set_number(args, "deadline_s", o.deadline_s);
	set_number(args, "soak_s", o.soak_s);
	if (cli_flag(c, "on-bad"))
		json_object_set_new(args, "take_back",
		    json_boolean(o.take_back));
	return true;
}

/* The time that the wave was planned for. CLI_DONE, or what was said. */
static int planned_at(struct cli *c, int64_t *at_us)
{
	struct wave_file *f = wave_open(c, false);
	struct error err;
	struct wave w;
	int rc;

	if (f == NULL)
		return CLI_NO;
	rc = wave_need(f, c->arg[0], &w, &err);
	*at_us = rc < 0 ? 0 : w.at_us;
	wave_file_close(f);
	if (rc < 0)
		return cli_fail(c, "%s", err.text);
	return *at_us != 0 ? CLI_DONE
			   : cli_usage(c, "say when by --at: wave %s was not "
				 "planned for a time", c->arg[0]);
}

/* --at, else the time that it was planned for. */
static int find_at(struct cli *c, json_t *args, const struct zone **zone,
    int64_t *at_us)
{
	int code = wave_zone(c, zone);

	if (code == CLI_DONE && cli_flag(c, "at"))
		code = wave_at_option(c, *zone, at_us);
	else if (code == CLI_DONE)
		code = planned_at(c, at_us);
	if (code != CLI_DONE)
		return code;
	json_object_set_new(args, "at_us", json_integer(*at_us));
	if (*zone != NULL && cli_flag(c, "at"))
		json_object_set_new(args, "zone",
		    json_string((*zone)->name));
	return CLI_DONE;
}

/* ---- the commands ----------------------------------------------------- */

static json_t *checked(json_t *args, bool ok)
{
	if (ok)
		return args;
	json_decref(args);
	return NULL;
}

static bool has_route(struct cli *c)
{
	return c->args < 2 || wave_route(c, c->arg[1]) != NULL;
}

/* ---- following it ----------------------------------------------------- */

static void on_progress(void *arg, json_t *row)
{
	struct cli *c = arg;
	uint64_t done = (uint64_t)json_integer_value(
	    json_object_get(row, "done"));
	uint64_t pending = (uint64_t)json_integer_value(
	    json_object_get(row, "pending"));

	if (c->json)
		out_row_json(&c->out, row);
	if (c->bar.total == 0)
		progress_begin(&c->bar, "moving", done + pending);
	progress_at(&c->bar, done);
}

static int follow(struct cli *c)
{
	int code = cli_call(c, "wave.follow", json_pack("{s:s}", "name",
	    c->arg[0]), on_progress, c);

	progress_end(&c->bar);
	if (code == CLI_DONE)
		out_say(&c->out, "wave %s is done", c->arg[0]);
	return code;
}

static int run_start(struct cli *c)
{
	struct wave_answer a;
	json_t *args;
	int code;

	if (!has_route(c))
		return CLI_NO;
	args = wave_order_args(c, "start");
	code = wave_ask_move(c, checked(args, set_start(c, args)), &a);
	if (code == CLI_DONE && a.no_preflight)
		out_say(&c->out, "it had no preflight: posthouse wave "
		    "preflight %s asks whether its new legs take its members",
		    c->arg[0]);
	if (code == CLI_DONE && cli_flag(c, "wait"))
		return follow(c);
	if (code == CLI_DONE)
		out_say(&c->out, "posthouse wave show %s tells how it gets on",
		    c->arg[0]);
	return code;
}

static int run_schedule(struct cli *c)
{
	const struct zone *zone = NULL;
	struct wave_answer a;
	struct strbuf time;
	int64_t at_us = 0;
	json_t *args;
	int code;

	if (!has_route(c))
		return CLI_NO;
	args = wave_order_args(c, "schedule");
	code = set_start(c, args) ? find_at(c, args, &zone, &at_us)
				  : CLI_USAGE;
	if (code != CLI_DONE) {
		json_decref(args);
		return code;
	}
	code = wave_ask(c, args, &a);
	strbuf_init(&time, 200);
	wave_time_text(zone, at_us, &time);
	if (code == CLI_DONE)
		out_say(&c->out, "wave %s is %s for %s%s", c->arg[0], a.state,
		    strbuf_cstr(&time), a.no_preflight
		    ? "; its preflight runs 12 h before, or now" : "");
	strbuf_fini(&time);
	return code;
}

static int run_unschedule(struct cli *c)
{
	struct wave_answer a;

	return wave_ask_move(c, wave_order_args(c, "unschedule"), &a);
}

/* ---- rollback --------------------------------------------------------- */

/* A wave that is not there is the daemon's to refuse. */
static bool agree(struct cli *c)
{
	bool terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	struct wave_file *f = !terminal || cli_flag(c, "yes")
				  ? NULL : wave_open(c, false);
	struct wave_counts n = {0};
	struct strbuf question;
	struct error err;
	struct wave w;
	bool yes = true;

	if (f != NULL && wave_get(f, c->arg[0], &w, &err) > 0 &&
	    wave_count(f, w.id, &n, &err) == 0 &&
	    n.state[MEMBER_DONE] > CLI_ASK_ABOVE) {
		strbuf_init(&question, 200);
		strbuf_adds(&question, "This takes back what the wave gave to "
		    "as many as ");
		human_count((int64_t)n.state[MEMBER_DONE], &question);
		strbuf_adds(&question, " recipients. Go on?");
		yes = cli_confirm(c, strbuf_cstr(&question));
		strbuf_fini(&question);
	}
	wave_file_close(f);
	return yes;
}

static bool set_where(struct cli *c, json_t *args)
{
	const char *text = cli_value(c, "where");
	struct error err;
	struct where *w;

	if (text == NULL)
		return true;
	w = where_parse(slice_str(text), &err);
	if (w == NULL)
		cli_usage(c, "%s", err.text);
	else
		json_object_set_new(args, "where", json_string(text));
	where_free(w);
	return w != NULL;
}

static void say_back(struct cli *c, const struct wave_answer *a)
{
	if (a->kept > 0)
		out_say(&c->out, "%" PRIu64 " member%s what %s", a->kept,
		    a->kept == 1 ? " keeps" : "s keep",
		    a->kept == 1 ? "it has" : "they have");
	if (cli_flag(c, "slice"))
		out_say(&c->out, "wave %s goes back in slices; posthouse wave "
		    "show %s tells how it gets on", c->arg[0], c->arg[0]);
	else if (a->change == 0)
		out_say(&c->out, "wave %s is %s: there was nothing to take "
		    "back", c->arg[0], a->state);
	else
		out_say(&c->out, "change %" PRId64 ": %" PRId64 " recipient%s; "
		    "wave %s is %s", a->change, a->recipients,
		    a->recipients == 1 ? "" : "s", c->arg[0], a->state);
}

static int roll_back(struct cli *c, struct wave_answer *a)
{
	uint64_t slice = 0;
	json_t *args;
	int code;

	if (!agree(c))
		return cli_fail(c, "nothing was changed");
	args = wave_order_args(c, "rollback");
	args = checked(args, start_option_slice(c, &slice) == CLI_DONE &&
	    set_where(c, args));
	if (args != NULL && slice > 0)
		set_number(args, "slice", (int64_t)slice);
	code = args == NULL ? CLI_USAGE : wave_ask(c, args, a);
	if (code == CLI_DONE)
		say_back(c, a);
	return code;
}

/* Mail that is not kept is named before anything is changed. */
static int run_rollback(struct cli *c)
{
	struct wave_answer a;
	struct replay_back *back = NULL;
	int code = CLI_DONE;

	if (cli_flag(c, "replay"))
		code = replay_wave_preview(c, c->arg[0], &back);
	if (code == CLI_DONE)
		code = roll_back(c, &a);
	if (code == CLI_DONE && back != NULL &&
	    (a.change != 0 || cli_flag(c, "slice")))
		code = replay_wave_start(c, back, c->arg[0],
		    (uint64_t)a.change);
	replay_back_free(back);
	return code;
}

/* ---- the rows --------------------------------------------------------- */

static const struct cli_option start_options[] = {
	START_OPTIONS,
	{"late", "T", "A start that is overdue by more is paused (15m)."},
	{"note", "TEXT", "Why, for the history."},
	{"wait", NULL, "Returns when the wave is done, or no longer runs; "
	    "ended before, it goes on."},
	{NULL, NULL, NULL},
};

static const struct cli_option schedule_options[] = {
	{"at", "TIME", "When, if it was not planned for a time: '2026-12-01 "
	    "20:00' on the clocks of a zone, or with an offset: "
	    "2026-12-01T20:00:00+01:00."},
	{"zone", "Z", "Of --at, such as Europe/London; wave.zone of the "
	    "configuration, if it has one."},
	START_OPTIONS,
	{"late", "T", "A start that is overdue by more is paused (15m)."},
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

static const struct cli_option note_options[] = {
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

static const struct cli_option rollback_options[] = {
	{"slice", "N", "In steps of the wave's slices, as many as have no "
	    "more members; the newest first."},
	{"where", "EXPR", "Only members that fit now; see EXPRESSIONS in "
	    "posthouse(1)."},
	{"replay", NULL, "What a leg got meanwhile goes to the legs that have "
	    "the members again; see `posthouse replay --help`."},
	{"yes", NULL, "Asks nothing: above 1,000 members on a terminal."},
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_wave_run[] = {
	{
	    .name = "wave start",
	    .args = "NAME [ROUTE]",
	    .summary = "Moves the members of a wave now, slice by slice",
	    .details = "The daemon goes on with it, also after a restart. No "
		       "slice begins in a blackout, and\nall waves keep to "
		       "wave.per_hour. A wave that was rolled back may be "
		       "started again.",
	    .example = "posthouse wave start w7 cloud --slice 500 --pause 5m",
	    .options = start_options,
	    .min_args = 1,
	    .max_args = 2,
	    .run = run_start,
	},
	{
	    .name = "wave schedule",
	    .args = "NAME [ROUTE]",
	    .summary = "Starts a wave by itself at a time",
	    .example = "posthouse wave schedule w7 cloud --at '2026-12-01 "
		       "20:00' --zone Europe/London",
	    .options = schedule_options,
	    .min_args = 1,
	    .max_args = 2,
	    .run = run_schedule,
	},
	{
	    .name = "wave unschedule",
	    .args = "NAME",
	    .summary = "Takes the time of a scheduled wave away",
	    .example = "posthouse wave unschedule w7",
	    .options = note_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_unschedule,
	},
	{
	    .name = "wave rollback",
	    .args = "NAME",
	    .summary = "Gives the members of a wave back what they had",
	    .details = "Members that still have what the wave gave get back "
		       "what they had, column by column\nas by undo; the "
		       "others are named, with the reason. Without --slice "
		       "it is one change.",
	    .example = "posthouse wave rollback w7 --where client=apple-mail "
		       "--note 'no calendars'",
	    .options = rollback_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_rollback,
	},
	{.name = NULL},
};
