/* SPDX-License-Identifier: ISC
 *
 * THE decision: what becomes of a recipient, and why. The server, the queue
 * and `posthouse explain` all ask here. Pure but for the table's lookups;
 * any thread with a table of its own.
 */
#include "policy/route.h"

#include <stdio.h>

#include "relay/base/assert.h"
#include "relay/mail/domain.h"

enum found { BROKEN = -1, NOTHING, FOUND };

/* A leg's own domains have no setting of ours; '+' is what is customary. */
static const char LEG_SUBADDRESS = '+';

struct ask {
	const struct conf *c;
	struct table *t;
	const struct addr *to;
	struct arena *a;
	struct decision *d;
};

static bool copy_key(struct strbuf *b, bool ok, char out[ADDR_MAX])
{
	if (ok && b->n < ADDR_MAX)
		slice_copy(strbuf_view(b), out, ADDR_MAX);
	ok = ok && b->n < ADDR_MAX;
	strbuf_fini(b);
	return ok;
}

static bool make_key(const struct addr *a, char subaddress,
    char out[ADDR_MAX])
{
	struct strbuf b;

	strbuf_init(&b, ADDR_MAX);
	return copy_key(&b, addr_key(a, subaddress, &b), out);
}

static bool normal_domain(struct slice domain, char out[ADDR_MAX])
{
	struct strbuf b;

	strbuf_init(&b, ADDR_MAX);
	return copy_key(&b, domain_normal(domain, &b), out);
}

static void take(struct ask *q, enum decision_rule rule, const char *key)
{
	struct decision *d = q->d;

	d->rule = rule;
	d->route = d->row.route;
	d->held = d->row.held;
	if (key != d->key)
		slice_copy(slice_str(key), d->key, sizeof(d->key));
}

static enum found look(struct ask *q, const char *key, enum decision_rule rule)
{
	struct error err;
	int n = table_get(q->t, slice_str(key), q->a, &q->d->row, &err);

	if (n < 0)
		return BROKEN;
	if (n > 0)
		take(q, rule, key);
	return n > 0 ? FOUND : NOTHING;
}

static enum found look_domain(struct ask *q, const char *domain)
{
	char key[ADDR_MAX + 1];

	snprintf(key, sizeof(key), "@%s", domain);
	return look(q, key, RULE_DOMAIN);
}

/* Exact address, then subaddress base (T7). Fills key and base. */
static enum found look_address(struct ask *q, const struct addr *a,
    char subaddress)
{
	struct decision *d = q->d;
	char key[ADDR_MAX];
	enum found f;

	if (!make_key(a, '\0', key) || !make_key(a, subaddress, d->base))
		return NOTHING;
	slice_copy(slice_str(key), d->key, sizeof(d->key));
	f = look(q, key, RULE_ADDRESS);
	if (f == NOTHING && strcmp(key, d->base) != 0)
		f = look(q, d->base, RULE_SUBADDRESS);
	return f;
}

/* The configuration's postmaster, who must have a route (T5). */
static enum found to_postmaster(struct ask *q)
{
	const struct conf_domain *dom;
	char domain[ADDR_MAX];
	const char *why;
	struct addr pm;
	enum found f;

	if (addr_parse(slice_str(q->c->postmaster), true, &pm, &why) < 0 ||
	    !normal_domain(pm.domain, domain))
		return NOTHING;
	dom = conf_domain(q->c, slice_str(domain));
	f = look_address(q, &pm, dom == NULL ? '\0' : dom->subaddress);
	if (f == NOTHING)
		f = look_domain(q, domain);
	q->d->rule = RULE_POSTMASTER;
	return f;
}

/* A recipient at a domain of ours. NOTHING: unknown. */
static enum found own_domain(struct ask *q, const struct conf_domain *dom)
{
	enum found f = look_address(q, q->to, dom->subaddress);

	if (f == BROKEN || !addr_is_role(q->to))
		return f;
	if (f == FOUND && q->d->route.kind == ROUTE_LEGS)
		return f;
	return to_postmaster(q);
}

static bool key_base(const struct conf *c, const char *key,
    char out[ADDR_MAX])
{
	const struct conf_domain *dom;
	struct addr a;
	const char *why;

	if (addr_parse(slice_str(key), true, &a, &why) < 0)
		return false;
	dom = conf_domain(c, a.domain);
	return make_key(&a, dom == NULL ? '\0' : dom->subaddress, out);
}

/* A leg's own address: the row it belongs to, else straight to that leg. */
static enum found leg_domain(struct ask *q, const struct conf_leg *leg)
{
	struct decision *d = q->d;
	char base[ADDR_MAX];
	struct error err;
	int n;

	if (!make_key(q->to, '\0', d->key) ||
	    !make_key(q->to, LEG_SUBADDRESS, base))
		return NOTHING;
	n = table_reverse(q->t,
	    (struct leg_address){slice_str(d->key), leg->id}, q->a, &d->row,
	    &err);
	if (n == 0 && strcmp(d->key, base) != 0)
		n = table_reverse(q->t,
		    (struct leg_address){slice_str(base), leg->id}, q->a,
		    &d->row, &err);
	d->rule = RULE_LEG_DOMAIN;
	if (n > 0) {
		take(q, RULE_LEG_DOMAIN, d->row.key);
		if (!key_base(q->c, d->row.key, d->base))
			slice_copy(slice_str(d->row.key), d->base,
			    sizeof(d->base));
		return FOUND;
	}
	slice_copy(slice_str(base), d->base, sizeof(d->base));
	d->route = (struct route){ROUTE_LEGS, 1, {(uint16_t)leg->id}};
	return n < 0 ? BROKEN : FOUND;
}

struct recipient_place {
	const struct conf_domain *own;
	const struct conf_leg *leg;
	char domain[ADDR_MAX];
};

bool route_is_itself(const struct conf *c, const struct addr *to)
{
	char domain[ADDR_MAX];

	if (addr_is_role(to) || !normal_domain(to->domain, domain))
		return false;
	return conf_domain(c, slice_str(domain)) != NULL ||
	       conf_leg_of_domain(c, slice_str(domain)) == NULL;
}

/* Is it the literal of an address of ours, "[192.0.2.1]"? */
static bool own_literal(const struct conf *c, const char *domain)
{
	struct slice text = slice_str(domain);
	struct conf_net it, own;
	const struct conf_nets just_it = {&it, 1}, just_own = {&own, 1};
	const char *why;

	if (text.n < 2 || text.p[0] != '[')
		return false;
	text = slice_head(slice_from(text, 1), text.n - 2);
	if (slice_starts(text, SLICE("ipv6:")))
		text = slice_from(text, 5);
	if (conf_net_parse(text, &it, &why) != 0)
		return false;
	for (int i = 0; i < c->listens; i++)
		for (int j = 0; j < c->listen[i].addresses; j++)
			if (conf_net_parse(
				slice_str(c->listen[i].address[j].host), &own,
				&why) == 0 &&
			    conf_nets_overlap(&just_it, &just_own))
				return true;
	return conf_nets_overlap(&just_it, &c->public_address);
}

/* Names of ours that are no domains of the configuration. Bare <postmaster> is
 * given our host name on its way in. */
static bool own_name(const struct conf *c, const char *domain)
{
	return strcmp(domain, c->hostname) == 0 ||
	       strcmp(domain, c->ret.domain) == 0 ||
	       strcmp(domain, c->srs.domain) == 0 || own_literal(c, domain);
}

/* Finds the recipient's domain and its row in the table. */
static enum found find(struct ask *q, struct recipient_place *p)
{
	struct error err;
	int64_t change;

	*p = (struct recipient_place){0};
	*q->d = (struct decision){.rule = RULE_RELAY, .row.route_text = ""};
	change = q->t == NULL ? -1 : table_change(q->t, &err);
	if (change < 0)
		return BROKEN;
	q->d->change = (uint64_t)change;
	if (q->to->domain.n == 0)
		return to_postmaster(q);
	if (!normal_domain(q->to->domain, p->domain))
		return NOTHING;
	p->own = conf_domain(q->c, slice_str(p->domain));
	if (p->own != NULL)
		return own_domain(q, p->own);
	if (addr_is_role(q->to) && own_name(q->c, p->domain))
		return to_postmaster(q);
	p->leg = conf_leg_of_domain(q->c, slice_str(p->domain));
	return p->leg != NULL ? leg_domain(q, p->leg) : NOTHING;
}

/* Was a leg's own address found as it is, not by its base? */
static bool found_whole(const struct decision *d, const struct addr *to)
{
	char full[ADDR_MAX], key[ADDR_MAX];
	const char *why;
	struct addr a;

	if (!make_key(to, '\0', full))
		return true;
	for (unsigned i = 0; i < d->row.addresses; i++)
		if (addr_parse(slice_str(d->row.address[i].address), true, &a,
			&why) == 0 &&
		    make_key(&a, '\0', key) && strcmp(key, full) == 0)
			return true;
	return false;
}

/* ---- what is said at RCPT --------------------------------------------- */

struct denial {
	int code;
	const char *enh, *text; /* RFC 3463 */
};

static const struct denial by_route[] = {
	[ROUTE_NONE] = {451, "4.3.5", "No route is set for this recipient"},
	[ROUTE_DEFER] = {450, "4.2.1", "Mailbox is being moved, try again "
				       "later"},
	[ROUTE_REJECT] = {550, "5.1.1", "No such recipient"},
	[ROUTE_GONE] = {550, "5.1.6", "Recipient has moved, no forwarding "
				      "address"},
};

static const struct denial by_policy[] = {
	[UNKNOWN_REJECT] = {550, "5.1.1", "No such recipient"},
	[UNKNOWN_DEFER] = {450, "4.1.1", "Recipient is not known yet, try "
					 "again later"},
};

static const struct denial no_relay = {550, "5.7.1", "Relaying denied"};
static const struct denial no_onward = {550, "5.7.1", "Relaying denied: the "
	"local part names another host"};
static const struct denial no_table = {451, "4.3.0", "Recipients can not be "
					 "looked up, try again later"};
static const struct denial no_local = {550, "5.1.3", "Bad recipient address"};

static void refuse(struct decision *d, const struct denial *s)
{
	d->verdict = VERDICT_REFUSE;
	reply_set(&d->reply, s->code, s->enh, "%s", s->text);
}

/* `own`: the recipient's domain; NULL: it is at none of ours. */
static void by_the_route(struct decision *d, const struct conf_domain *own)
{
	if (d->route.kind == ROUTE_LEGS)
		d->verdict = VERDICT_ACCEPT;
	else
		refuse(d, &by_route[d->route.kind]);
	if (d->route.kind == ROUTE_GONE && own != NULL &&
	    own->moved_to[0] != '\0')
		reply_set(&d->reply, by_route[ROUTE_GONE].code,
		    by_route[ROUTE_GONE].enh, "Recipient has moved; %s takes "
		    "its mail", own->moved_to);
}

/* The recipient has no row of its own, at a domain of ours. */
static void by_the_policy(struct ask *q, const struct recipient_place *p)
{
	struct decision *d = q->d;
	enum found f;

	d->rule = RULE_UNKNOWN;
	if (d->key[0] == '\0') {
		refuse(d, &no_local);
		return;
	}
	if (p->own->unknown != UNKNOWN_ROUTE &&
	    p->own->unknown != UNKNOWN_PROBE) {
		refuse(d, &by_policy[p->own->unknown]);
		return;
	}
	f = look_domain(q, p->domain);
	if (f == BROKEN) {
		refuse(d, &no_table);
		return;
	}
	by_the_route(d, p->own);
	/* Held mail is taken: no leg's word counts while mailboxes move. */
	d->ask = d->verdict == VERDICT_ACCEPT && !d->held &&
		 p->own->unknown == UNKNOWN_PROBE;
}

/* Would a leg that trusts our address relay it (T4)? A row of that very
 * address, not its base and not a default, says that it is a mailbox. */
static bool leads_on(const struct recipient_place *p, const struct decision *d,
    const struct addr *to)
{
	if ((p->own == NULL && p->leg == NULL) || !addr_leads_on(to))
		return false;
	return !d->row.found || (d->rule != RULE_ADDRESS &&
		(d->rule != RULE_LEG_DOMAIN || !found_whole(d, to)));
}

bool decision_ok(const struct decision *d)
{
	if (d->verdict == VERDICT_REFUSE)
		return !d->ask && d->reply.code >= 400 && d->reply.code <= 599;
	if (d->ask && d->held)
		return false;
	return d->rule == RULE_RETURN ||
	       (d->route.kind == ROUTE_LEGS && d->route.legs > 0);
}

void route_decide(const struct conf *c, struct table *t,
    const struct addr *to, struct arena *a, struct decision *decision_out)
{
	struct ask q = {c, t, to, a, decision_out};
	struct recipient_place p;
	enum found f = find(&q, &p);

	if (f == BROKEN) {
		decision_out->rule = RULE_TABLE;
		refuse(decision_out, &no_table);
	} else if (leads_on(&p, decision_out, to)) {
		decision_out->rule = RULE_ONWARD;
		refuse(decision_out, &no_onward);
	} else if (f == FOUND) {
		by_the_route(decision_out, p.own);
	} else if (decision_out->rule == RULE_POSTMASTER) {
		refuse(decision_out, &by_route[ROUTE_NONE]);
	} else if (p.own != NULL) {
		by_the_policy(&q, &p);
	} else {
		refuse(decision_out, &no_relay);
	}
	PH_ASSERT(decision_ok(decision_out));
}

bool route_resolve(const struct conf *c, struct table *t,
    const struct addr *to, struct arena *a, struct decision *decision_out)
{
	struct ask q = {c, t, to, a, decision_out};
	struct recipient_place p;
	enum found f = find(&q, &p);

	if (f == NOTHING && p.own != NULL && decision_out->key[0] != '\0' &&
	    decision_out->rule != RULE_POSTMASTER)
		f = look_domain(&q, p.domain);
	return f != BROKEN;
}

bool route_own_row(const struct conf *c, struct slice key,
    const struct route *r)
{
	char text[ADDR_MAX];
	const char *why;
	struct addr a;

	return addr_parse(key, true, &a, &why) == 0 &&
	       make_key(&a, '\0', text) && slice_eq(key, slice_str(text)) &&
	       conf_domain(c, a.domain) != NULL &&
	       (!addr_is_role(&a) || r->kind == ROUTE_LEGS);
}

/* ---- addresses -------------------------------------------------------- */

bool route_base(const struct conf *c, struct slice key, struct strbuf *out)
{
	char base[ADDR_MAX], text[ADDR_MAX];

	if (key.n == 0 || key.n >= sizeof(text) || key.p[0] == '@')
		return false;
	slice_copy(key, text, sizeof(text));
	strbuf_adds(out, key_base(c, text, base) ? base : text);
	return true;
}

static const char *rewrite_for(const struct decision *d, int leg)
{
	for (unsigned i = 0; i < d->row.addresses; i++)
		if (d->row.address[i].leg == leg)
			return d->row.address[i].address;
	return NULL;
}

/* The part of the address that the row does not cover: it goes along. */
static struct slice detail_left(const struct decision *d,
    const struct addr *to, const struct conf *c)
{
	const struct conf_domain *dom;
	char domain[ADDR_MAX];

	if (d->rule == RULE_LEG_DOMAIN)
		return found_whole(d, to) ? slice_of("", 0)
					  : addr_detail(to, LEG_SUBADDRESS);
	if (d->rule != RULE_SUBADDRESS ||
	    !normal_domain(to->domain, domain))
		return slice_of("", 0);
	dom = conf_domain(c, slice_str(domain));
	return dom == NULL ? slice_of("", 0)
			   : addr_detail(to, dom->subaddress);
}

/* The address in the table's terms, when the leg does not know it as it
 * came: another leg's own address. */
static bool foreign_to(const struct decision *d, const struct addr *to,
    int leg, const struct conf *c)
{
	char domain[ADDR_MAX];
	const struct conf_leg *owner;

	if (d->rule != RULE_LEG_DOMAIN || !d->row.found ||
	    !normal_domain(to->domain, domain))
		return false;
	owner = conf_leg_of_domain(c, slice_str(domain));
	return owner == NULL || owner->id != leg;
}

void route_address(const struct decision *d, int leg, const struct addr *to,
    const struct conf *c, struct strbuf *out)
{
	const char *rewrite = rewrite_for(d, leg);
	bool postmaster = d->rule == RULE_POSTMASTER;

	if (rewrite != NULL && rewrite[0] != '@') {
		addr_with_detail(slice_str(rewrite), detail_left(d, to, c),
		    out);
	} else if (postmaster) {
		strbuf_adds(out, c->postmaster);
	} else if (rewrite != NULL) {
		strbuf_addsl(out, to->local);
		strbuf_adds(out, rewrite);
	} else if (foreign_to(d, to, leg, c)) {
		addr_with_detail(slice_str(d->key), detail_left(d, to, c),
		    out);
	} else {
		strbuf_addsl(out, to->text);
	}
}
