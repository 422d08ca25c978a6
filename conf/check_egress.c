/* SPDX-License-Identifier: ISC
 *
 * The ways out to the internet: what receivers see of each, by which records
 * of SPF judge it, and those that outbound.use names. And what legs believe of
 * us: one that looks through us judges the client, not our address.
 */
#include "conf/check.h"

#include <netinet/in.h>

/* RFC 1918, 3927, 4193, 4291, 6598: no receiver sees them. */
static const char *const unseen[] = {"10.0.0.0/8", "100.64.0.0/10",
    "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::1",
    "fc00::/7", "fe80::/10", NULL};

static bool is_seen(struct conf_net *net)
{
	const struct conf_nets one = {net, 1};
	struct conf_net private;
	const char *why;

	for (int i = 0; unseen[i] != NULL; i++)
		if (conf_net_parse(slice_str(unseen[i]), &private, &why) == 0 &&
		    conf_nets_overlap(&one,
			&(struct conf_nets){&private, 1}))
			return false;
	return true;
}

/* Our own addresses as the other side sees them: spf_address, else
 * public_address, else a public source. */
static void find_own(const struct conf *c, struct conf_leg *l)
{
	struct conf_net *net;
	const char *why;

	if (l->egress)
		l->seen = l->spf_address;
	if (l->seen.count != 0)
		return;
	l->seen = c->public_address;
	if (l->seen.count != 0 || l->source[0] == '\0')
		return;
	net = arena_alloc(c->arena, sizeof(*net));
	if (conf_net_parse(slice_str(l->source), net, &why) == 0 &&
	    is_seen(net))
		l->seen = (struct conf_nets){net, 1};
}

/* Behind an egress that is another host, receivers see that host. */
static void find_seen(const struct conf *c, struct conf_leg *l)
{
	if (l->egress && !l->direct)
		l->seen = l->spf_address;
	else
		find_own(c, l);
}

static bool has_family(const struct conf_nets *nets, int family)
{
	for (int i = 0; i < nets->count; i++)
		if (nets->net[i].family == family)
			return true;
	return false;
}

/* It connects over what was judged, or the other side would see another address
 * than the one that the record was asked about. */
static int keep_to_families(struct conf_leg *l, struct error *err)
{
	bool v4 = has_family(&l->seen, AF_INET);
	bool v6 = has_family(&l->seen, AF_INET6);

	if (v4 && v6)
		return 0;
	if (l->family == (v4 ? FAMILY_V6_ONLY : FAMILY_V4_ONLY))
		return error_at(err, l->file, l->line, "%s \"%s\" has "
		    "family = \"%s\", and the addresses that %s "
		    "not of that family; correct one of the two",
		    l->egress ? "egress" : "leg", l->name,
		    v4 ? "ipv6" : "ipv4", l->egress ? "receivers see are"
						    : "it sees us by are");
	l->family = v4 ? FAMILY_V4_ONLY : FAMILY_V6_ONLY;
	return 0;
}

static int check_used(struct conf_leg *l, struct error *err)
{
	if (l->direct && l->spf_include[0] != '\0')
		return error_at(err, l->file, l->line, "egress \"%s\" is "
		    "direct, so receivers see addresses of ours; write "
		    "spf_address instead of spf_include", l->name);
	if (l->seen.count == 0 && l->spf_include[0] == '\0')
		return error_at(err, l->file, l->line, "egress \"%s\" is in "
		    "outbound.use, and by no address could SPF judge it; "
		    "write spf_address = { \"198.51.100.7\" }%s", l->name,
		    l->direct ? "" : " or spf_include = \"DOMAIN\"");
	return l->direct ? keep_to_families(l, err) : 0;
}

static int find_egress(const struct conf *c, const char *name)
{
	for (int i = 0; i < c->legs; i++)
		if (c->leg[i].egress && strcmp(c->leg[i].name, name) == 0)
			return i;
	return -1;
}

static int use_one(struct conf *c, const struct doc_place *at,
    const char *name, struct error *err)
{
	int way = find_egress(c, name);

	if (way < 0)
		return error_at(err, at->file, at->line, "outbound.use: there "
		    "is no egress \"%s\"; name one that has a section", name);
	for (int i = 0; i < c->outbound.ways; i++)
		if (c->outbound.way[i] == way)
			return error_at(err, at->file, at->line,
			    "outbound.use names \"%s\" twice; name it once",
			    name);
	if (c->outbound.ways == EGRESSES_MAX)
		return error_at(err, at->file, at->line, "outbound.use names "
		    "more than %d egresses; leave some out", EGRESSES_MAX);
	c->outbound.way[c->outbound.ways++] = way;
	return check_used(&c->leg[way], err);
}

int egresses_check(struct conf *c, const struct doc *doc, struct error *err)
{
	struct doc_place at = doc_place(doc, SEC_OUTBOUND, "use");

	for (int i = 0; i < c->legs; i++)
		find_seen(c, &c->leg[i]);
	c->outbound.way = arena_alloc(c->arena,
	    EGRESSES_MAX * sizeof(c->outbound.way[0]));
	for (int i = 0; i < c->outbound.use.count; i++)
		if (use_one(c, &at, c->outbound.use.s[i], err) != 0)
			return -1;
	return 0;
}

/* ---- what legs believe of us --------------------------------------------- */

bool leg_looks_through(const struct conf_leg *l)
{
	return l->trust == TRUST_SKIP_LISTING ||
	       l->trust == TRUST_INBOUND_GATEWAY;
}

static int check_known_by(const struct conf_leg *l, struct error *err)
{
	if (l->trust != TRUST_CERTIFICATE || l->certificate[0] != '\0')
		return 0;
	return error_at(err, l->file, l->line, "leg \"%s\" has trust = "
	    "\"certificate\", and shows none; write certificate = \"FILE\", "
	    "or trust = \"address\"", l->name);
}

static int check_seen(struct conf_leg *l, struct error *err)
{
	if (l->seen.count != 0)
		return keep_to_families(l, err);
	return error_at(err, l->file, l->line, "leg \"%s\" has rewrite_sender "
	    "= \"when-spf-fails\", and by no address could SPF judge us; "
	    "write public_address = { \"198.51.100.7\" }, the addresses that "
	    "it sees us by", l->name);
}

static int check_rewriting(const struct conf *c, struct conf_leg *l,
    struct error *err)
{
	if (l->rewrite_sender == REWRITE_NEVER)
		return 0;
	if (leg_looks_through(l))
		return error_at(err, l->file, l->line, "leg \"%s\" looks "
		    "through us (trust = \"%s\"), so srs.domain would be "
		    "judged by the client's address and fail; write "
		    "rewrite_sender = \"never\"", l->name,
		    l->trust == TRUST_SKIP_LISTING ? "skip-listing" :
						     "inbound-gateway");
	if (l->xclient)
		return error_at(err, l->file, l->line, "leg \"%s\" is told "
		    "the client (xclient = true), so its SPF would judge "
		    "srs.domain by the client's address and fail it; write "
		    "rewrite_sender = \"never\", or xclient = false",
		    l->name);
	if (c->srs.domain[0] == '\0')
		return error_at(err, l->file, l->line, "leg \"%s\" has "
		    "rewrite_sender = \"when-spf-fails\", and there is no "
		    "domain to rewrite to; write the section srs { ... }",
		    l->name);
	if (c->ret.domain[0] == '\0' && c->dsn.guard != GUARD_OFF)
		return error_at(err, l->file, l->line, "leg \"%s\" has "
		    "rewrite_sender = \"when-spf-fails\", and its bounces of "
		    "forged mail would have no address to go to; write the "
		    "section return { ... }", l->name);
	return check_seen(l, err);
}

int trust_check(struct conf *c, struct error *err)
{
	for (int i = 0; i < c->legs; i++) {
		struct conf_leg *l = &c->leg[i];

		if (!l->egress && (check_known_by(l, err) != 0 ||
				      check_rewriting(c, l, err) != 0))
			return -1;
	}
	return 0;
}
