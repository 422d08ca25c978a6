/* SPDX-License-Identifier: ISC
 *
 * Table, notice or egress.
 */
#include "policy/chooser.h"

#include "relay/mail/domain.h"

enum place { PLACE_OURS, PLACE_LEG, PLACE_OUTSIDE };

static enum place place_of(const struct conf *c, const struct addr *a)
{
	enum place place = PLACE_OUTSIDE;
	struct strbuf name;

	strbuf_init(&name, ADDR_DOMAIN_MAX);
	if (!domain_normal(a->domain, &name))
		place = PLACE_OUTSIDE;
	else if (conf_domain(c, strbuf_view(&name)) != NULL)
		place = PLACE_OURS;
	else if (conf_leg_of_domain(c, strbuf_view(&name)) != NULL)
		place = PLACE_LEG;
	strbuf_fini(&name);
	return place;
}

bool addr_is_ours(const struct conf *c, const struct addr *a)
{
	return place_of(c, a) == PLACE_OURS;
}

enum chooser recipient_chooser(const struct conf *c, const struct envelope *e,
    const struct addr *to)
{
	enum place place = place_of(c, to);

	if (place == PLACE_OURS)
		return CHOOSER_TABLE;
	if (e->listen[0] == '\0' && e->from[0] == '\0')
		return CHOOSER_NOTICE;
	if (place == PLACE_OUTSIDE && e->egress != NULL &&
	    e->egress[0] != '\0')
		return CHOOSER_EGRESS;
	return CHOOSER_TABLE;
}
