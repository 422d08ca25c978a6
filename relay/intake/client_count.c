/* SPDX-License-Identifier: ISC
 *
 * See client_count.h.
 */
#include "relay/intake/client_count.h"

#include "relay/audit/delivered/spf_counts.h"
#include "relay/audit/projector.h"
#include "relay/mail/addr.h"
#include "relay/mail/domain.h"

static const struct conf_domain *domain_of(const struct conf *c,
    const char *sender)
{
	const struct conf_domain *found = NULL;
	struct slice from = slice_str(sender);
	struct strbuf domain;

	strbuf_init(&domain, ADDR_DOMAIN_MAX);
	/* No domain has an @, whatever the local part has. */
	from = slice_from(from, (size_t)(slice_rfind(from, '@') + 1));
	if (domain_normal(from, &domain))
		found = conf_domain(c, strbuf_view(&domain));
	strbuf_fini(&domain);
	return found;
}

void client_count(struct worker *w, const struct mail *m)
{
	const struct envelope *e = &m->env;
	const struct conf_domain *d;

	if (w->projector == NULL || e->spf[0] == '\0' || e->from[0] == '\0')
		return;
	d = domain_of(w->snapshot->conf, e->from);
	if (d != NULL)
		spf_counts_client(projector_spf(w->projector),
		    clock_wall_us(w->shared->clock), d->name, e->client);
}
