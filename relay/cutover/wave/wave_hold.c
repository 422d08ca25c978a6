/* SPDX-License-Identifier: ISC
 *
 * Holds of a wave behind their slice: held members are flipped when their own
 * move ended, then released; those whose move failed keep their old route. A
 * mailbox goes as a whole: flipped when all of its addresses may be, let go
 * when one of them has to.
 */
#include "relay/cutover/wave/wave_run_int.h"

#include <stdio.h>

#include "policy/wave/file/wave_held.h"

enum fate { FATE_WAITS, FATE_FLIP, FATE_FAILED, FATE_SKIPPED };

struct held_one {
	const char *address, *why;
	int64_t seat;
	enum fate fate;
	bool own; /* held by the wave, and its row is there */
};

/* The purpose of a change. */
enum hold_change { LETS_GO, FLIPS, RELEASES };

struct holding {
	const struct wave_now *n;
	const struct wave_order *order; /* of a command; NULL */
	struct arena *a;
	struct held_one *one;
	size_t count, room;
	int64_t since_us; /* the newest slice */
	enum hold_change change;
	uint64_t members;
	struct slice_made made;
};

/* ---- what becomes of each ---------------------------------------------- */

static enum fate fate_of(const struct holding *h, const struct member *m,
    char why[HELD_WHY_MAX])
{
	const struct wave_run *run = h->n->run;
	const struct wave *w = h->n->wave;
	const struct held_asked q = {
	    .address = arena_slicedup(h->a, m->address),
	    .was = m->now,
	    .to = w->route,
	    .change = m->change,
	    .since_us = h->since_us,
	};
	enum held_is is;

	why[0] = '\0';
	if (m->now == NULL) {
		snprintf(why, HELD_WHY_MAX, "its row was deleted while it was "
		    "held");
		return FATE_SKIPPED;
	}
	if (!m->held) {
		snprintf(why, HELD_WHY_MAX, "another change released it");
		return FATE_SKIPPED;
	}
	if (!w->options.force && m->was != NULL &&
	    strcmp(m->was, m->now) != 0) {
		snprintf(why, HELD_WHY_MAX, "another change moved it while it "
		    "was held");
		return FATE_SKIPPED;
	}
	is = run->ops.held == NULL
		 ? HELD_WAITS
		 : run->ops.held(run->ops.arg, h->n->conf, &q, why);
	return is == HELD_ENDED	   ? FATE_FLIP
	       : is == HELD_FAILED ? FATE_FAILED : FATE_WAITS;
}

static bool is_named(const struct wave_order *o, struct slice address)
{
	for (size_t i = 0; i < o->addresses; i++)
		if (slice_case_eq(address, slice_str(o->address[i])))
			return true;
	return false;
}

/* Commands say it themselves. */
static enum fate fate_ordered(const struct holding *h,
    const struct member *m, char why[HELD_WHY_MAX])
{
	if (h->order->event == WAVE_FLIP)
		return is_named(h->order, m->address) ? FATE_FLIP : FATE_WAITS;
	snprintf(why, HELD_WHY_MAX, "its own move had not ended when its mail "
	    "was released");
	return FATE_FAILED;
}

static void on_held(void *arg, const struct member *m, int64_t seat)
{
	struct holding *h = arg;
	char why[HELD_WHY_MAX] = "";
	struct held_one *o;

	if (h->count == h->room) {
		h->room = h->room == 0 ? 64 : 2 * h->room;
		h->one = mem_resize(h->one, h->room * sizeof(*h->one));
	}
	o = &h->one[h->count++];
	o->fate = h->order == NULL ? fate_of(h, m, why)
				   : fate_ordered(h, m, why);
	o->address = arena_slicedup(h->a, m->address);
	o->why = arena_strdup(h->a, why);
	o->seat = seat;
	o->own = m->change != 0 && m->now != NULL;
}

/* One mailbox: from `o` on, `n` of them. One that is let go takes all with it;
 * by a command they are flipped when one was named, else when all moved. */
static void share_fate(const struct holding *h, struct held_one *o, size_t n)
{
	const struct held_one *of = o;
	size_t flips = 0;
	enum fate fate;

	for (size_t i = 0; i < n; i++) {
		if (o[i].fate > of->fate)
			of = &o[i];
		flips += o[i].fate == FATE_FLIP;
	}
	fate = of->fate;
	if (fate == FATE_FLIP && flips < n && h->order == NULL)
		fate = FATE_WAITS;
	for (size_t i = 0; i < n; i++) {
		o[i].why = of->why;
		o[i].fate = fate;
	}
}

static void on_slice(void *arg, const struct slice_row *s)
{
	struct holding *h = arg;

	if (s->run == h->n->wave->run && s->time_us > h->since_us)
		h->since_us = s->time_us;
}

static int gather(struct holding *h, struct error *err)
{
	const struct wave_held held = {.id = h->n->wave->id,
	    .state = MEMBER_HELD, .fn = on_held, .arg = h};
	size_t end;

	h->a = arena_new();
	if (wave_slices(h->n->run->read, held.id, on_slice, h, err) < 0 ||
	    wave_held(h->n->run->read, &held, err) < 0)
		return -1;
	for (size_t i = 0; i < h->count; i = end) {
		for (end = i + 1; end < h->count &&
		     h->one[end].seat == h->one[i].seat; end++)
			;
		share_fate(h, &h->one[i], end - i);
	}
	return 0;
}

static void end_holding(struct holding *h)
{
	mem_free(h->one);
	arena_free(h->a);
}

static bool any_of(const struct holding *h, bool flip)
{
	for (size_t i = 0; i < h->count; i++)
		if (flip ? h->one[i].fate == FATE_FLIP
			 : h->one[i].fate > FATE_FLIP)
			return true;
	return false;
}

int hold_look(const struct wave_now *n, bool *any_out, struct error *err)
{
	struct holding h = {.n = n};
	int rc = gather(&h, err);

	*any_out = rc == 0 && (any_of(&h, true) || any_of(&h, false));
	end_holding(&h);
	return rc;
}

/* ---- one transaction --------------------------------------------------- */

static int mark_let_go(struct holding *h, struct wave_file *f,
    struct error *err)
{
	for (size_t i = 0; i < h->count; i++) {
		const struct held_one *o = &h->one[i];
		const struct member_mark mark = {.reason = o->why,
		    .state = o->fate == FATE_FAILED ? MEMBER_FAILED
						    : MEMBER_SKIPPED};

		if (o->fate <= FATE_FLIP)
			continue;
		if (wave_mark(f, h->n->wave, slice_str(o->address), &mark,
			err) < 0)
			return -1;
		h->members++;
	}
	return 0;
}

static int move_ordered(const struct holding *h, struct wave_file *f,
    struct error *err)
{
	const struct wave_said said = {.event = h->order->event,
	    .by = &h->order->by, .now_us = h->n->now_us};

	return wave_move(f, h->n->wave->name, &said, NULL, err);
}

static int mark(void *arg, struct db *db, const struct change_done *done,
    struct error *err)
{
	struct holding *h = arg;
	struct wave_file *f = wave_file_on(db, err);
	int rc = f == NULL ? -1 : 0;

	h->members = 0;
	/* The event goes first: it counts what is held. */
	if (rc == 0 && h->order != NULL)
		rc = move_ordered(h, f, err);
	if (rc == 0 && h->change == FLIPS)
		rc = wave_held_flipped(f, h->n->wave, done->change,
		    &h->members, err);
	else if (rc == 0 && h->change == LETS_GO)
		rc = mark_let_go(h, f, err);
	else if (rc == 0)
		rc = wave_held_released(f, h->n->wave, &h->members, err);
	wave_file_close(f);
	return rc;
}

static int commit(struct holding *h, struct change *ch, struct error *err)
{
	const struct wave *w = h->n->wave;
	const struct change_part part = {.also = mark, .arg = h};
	const struct change_how how = {
	    .mailboxes = true,
	    .twice = w->options.force,
	    .as_of = -1,
	    .kind = "wave",
	    .part = &part,
	};
	char note[WAVE_NAME_MAX + 40];
	struct change_by by = {.command = "wave", .note = note};
	struct change_done done;

	if (h->order != NULL)
		by = h->order->by;
	else if (run_starter(h->n, &by, err) < 0)
		return -1;
	else
		snprintf(note, sizeof(note), "wave %s, %s", w->name,
		    h->made.hold);
	by.wave = w->name;
	if (change_commit(ch, &how, &by, &done, err) < 0)
		return -1;
	h->made.change = done.change;
	h->made.members = h->members;
	return 0;
}

static int stage(struct holding *h, struct change *ch, struct error *err)
{
	const struct change_row flip = {.route = h->n->wave->route,
	    .held = -1};
	const struct change_row release = {.held = 0};
	bool flips = h->change == FLIPS;

	for (size_t i = 0; i < h->count; i++) {
		const struct held_one *o = &h->one[i];

		if (flips ? o->fate != FATE_FLIP
			  : o->fate <= FATE_FLIP || !o->own)
			continue;
		if (change_set(ch, slice_str(o->address),
			flips ? &flip : &release, err) < 0)
			return -1;
	}
	return 0;
}

static int make(struct holding *h, struct error *err)
{
	struct change *ch = change_open(h->n->run->path, h->n->conf, err);
	int rc;

	if (ch == NULL)
		return -1;
	/* A command waits as long as any other. */
	if (h->order == NULL)
		change_watch(ch,
		    &(struct change_watch){.wait_ms = STEP_WAIT_MS});
	h->made.hold = h->change == FLIPS ? "flipped" : "let-go";
	rc = stage(h, ch, err);
	if (rc == 0)
		rc = commit(h, ch, err);
	change_close(ch);
	return rc;
}

int hold_settle(const struct wave_now *n, struct slice_made *made_out,
    struct error *err)
{
	struct holding h = {.n = n};
	int rc = gather(&h, err);

	h.change = any_of(&h, false) ? LETS_GO : FLIPS;
	if (rc == 0)
		rc = make(&h, err);
	*made_out = h.made;
	end_holding(&h);
	return rc;
}

/* ---- release ----------------------------------------------------------- */

struct releasing {
	struct change *ch;
	struct error *err;
	bool failed;
};

static void on_flipped(void *arg, const struct member *m, int64_t seat)
{
	const struct change_row row = {.held = 0};
	struct releasing *r = arg;

	(void)seat;
	/* One that was deleted meanwhile holds nothing. */
	if (m->now != NULL && !r->failed &&
	    change_set(r->ch, m->address, &row, r->err) < 0)
		r->failed = true;
}

int hold_release(const struct wave_now *n, struct slice_made *made_out,
    struct error *err)
{
	struct holding h = {.n = n, .change = RELEASES,
	    .made = {.hold = "released"}};
	struct releasing r = {.ch = change_open(n->run->path, n->conf, err),
	    .err = err};
	const struct wave_held held = {.id = n->wave->id,
	    .state = MEMBER_FLIPPED, .fn = on_flipped, .arg = &r};
	int rc;

	if (r.ch == NULL)
		return -1;
	change_watch(r.ch, &(struct change_watch){.wait_ms = STEP_WAIT_MS});
	rc = wave_held(n->run->read, &held, err);
	if (rc == 0)
		rc = r.failed ? -1 : commit(&h, r.ch, err);
	change_close(r.ch);
	*made_out = h.made;
	return rc;
}

/* ---- commands ---------------------------------------------------------- */

static int check_named(const struct holding *h, struct error *err)
{
	const struct wave_order *o = h->order;

	for (size_t i = 0; i < o->addresses; i++) {
		bool found = false;

		for (size_t k = 0; k < h->count && !found; k++)
			found = slice_case_eq(slice_str(o->address[i]),
			    slice_str(h->one[k].address));
		if (!found)
			return error_set(err, "%.200s is no member of wave %s "
			    "whose mail is held: `posthouse wave show %s "
			    "--state held` has them", o->address[i],
			    h->n->wave->name, h->n->wave->name);
	}
	return 0;
}

int hold_order(const struct wave_now *n, const struct wave_order *order,
    struct slice_made *made_out, struct error *err)
{
	struct holding h = {.n = n, .order = order};
	int rc = gather(&h, err);

	h.change = order->event == WAVE_FLIP ? FLIPS : LETS_GO;
	if (rc == 0 && h.change == FLIPS && h.count > 0)
		rc = check_named(&h, err);
	if (rc == 0)
		rc = make(&h, err);
	*made_out = h.made;
	end_holding(&h);
	return rc;
}
