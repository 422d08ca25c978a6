/* SPDX-License-Identifier: ISC
 *
 * wave.order: a command of a wave that needs the daemon. The wave thread
 * carries it out; the ops loop asks and answers.
 *
 *   {"name":"w7","event":"start","route":"cloud","slice":500,"pause_s":60,
 *    "late_s":900,"force":true,"zone":"Europe/London","at_us":…,
 *    "hold":true,"deadline_s":7200,"soak_s":3600,"take_back":true,
 *    "complaints":3,"release":true,"accept":true,"addresses":["…"],
 *    "where":"…","host":"…","command":"wave start","note":"…"}
 *
 * All but name and event may be missing. A rollback is answered by a row for
 * each member that keeps what it has; every command by a row of the wave.
 */
#include "relay/control/control_int.h"

#include "relay/cutover/wave/wave_thread.h"

enum { TEXT_MAX = 1000 }; /* bytes */

/* A member that keeps what it has. */
struct kept_member {
	struct kept_member *next;
	const char *address, *why;
};

struct wave_asked {
	struct control *c;
	struct ctl_request *r;
	struct arena *a;
	struct wave_order order;
	struct kept_member *kept, **kept_end;
	/* The answer. */
	int rc;
	struct error err;
	uint64_t change, recipients;
	const char *state;
	int64_t preflight_us; /* of the wave; 0: it had none */
};

static void asked_free(struct wave_asked *w)
{
	w->c->busy--;
	arena_free(w->a);
	mem_free(w);
}

static void put_kept(struct wave_asked *w)
{
	for (const struct kept_member *k = w->kept; k != NULL; k = k->next) {
		struct jout *j = ctl_row(w->r);

		jout_str(j, "address", k->address);
		jout_str(j, "keeps", k->why);
		ctl_row_end(w->r);
	}
}

static void put_preflight(struct jout *j, const struct wave_asked *w)
{
	if (w->preflight_us != 0)
		jout_time(j, "preflight", w->preflight_us);
	else
		jout_str(j, "preflight", "none");
}

static void on_ordered(void *arg)
{
	struct wave_asked *w = arg;
	struct jout *j;

	if (w->rc < 0) {
		ctl_end(w->r, 1, "%s", w->err.text);
		asked_free(w);
		return;
	}
	put_kept(w);
	j = ctl_row(w->r);
	jout_str(j, "name", w->order.name);
	jout_str(j, "state", w->state);
	if (w->order.event == WAVE_ROLLBACK || w->order.event == WAVE_FLIP) {
		jout_int(j, "change", (int64_t)w->change);
		jout_int(j, "recipients", (int64_t)w->recipients);
	}
	if (w->order.event == WAVE_START || w->order.event == WAVE_SCHEDULE)
		put_preflight(j, w);
	ctl_row_end(w->r);
	ctl_end(w->r, 0, "%s", "");
	asked_free(w);
}

/* ---- the wave thread -------------------------------------------------- */

static void on_kept(void *arg, struct slice key, const char *why)
{
	struct wave_asked *w = arg;
	struct kept_member *k = arena_alloc(w->a, sizeof(*k));

	*k = (struct kept_member){NULL, arena_slicedup(w->a, key),
	    arena_strdup(w->a, why)};
	*w->kept_end = k;
	w->kept_end = &k->next;
}

static void carry_out(void *arg)
{
	struct wave_asked *w = arg;
	struct wave_ordered out;

	w->rc = wave_thread_order(w->c->cfg.waves, &w->order, &out, &w->err);
	if (w->rc == 0) {
		w->change = out.change;
		w->recipients = out.recipients;
		w->state = wave_state_text((int)out.wave.state);
		w->preflight_us =
		    wave_thread_preflight(w->c->cfg.waves, &out.wave);
	}
	control_come_back(w->c, on_ordered, w);
}

/* ---- what is asked ---------------------------------------------------- */

/* NULL: it is not given. */
static const char *text_of(struct wave_asked *w, const json_t *args,
    const char *key)
{
	const char *text = json_string_value(json_object_get(args, key));

	return text == NULL ? NULL : arena_strdup(w->a, text);
}

static int64_t number_of(const json_t *args, const char *key, int64_t missing)
{
	const json_t *v = json_object_get(args, key);

	return json_is_integer(v) ? json_integer_value(v) : missing;
}

/* -1: it is not given. */
static int flag_of(const json_t *args, const char *key)
{
	const json_t *v = json_object_get(args, key);

	return json_is_boolean(v) ? json_is_true(v) : -1;
}

static void take_addresses(struct wave_asked *w, const json_t *list)
{
	size_t n = json_array_size(list), i;
	const char **address = arena_alloc(w->a, (n + 1) * sizeof(*address));
	json_t *v;

	json_array_foreach (list, i, v) {
		const char *text = json_string_value(v);

		address[i] = arena_strdup(w->a, text == NULL ? "" : text);
	}
	w->order.address = address;
	w->order.addresses = n;
}

static void take_order(struct wave_asked *w, const json_t *args, int event)
{
	const char *host = text_of(w, args, "host");
	const char *command = text_of(w, args, "command");
	int64_t none = event == WAVE_ROLLBACK ? 0 : -1;

	w->order = (struct wave_order){
	    .event = (enum wave_event)event,
	    .name = text_of(w, args, "name"),
	    .route = text_of(w, args, "route"),
	    .slice = number_of(args, "slice", none),
	    .pause_s = number_of(args, "pause_s", -1),
	    .late_s = number_of(args, "late_s", -1),
	    .deadline_s = number_of(args, "deadline_s", -1),
	    .soak_s = number_of(args, "soak_s", -1),
	    .complaints = number_of(args, "complaints", -1),
	    .take_back = flag_of(args, "take_back"),
	    .force = json_is_true(json_object_get(args, "force")),
	    .hold = json_is_true(json_object_get(args, "hold")),
	    .release = event == WAVE_RESUME &&
		       json_is_true(json_object_get(args, "release")),
	    .accept = event == WAVE_RESUME &&
		      json_is_true(json_object_get(args, "accept")),
	    .zone = text_of(w, args, "zone"),
	    .at_us = number_of(args, "at_us", 0),
	    .where = text_of(w, args, "where"),
	    .by = {
		.who = arena_strdup(w->a, ctl_who(w->r)),
		.host = host == NULL ? "" : host,
		.command = command == NULL ? "wave" : command,
		.note = text_of(w, args, "note"),
	    },
	    .kept = on_kept,
	    .arg = w,
	};
	take_addresses(w, json_object_get(args, "addresses"));
}

/* They are kept for good, in a decision and a change. */
static bool too_long(const struct wave_order *o)
{
	const struct change_by *by = &o->by;

	return strlen(by->host) > TEXT_MAX || strlen(by->command) > TEXT_MAX ||
	       (by->note != NULL && strlen(by->note) > TEXT_MAX);
}

/* Sums of times are made of them. */
static bool in_range(const struct wave_order *o)
{
	const int64_t max_us = INT64_C(253402300800) * 1000000; /* year 10000 */
	const int64_t max = 10000000000;

	return o->slice <= max && o->pause_s <= max && o->late_s <= max &&
	       o->deadline_s <= max && o->soak_s <= max &&
	       o->complaints <= max &&
	       o->at_us >= 0 && o->at_us < max_us;
}

/* Those that people say; slices and their end happen by themselves. */
static bool is_command(int event)
{
	return event == WAVE_SCHEDULE || event == WAVE_UNSCHEDULE ||
	       event == WAVE_START || event == WAVE_PAUSE ||
	       event == WAVE_RESUME || event == WAVE_ROLLBACK ||
	       event == WAVE_FLIP;
}

void control_wave_order(void *arg, struct ctl_request *r, const json_t *args)
{
	struct control *c = arg;
	int event = wave_event_named(slice_str(control_arg(args, "event")));
	struct wave_asked *w;

	if (!is_command(event) || control_arg(args, "name")[0] == '\0') {
		ctl_end(r, 2, "a wave's name and one of schedule, unschedule, "
		    "start, pause, resume, rollback, flip are wanted");
		return;
	}
	w = NEW(struct wave_asked);
	w->c = c;
	w->r = r;
	w->a = arena_new();
	w->kept_end = &w->kept;
	c->busy++;
	take_order(w, args, event);
	if (too_long(&w->order)) {
		ctl_end(r, 2, "host, command and note have at most %d bytes",
		    TEXT_MAX);
		asked_free(w);
		return;
	}
	if (!in_range(&w->order)) {
		ctl_end(r, 2, "slice, pause_s and late_s are 10000000000 at "
		    "most, and at_us is before the year 10000");
		asked_free(w);
		return;
	}
	wave_thread_ask(c->cfg.waves, carry_out, w);
}
