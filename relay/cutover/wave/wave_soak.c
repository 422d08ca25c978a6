/* SPDX-License-Identifier: ISC
 *
 * The brake: the newest slice of a wave is watched for its soak. Whatever a
 * look decides is written down, in one transaction with the state of the wave,
 * before it is told; the alarm follows, and a kill between them raises it at
 * the next start.
 */
#include "relay/cutover/wave/wave_run_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "policy/wave/file/complaint.h"
#include "policy/wave/file/soak_verdict.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"

enum {
	LOOK_MS = 2000, /* ledger.db is committed so often */
	LOOK_SHARE = 20, /* a look may take a part of the time, one in 20 */
	KEEP_S = 10,	/* figures that changed are written so often */
};
#define SECOND_US INT64_C(1000000)

bool soak_is_watched(const struct wave *w)
{
	return w->options.soak_s > 0 || w->options.complaints > 0;
}

/* ---- a look ------------------------------------------------------------ */

static uint64_t less(uint64_t n, uint64_t was)
{
	return n > was ? n - was : 0;
}

static struct soak_counts since(struct soak_counts n, struct soak_counts was)
{
	return (struct soak_counts){less(n.delivered, was.delivered),
	    less(n.failed, was.failed), less(n.trouble, was.trouble)};
}

static int ask(const struct wave_now *n, const struct brake_asked *q,
    struct brake_seen *seen, struct error *err)
{
	const struct wave_run_ops *ops = &n->run->ops;

	*seen = (struct brake_seen){0};
	return ops->look == NULL ? 0 : ops->look(ops->arg, n->conf, q, seen,
					   err);
}

/* The last look of a wave; a place of another one where it has none. */
static struct soak_seen *place_of(struct wave_run *r, int64_t wave)
{
	for (int i = 0; i < SOAKS_SEEN; i++)
		if (r->soak[i].wave == wave)
			return &r->soak[i];
	r->soaks = (r->soaks + 1) % SOAKS_SEEN;
	r->soak[r->soaks] = (struct soak_seen){.wave = wave};
	return &r->soak[r->soaks];
}

static int write_soak(const struct wave_now *n, const struct soak *s,
    const struct wave_said *said, struct error *err)
{
	struct wave_file *f = wave_file_open(n->run->path, true, err);
	int rc;

	if (f == NULL)
		return -1;
	rc = wave_begin(f, err);
	if (rc == 0) {
		rc = soak_put(f, n->wave, s, err);
		if (rc == 0 && said != NULL)
			rc = wave_move(f, n->wave->name, said, NULL, err);
		rc = wave_end(f, rc, err);
	}
	wave_file_close(f);
	return rc < 0 ? -1 : 0;
}

static bool same(const struct soak *a, const struct soak *b)
{
	return memcmp(&a->now, &b->now, sizeof(a->now)) == 0 &&
	       a->users == b->users && a->complaints == b->complaints;
}

/* For `wave show`: what cannot be written now is written with a later look. */
static void keep(const struct wave_now *n, const struct soak *had,
    const struct soak *s)
{
	struct error ignored;

	if (!same(had, s) && (s->looked_us < had->looked_us ||
		s->looked_us - had->looked_us >= KEEP_S * SECOND_US) &&
	    write_soak(n, s, NULL, &ignored) < 0)
		return;
}

/* How a look went. */
enum look { LOOK_SEEN, LOOK_LOST, LOOK_BLIND };

/* Fills the figures of `s`. LOOK_LOST: the ledger lost some, so what is counted
 * begins anew. LOOK_BLIND: it cannot be read. */
static enum look look(const struct wave_now *n, struct soak *s,
    bool *shut_out)
{
	const struct brake_asked q = {.file = n->run->read, .wave = n->wave,
	    .slice = s->slice, .from_us = s->since_us,
	    .since_us = s->since_us};
	struct brake_seen seen;
	struct error err;

	if (ask(n, &q, &seen, &err) < 0) {
		log_warn("wave.soak", kv_str("wave", n->wave->name),
		    kv_err(&err));
		return LOOK_BLIND;
	}
	if (seen.since_us > s->since_us)
		return LOOK_LOST;
	s->now = since(seen.counts, s->was);
	s->users = seen.users;
	s->looked_us = n->now_us;
	*shut_out = seen.shut;
	return LOOK_SEEN;
}

/* A look that takes long is made less often; one that failed, as seldom as
 * figures are kept. */
static int64_t again_us(const struct wave_now *n, enum look how,
    int64_t took_ms)
{
	int64_t ms = how == LOOK_BLIND ? KEEP_S * 1000 : LOOK_MS;

	if (took_ms * LOOK_SHARE > ms)
		ms = took_ms * LOOK_SHARE;
	return n->now_us + ms * 1000;
}

static enum look look_now(const struct wave_now *n, struct soak *s,
    bool *shut_out)
{
	struct soak_seen *p = place_of(n->run, n->wave->id);
	int64_t began_ms = clock_mono_ms(&clock_system);
	const struct soak had = *s;
	enum look how;

	if (p->slice == s->slice && p->began_us == s->began_us &&
	    n->now_us >= p->looked_us && n->now_us < p->again_us) {
		s->now = p->now;
		s->users = p->users;
		*shut_out = p->shut;
		return p->blind ? LOOK_BLIND : LOOK_SEEN;
	}
	how = look(n, s, shut_out);
	*p = (struct soak_seen){.wave = n->wave->id, .slice = s->slice,
	    .began_us = s->began_us, .looked_us = n->now_us,
	    .again_us = again_us(n, how,
		clock_mono_ms(&clock_system) - began_ms),
	    .now = s->now, .users = s->users, .shut = *shut_out,
	    .blind = how == LOOK_BLIND};
	if (how == LOOK_SEEN)
		keep(n, &had, s);
	return how;
}

static int complaints_of(const struct wave_now *n, struct soak *s,
    struct error *err)
{
	int64_t after_us;

	if (n->wave->options.complaints == 0)
		return 0;
	if (soak_since(n->run->read, n->wave, &after_us, err) < 0)
		return -1;
	return complaint_count(n->run->read, n->wave, after_us,
	    &s->complaints, err);
}

/* Of a wave that stands still. */
static enum wave_watch watch_stopped(const struct wave_now *n,
    const struct soak *s)
{
	if (!soak_stops(s->end))
		return WATCH_OFF;
	if (!s->told)
		return WATCH_UNTOLD;
	return s->end == SOAK_BAD && n->wave->options.take_back &&
		       s->back == 0 ? WATCH_BACK : WATCH_OFF;
}

static bool too_many(const struct wave_now *n, const struct soak *s)
{
	uint64_t max = n->wave->options.complaints;

	return max > 0 && s->complaints >= max;
}

static int watch_running(const struct wave_now *n, struct soak_now *o,
    struct error *err)
{
	bool open = o->soak.ended_us == 0, shut = false;
	struct soak_due due = {.end = SOAK_GOOD};
	enum look how = LOOK_SEEN;

	if (complaints_of(n, &o->soak, err) < 0)
		return -1;
	if (open && n->wave->options.soak_s > 0)
		how = look_now(n, &o->soak, &shut);
	if (open || too_many(n, &o->soak))
		due = soak_due_of(&o->soak, &(struct soak_around){
		    .options = &n->wave->options, .now_us = n->now_us,
		    .blind = how == LOOK_BLIND, .shut = shut});
	o->end = due.end;
	o->until_us = due.until_us;
	o->watch = soak_stops(due.end)	  ? WATCH_STOPS
		   : how == LOOK_LOST	  ? WATCH_DUE
		   : due.end == SOAK_OPEN ? WATCH_SOAKS
		   : open		  ? WATCH_PASSED : WATCH_OFF;
	return 0;
}

int soak_look(const struct wave_now *n, uint64_t slice, struct soak_now *out,
    struct error *err)
{
	int rc;

	*out = (struct soak_now){.watch = WATCH_OFF};
	if (!soak_is_watched(n->wave) || slice == 0)
		return 0;
	rc = soak_get(n->run->read, n->wave, slice, &out->soak, err);
	if (rc < 0)
		return -1;
	if (n->wave->state == WAVE_PAUSED) {
		out->watch = watch_stopped(n, &out->soak);
		return 0;
	}
	if (n->wave->state != WAVE_RUNNING)
		return 0;
	if (rc == 0) {
		out->watch = WATCH_DUE;
		return 0;
	}
	return watch_running(n, out, err);
}

/* ---- steps ------------------------------------------------------------- */

static int begin(const struct wave_now *n, const struct soak_now *o,
    struct error *err)
{
	struct soak s = {.run = n->wave->run, .slice = o->soak.slice,
	    .began_us = n->now_us, .looked_us = n->now_us,
	    .since_us = n->now_us};
	const struct brake_asked q = {.file = n->run->read, .wave = n->wave,
	    .slice = s.slice, .from_us = n->now_us, .since_us = n->now_us,
	    .baseline = true};
	struct brake_seen seen;

	if (n->wave->options.soak_s > 0) {
		if (ask(n, &q, &seen, err) < 0)
			return -1;
		if (seen.since_us > s.since_us)
			s.since_us = seen.since_us; /* of a clock set back */
		s.was = seen.counts;
		s.base = seen.base;
		s.of_leg = seen.of_leg;
	}
	return write_soak(n, &s, NULL, err);
}

static int pass(const struct wave_now *n, const struct soak_now *o,
    struct error *err)
{
	struct soak s = o->soak;

	s.ended_us = n->now_us;
	s.end = SOAK_GOOD;
	return write_soak(n, &s, NULL, err);
}

/* "7 of 50 failed at the first attempt (14.0 %), of 6 users; before it was
 * 2.0 % of 1,000" */
static void say_figures(const struct soak *s, struct strbuf *out)
{
	struct brake_interval i = soak_mail(s).interval;
	uint64_t tried = s->now.delivered + s->now.failed;
	uint64_t base = s->base.delivered + s->base.failed;

	strbuf_addf(out, "%" PRIu64 " of %" PRIu64 " deliveries failed at the "
	    "first attempt, of %" PRIu64 " users", s->now.failed, tried,
	    s->users);
	if (s->now.trouble > 0)
		strbuf_addf(out, ", %" PRIu64 " more met trouble of the leg",
		    s->now.trouble);
	strbuf_addf(out, "; before%s %" PRIu64 " of %" PRIu64 " did; %+.1f to "
	    "%+.1f points", s->of_leg ? ", of all at the new leg," : "",
	    s->base.failed, base, 100 * i.lower, 100 * i.upper);
}

static void say_stop(const struct wave_now *n, const struct soak *s,
    struct strbuf *out)
{
	strbuf_addf(out, "%s: slice %" PRIu64 ": ", soak_end_text(s->end),
	    s->slice);
	if (s->end == SOAK_COMPLAINTS)
		strbuf_addf(out, "%" PRIu64 " members complained",
		    s->complaints);
	else
		say_figures(s, out);
	if (s->end == SOAK_LEG)
		strbuf_adds(out, "; the new leg is in trouble or takes no "
		    "mail (posthouse leg list)");
	strbuf_addf(out, "; posthouse wave resume %s%s", n->wave->name,
	    s->end == SOAK_COMPLAINTS ? " --accept goes on"
		: " watches it anew, with --accept goes on");
}

static int stop(const struct wave_now *n, const struct soak_now *o,
    struct error *err)
{
	struct wave_said said = {.event = WAVE_PAUSE, .now_us = n->now_us};
	struct soak s = o->soak;
	struct strbuf why;
	int rc;

	s.ended_us = n->now_us;
	s.end = o->end;
	s.told = false;
	strbuf_init(&why, STOP_TEXT);
	say_stop(n, &s, &why);
	said.reason = strbuf_cstr(&why);
	rc = write_soak(n, &s, &said, err);
	strbuf_fini(&why);
	if (rc < 0 || wave_need(n->run->read, n->wave->name, n->wave, err) < 0)
		return -1;
	run_tell(n, WAVE_PAUSE, NULL, NULL);
	return 0;
}

/* Raised before it is written that it was: twice is better than never. */
static int tell(const struct wave_now *n, const struct soak_now *o,
    struct error *err)
{
	const struct wave_run_ops *ops = &n->run->ops;
	struct soak s = o->soak;

	if (ops->braked != NULL)
		ops->braked(ops->arg, n->wave->name, n->wave->reason);
	s.told = true;
	return write_soak(n, &s, NULL, err);
}

static int take_back(const struct wave_now *n, const struct soak_now *o,
    struct error *err)
{
	const struct back_order order = {.soak = &o->soak};
	struct slice_made told = {0};
	struct back_made made;

	if (back_make(n, &order, &made, err) < 0 ||
	    wave_need(n->run->read, n->wave->name, n->wave, err) < 0)
		return -1;
	told.change = made.change;
	told.members = made.recipients;
	run_tell(n, WAVE_ROLLBACK, &told, NULL);
	return 0;
}

int soak_act(const struct wave_now *n, enum wave_step step,
    const struct soak_now *o, struct error *err)
{
	switch (step) {
	case WAVE_SOAK:
		return begin(n, o, err);
	case WAVE_SOAKED:
		return pass(n, o, err);
	case WAVE_BRAKE:
		return stop(n, o, err);
	case WAVE_BRAKE_TELL:
		return tell(n, o, err);
	default:
		return take_back(n, o, err);
	}
}

/* ---- resume ------------------------------------------------------------ */

static int refuse(const struct wave_now *n, const struct soak *s, bool accept,
    struct error *err)
{
	if (!accept && s->end == SOAK_COMPLAINTS)
		return error_set(err, "wave %s was paused by complaints, which "
		    "stay: posthouse wave resume %s --accept goes on in spite "
		    "of them", n->wave->name, n->wave->name);
	if (accept && !soak_stops(s->end))
		return error_set(err, "wave %s was not paused by its brake: "
		    "there is nothing to accept", n->wave->name);
	return 0;
}

/* The newest slice decides whether there is something to accept; one that was
 * rolled back is not watched any more. */
int soak_resume(const struct wave_now *n, struct wave_file *f,
    const struct wave_said *said, struct error *err)
{
	struct soak s;
	uint64_t next;

	if (!said->accept && !soak_is_watched(n->wave))
		return 0;
	if (wave_slice_next(f, n->wave, &next, err) < 0 ||
	    soak_get(f, n->wave, next - 1, &s, err) < 0 ||
	    refuse(n, &s, said->accept, err) < 0)
		return -1;
	if (said->accept) {
		s.end = SOAK_ACCEPTED;
		s.ended_us = n->now_us;
		s.who = said->by == NULL ? "" : said->by->who;
		return soak_put(f, n->wave, &s, err);
	}
	return soak_stops(s.end) && s.back == 0
		   ? soak_drop(f, n->wave, s.slice, err) : 0;
}
