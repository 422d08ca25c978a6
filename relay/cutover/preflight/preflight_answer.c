/* SPDX-License-Identifier: ISC
 *
 * Takes what a leg answered to a batch: the answers go into observed.db, their
 * rows are settled or asked again later, and at a sign that asking harms the
 * asking ends.
 */
#include "relay/cutover/preflight/preflights_int.h"

#include <stdio.h>

#include "relay/watch/alarm.h"

enum { BUSY_LEG_MS = 250, CUT_US = 10000000, TEXT_MAX = 700 };

/* ---- one row ------------------------------------------------------------- */

/* When it is asked again; -1: it is settled. */
static int64_t again_at(const struct ask_batch_row *said, unsigned tries,
    int64_t now_us)
{
	int64_t us;

	if (said->class == PREFLIGHT_UNASKED)
		return now_us + CUT_US;
	if (said->class != PREFLIGHT_UNDECIDED)
		return -1;
	us = preflight_again_us(tries);
	return us < 0 ? -1 : now_us + us;
}

static int store(struct preflights *p, const struct preflight_flight *f,
    const struct ask_batch *b, unsigned i, struct error *err)
{
	const struct ask_batch_row *said = &b->row[i];
	const struct preflight_item *it = &f->item[i];
	int64_t now_us = preflights_wall_us(p), again;
	struct asked_row row = {.address = it->address, .said = it->said,
	    .leg = names_text(p->shared->names, b->leg),
	    .tries = it->tries, .at_us = now_us, .class = (int)said->class,
	    .code = said->code, .enh = said->enh,
	    .reply = said->class == PREFLIGHT_TAKEN ? "" : said->reply};

	row.tries += said->class == PREFLIGHT_UNDECIDED;
	again = again_at(said, row.tries, now_us);
	row.settled = again < 0;
	if (said->class != PREFLIGHT_UNASKED &&
	    asked_answer(p->o, &row, err) < 0)
		return -1;
	if (f->job == NULL)
		return 0;
	return asked_mark(p->o, f->job->asking.number, &row,
	    row.settled ? 0 : again, err);
}

/* ---- signs to stop ------------------------------------------------------- */

static int stop(struct preflights *p, const struct preflight_flight *f,
    const struct ask_batch *b, enum preflight_stop sign, struct error *err)
{
	const char *leg = names_text(p->shared->names, b->leg);
	char reason[TEXT_MAX], text[TEXT_MAX + 300];
	struct asked_stop at = {preflights_wall_us(p), (int)sign, reason};

	snprintf(reason, sizeof(reason), "%s: %s%s%s", leg,
	    preflight_stop_text((int)sign),
	    b->stopped_by[0] == '\0' ? "" : ": ", b->stopped_by);
	if (asked_stop_put(p->o, leg, &at, err) < 0)
		return -1;
	snprintf(text, sizeof(text), "%s; asking ended, so that the leg does "
	    "not block us. What was answered is kept, and `posthouse wave "
	    "preflight` and `leg compare` go on from there when you have "
	    "looked", reason);
	alarm_raise(p->cfg.alarms, ALARM_PREFLIGHT, leg, text);
	if (f->job == NULL)
		preflight_shadow_stop(p, b->leg);
	if (f->job == NULL || f->job->over)
		return 0;
	return preflight_job_end(p, f->job, (int)sign, reason, err);
}

static enum preflight_stop sign_of(struct preflights *p,
    const struct preflight_flight *f, const struct ask_batch *b)
{
	struct preflight_window *w = &p->leg[b->leg].window;
	enum preflight_stop sign = b->stop;

	for (unsigned i = 0; i < b->n; i++) {
		enum preflight_class class = b->row[i].class;
		enum preflight_stop share;

		if (f->item[i].kind == ASKED_RANDOM ||
		    class == PREFLIGHT_UNASKED)
			continue;
		share = preflight_window_add(w, class);
		sign = sign == PREFLIGHT_GO ? share : sign;
	}
	/* The next asking is a new one. */
	if (sign == PREFLIGHT_STRANGERS)
		*w = (struct preflight_window){.at = 0};
	return sign;
}

/* ---- the batch ----------------------------------------------------------- */

static int take(struct preflights *p, const struct preflight_flight *f,
    const struct ask_batch *b, struct error *err)
{
	enum preflight_stop sign = sign_of(p, f, b);
	int rc = 0;

	if (!preflights_db(p, err) ||
	    observed_do(p->o, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	for (unsigned i = 0; i < b->n && rc == 0; i++)
		rc = store(p, f, b, i, err);
	if (rc == 0 && sign != PREFLIGHT_GO)
		rc = stop(p, f, b, sign, err);
	return observed_do(p->o, rc < 0 ? "ROLLBACK" : "COMMIT", err) < 0
		   ? -1 : rc;
}

/* A row that is not written stays due, and is asked about once more. */
void preflight_answered(void *arg, struct ask_batch *b)
{
	struct preflight_flight *f = arg;
	struct preflights *p = f->p;
	struct leg_asking *leg = &p->leg[b->leg];
	struct error err;

	leg->batches--;
	f->page->flights--;
	if (f->job != NULL)
		f->job->flights--;
	if (!p->ended && b->asked && take(p, f, b, &err) < 0)
		preflights_trouble(p, &err);
	if (!b->asked) {
		leg->wait_ms = preflights_mono_ms(p) + BUSY_LEG_MS;
		f->page->due_us = 0;
	}
	ask_batch_free(b);
	mem_free(f);
}
