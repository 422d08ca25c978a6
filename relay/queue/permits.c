/* SPDX-License-Identifier: ISC
 *
 * The state of recipient domains, in sets of a few places each. One that
 * has no attempt under way makes room for another, the one longest unused
 * first: it is then as if it were new.
 */
#include "relay/queue/permits.h"

#include <limits.h>
#include <pthread.h>

#include "relay/base/assert.h"
#include "relay/base/mem.h"

enum { SETS = 4096, WAYS = 4, NAME_LEG_BITS = 8, STEPS = 32 };

_Static_assert(NAMES_MAX <= 1 << NAME_LEG_BITS, "a leg fits into a name");

struct domain {
	uint32_t name; /* 0: empty */
	uint16_t used, limit;
	uint16_t delivered; /* since the limit was last moved */
	uint16_t failures;  /* in a row */
	bool proven;
	bool slow; /* its last delivery took long */
	int64_t until_us; /* monotonic; no attempt before */
	int64_t last_us;  /* when it was last asked for or given back */
};

struct permits {
	pthread_mutex_t lock;
	struct {
		unsigned slots; /* 0: needs no permits */
		unsigned used, unproven, doubtful;
	} leg[NAMES_MAX];
	int steps;
	int64_t step_us[STEPS];
	struct domain domain[SETS][WAYS];
};

struct permits *permits_new(void)
{
	struct permits *p = NEW(struct permits);

	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void permits_free(struct permits *p)
{
	if (p == NULL)
		return;
	pthread_mutex_destroy(&p->lock);
	mem_free(p);
}

void permits_configure(struct permits *p, const struct conf *c)
{
	pthread_mutex_lock(&p->lock);
	for (int i = 0; i < NAMES_MAX; i++) {
		const struct conf_leg *leg = conf_leg_by_id(c, i);
		bool direct = leg != NULL && leg->direct;

		p->leg[i].slots = direct ? (unsigned)leg->connections : 0;
	}
	p->steps = c->retry.steps < STEPS ? c->retry.steps : STEPS;
	for (int i = 0; i < p->steps; i++)
		p->step_us[i] = c->retry.steps_ms[i] * 1000;
	pthread_mutex_unlock(&p->lock);
}

/* ---- one domain -------------------------------------------------------- */

static unsigned limit_most(const struct permits *p, int leg)
{
	unsigned quarter = p->leg[leg].slots / 4;

	return quarter > PERMITS_FIRST ? quarter : PERMITS_FIRST;
}

static bool is_failing(const struct domain *d)
{
	return d->failures >= PERMIT_FAILURES;
}

static void domain_wait(const struct permits *p, struct domain *d,
    int64_t now_us)
{
	int step = d->failures - PERMIT_FAILURES;

	if (step >= p->steps)
		step = p->steps - 1;
	d->until_us = now_us + p->step_us[step];
}

/* Attempts that were under way when it began to wait say no more than those
 * that made it wait. */
static void domain_failed(const struct permits *p, struct domain *d,
    bool scout, int64_t now_us)
{
	if (is_failing(d) && !scout)
		return;
	if (d->failures < UINT16_MAX)
		d->failures++;
	d->limit = PERMITS_FIRST;
	d->delivered = 0;
	d->proven = false;
	if (is_failing(d))
		domain_wait(p, d, now_us);
}

static void domain_answered(struct domain *d)
{
	d->failures = 0;
	d->until_us = 0;
}

/* As many deliveries as it may have attempts, and it may have one more. */
static void domain_delivered(const struct permits *p, int leg,
    struct domain *d, bool quick)
{
	domain_answered(d);
	d->proven = quick;
	d->slow = !quick;
	if (!quick)
		d->limit = PERMITS_FIRST;
	if (!quick || ++d->delivered < d->limit)
		return;
	d->delivered = 0;
	if (d->limit < limit_most(p, leg))
		d->limit++;
}

static struct permit_word domain_word(const struct domain *d, int64_t now_us)
{
	unsigned limit = is_failing(d) ? 1 : d->limit;

	if (d->used >= limit)
		return (struct permit_word){.answer = PERMIT_BUSY};
	if (is_failing(d) && now_us < d->until_us)
		return (struct permit_word){.answer = PERMIT_WAIT,
		    .until_us = d->until_us};
	return (struct permit_word){.room = limit - d->used};
}

/* ---- the table --------------------------------------------------------- */

static uint32_t name_of(int leg, uint32_t domain)
{
	return (domain & PERMIT_DOMAIN_MASK) << NAME_LEG_BITS | (uint32_t)leg;
}

static int leg_of(uint32_t name)
{
	return (int)(name & ((1 << NAME_LEG_BITS) - 1));
}

static struct domain *set_of(struct permits *p, uint32_t name)
{
	return p->domain[((name >> NAME_LEG_BITS) + (unsigned)leg_of(name)) %
			 SETS];
}

static struct domain *find(struct permits *p, uint32_t name)
{
	struct domain *set = set_of(p, name);

	for (int i = 0; i < WAYS; i++)
		if (set[i].name == name)
			return &set[i];
	return NULL;
}

/* A place for one that has none; NULL: all have attempts under way. */
static struct domain *make(struct permits *p, uint32_t name)
{
	struct domain *set = set_of(p, name), *to = NULL;

	for (int i = 0; i < WAYS; i++)
		if (set[i].used == 0 &&
		    (to == NULL || set[i].last_us < to->last_us))
			to = &set[i];
	if (to != NULL)
		*to = (struct domain){.name = name, .limit = PERMITS_FIRST};
	return to;
}

static bool needs_none(const struct permits *p, int leg, uint32_t domain)
{
	return p->leg[leg].slots == 0 || (domain & PERMIT_DOMAIN_MASK) == 0;
}

static bool is_doubtful(const struct domain *d)
{
	return !d->proven && (d->failures > 0 || d->slow);
}

static unsigned part(unsigned slots, unsigned parts)
{
	return slots >= parts ? slots / parts : 1;
}

/* GRANTED: there is room for one more of its kind. */
static enum permit_answer share(const struct permits *p, int leg,
    const struct domain *d)
{
	bool doubtful = is_doubtful(d);

	if (d->proven)
		return PERMIT_GRANTED;
	if (doubtful && p->leg[leg].doubtful >= part(p->leg[leg].slots, 4))
		return PERMIT_DOUBTFUL;
	if (p->leg[leg].unproven >= part(p->leg[leg].slots, 2))
		return doubtful ? PERMIT_DOUBTFUL : PERMIT_NEW;
	return PERMIT_GRANTED;
}

/* The domain's own limit is looked at first: what waits behind it is not in
 * the way of others. */
static struct permit_word look(struct permits *p, int leg, uint32_t domain,
    int64_t now_us)
{
	static const struct domain fresh = {.limit = PERMITS_FIRST};
	const struct domain *d = find(p, name_of(leg, domain));
	struct permit_word w;

	if (d == NULL)
		d = &fresh;
	w = domain_word(d, now_us);
	if (w.answer == PERMIT_GRANTED)
		w.answer = share(p, leg, d);
	return w;
}

struct permit_word permit_look(struct permits *p, int leg, uint32_t domain,
    int64_t now_us)
{
	struct permit_word w = {.room = UINT_MAX};

	pthread_mutex_lock(&p->lock);
	if (!needs_none(p, leg, domain))
		w = look(p, leg, domain, now_us);
	pthread_mutex_unlock(&p->lock);
	return w;
}

static struct permit_word take(struct permits *p, int leg, uint32_t domain,
    int64_t now_us, struct permit *permit)
{
	struct permit_word w = look(p, leg, domain, now_us);
	uint32_t name = name_of(leg, domain);
	struct domain *d = find(p, name);

	if (w.answer != PERMIT_GRANTED)
		return w;
	if (d == NULL)
		d = make(p, name);
	if (d == NULL)
		return (struct permit_word){.answer = PERMIT_NEW};
	permit->name = name;
	permit->unproven = !d->proven;
	permit->doubtful = is_doubtful(d);
	permit->scout = is_failing(d);
	permit->patience_ms = d->proven || is_failing(d) ? 0 :
	    PERMIT_PATIENCE_MS << d->failures;
	d->used++;
	d->last_us = now_us;
	p->leg[leg].used++;
	p->leg[leg].unproven += permit->unproven;
	p->leg[leg].doubtful += permit->doubtful;
	return w;
}

struct permit_word permit_take(struct permits *p, int leg, uint32_t domain,
    int64_t now_us, struct permit *permit)
{
	struct permit_word w = {.room = UINT_MAX};

	PH_ASSERT(permit->name == 0);
	pthread_mutex_lock(&p->lock);
	if (!needs_none(p, leg, domain))
		w = take(p, leg, domain, now_us, permit);
	pthread_mutex_unlock(&p->lock);
	return w;
}

static void give(struct permits *p, const struct permit *permit,
    enum permit_end end, bool quick, int64_t now_us)
{
	struct domain *d = find(p, permit->name);
	int leg = leg_of(permit->name);

	PH_ASSERT(d != NULL && d->used > 0);
	PH_ASSERT(p->leg[leg].used > 0);
	PH_ASSERT(!permit->unproven || p->leg[leg].unproven > 0);
	PH_ASSERT(!permit->doubtful || p->leg[leg].doubtful > 0);
	d->used--;
	d->last_us = now_us;
	p->leg[leg].used--;
	p->leg[leg].unproven -= permit->unproven;
	p->leg[leg].doubtful -= permit->doubtful;
	switch (end) {
	case PERMIT_UNUSED:
		break;
	case PERMIT_FAILED:
		domain_failed(p, d, permit->scout, now_us);
		break;
	case PERMIT_ANSWERED:
		domain_answered(d);
		break;
	case PERMIT_DELIVERED:
		domain_delivered(p, leg, d, quick);
		break;
	}
}

void permit_give(struct permits *p, struct permit *permit, enum permit_end end,
    int64_t began_us, int64_t now_us)
{
	if (permit->name == 0)
		return;
	pthread_mutex_lock(&p->lock);
	give(p, permit, end, now_us - began_us < PERMIT_QUICK_US, now_us);
	pthread_mutex_unlock(&p->lock);
	*permit = (struct permit){0};
}

void permit_hurry(struct permits *p, int leg, uint32_t domain, int64_t now_us)
{
	struct domain *d;

	pthread_mutex_lock(&p->lock);
	d = domain == 0 ? NULL : find(p, name_of(leg, domain));
	if (d != NULL && d->until_us > now_us)
		d->until_us = now_us;
	pthread_mutex_unlock(&p->lock);
}

unsigned permits_used(struct permits *p, int leg)
{
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = p->leg[leg].used;
	pthread_mutex_unlock(&p->lock);
	return n;
}

unsigned permits_unproven(struct permits *p, int leg)
{
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = p->leg[leg].unproven;
	pthread_mutex_unlock(&p->lock);
	return n;
}
