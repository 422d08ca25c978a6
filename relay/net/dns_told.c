/* SPDX-License-Identifier: ISC
 *
 * See dns_told.h. RFC 1034 4.3.2 (delegations), RFC 1035 4.1.1 (AA), RFC 2308.
 */
#include "relay/net/dns_told.h"

#include <stdio.h>

#include "relay/net/dns_packet.h"

enum {
	QR = 0x80, AA = 0x04, TC = 0x02, /* of the third byte  */
	RCODE = 0x0f,			 /* of the fourth byte */
	SOA_NUMBERS = 20,		 /* behind its two names */
};

static int refuse(const char **why_out, const char *why)
{
	*why_out = why;
	return -1;
}

/* A name in normal form, as text that a command may show. */
static bool is_fit(const struct dns_name *n)
{
	return !n->odd && dns_is_host(n->text);
}

static void take_soa(struct dns_told *out, const struct dns_packet *r,
    const struct dns_record *rec)
{
	struct dns_name host, person;
	size_t at = dns_name_read(r, rec->data, &host);

	if (out->zone[0] != '\0' || !is_fit(&rec->owner) || at == 0)
		return;
	at = dns_name_read(r, at, &person);
	if (at == 0 || at + SOA_NUMBERS != rec->data + rec->length)
		return;
	snprintf(out->zone, sizeof(out->zone), "%s", rec->owner.text);
	out->serial = dns_u32(r, at);
}

static void take_ns(struct dns_told *out, const struct dns_packet *r,
    const struct dns_record *rec)
{
	struct dns_name host;

	if (!is_fit(&rec->owner) ||
	    dns_name_read(r, rec->data, &host) != rec->data + rec->length ||
	    !is_fit(&host) || host.text[0] == '\0')
		return;
	if (out->servers == 0) {
		snprintf(out->owner, sizeof(out->owner), "%s",
		    rec->owner.text);
		out->ttl_s = rec->ttl;
	}
	if (strcmp(out->owner, rec->owner.text) != 0)
		return;
	if (out->servers == DNS_TOLD_SERVERS) {
		out->more = true;
		return;
	}
	if (rec->ttl < out->ttl_s)
		out->ttl_s = rec->ttl;
	snprintf(out->server[out->servers++], sizeof(out->server[0]), "%s",
	    host.text);
}

static void take_section(struct dns_told *out, const struct dns_section *s)
{
	size_t at = s->begin;
	struct dns_record rec;

	for (unsigned i = 0; i < s->records; i++) {
		at = dns_record_read(s->r, at, &rec);
		if (rec.class != DNS_CLASS_IN)
			continue;
		if (rec.type == DNS_SOA)
			take_soa(out, s->r, &rec);
		else if (rec.type == DNS_NS)
			take_ns(out, s->r, &rec);
	}
}

int dns_told_parse(struct slice packet, enum dns_type type, const char *name,
    struct dns_told *out, const char **why_out)
{
	const struct dns_packet r = {(const unsigned char *)packet.p,
	    packet.n};
	struct dns_section answer, authority;
	struct dns_name asked;
	size_t at;

	*out = (struct dns_told){.serial = -1};
	if (r.n < DNS_HEADER || (r.p[2] & QR) == 0 || dns_u16(&r, 4) != 1)
		return refuse(why_out, "not a reply");
	at = dns_name_read(&r, DNS_HEADER, &asked);
	if (at == 0 || at + 4 > r.n || dns_u16(&r, at) != (unsigned)type ||
	    dns_u16(&r, at + 2) != DNS_CLASS_IN || asked.odd ||
	    strcmp(asked.text, name) != 0)
		return refuse(why_out, "another question");
	out->authoritative = (r.p[2] & AA) != 0;
	out->rcode = r.p[3] & RCODE;
	if (r.p[2] & TC)
		return refuse(why_out, "a truncated reply");
	if (!dns_section_skip(&r, at + 4, dns_u16(&r, 6), &answer) ||
	    !dns_section_skip(&r, answer.end, dns_u16(&r, 8), &authority))
		return refuse(why_out, "a malformed record");
	take_section(out, &answer);
	take_section(out, &authority);
	return 0;
}
