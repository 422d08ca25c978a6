/* SPDX-License-Identifier: ISC
 *
 * The answer in a raw DNS reply (RFC 1035 4.1). c-ares gives no TTL of MX and
 * TXT, so the records are read here. Pure.
 *
 * Names are read into fixed buffers, lower case, without escapes: any octet may
 * be in them. Only a name that its text could not stand for (a dot inside a
 * label, a NUL) is marked odd and matches nothing. Only the answer section, and
 * in it only what the question leads to, is believed.
 */
#include <stdlib.h>

#include "relay/base/mem.h"
#include "relay/net/dns.h"
#include "relay/net/dns_int.h"

enum {
	HEADER = 12,
	AD = 0x20, /* of the fourth byte (RFC 4035 3.2.3) */
	CNAME = 5,
	SOA = 6,
	HOPS_MAX = 8, /* of a CNAME chain */
	TLSA_HEAD = 3,
};

struct name {
	char text[DNS_NAME_MAX + 1];
	bool odd;
};

struct dns_record {
	struct name owner;
	unsigned type, class;
	uint32_t ttl;
	size_t data, length; /* in the packet */
};

struct dns_packet {
	const unsigned char *p;
	size_t n;
};

static unsigned u16(const struct dns_packet *r, size_t at)
{
	return (unsigned)r->p[at] << 8 | r->p[at + 1];
}

static uint32_t u32(const struct dns_packet *r, size_t at)
{
	return (uint32_t)u16(r, at) << 16 | u16(r, at + 2);
}

static bool add_label(struct name *out, size_t *used,
    const unsigned char *label, size_t n)
{
	if (*used + n + (*used > 0) > DNS_NAME_MAX)
		return false;
	if (*used > 0)
		out->text[(*used)++] = '.';
	for (size_t i = 0; i < n; i++) {
		char c = ascii_lower((char)label[i]);

		if (c == '\0' || c == '.')
			out->odd = true;
		out->text[(*used)++] = c;
	}
	return true;
}

/* Reads the name at `at`; the offset behind it, or 0 when it is none. A
 * pointer must lead backwards, so every one is followed at most once. */
static size_t read_name(const struct dns_packet *r, size_t at, struct name *out)
{
	size_t used = 0, end = 0, low = at;

	out->odd = false;
	while (at < r->n) {
		unsigned n = r->p[at];

		if (n == 0) {
			out->text[used] = '\0';
			return end != 0 ? end : at + 1;
		}
		if (n >= 0xc0) {
			if (at + 2 > r->n)
				return 0;
			if (end == 0)
				end = at + 2;
			at = u16(r, at) & 0x3fff;
			if (at >= low || at < HEADER)
				return 0;
			low = at;
		} else if (n > 63 || at + 1 + n > r->n ||
		    !add_label(out, &used, r->p + at + 1, n)) {
			return 0;
		} else {
			at += 1 + n;
		}
	}
	return 0;
}

static bool same_name(const struct name *a, const struct name *b)
{
	return !a->odd && !b->odd && strcmp(a->text, b->text) == 0;
}

/* The offset behind the record, or 0. */
static size_t read_record(const struct dns_packet *r, size_t at,
    struct dns_record *out)
{
	at = read_name(r, at, &out->owner);
	if (at == 0 || at + 10 > r->n)
		return 0;
	out->type = u16(r, at);
	out->class = u16(r, at + 2);
	out->ttl = u32(r, at + 4);
	out->length = u16(r, at + 8);
	out->data = at + 10;
	if (out->data + out->length > r->n)
		return 0;
	/* RFC 2181 8: the sign bit means zero. */
	if (out->ttl > INT32_MAX)
		out->ttl = 0;
	return out->data + out->length;
}

struct section {
	const struct dns_packet *r;
	size_t begin, end;
	unsigned records;
};

/* Finds where `count` records end, so that later walks cannot fail. */
static bool skip_section(const struct dns_packet *r, size_t at, unsigned count,
    struct section *out)
{
	struct dns_record rec;

	*out = (struct section){r, at, at, count};
	for (unsigned i = 0; i < count; i++) {
		at = read_record(r, at, &rec);
		if (at == 0)
			return false;
	}
	out->end = at;
	return true;
}

/* Follows the chain of aliases from *name; the smallest TTL on the way. */
static bool follow_aliases(const struct section *s, struct name *name,
    uint32_t *ttl_out)
{
	int hops = 0;
	bool moved;

	do {
		size_t at = s->begin;
		struct dns_record rec;

		moved = false;
		for (unsigned i = 0; i < s->records; i++) {
			at = read_record(s->r, at, &rec);
			if (rec.type != CNAME || rec.class != DNS_CLASS_IN ||
			    !same_name(&rec.owner, name))
				continue;
			if (++hops > HOPS_MAX ||
			    read_name(s->r, rec.data, name) == 0)
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
    size_t skip, struct name *out)
{
	return rec->length > skip &&
	       read_name(r, rec->data + skip, out) == rec->data + rec->length;
}

static bool add_mx(struct dns_answer *a, const struct dns_packet *r,
    const struct dns_record *rec)
{
	struct name host;

	if (!data_name(r, rec, 2, &host))
		return false;
	if (!host.odd)
		a->mx[a->count++] = (struct dns_mx){
			(int)u16(r, rec->data), mem_strdup(host.text)};
	return true;
}

static bool add_ptr(struct dns_answer *a, const struct dns_packet *r,
    const struct dns_record *rec)
{
	struct name host;

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
	}
	return false;
}

static bool wanted(const struct dns_record *rec, const struct dns_answer *a,
    const struct name *name)
{
	return rec->type == (unsigned)a->type && rec->class == DNS_CLASS_IN &&
	       same_name(&rec->owner, name);
}

static bool collect(const struct section *s, const struct name *name,
    struct dns_answer *a)
{
	size_t at = s->begin, found = 0;
	struct dns_record rec;

	for (unsigned i = 0; i < s->records; i++) {
		at = read_record(s->r, at, &rec);
		found += wanted(&rec, a, name);
	}
	if (found == 0)
		return true;
	a->addr = mem_new(found * element_size(a->type));
	at = s->begin;
	for (unsigned i = 0; i < s->records; i++) {
		at = read_record(s->r, at, &rec);
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
static uint32_t negative_ttl(const struct section *authority)
{
	size_t at = authority->begin;
	struct dns_record rec;
	uint32_t minimum;

	for (unsigned i = 0; i < authority->records; i++) {
		at = read_record(authority->r, at, &rec);
		if (rec.type != SOA || rec.length < 22)
			continue;
		minimum = u32(authority->r, rec.data + rec.length - 4);
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

static const char *rcode_text(unsigned rcode)
{
	switch (rcode) {
	case 1:
		return "FORMERR";
	case 2:
		return "SERVFAIL";
	case 4:
		return "NOTIMP";
	case 5:
		return "REFUSED";
	}
	return "an unknown response code";
}

/* A packet that is known to be sound. */
struct dns_sound {
	unsigned rcode;
	const char *asked;
	struct name name;
	struct section section[2];
};

/* Status, TTL and records. */
static int judge(struct dns_sound *s, struct dns_answer *a,
    const char **why_out)
{
	const struct section *section = s->section;
	struct name *name = &s->name;

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
	if (r.n < HEADER || (r.p[2] & 0x80) == 0 || u16(&r, 4) != 1)
		return refuse(answer_out, why_out, "not a reply");
	s.rcode = r.p[3] & 15;
	answer_out->secure = (r.p[3] & AD) != 0;
	at = read_name(&r, HEADER, &s.name);
	if (at == 0 || at + 4 > r.n || u16(&r, at) != (unsigned)type ||
	    u16(&r, at + 2) != DNS_CLASS_IN)
		return refuse(answer_out, why_out, "another question");
	memcpy(asked_out, s.name.text, sizeof(s.name.text));
	if (s.rcode != 0 && s.rcode != 3)
		return refuse(answer_out, why_out, rcode_text(s.rcode));
	if (r.p[2] & 0x02)
		return refuse(answer_out, why_out, "a truncated reply");
	if (!skip_section(&r, at + 4, u16(&r, 6), &s.section[0]) ||
	    !skip_section(&r, s.section[0].end, u16(&r, 8), &s.section[1]))
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
