/* SPDX-License-Identifier: ISC
 *
 * See from_leg.h.
 */
#include "relay/intake/from_leg.h"

#include "relay/mail/domain.h"
#include "relay/mail/received.h"
#include "relay/spool/spool.h"
#include "relay/watch/alarm.h"
#include "relay/watch/from_legs.h"

enum { HOPS_MAX = 30, HOP_TEXT = 160, ALARM_TEXT = 600 };

/* Networks that are not the outside (RFC 6890). */
static bool is_inside(const struct netaddr *a)
{
	static const struct conf_net inside[] = {
		{AF_INET, {10}, 8}, {AF_INET, {172, 16}, 12},
		{AF_INET, {192, 168}, 16}, {AF_INET, {169, 254}, 16},
		{AF_INET, {127}, 8}, {AF_INET, {100, 64}, 10},
		{AF_INET6, {0xfc}, 7}, {AF_INET6, {0xfe, 0x80}, 10},
		{AF_INET6, {[15] = 1}, 128},
	};
	const struct conf_nets nets = {(struct conf_net *)inside,
	    ARRAY_LEN(inside)};

	return conf_nets_have(&nets, &a->sa);
}

/* The first hop that is neither the leg nor on a private network, from the top
 * of what the leg wrote. False: it was written there. */
static bool outside_hop(const struct intake *in, const struct conf_leg *leg,
    char out[HOP_TEXT])
{
	struct slice rest = slice_from(spool_draft_head(in->mail->draft),
	    in->trace_n), from, text;
	struct netaddr a;

	for (int i = 0; i < HOPS_MAX && received_from_next(&rest, &from); i++)
		while (received_from_address(&from, &text)) {
			if (netaddr_parse(&a, text, 0) < 0 || is_inside(&a) ||
			    (leg != NULL && conf_nets_have(&leg->clients,
						&a.sa)))
				continue;
			netaddr_ip(&a, out);
			return true;
		}
	out[0] = '\0';
	return false;
}

/* The domain of ours that an address is at, "": none. */
static const char *domain_of(const struct intake *in, const char *address)
{
	const struct conf_domain *d = NULL;
	struct strbuf domain;
	struct addr a;
	const char *why;

	strbuf_init(&domain, ADDR_DOMAIN_MAX);
	if (addr_parse(slice_str(address), true, &a, &why) == 0 &&
	    domain_normal(a.domain, &domain))
		d = conf_domain(intake_conf(in), strbuf_view(&domain));
	strbuf_fini(&domain);
	return d == NULL ? "" : d->name;
}

static bool goes_out(const struct intake *in)
{
	const struct mail *m = in->mail;
	const struct conf_leg *l;

	for (unsigned i = 0; i < m->deliveries; i++) {
		l = conf_leg_by_id(intake_conf(in), m->delivery[i].leg);
		if (l != NULL && l->egress)
			return true;
	}
	return false;
}

static void tell_way_back(const struct intake *in, const struct from_leg *one)
{
	struct strbuf text;

	strbuf_init(&text, ALARM_TEXT);
	strbuf_addf(&text, "mail for %s reached %s from %s without passing "
	    "here, and came from there. Something in public, a connector or a "
	    "setting of a device still leads to %s: find it by that address",
	    in->mail->env.rcpt[0].to, one->leg, one->hop, one->leg);
	alarm_raise(in->w->alarms, ALARM_WAY_BACK, one->leg,
	    strbuf_cstr(&text));
	strbuf_fini(&text);
}

static void count_one(struct intake *in, struct slice leg)
{
	const struct envelope *e = &in->mail->env;
	char hop[HOP_TEXT], name[NAME_BYTES + 1];
	struct from_leg one = {.leg = name, .kind = FROM_LEG_MAIL,
	    .id = e->id, .last_us = e->accepted_us, .hop = hop};

	snprintf(name, sizeof(name), "%.*s", (int)leg.n, leg.p);
	outside_hop(in, conf_leg_by_name(intake_conf(in), leg), hop);
	if (goes_out(in))
		one.kind = FROM_LEG_OUTBOUND;
	else if (hop[0] != '\0' && e->parent == 0)
		one.kind = FROM_LEG_WAY_BACK;
	one.domain = domain_of(in, one.kind == FROM_LEG_OUTBOUND
				       ? e->from : e->rcpt[0].to);
	if (from_legs_add(in->w->intake->c.from_legs, &one) &&
	    one.kind == FROM_LEG_WAY_BACK)
		tell_way_back(in, &one);
}

void from_leg_count(struct intake *in)
{
	struct slice rest = slice_str(in->mail->env.came_from), leg;

	if (in->w->intake->c.from_legs == NULL)
		return;
	while (rest.n > 0 && slice_next(&rest, '+', &leg))
		if (leg.n > 0)
			count_one(in, leg);
}

void from_leg_refused(struct intake *in, const struct addr *to)
{
	struct from_leg one = {.leg = in->mail->env.came_from,
	    .kind = FROM_LEG_REFUSED, .hop = "",
	    .last_us = clock_wall_us(in->w->shared->clock)};

	if (in->w->intake->c.from_legs == NULL)
		return;
	one.domain = domain_of(in, arena_slicedup(in->mail->arena, to->text));
	from_legs_add(in->w->intake->c.from_legs, &one);
}
