/* SPDX-License-Identifier: ISC
 *
 * The choice of an egress.
 */
#include "policy/egress.h"

#include "policy/dsn_guard.h"
#include "relay/base/assert.h"

static const char *const why_names[EGRESS_WHYS] = {
	[EGRESS_PASS] = "pass",
	[EGRESS_SILENT] = "no-record",
	[EGRESS_BROKEN] = "permerror",
	[EGRESS_DOUBTED] = "softfail",
	[EGRESS_REWRITTEN] = "srs",
	[EGRESS_TEMPERROR] = "temperror",
	[EGRESS_FORBIDDEN] = "fail",
	[EGRESS_DMARC] = "dmarc",
	[EGRESS_SRS_FAILS] = "srs-fails",
	[EGRESS_NOT_OURS] = "foreign-sender",
	[EGRESS_NO_WAY] = "no-egress",
};

const char *egress_why_name(enum egress_why why)
{
	return why_names[why];
}

/* Does the egress take this sender under its own name? */
static bool takes(const struct egress_case *e, unsigned i)
{
	return e->from != EGRESS_FOREIGN || !e->way[i].ours_only;
}

/* The first that takes the sender and is judged so; -1: none. */
static int first(const struct egress_case *e, enum spf_result a,
    enum spf_result b)
{
	for (unsigned i = 0; i < e->n; i++)
		if (takes(e, i) &&
		    (e->way[i].sender == a || e->way[i].sender == b))
			return (int)i;
	return -1;
}

static int first_for_srs(const struct egress_case *e, enum spf_result a,
    enum spf_result b)
{
	for (unsigned i = 0; i < e->n; i++)
		if (e->way[i].srs == a || e->way[i].srs == b)
			return (int)i;
	return -1;
}

static struct egress_choice goes(int way, enum egress_why why)
{
	return (struct egress_choice){.way = way, .why = why};
}

static struct egress_choice waits(const struct egress_case *e,
    enum egress_why why)
{
	return (struct egress_choice){.way = -1, .why = why,
	    .own_record = e->from == EGRESS_OWN && why != EGRESS_TEMPERROR};
}

/* Why no way takes the sender under its own name. */
static struct egress_choice nowhere(const struct egress_case *e)
{
	if (first(e, SPF_TEMPERROR, SPF_TEMPERROR) >= 0)
		return waits(e, EGRESS_TEMPERROR);
	if (first(e, SPF_FAIL, SPF_SOFTFAIL) >= 0)
		return waits(e, EGRESS_FORBIDDEN);
	return waits(e, EGRESS_NOT_OURS);
}

/* Without a rewritten sender: a doubt is no prohibition. */
static struct egress_choice as_it_is(const struct egress_case *e)
{
	int way = first(e, SPF_SOFTFAIL, SPF_SOFTFAIL);
	struct egress_choice c;

	if (way < 0)
		return nowhere(e);
	c = goes(way, EGRESS_DOUBTED);
	c.own_record = e->from == EGRESS_OWN;
	return c;
}

static struct egress_choice by_srs(const struct egress_case *e)
{
	int way = first_for_srs(e, SPF_PASS, SPF_PASS);
	struct egress_choice c;

	if (e->from == EGRESS_OWN && e->dmarc_fails)
		return waits(e, EGRESS_DMARC);
	if (way < 0)
		way = first_for_srs(e, SPF_NONE, SPF_NEUTRAL);
	if (way < 0 && first_for_srs(e, SPF_TEMPERROR, SPF_TEMPERROR) >= 0)
		return waits(e, EGRESS_TEMPERROR);
	if (way < 0)
		return waits(e, EGRESS_SRS_FAILS);
	c = goes(way, EGRESS_REWRITTEN);
	c.rewrite = true;
	/* A silent DNS is not a record that lacks a term. */
	c.own_record = e->from == EGRESS_OWN &&
		       first(e, SPF_FAIL, SPF_SOFTFAIL) >= 0;
	c.dmarc_would_fail = e->dmarc_fails;
	return c;
}

struct egress_choice egress_choose(const struct egress_case *e)
{
	static const struct {
		enum spf_result a, b;
		enum egress_why why;
	} good[] = {
		{SPF_PASS, SPF_PASS, EGRESS_PASS},
		{SPF_NONE, SPF_NEUTRAL, EGRESS_SILENT},
		{SPF_PERMERROR, SPF_PERMERROR, EGRESS_BROKEN},
	};
	struct egress_choice c;
	int way;

	PH_ASSERT(e->n <= EGRESSES_MAX);
	if (e->n == 0)
		return (struct egress_choice){.way = -1, .why = EGRESS_NO_WAY};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if ((way = first(e, good[i].a, good[i].b)) >= 0)
			return goes(way, good[i].why);
	if (!e->waited && first(e, SPF_TEMPERROR, SPF_TEMPERROR) >= 0)
		return waits(e, EGRESS_TEMPERROR);
	/* The null sender has no address that could be led back. */
	c = e->srs && e->from != EGRESS_NULL ? by_srs(e) : as_it_is(e);
	PH_ASSERT(c.way < 0 || c.rewrite ||
		  e->way[c.way].sender != SPF_FAIL);
	return c;
}

/* ---- the sender for a leg of the table ----------------------------------- */

enum leg_sender leg_sender_choose(const struct conf *c,
    const struct conf_leg *leg, const struct leg_mail *m)
{
	/* A copy's return address is copy_sender.c's matter; the null sender
	 * has none, and must stay null. */
	if (leg->egress || leg->rewrite_sender == REWRITE_NEVER ||
	    m->role != ROLE_PRIMARY || m->from[0] == '\0')
		return LEG_SENDER_OWN;
	if (dsn_guard_parks(c->dsn.guard, m->spf, m->stranger))
		return LEG_SENDER_RETURN;
	return LEG_SENDER_ASK;
}

enum leg_sender leg_sender_judged(enum spf_result result)
{
	return result == SPF_FAIL || result == SPF_TEMPERROR ?
	    LEG_SENDER_SRS : LEG_SENDER_OWN;
}

struct egress_choice leg_sender_choice(enum spf_result result,
    bool dmarc_fails)
{
	bool srs = leg_sender_judged(result) == LEG_SENDER_SRS;

	return (struct egress_choice){.rewrite = srs,
	    .dmarc_would_fail = srs && dmarc_fails};
}
