/* SPDX-License-Identifier: ISC
 *
 * Decides which news a sender is told (RFC 3461 4.1 and 5.2, RFC 5321 6.1). A
 * notice is accepted in the same journal record that says what it tells, so
 * there is never one without the other (D3). A worker's loop.
 *
 * The guard (policy/dsn_guard.c) looks at each: a failure that a forged sender
 * would hear of has its notice parked, where an administrator can send it on;
 * of a delay or a success such a sender does not hear.
 */
#include "relay/delivery/bounce.h"

#include "policy/dsn_guard.h"
#include "policy/return_addr.h"
#include "relay/base/log.h"
#include "relay/delivery/report.h"
#include "relay/client/client.h"

bool bounce_wanted(const struct envelope *e, unsigned rcpt, enum told what)
{
	unsigned notify = e->rcpt[rcpt].notify;

	switch (what) {
	case TOLD_FAILED:
		return notify == 0 || (notify & NOTIFY_FAILURE) != 0;
	case TOLD_DELAYED:
		return notify == 0 || (notify & NOTIFY_DELAY) != 0;
	case TOLD_PASSED:
		return (notify & NOTIFY_SUCCESS) != 0;
	case TOLD_NOTHING:
		break;
	}
	return false;
}

/* The news about a row. */
static enum told news(const struct mail *m, const struct outcome_letter *o,
    unsigned i)
{
	const struct delivery_ref *dl = &o->row[i].delivery;

	if (dl->rcpt >= m->env.rcpts)
		return TOLD_NOTHING;
	if (o->why == WHY_LATE)
		return TOLD_DELAYED;
	if (o->row[i].result.outcome == OUT_FAILED)
		return TOLD_FAILED;
	if (o->row[i].result.outcome == OUT_DELIVERED && !o->row[i].on)
		return TOLD_PASSED;
	return TOLD_NOTHING;
}

/* Mail from a return address of ours is a copy that was sent on: its bounces
 * end here, so there is no sender to tell. */
static bool has_sender(const struct conf *c, const struct mail *m)
{
	struct return_addr ret;
	struct addr from;
	const char *why;

	return m->env.from[0] != '\0' &&
	       (addr_parse(slice_str(m->env.from), true, &from, &why) < 0 ||
		   return_addr_check(c, &from, 0, &ret) != RETURN_GOOD);
}

/* Does the sender not want to hear it, or has it heard the last word
 * already? */
static bool is_silent(const struct conf *c, const struct mail *m,
    const struct outcome_letter *o, unsigned i, enum told what)
{
	const struct delivery_ref *dl = &o->row[i].delivery;

	return !bounce_wanted(&m->env, dl->rcpt, what) ||
	       (dl->flags & DF_DSN_SENT) != 0 || !has_sender(c, m) ||
	       (what != TOLD_FAILED &&
		   dsn_guard_parks(c->dsn.guard, m->env.spf,
		       o->row[i].stranger));
}

/* Mail without a sender has none to tell: a failure is kept for an
 * administrator, not settled. */
static bool settles(const struct conf *c, const struct mail *m,
    enum told what)
{
	return what == TOLD_DELAYED ||
	       (what == TOLD_FAILED && has_sender(c, m));
}

static bool is_guarded(const struct conf *c, const struct mail *m,
    const struct outcome_letter *o, unsigned i)
{
	bool stranger = o->row[i].stranger &&
			o->row[i].result.class == CLASS_RECIPIENT;

	return dsn_guard_parks(c->dsn.guard, m->env.spf, stranger);
}

/* Recipients of one message whose fate is known together share a notice for
 * each kind of news, however many they are: a message to a thousand addresses
 * must not become ten notices, each with its header. */
struct filing {
	struct outcome_letter *o;
	enum told what;
	bool guarded;
	unsigned notice; /* 0: none yet */
};

static void file_row(struct filing *f, unsigned i)
{
	struct outcome_letter *o = f->o;

	if (f->notice == 0) {
		o->notice = mem_resize(o->notice,
		    (o->notices + 1) * sizeof(*o->notice));
		o->notice[o->notices++] = (struct outcome_notice){
		    .what = f->what, .guarded = f->guarded};
		f->notice = o->notices;
	}
	o->row[i].told = f->notice;
}

bool bounce_due(const struct conf *c, const struct mail *m,
    struct outcome_letter *o)
{
	struct filing parked = {o, TOLD_FAILED, true, 0};
	struct filing f[] = {
		[TOLD_FAILED] = {o, TOLD_FAILED, false, 0},
		[TOLD_DELAYED] = {o, TOLD_DELAYED, false, 0},
		[TOLD_PASSED] = {o, TOLD_PASSED, false, 0},
	};

	for (unsigned i = 0; i < o->n; i++) {
		enum told what = news(m, o, i);

		if (what == TOLD_NOTHING)
			continue;
		if (is_silent(c, m, o, i, what))
			o->row[i].silent = settles(c, m, what);
		else if (what == TOLD_FAILED && is_guarded(c, m, o, i))
			file_row(&parked, i);
		else
			file_row(&f[what], i);
	}
	return o->notices != 0;
}

static void forget(struct outcome_letter *o, unsigned number)
{
	for (unsigned i = 0; i < o->n; i++) {
		if (o->row[i].told != number)
			continue;
		o->row[i].told = 0;
		if (o->row[i].result.outcome == OUT_FAILED)
			o->row[i].result.outcome = OUT_DEFERRED;
	}
}

void bounce_forget(struct outcome_letter *o)
{
	for (unsigned i = 0; i < o->notices; i++)
		forget(o, i + 1);
}

void bounce_prepare(struct worker *w, const struct mail *m,
    struct slice head, struct outcome_letter *o)
{
	for (unsigned i = 0; i < o->notices; i++) {
		if (report_make(w, m, head, o, i + 1))
			continue;
		if (o->notice[i].what == TOLD_PASSED)
			log_warn("notice.lost", kv_id("about", o->id));
		forget(o, i + 1);
	}
}
