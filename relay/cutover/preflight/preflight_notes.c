/* SPDX-License-Identifier: ISC
 *
 * Compares the offers of the legs of an asking with those of the old legs of a
 * wave's members: mail that one takes today the other would refuse.
 */
#include "relay/cutover/preflight/preflights_int.h"

#include <inttypes.h>

#include "relay/delivery/leg_offers.h"

struct two_legs {
	const char *name, *old_name;
	struct leg_offer leg, old;
};

static void note_size(const struct two_legs *t, struct strbuf *out)
{
	if (t->leg.size == 0 ||
	    (t->old.size != 0 && t->old.size <= t->leg.size))
		return;
	strbuf_addf(out, "%s takes messages of %" PRIu64 " bytes at most",
	    t->name, t->leg.size);
	if (t->old.size == 0)
		strbuf_addf(out, ", %s says no limit\n", t->old_name);
	else
		strbuf_addf(out, ", %s of %" PRIu64 "\n", t->old_name,
		    t->old.size);
}

static void note_lack(const struct two_legs *t, const char *what, bool old,
    bool now, struct strbuf *out)
{
	if (old && !now)
		strbuf_addf(out, "%s does not offer %s, which %s does\n",
		    t->name, what, t->old_name);
}

static void compare(const struct two_legs *t, struct strbuf *out)
{
	if (!t->old.known || !t->leg.known) {
		strbuf_addf(out, "%s was not greeted since the daemon began "
		    "or was reloaded: its SIZE, 8BITMIME and SMTPUTF8 are not "
		    "known\n", t->old.known ? t->name : t->old_name);
		return;
	}
	note_size(t, out);
	note_lack(t, "8BITMIME", t->old.eightbit, t->leg.eightbit, out);
	note_lack(t, "SMTPUTF8", t->old.utf8, t->leg.utf8, out);
}

static void against_old(struct preflights *p, const struct preflight_job *j,
    const struct conf_leg *leg, struct strbuf *out)
{
	const struct conf *c = p->snapshot->conf;
	struct slice rest = slice_str(j->asking.old), name;

	while (slice_next(&rest, ' ', &name)) {
		const struct conf_leg *old = conf_leg_by_name(c, name);
		struct two_legs t;

		if (old == NULL || old == leg)
			continue;
		t = (struct two_legs){leg->name, old->name,
		    leg_offers_get(p->cfg.offers, leg->id),
		    leg_offers_get(p->cfg.offers, old->id)};
		compare(&t, out);
	}
}

void preflight_notes(struct preflights *p, const struct preflight_job *j,
    struct strbuf *out)
{
	const struct conf *c = p->snapshot->conf;

	for (int i = 0; i < c->legs; i++)
		if (j->page[c->leg[i].id] != NULL &&
		    j->page[c->leg[i].id]->asked)
			against_old(p, j, &c->leg[i], out);
}
