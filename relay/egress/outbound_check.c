/* SPDX-License-Identifier: ISC
 *
 * See outbound_check.h. Each own domain, and the domains of srs and return, is
 * judged over each egress in use as mail of its postmaster would be.
 */
#include "relay/egress/outbound_check.h"

#include "relay/egress/egress_alone.h"
#include "relay/egress/egress_text.h"
#include "relay/egress/outbound_hosts.h"

enum { LINE_MAX_BYTES = 2048 };

struct record_check {
	struct spf_alone *o;
	const struct conf *c;
	void (*warn)(void *arg, const char *line);
	void *arg;
	unsigned warnings;
};

static void warn(void *arg, const char *line)
{
	struct record_check *k = arg;

	k->warnings++;
	k->warn(k->arg, line);
}

/* ---- records of SPF ------------------------------------------------------ */

/* The terms of all egresses in use: "ip4:192.0.2.1/32 include:x.example". */
static void add_terms(const struct conf *c, struct strbuf *out)
{
	for (int i = 0; i < c->outbound.ways; i++) {
		if (i > 0)
			strbuf_addc(out, ' ');
		egress_add_term(&c->leg[c->outbound.way[i]], out);
	}
}

/* Says it of the record as a whole. False: its verdicts say more. */
static bool say_whole(const struct record_check *k, const char *domain,
    enum spf_result result, struct strbuf *out)
{
	switch (result) {
	case SPF_NONE:
		strbuf_addf(out, "%s has no SPF record, so receivers cannot "
		    "tell its mail from forged mail; add a TXT record "
		    "\"v=spf1 ", domain);
		add_terms(k->c, out);
		strbuf_adds(out, " ~all\"");
		return true;
	case SPF_PERMERROR:
		strbuf_addf(out, "the SPF record of %s is in error, which "
		    "receivers take for a failure; posthouse spf check says "
		    "where", domain);
		return true;
	case SPF_TEMPERROR:
		strbuf_addf(out, "the SPF record of %s cannot be read now; "
		    "check again when the DNS answers", domain);
		return true;
	default:
		return false;
	}
}

static void say_way(const struct record_check *k, const char *domain,
    const struct egress_verdict *v, struct strbuf *out)
{
	const struct conf_leg *leg = conf_leg_by_id(k->c, v->leg);

	strbuf_addf(out, "the SPF record of %s says %s of egress \"%s\" (%s); "
	    "add ", domain, spf_result_text(v->result), leg->name,
	    v->mechanism);
	egress_add_term(leg, out);
	strbuf_adds(out, " to it");
}

static void say_verdicts(struct record_check *k, const char *domain,
    const struct egress_judged *judged)
{
	struct strbuf line;
	bool whole = false;

	for (unsigned i = 0; i < judged->n && !whole; i++) {
		if (judged->way[i].result == SPF_PASS)
			continue;
		strbuf_init(&line, LINE_MAX_BYTES);
		whole = say_whole(k, domain, judged->way[i].result, &line);
		if (!whole)
			say_way(k, domain, &judged->way[i], &line);
		warn(k, strbuf_cstr(&line));
		strbuf_fini(&line);
	}
}

/* ---- what a record costs ------------------------------------------------- */

struct read_record {
	const char *domain;
	unsigned lookups;
	bool silent; /* it has ?all: it says nothing of others */
};

static bool has_term(struct slice record, struct slice term)
{
	struct slice word;

	while (slice_next(&record, ' ', &word))
		if (slice_case_eq(word, term))
			return true;
	return slice_case_eq(record, term);
}

static void on_read(void *arg, const struct spf_checked *found)
{
	struct read_record *r = arg;

	r->lookups = found->verdict.lookups;
	for (int i = 0; i < found->reads; i++)
		if (slice_case_eq(found->read[i].name, slice_str(r->domain)))
			r->silent |= has_term(found->read[i].record,
			    SLICE("?all"));
}

/* A client of no network (RFC 1112 4) has each term of the record evaluated. */
static void read_record(struct record_check *k, const char *sender,
    struct read_record *out)
{
	struct netaddr nowhere;
	struct spf_subject s = {.client = &nowhere, .ours = true,
	    .helo = slice_str(k->c->hostname), .sender = slice_str(sender)};

	if (netaddr_parse(&nowhere, SLICE("240.0.0.1"), 0) == 0)
		spf_alone_run(k->o, &s, on_read, out);
}

static void say_cost(struct record_check *k, const struct read_record *r)
{
	struct strbuf line;

	if (r->lookups <= OUTBOUND_CHECK_LOOKUPS)
		return;
	strbuf_init(&line, LINE_MAX_BYTES);
	strbuf_addf(&line, "the SPF record of %s needs %u lookups, and over 10 "
	    "receivers take it for an error (RFC 7208 4.6.4); write addresses "
	    "(ip4:, ip6:) instead of names until it needs %d at most",
	    r->domain, r->lookups, OUTBOUND_CHECK_LOOKUPS);
	warn(k, strbuf_cstr(&line));
	strbuf_fini(&line);
}

/* It judges a copy by the true client, which no record of ours lists. */
static void say_strict(struct record_check *k, const struct read_record *r)
{
	struct strbuf line;

	for (int i = 0; i < k->c->legs && !r->silent; i++) {
		const struct conf_leg *leg = &k->c->leg[i];

		if (strcmp(r->domain, k->c->ret.domain) != 0 ||
		    !leg_looks_through(leg))
			continue;
		strbuf_init(&line, LINE_MAX_BYTES);
		strbuf_addf(&line, "leg \"%s\" looks through us, so it judges "
		    "copies from return addresses at %s by the client's "
		    "address; add ?all as the last term of its SPF record",
		    leg->name, r->domain);
		warn(k, strbuf_cstr(&line));
		strbuf_fini(&line);
	}
}

static void check_domain(struct record_check *k, const char *domain)
{
	struct egress_subject s = {.conf = k->c};
	struct read_record r = {.domain = domain};
	struct egress_judged judged;
	struct strbuf sender;
	const char *why;

	strbuf_init(&sender, ADDR_MAX);
	strbuf_addf(&sender, "postmaster@%s", domain);
	if (addr_parse(strbuf_view(&sender), true, &s.from, &why) == 0) {
		egress_judge_alone(k->o, &s, &judged);
		say_verdicts(k, domain, &judged);
		read_record(k, strbuf_cstr(&sender), &r);
		say_cost(k, &r);
		say_strict(k, &r);
	}
	strbuf_fini(&sender);
}

unsigned outbound_check(struct spf_alone *o, const struct conf *c,
    void (*tell)(void *arg, const char *line), void *arg)
{
	struct record_check k = {o, c, tell, arg, 0};
	const char *for_bounces[] = {c->srs.domain, c->ret.domain};
	struct outbound_hosts hosts = {o, c, warn, &k};

	for (int i = 0; i < c->domains && c->outbound.ways > 0; i++)
		check_domain(&k, c->domain[i].name);
	for (size_t i = 0; i < ARRAY_LEN(for_bounces); i++) {
		if (for_bounces[i][0] == '\0')
			continue;
		if (c->outbound.ways > 0)
			check_domain(&k, for_bounces[i]);
		outbound_hosts_mx(&hosts, for_bounces[i]);
	}
	for (int i = 0; i < c->outbound.ways; i++)
		outbound_hosts_name(&hosts, &c->leg[c->outbound.way[i]]);
	return k.warnings;
}
