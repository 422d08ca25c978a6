/* SPDX-License-Identifier: ISC
 *
 * Decides what follows from a sender's SPF result.
 */
#include "policy/spf_policy.h"

bool spf_judges(const struct conf *c, int origin, enum outbound_right right)
{
	return c->spf.check && origin < 0 && right == RIGHT_NONE;
}

bool spf_spares(const struct conf *c, const struct sockaddr *client)
{
	return conf_nets_have(conf_private(), client) ||
	       conf_nets_have(&c->spf.exempt, client);
}

/* Of the address that the row is of: a leg's own address has its own. */
static const struct conf_domain *domain_of(const struct conf *c,
    const struct decision *d)
{
	struct slice base = slice_str(d->base);
	long at = slice_rfind(base, '@');

	return at < 0 ? NULL
		      : conf_domain(c, slice_from(base, (size_t)at + 1));
}

bool spf_matters(const struct conf *c, const struct addr *to,
    const struct decision *d)
{
	const struct conf_domain *domain = domain_of(c, d);

	return domain != NULL && !addr_is_role(to) &&
	       (domain->spf_fail == FAIL_REFUSE ||
		   domain->spf_temperror == TEMPERROR_DEFER);
}

enum spf_act spf_decide(const struct conf *c, const struct addr *to,
    const struct decision *d, enum spf_result result)
{
	const struct conf_domain *domain = domain_of(c, d);

	if (!spf_matters(c, to, d))
		return SPF_ACT_TAKE;
	if (result == SPF_FAIL && domain->spf_fail == FAIL_REFUSE)
		return SPF_ACT_REFUSE;
	if (result == SPF_TEMPERROR &&
	    domain->spf_temperror == TEMPERROR_DEFER)
		return SPF_ACT_DEFER;
	return SPF_ACT_TAKE;
}
