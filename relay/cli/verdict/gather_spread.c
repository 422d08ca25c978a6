/* SPDX-License-Identifier: ISC
 *
 * propagation: is the old answer of the DNS gone everywhere, for each domain?
 */
#include "relay/cli/verdict/gather.h"

#include "relay/base/clock.h"
#include "relay/observed/spread/spread_of.h"

/* One server by its name or address, as evidence. */
static const char *server_text(const struct spread_server *s)
{
	if (s == NULL)
		return "";
	return s->name[0] != '\0' ? s->name : s->address;
}

static void note(struct verdict_look *g, const char *domain,
    const struct spread_found *found)
{
	const struct spread_judged *j = &found->judged;
	const char *server = server_text(j->worst);
	char until[CLOCK_RFC3339_MAX];

	switch (j->state) {
	case SPREAD_CLEAN:
		return;
	case SPREAD_WAITS:
		clock_rfc3339(j->until_us, until);
		gather_fact(g, FACT_MAY_LIVE, found->rows.looked_us,
		    "%s until %s", domain, until);
		return;
	case SPREAD_OLD:
		gather_fact(g, FACT_ELSEWHERE, found->rows.looked_us,
		    "%s at %s: %s", domain, server, j->why);
		return;
	case SPREAD_UNKNOWN:
	case SPREAD_STATES:
		break;
	}
	if (found->rows.looked_us == 0)
		gather_fact(g, FACT_NOT_LOOKED, 0, "%s", domain);
	else
		gather_fact(g, FACT_SILENT, found->rows.looked_us,
		    "%s%s%s: %s", domain, server[0] == '\0' ? "" : " at ",
		    server, j->why);
}

void gather_spread(struct verdict_look *g)
{
	const struct conf *c = g->conf;
	struct error err = {0};
	int domains = 0;

	for (int i = 0; i < c->domains; i++) {
		const struct spread_asked q = {.conf = c,
		    .domain = c->domain[i].name, .leg = g->v->leg,
		    .now_us = g->now_us};
		struct spread_found *found;

		if (!conf_verdict_has(c, g->v, slice_str(q.domain)))
			continue;
		found = arena_alloc(g->f.arena, sizeof(*found));
		if (spread_of(&q, g->f.arena, found, &err) < 0) {
			g->f.unread[REASON_PROPAGATION] =
			    gather_text(g, "%s", err.text);
			return;
		}
		note(g, q.domain, found);
		domains++;
	}
	g->f.looked[REASON_PROPAGATION] = gather_text(g, "each server of %d "
	    "domains was asked and leads elsewhere, and no old answer may "
	    "live any more", domains);
}
