/* SPDX-License-Identifier: ISC
 *
 * The answer in a raw DNS reply (RFC 1035 4.1). c-ares gives no TTL of MX and
 * TXT, so the records are read here. Pure.
 *
 * Only the answer section, and in it only what the question leads to, is
 * believed.
 */
#include <stdlib.h>

#include "relay/base/mem.h"
#include "relay/net/dns.h"
#include "relay/net/dns_int.h"
#include "relay/net/dns_packet.h"

enum {
	AD = 0x20, /* of the fourth byte (RFC 4035 3.2.3) */
	HOPS_MAX = 8, /* of a CNAME chain */
	TLSA_HEAD = 3,
};

/* Follows the chain of aliases from *name; the smallest TTL on the way. */
static bool follow_aliases(const struct dns_section *s, struct dns_name *name,
    uint32_t *ttl_out)
{
	int hops = 0;
	bool moved;

	do {
		size_t at = s->begin;
		struct dns_record rec;

		moved = false;
		for (unsigned i = 0; i < s->records; i++) {
			at = dns_record_read(s->r, at, &rec);
			if (rec.type != DNS_CNAME ||
			    rec.class != DNS_CLASS_IN ||
			    !dns_name_same(&rec.owner, name))
				continue;
			if (++hops > HOPS_MAX ||
			    dns_name_read(s->r, rec.data, name) == 0)
				return false;
			if (rec.ttl < *ttl_out)
				*ttl_out = rec.ttl;
			moved = true;
		}
	} while (moved);
	return true;
}

static bool add_addr(struct dns_answer *a, const struct dns_packet *r,
    const struct dns_record *rec)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_in in = {.sin_family = AF_INET};

	if (rec->length != (a->type == DNS_A ? 4 : 16))
		return false;
	memcpy(&in.sin_addr, r->p + rec->data, 4);
	if (a->type == DNS_A) {
		netaddr_from(&a->addr[a->count++], (void *)&in);
		return true;
	}
	memcpy(&in6.sin6_addr, r->p + rec->data, 16);
	netaddr_from(&a->addr[a->count++], (void *)&in6);
	return true;
}

/* The name must fill the data to its end. */
static bool data_name(const struct dns_packet *r, const struct dns_record *rec,
    size_t skip, struct dns_name *out)
{
	return rec->length > skip &&
	       dns_name_read(r, rec->data + skip, out) ==
		   rec->data + rec->length;
}

static bool add_mx(struct dns_answer *a, const struct dns_packet *r,
    const struct dns_record *rec)
{
	struct dns_name host;

	if (!data_name(r, rec, 2, &host))
		return false;
	if (!host.odd)
		a->mx[a->count++] = (struct dns_mx){
			(int)dns_u16(r, rec->data), mem_strdup(host.text)};
	return true;
}

static bool add_ptr(struct dns_answer *a, const struct dns_packet *r,
    const struct dns_record *rec)
{
	struct dns_name host;

	if (!data_name(r, rec, 0, &host))
		return false;
	if (!host.odd)
		a->name[a->count++] = mem_strdup(host.text);
	return true;
}

static bool add_txt(struct dns_answer *a, const struct dns_packet *r,
    const struct dns_record *rec)
{
	const unsigned char *p = r->p + rec->data, *end = p + rec->length;
	char *text = mem_new(rec->length + 1);
	size_t n = 0;

	for (; p < end; p += 1 + *p) {
		if (*p > end - p - 1) {
			mem_free(text);
			return false;
		}
		memcpy(text + n, p + 1, *p);
		n += *p;
	}
	a->txt[a->count++] = slice_of(text, n);
	return true;
}

static bool add_tlsa(struct dns_answer *a, const struct dns_packet *r,
    const struct dns_record *rec)
{
	const unsigned char *p = r->p + rec->data;

	if (rec->length < TLSA_HEAD)
		return false;
	a->tlsa[a->count++] = (struct dns_tlsa){p[0], p[1], p[2],
	    slice_of(mem_dup(p + TLSA_HEAD, rec->length - TLSA_HEAD),
		rec->length - TLSA_HEAD)};
	return true;
}

static size_t element_size(enum dns_type type)
{
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		return sizeof(struct netaddr);
	case DNS_MX:
		return sizeof(struct dns_mx);
	case DNS_TXT:
		return sizeof(struct slice);
	case DNS_PTR:
		return sizeof(char *);
	case DNS_TLSA:
		return sizeof(struct dns_tlsa);
	case DNS_NS:
	case DNS_SOA: /* dns_told.h */
		break;
	}
	return 0;
}

static bool add_record(struct dns_answer *a, const struct dns_packet *r,
    const struct dns_record *rec)
{
	switch (a->type) {
	case DNS_A:
	case DNS_AAAA:
		return add_addr(a, r, rec);
	case DNS_MX:
		return add_mx(a, r, rec);
	case DNS_TXT:
		return add_txt(a, r, rec);
	case DNS_PTR:
		return add_ptr(a, r, rec);
	case DNS_TLSA:
		return add_tlsa(a, r, rec);
	case DNS_NS:
	case DNS_SOA:
		break;
	}
	return false;
}

static bool wanted(const struct dns_record *rec, const struct dns_answer *a,
    const struct dns_name *name)
{
	return rec->type == (unsigned)a->type && rec->class == DNS_CLASS_IN &&
	       dns_name_same(&rec->owner, name);
}

static bool collect(const struct dns_section *s, const struct dns_name *name,
    struct dns_answer *a)
{
	size_t at = s->begin, found = 0;
	struct dns_record rec;

	for (unsigned i = 0; i < s->records; i++) {
		at = dns_record_read(s->r, at, &rec);
		found += wanted(&rec, a, name);
	}
	if (found == 0)
		return true;
	a->addr = mem_new(found * element_size(a->type));
	at = s->begin;
	for (unsigned i = 0; i < s->records; i++) {
		at = dns_record_read(s->r, at, &rec);
		if (!wanted(&rec, a, name))
			continue;
		if (!add_record(a, s->r, &rec))
			return false;
		if (rec.ttl < a->ttl_s)
			a->ttl_s = rec.ttl;
	}
	return true;
}

/* How long "no" may be believed: RFC 2308 5. Without a SOA not at all. */
static uint32_t negative_ttl(const struct dns_section *authority)
{
	size_t at = authority->begin;
	struct dns_record rec;
	uint32_t minimum;

	for (unsigned i = 0; i < authority->records; i++) {
		at = dns_record_read(authority->r, at, &rec);
		if (rec.type != DNS_SOA || rec.length < 22)
			continue;
		minimum = dns_u32(authority->r, rec.data + rec.length - 4);
		return rec.ttl < minimum ? rec.ttl : minimum;
	}
	return 0;
}

static int by_preference(const void *a, const void *b)
{
	const struct dns_mx *x = a, *y = b;

	return x->preference - y->preference;
}

static int refuse(struct dns_answer *a, const char **why_out, const char *why)
{
	dns_answer_fini(a);
	*a = (struct dns_answer){
	    .status = DNS_FAILED, .type = a->type, .why = why};
	*why_out = why;
	return -1;
}

/* A packet that is known to be sound. */
struct dns_sound {
	unsigned rcode;
	const char *asked;
	struct dns_name name;
	struct dns_section section[2];
};

/* Status, TTL and records. */
static int judge(struct dns_sound *s, struct dns_answer *a,
    const char **why_out)
{
	const struct dns_section *section = s->section;
	struct dns_name *name = &s->name;

	a->ttl_s = UINT32_MAX;
	if (!follow_aliases(&section[0], name, &a->ttl_s))
		return refuse(a, why_out, "an alias loop");
	if (!collect(&section[0], name, a))
		return refuse(a, why_out, "a malformed record");
	if (s->rcode == 0 && a->count > 0) {
		if (strcmp(name->text, s->asked) != 0)
			a->alias_of = mem_strdup(name->text);
		if (a->type == DNS_MX)
			qsort(a->mx, (size_t)a->count, sizeof(a->mx[0]),
			    by_preference);
		return 0;
	}
	dns_answer_fini(a);
	a->status = s->rcode == 3 ? DNS_NXDOMAIN : DNS_NODATA;
	a->ttl_s = negative_ttl(&section[1]);
	return 0;
}

int dns_reply_read(struct slice packet, enum dns_type type,
    char asked_out[DNS_NAME_MAX + 1], struct dns_answer *answer_out,
    const char **why_out)
{
	struct dns_packet r = {(const unsigned char *)packet.p, packet.n};
	struct dns_sound s = {.asked = asked_out};
	size_t at;

	*answer_out = (struct dns_answer){.status = DNS_OK, .type = type};
	asked_out[0] = '\0';
	if (r.n < DNS_HEADER || (r.p[2] & 0x80) == 0 || dns_u16(&r, 4) != 1)
		return refuse(answer_out, why_out, "not a reply");
	s.rcode = r.p[3] & 15;
	answer_out->secure = (r.p[3] & AD) != 0;
	at = dns_name_read(&r, DNS_HEADER, &s.name);
	if (at == 0 || at + 4 > r.n || dns_u16(&r, at) != (unsigned)type ||
	    dns_u16(&r, at + 2) != DNS_CLASS_IN)
		return refuse(answer_out, why_out, "another question");
	memcpy(asked_out, s.name.text, sizeof(s.name.text));
	if (s.rcode != 0 && s.rcode != 3)
		return refuse(answer_out, why_out, dns_rcode_text(s.rcode));
	if (r.p[2] & 0x02)
		return refuse(answer_out, why_out, "a truncated reply");
	if (!dns_section_skip(&r, at + 4, dns_u16(&r, 6), &s.section[0]) ||
	    !dns_section_skip(&r, s.section[0].end, dns_u16(&r, 8),
		&s.section[1]))
		return refuse(answer_out, why_out, "a malformed record");
	return judge(&s, answer_out, why_out);
}

bool dns_is_host(const char *name)
{
	for (; *name != '\0'; name++)
		if (*name <= ' ' || *name > '~' || *name == '\\')
			return false;
	return true;
}

int dns_reply_parse(struct slice packet, enum dns_type type,
    struct dns_answer *answer_out, const char **why_out)
{
	char asked[DNS_NAME_MAX + 1];

	return dns_reply_read(packet, type, asked, answer_out, why_out);
}

void dns_answer_fini(struct dns_answer *a)
{
	for (int i = 0; i < a->count; i++) {
		if (a->type == DNS_MX)
			mem_free(a->mx[i].host);
		else if (a->type == DNS_PTR)
			mem_free(a->name[i]);
		else if (a->type == DNS_TXT)
			mem_free((char *)(uintptr_t)a->txt[i].p);
		else if (a->type == DNS_TLSA)
			mem_free((char *)(uintptr_t)a->tlsa[i].data.p);
	}
	mem_free(a->addr);
	mem_free(a->alias_of);
	a->alias_of = NULL;
	a->addr = NULL;
	a->count = 0;
}
