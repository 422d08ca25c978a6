/* SPDX-License-Identifier: ISC
 *
 * Rollback of a wave: members that still have what the wave gave get back what
 * they had; the others keep what they have, for a reason that is written down.
 * In steps it goes slice by slice, the newest first, so that mailboxes, which
 * slices keep whole, stay whole.
 */
#include "relay/cutover/wave/wave_run_int.h"

#include "policy/change/back/rollback.h"

struct had {
	struct had *next;
	const char *address;
	enum member_state state;
};

struct back {
	const struct wave_now *n;
	const struct back_order *order;
	struct rollback *rb;
	struct arena *a;
	struct had *had; /* members that the wave gave nothing */
	uint64_t *count; /* of the members that are done, by slice */
	uint64_t slices; /* numbers below are in `count` */
	uint64_t low;    /* slices below are left to a later step */
	struct back_made made;
	struct wave_file *file; /* of the transaction; its marks … */
	struct error *err;
	bool failed; /* … went wrong */
};

/* ---- which members ---------------------------------------------------- */

/* Members that an earlier run left where they are have no slice of this one. */
static uint64_t slice_of_member(const struct back *b, const struct member *m)
{
	return m->run == b->n->wave->run ? m->slice : 0;
}

static void count_member(void *arg, const struct member *m)
{
	struct back *b = arg;
	uint64_t slice = slice_of_member(b, m);

	if (slice >= b->slices) {
		uint64_t n = 2 * slice + 16;

		b->count = mem_resize(b->count, n * sizeof(*b->count));
		memset(b->count + b->slices, 0,
		    (n - b->slices) * sizeof(*b->count));
		b->slices = n;
	}
	b->count[slice]++;
}

/* The newest slices that have no more members than the limit; one at least. */
static void find_low(struct back *b)
{
	uint64_t sum = 0;

	b->low = b->slices;
	while (b->low > 0 && (sum == 0 || sum + b->count[b->low - 1] <=
					      b->order->limit))
		sum += b->count[--b->low];
	for (uint64_t i = 0; i < b->low; i++)
		if (b->count[i] > 0)
			return;
	b->low = 0;
}

static void pick_member(void *arg, const struct member *m)
{
	struct back *b = arg;
	struct had *h;

	if (slice_of_member(b, m) < b->low)
		return;
	if (b->order->soak != NULL &&
	    slice_of_member(b, m) != b->order->soak->slice)
		return;
	if (m->change != 0) {
		rollback_add(b->rb, m->address, m->change);
		return;
	}
	h = arena_alloc(b->a, sizeof(*h));
	*h = (struct had){b->had, arena_slicedup(b->a, m->address), m->state};
	b->had = h;
}

static int pick(struct back *b, struct error *err)
{
	struct member_page page = {.id = b->n->wave->id,
	    .state = MEMBER_DONE, .alone = true, .fn = count_member,
	    .arg = b};
	struct wave_file *f = b->n->run->read;

	if (b->order->limit > 0) {
		if (wave_members(f, &page, err) < 0)
			return -1;
		page.state = MEMBER_HELD;
		if (wave_members(f, &page, err) < 0)
			return -1;
		page.state = MEMBER_DONE;
		find_low(b);
	}
	page.fn = pick_member;
	if (wave_members(f, &page, err) < 0)
		return -1;
	/* The change that held it is what the wave gave it. */
	page.state = MEMBER_HELD;
	return wave_members(f, &page, err);
}

/* ---- the transaction -------------------------------------------------- */

static int stage(void *arg, struct change *ch, struct change_done *done,
    struct error *err)
{
	struct back *b = arg;

	return rollback_stage(b->rb, ch, done, err);
}

static void mark_kept(void *arg, struct slice key, const char *why)
{
	struct back *b = arg;
	const struct member_mark mark = {.state = MEMBER_SKIPPED,
	    .reason = why};

	if (!b->failed && wave_mark(b->file, b->n->wave, key, &mark,
			      b->err) < 0)
		b->failed = true;
}

/* With an expression the members of which nothing is known stay as they are. */
static int mark_all(struct back *b, uint64_t change, struct error *err)
{
	const struct rollback_keeps keeps = {mark_kept, b};
	uint64_t members;

	b->err = err;
	if (wave_taken_back(b->file, b->n->wave, change, &members, err) < 0)
		return -1;
	rollback_kept(b->rb, &keeps);
	for (struct had *h = b->had;
	     b->order->where == NULL && h != NULL; h = h->next)
		mark_kept(b, slice_str(h->address),
		    h->state == MEMBER_HELD
			? "it was held before the wave"
			: "it had the route before the wave");
	return b->failed ? -1 : 0;
}

static int move(struct back *b, struct error *err)
{
	struct wave_options options = b->n->wave->options;
	struct wave_said said = {
	    .event = WAVE_ROLLBACK,
	    .by = b->order->by,
	    .options = &options,
	    .part = b->low > 0 || b->order->where != NULL ||
		    b->order->soak != NULL,
	    .now_us = b->n->now_us,
	};

	if (b->order->soak != NULL)
		said.reason = b->n->wave->reason; /* it stands still for it */

	if (!said.part)
		options.rollback = 0;
	b->made.over = !said.part;
	return wave_move(b->file, b->n->wave->name, &said, NULL, err);
}

static int mark_soak(struct back *b, uint64_t change, struct error *err)
{
	struct soak s = *b->order->soak;

	s.back = change;
	return soak_put(b->file, b->n->wave, &s, err);
}

static int mark(void *arg, struct db *db, const struct change_done *done,
    struct error *err)
{
	struct back *b = arg;
	int rc;

	b->file = wave_file_on(db, err);
	if (b->file == NULL)
		return -1;
	rc = mark_all(b, done->change, err);
	if (rc == 0 && b->order->soak != NULL)
		rc = mark_soak(b, done->change, err);
	if (rc == 0)
		rc = move(b, err);
	wave_file_close(b->file);
	return rc;
}

static int commit(struct back *b, struct change *ch, struct error *err)
{
	const struct wave *w = b->n->wave;
	const struct change_part part = {stage, mark, b};
	const struct change_how how = {.as_of = -1, .kind = "rollback",
	    .part = &part};
	struct change_by by = {.note = "a slice of a rollback"};
	struct change_done done;

	if (b->order->by != NULL)
		by = *b->order->by;
	else if (run_starter(b->n, &by, err) < 0)
		return -1;
	by.command = "wave rollback";
	by.wave = w->name;
	if (change_commit(ch, &how, &by, &done, err) < 0)
		return -1;
	b->made.change = done.change;
	b->made.recipients = done.recipients;
	return 0;
}

static void tell_kept(const struct back *b)
{
	const struct rollback_keeps keeps = {b->order->kept, b->order->arg};

	if (keeps.fn != NULL)
		rollback_kept(b->rb, &keeps);
}

int back_make(const struct wave_now *n, const struct back_order *order,
    struct back_made *made_out, struct error *err)
{
	struct back b = {.n = n, .order = order};
	struct change *ch = change_open(n->run->path, n->conf, err);
	int rc;

	if (ch == NULL)
		return -1;
	if (order->by == NULL)
		change_watch(ch,
		    &(struct change_watch){.wait_ms = STEP_WAIT_MS});
	b.rb = rollback_new();
	b.a = arena_new();
	if (order->where != NULL)
		rollback_narrow(b.rb, order->where);
	rc = pick(&b, err);
	if (rc == 0)
		rc = commit(&b, ch, err);
	change_close(ch);
	if (rc == 0)
		tell_kept(&b);
	*made_out = b.made;
	rollback_free(b.rb);
	arena_free(b.a);
	mem_free(b.count);
	return rc;
}
