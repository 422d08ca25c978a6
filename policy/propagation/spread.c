/* SPDX-License-Identifier: ISC
 *
 * See spread.h. RFC 2181 8 (TTL), RFC 8767 (stale answers).
 */
#include "policy/propagation/spread.h"

#include <string.h>

enum {
	LOOKS_MISSED = 3,     /* then what was said is too old           */
	RETIRED_GONE_S = 86400, /* of silence: nothing is served there   */
};
#define S_US INT64_C(1000000)
#define SLACK_US (600 * S_US) /* a look itself takes a while */

static const char *const kind_text[SPREAD_KINDS] = {"resolver",
    "authoritative", "parent", "retired"};
static const char *const state_text[SPREAD_STATES] = {"clean", "waits",
    "unknown", "old"};

const char *spread_kind_text(enum spread_kind k)
{
	return kind_text[k];
}

const char *spread_state_text(enum spread_state s)
{
	return state_text[s];
}

bool spread_target_is_old(const struct spread_facts *f,
    const struct spread_target *t)
{
	switch (t->way) {
	case WAY_US:
	case WAY_SERVER:
		return false;
	case WAY_LEG:
		return f->leg == NULL || strcmp(f->leg, t->name) == 0;
	case WAY_ELSEWHERE: /* it may be the leg by another address */
	case WAY_NOWHERE:
	case WAY_COUNT:
		break;
	}
	return true;
}

/* ---- of one server ------------------------------------------------------ */

static enum spread_state of_answer(const struct spread_facts *f,
    const struct spread_server *s, const char **why_out)
{
	size_t now = 0;

	for (size_t i = 0; i < s->targets; i++) {
		const struct spread_target *t = &s->target[i];

		if (t->ended_us != 0)
			continue;
		now++;
		if (!spread_target_is_old(f, t))
			continue;
		*why_out = t->way == WAY_LEG ? "an MX leads to the leg"
		    : t->way == WAY_ELSEWHERE ? "an MX leads elsewhere"
					      : "an MX leads nowhere";
		return SPREAD_OLD;
	}
	*why_out = now == 0 ? "its answer has no MX" : "";
	return now == 0 ? SPREAD_UNKNOWN : SPREAD_CLEAN;
}

/* Nothing of the zone is served there any more. */
static bool is_gone(const struct spread_facts *f,
    const struct spread_server *s)
{
	if (s->kind != SPREAD_RETIRED)
		return false;
	return s->said == SAID_REFUSED ||
	       (s->said == SAID_SILENT &&
		   f->now_us - s->since_us >= RETIRED_GONE_S * S_US);
}

enum spread_state spread_server_state(const struct spread_facts *f,
    const struct spread_server *s, const char **why_out)
{
	*why_out = "it was not asked yet";
	if (s->said == SAID_NOTHING)
		return SPREAD_UNKNOWN;
	*why_out = "it was not asked of late";
	if (f->now_us - s->at_us > LOOKS_MISSED * f->interval_us + SLACK_US ||
	    s->at_us - f->now_us > SLACK_US)
		return SPREAD_UNKNOWN;
	if (s->said == SAID_ANSWER)
		return of_answer(f, s, why_out);
	*why_out = s->said == SAID_SILENT ? "it is silent"
					  : "it does not serve the zone";
	return is_gone(f, s) ? SPREAD_CLEAN : SPREAD_UNKNOWN;
}

/* ---- until when --------------------------------------------------------- */

struct spread_past {
	int64_t changed_us; /* of the last old answer's end */
	uint32_t ttl_s;	    /* of old answers, the largest  */
	bool lasts;	    /* one of them has not ended    */
	bool seen;
};

static bool is_source(const struct spread_server *s)
{
	return s->kind == SPREAD_AUTHORITATIVE || s->kind == SPREAD_RETIRED;
}

static void add_past(struct spread_past *p, const struct spread_target *t,
    int64_t ended_us)
{
	p->seen = true;
	if (ended_us == 0)
		p->lasts = true;
	if (ended_us > p->changed_us)
		p->changed_us = ended_us;
	if (t->ttl_s > p->ttl_s)
		p->ttl_s = t->ttl_s;
}

static void add_source(const struct spread_facts *f,
    const struct spread_server *s, struct spread_past *p)
{
	for (size_t i = 0; i < s->targets; i++) {
		const struct spread_target *t = &s->target[i];
		int64_t ended_us = t->ended_us;

		if (!spread_target_is_old(f, t))
			continue;
		if (ended_us == 0 && is_gone(f, s))
			ended_us = s->since_us;
		add_past(p, t, ended_us);
	}
}

/* A delegation of before leads caches to servers that have left it. */
static void add_delegation(const struct spread_server *parent,
    struct spread_past *p)
{
	for (size_t i = 0; i < parent->targets; i++) {
		const struct spread_target *t = &parent->target[i];

		if (t->way == WAY_SERVER && t->ended_us != 0)
			add_past(p, t, t->ended_us);
	}
}

static void look_back(const struct spread_facts *f, struct spread_past *p)
{
	for (size_t i = 0; i < f->servers; i++)
		if (is_source(&f->server[i]))
			add_source(f, &f->server[i], p);
	/* Only an old answer makes an old way to it matter. */
	for (size_t i = 0; i < f->servers && p->seen; i++)
		if (f->server[i].kind == SPREAD_PARENT)
			add_delegation(&f->server[i], p);
}

/* The first look at which each server of the zone was clean; 0: there was
 * none. None of them has had an old answer. */
static int64_t first_clean(const struct spread_facts *f)
{
	int64_t all_us = 0;

	for (size_t i = 0; i < f->servers; i++) {
		const struct spread_server *s = &f->server[i];
		int64_t first_us = 0;

		if (s->kind != SPREAD_AUTHORITATIVE)
			continue;
		for (size_t k = 0; k < s->targets; k++)
			if (first_us == 0 || s->target[k].first_us < first_us)
				first_us = s->target[k].first_us;
		if (first_us == 0)
			return 0;
		if (first_us > all_us)
			all_us = first_us;
	}
	return all_us;
}

static int64_t until(const struct spread_facts *f, int64_t changed_us,
    uint32_t ttl_s)
{
	return changed_us + ttl_s * S_US + f->stale_us;
}

static void use(const struct spread_facts *f, struct spread_judged *out,
    int64_t changed_us, uint32_t ttl_s)
{
	out->changed_us = changed_us;
	out->ttl_s = ttl_s;
	out->until_us = changed_us == 0 ? 0 : until(f, changed_us, ttl_s);
}

static void set_until(const struct spread_facts *f, struct spread_judged *out)
{
	struct spread_past p = {0};

	look_back(f, &p);
	if (p.lasts) /* an authoritative server has the old answer still */
		return;
	if (p.seen) {
		use(f, out, p.changed_us, p.ttl_s);
	} else if (f->stated.changed_us == 0) {
		use(f, out, first_clean(f), SPREAD_TTL_UNSEEN_S);
		out->unseen = true;
	}
	/* A statement never shortens what was seen. */
	if (f->stated.changed_us != 0 &&
	    until(f, f->stated.changed_us, f->stated.ttl_s) > out->until_us) {
		use(f, out, f->stated.changed_us, f->stated.ttl_s);
		out->stated = true;
	}
}

/* ---- the domain --------------------------------------------------------- */

static void count_servers(const struct spread_facts *f,
    struct spread_judged *out)
{
	for (size_t i = 0; i < f->servers; i++) {
		const char *why;
		enum spread_state s = spread_server_state(f, &f->server[i],
		    &why);

		out->count[s]++;
		if (out->worst != NULL && s <= out->state)
			continue;
		out->worst = &f->server[i];
		out->state = s;
		out->why = why;
	}
}

static bool has_kind(const struct spread_facts *f, enum spread_kind k)
{
	for (size_t i = 0; i < f->servers; i++)
		if (f->server[i].kind == k)
			return true;
	return false;
}

static void worse(struct spread_judged *out, enum spread_state s,
    const char *why)
{
	if (s <= out->state)
		return;
	out->state = s;
	out->worst = NULL;
	out->why = why;
}

void spread_judge(const struct spread_facts *f, struct spread_judged *out)
{
	*out = (struct spread_judged){.why = ""};
	count_servers(f, out);
	if (f->servers == 0)
		worse(out, SPREAD_UNKNOWN, "it was not asked for yet");
	else if (!has_kind(f, SPREAD_RESOLVER))
		worse(out, SPREAD_UNKNOWN, "no resolver was asked");
	else if (!has_kind(f, SPREAD_AUTHORITATIVE))
		worse(out, SPREAD_UNKNOWN, "its name servers are not known");
	else if (!has_kind(f, SPREAD_PARENT))
		worse(out, SPREAD_UNKNOWN, "its delegation is not known");
	if (f->more)
		worse(out, SPREAD_UNKNOWN, "it has more name servers than are "
		    "asked");
	set_until(f, out);
	if (out->until_us == 0)
		worse(out, SPREAD_UNKNOWN, "until when an old answer may live "
		    "is not known");
	if (out->until_us > f->now_us)
		worse(out, SPREAD_WAITS, "an old answer may live in caches");
}
