/* SPDX-License-Identifier: ISC
 *
 * See outbound.h.
 */
#include "policy/outbound.h"

#include <stdio.h>

#include "relay/base/assert.h"
#include "relay/mail/domain.h"

static bool is_listed(const struct conf_strings *list, const char *text)
{
	for (int i = 0; i < list->count; i++)
		if (strcmp(list->s[i], text) == 0)
			return true;
	return false;
}

enum outbound_right outbound_right(const struct conf *c,
    const struct conf_listen *l, const struct outbound_client *who)
{
	if (l->outbound == OUTBOUND_OFF)
		return RIGHT_NONE;
	if (who->address != NULL &&
	    conf_nets_have(&c->outbound.clients, who->address))
		return RIGHT_CLIENT;
	if (l->auth && who->certificate[0] != '\0' &&
	    is_listed(&c->outbound.certificates, who->certificate))
		return RIGHT_CERTIFICATE;
	if (l->auth && who->login[0] != '\0' &&
	    conf_user(c, slice_str(who->login)) != NULL)
		return RIGHT_USER;
	return RIGHT_NONE;
}

/* ---- senders ---- */

/* "@example.com", or empty where there is no such form. */
static void domain_key(const struct addr *a, struct strbuf *out)
{
	strbuf_addc(out, '@');
	if (!domain_normal(a->domain, out) || !strbuf_ok(out))
		strbuf_reset(out);
}

static bool may_say(const struct conf *c, const struct conf_user *u,
    struct slice address, struct slice domain)
{
	if (domain.n < 2)
		return false;
	if (u->senders.count == 0)
		return conf_domain(c, slice_from(domain, 1)) != NULL;
	for (int i = 0; i < u->senders.count; i++) {
		struct slice one = slice_str(u->senders.s[i]);

		if (slice_eq(one, address) || slice_eq(one, domain))
			return true;
	}
	return false;
}

bool outbound_sender_fits(const struct conf *c, enum outbound_right right,
    const struct outbound_client *who, const struct addr *from)
{
	const struct conf_user *u = conf_user(c, slice_str(who->login));
	struct strbuf address, domain;
	bool fits;

	if (right != RIGHT_USER || from->text.n == 0)
		return true;
	if (u == NULL)
		return false;
	strbuf_init(&address, ADDR_MAX);
	strbuf_init(&domain, ADDR_MAX);
	if (!addr_key(from, '\0', &address))
		strbuf_reset(&address);
	domain_key(from, &domain);
	fits = address.n > 0 && may_say(c, u, strbuf_view(&address),
	    strbuf_view(&domain));
	strbuf_fini(&address);
	strbuf_fini(&domain);
	return fits;
}

/* ---- recipients ---- */

bool outbound_leads_out(const struct conf *c, const struct addr *to)
{
	struct strbuf domain;
	struct slice name;
	bool out;

	strbuf_init(&domain, ADDR_MAX);
	out = domain_normal(to->domain, &domain) && strbuf_ok(&domain) &&
	      domain.n > 0;
	name = strbuf_view(&domain);
	out = out && name.p[0] != '[' &&
	      !slice_eq(name, slice_str(c->hostname)) &&
	      !slice_eq(name, slice_str(c->ret.domain)) &&
	      !slice_eq(name, slice_str(c->srs.domain));
	strbuf_fini(&domain);
	return out;
}

bool outbound_may(const struct conf *c, const struct addr *to,
    enum outbound_right right, bool led_back, const struct decision *d)
{
	return d->verdict == VERDICT_REFUSE && d->rule == RULE_RELAY &&
	       (led_back || right != RIGHT_NONE) && outbound_leads_out(c, to);
}

void outbound_take(const struct conf *c, const struct addr *to, bool led_back,
    struct decision *d)
{
	if (led_back)
		d->rule = RULE_SRS;
	if (c->outbound.ways == 0) {
		reply_set(&d->reply, 451, "4.3.5", "You may send to the "
		    "outside, and this server has no way there");
		return;
	}
	d->verdict = VERDICT_ACCEPT;
	d->route = (struct route){ROUTE_LEGS, 1,
	    {(uint16_t)c->leg[c->outbound.way[0]].id}};
	snprintf(d->base, sizeof(d->base), "%.*s", (int)to->text.n,
	    to->text.p);
	PH_ASSERT(decision_ok(d));
}
