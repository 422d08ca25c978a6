/* SPDX-License-Identifier: ISC
 *
 * The recount: one walk over the files, oldest first. A row says what its
 * deliveries are at the end of its file, and what they were at its beginning,
 * so each file counts by itself, and the figures at the cursor are those of
 * the journal at the beginning of the first file and all differences since.
 */
#include "relay/audit/verify/conserve_int.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "relay/base/hash.h"

/* ---- figures ----------------------------------------------------------- */

/* Its own row of this era counts; what earlier versions wrote does not say
 * what a delivery was before. */
static void count_leg(struct recounting *c, const struct recipient_leg *l)
{
	int leg = names_id(c->names, l->leg);
	struct conserve_leg *to;

	if (leg < 0)
		return;
	to = &c->out->leg[leg];
	to->total[dstate_total(l->state)]++;
	if (l->before == D_NONE)
		to->rows++;
	else
		to->total[dstate_total(l->before)]--;
}

static bool learn(struct recounting *c, struct leg_form *f,
    struct slice text)
{
	struct slice rest = text;
	struct recipient_leg l;
	int leg;

	f->n = 0;
	if (text.n == 0 || text.n > LEG_FORM_TEXT ||
	    !leg_states_next(&rest, &l) || rest.n > 0 || l.before != D_NONE ||
	    l.state == D_SUPERSEDED || dstate_live(l.state))
		return false;
	leg = names_id(c->names, l.leg);
	if (leg < 0)
		return false;
	f->leg = &c->out->leg[leg];
	f->total = dstate_total(l.state);
	memcpy(f->text, text.p, text.n);
	f->n = (unsigned char)text.n;
	return true;
}

/* Counts a row without parsing it, if another had the same text. It cannot
 * end what missing.c looks for, but for a row of an earlier era. */
static bool count_by_form(struct recounting *c, const struct hour_recipient *r,
    struct slice text)
{
	struct leg_form *f = &c->form[hash_fnv(text) % LEG_FORMS];

	if (r->era != c->era || (c->era > 0 && c->live.used > 0))
		return false;
	if ((f->n == 0 || !slice_eq(text, slice_of(f->text, f->n))) &&
	    !learn(c, f, text))
		return false;
	f->leg->total[f->total]++;
	f->leg->rows++;
	return true;
}

static void on_recipient(void *arg, const struct hour_recipient *r)
{
	struct recounting *c = arg;
	struct slice text = slice_str(r->legs);
	struct recipient_leg l;
	bool one_stands = false;

	if (count_by_form(c, r, text))
		return;
	while (leg_states_next(&text, &l)) {
		one_stands = one_stands || l.state != D_SUPERSEDED;
		if (r->era == c->era)
			count_leg(c, &l);
		missing_see(c, r, &l);
	}
	if (!one_stands)
		suspect_add(c, r);
}

static void on_flow(void *arg, const char *leg, const int64_t total[TOTALS])
{
	struct recounting *c = arg;
	int id = names_id(c->names, slice_str(leg));

	if (id >= 0)
		c->out->leg[id].total[T_CREATED] += total[T_CREATED];
}

static void on_base(void *arg, const char *leg, const int64_t total[TOTALS])
{
	struct recounting *c = arg;
	int id = names_id(c->names, slice_str(leg));

	if (id < 0)
		return;
	for (int t = 0; t < TOTALS; t++)
		c->out->leg[id].total[t] = total[t];
	c->out->leg[id].rows = total[T_CREATED];
}

static void on_journal(void *arg, const char *leg,
    const int64_t total[TOTALS])
{
	struct recounting *c = arg;
	int id = names_id(c->names, slice_str(leg));

	if (id >= 0)
		memcpy(c->out->leg[id].journal, total,
		    sizeof(c->out->leg[id].journal));
}

/* How many are missing is not known for whole generations: one counts. */
static void on_note(void *arg, int64_t time_us, struct slice event,
    struct slice fields)
{
	struct recounting *c = arg;

	(void)time_us;
	(void)fields;
	if (slice_eq(event, SLICE("audit.gap")))
		c->out->skipped++;
}

/* ---- the walk ---------------------------------------------------------- */

/* The first file that knows the journal's totals at its beginning: what was
 * counted before it is in them. */
static int begin_at_base(struct recounting *c)
{
	c->based = true;
	memset(c->out->leg, 0, sizeof(c->out->leg));
	return hourfile_totals(c->file, HOUR_BASE, on_base, c) < 0 ? -1 : 0;
}

static int count_accepted(struct recounting *c)
{
	uint64_t messages, recipients;

	if (hourfile_count(c->file, &messages, &recipients) != 0)
		return -1;
	c->out->messages += messages;
	c->out->recipients += recipients;
	return 0;
}

static int walk_file(struct recounting *c)
{
	struct hour_key all = {.by = KEY_TIME, .until_us = INT64_MAX};
	const struct hour_state *st = hourfile_state(c->file);

	if (st->era == c->era && st->based && !c->based &&
	    begin_at_base(c) != 0)
		return -1;
	if ((st->era == c->era &&
		hourfile_totals(c->file, HOUR_FLOW, on_flow, c) < 0) ||
	    hourfile_recipients(c->file, 0, on_recipient, c) < 0 ||
	    count_accepted(c) != 0 ||
	    hourfile_notes(c->file, &all, on_note, c) < 0)
		return -1;
	return 0;
}

static bool is_there(const char *dir, int64_t hour)
{
	char path[PATH_MAX], name[HOUR_NAME];

	hour_name(hour, name);
	return snprintf(path, sizeof(path), "%s/%s", dir, name) <
		   (int)sizeof(path) &&
	       access(path, F_OK) == 0;
}

/* Pruned meanwhile: the count begins behind it, or has it already. Or a crash
 * left it before its first commit. */
static int pass_over(struct recounting *c, int64_t hour)
{
	if (is_there(c->dir, hour))
		return 0;
	if (c->based && !c->counted)
		return -1;
	if (c->counted)
		c->gone = hour;
	else
		c->first_hour = hour + 1;
	return 0;
}

static int one_file(struct recounting *c, int64_t hour,
    int (*fn)(struct recounting *c), struct error *err)
{
	bool is_newest = hour == hourfile_hour(c->newest);
	int rc;

	c->file = is_newest ? c->newest
			    : hourfile_open(c->dir, hour, HOUR_READ, err);
	if (c->file == NULL)
		return err->no == ENOENT ? pass_over(c, hour) : -1;
	hourfile_stop_when(c->file, c->out->stop);
	rc = fn(c);
	if (rc != 0)
		error_set(err, "%s: %s", c->dir, hourfile_error(c->file));
	if (!is_newest)
		hourfile_close(c->file);
	return rc;
}

int recounting_each(struct recounting *c, int (*fn)(struct recounting *c),
    struct error *err)
{
	const _Atomic bool *stop = c->out->stop;
	int rc = 0;

	for (size_t i = 0; i < c->hours && rc == 0; i++) {
		if (c->hour[i] > hourfile_hour(c->newest))
			break;
		if (stop != NULL && atomic_load(stop))
			rc = error_set(err, "the recount was stopped");
		else
			rc = one_file(c, c->hour[i], fn, err);
	}
	return rc;
}

/* ---- the snapshot ------------------------------------------------------ */

/* The newest file in which something was committed, and a moment of it. */
static int open_newest(struct recounting *c, struct error *err)
{
	int rc = hour_list(c->dir, &c->hour, &c->hours, err);

	c->first_hour = c->hours > 0 ? c->hour[0] : 0;
	for (size_t n = c->hours; rc == 0 && n > 0 && c->newest == NULL; n--) {
		c->newest =
		    hourfile_open(c->dir, c->hour[n - 1], HOUR_READ, err);
		if (c->newest == NULL && err->no != ENOENT)
			rc = -1;
	}
	if (rc == 0 && c->newest != NULL && hourfile_snapshot(c->newest) != 0)
		rc = error_set(err, "%s: %s", c->dir,
		    hourfile_error(c->newest));
	return rc;
}

static int recount(struct recounting *c, struct error *err)
{
	if (recounting_each(c, walk_file, err) != 0)
		return -1;
	c->counted = true;
	c->gone = INT64_MIN;
	if (suspects_check(c, err) != 0 || missing_tell(c, err) != 0)
		return -1;
	for (int i = 0; i < NAMES_MAX; i++) {
		struct conserve_leg *l = &c->out->leg[i];

		l->gap = l->total[T_CREATED];
		for (int t = T_CREATED + 1; t < TOTALS; t++)
			l->gap -= l->total[t];
	}
	c->out->based = c->based;
	c->out->known = c->based && hourfile_state(c->newest)->known;
	if (hourfile_totals(c->newest, HOUR_JOURNAL, on_journal, c) < 0)
		return error_set(err, "%s: %s", c->dir,
		    hourfile_error(c->newest));
	return 0;
}

static int run(struct recounting *c, struct error *err)
{
	const struct hour_state *st;

	if (open_newest(c, err) != 0)
		return -1;
	if (c->newest == NULL) { /* nothing ever came in */
		c->out->reached = c->out->want.generation == 0;
		return 0;
	}
	st = hourfile_state(c->newest);
	c->era = st->era;
	c->out->at = st->cursor;
	c->out->spool = st->spool;
	c->out->reached = spool_pos_cmp(st->cursor, c->out->want) >= 0 &&
	    (c->out->want.generation == 0 || (st->known && st->based));
	return c->out->reached ? recount(c, err) : 0;
}

int conserve_run(const char *dir, struct names *names, struct conserve *out,
    struct error *err)
{
	struct recounting c = {.dir = dir, .names = names, .out = out,
	    .a = arena_new()};
	int rc;

	*out = (struct conserve){.on_lost = out->on_lost,
	    .on_missing = out->on_missing, .holds = out->holds,
	    .arg = out->arg, .stop = out->stop, .want = out->want};
	map_init(&c.live);
	rc = run(&c, err);
	hourfile_close(c.newest);
	mem_free(c.hour);
	map_fini(&c.live);
	suspects_fini(&c);
	arena_free(c.a);
	return rc;
}

bool conserve_agrees(const struct conserve_leg *l)
{
	for (int t = 0; t < TOTALS; t++)
		if (l->total[t] != l->journal[t])
			return false;
	return l->rows == l->journal[T_CREATED] && l->gap == 0;
}
