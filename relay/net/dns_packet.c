/* SPDX-License-Identifier: ISC
 *
 * See dns_packet.h.
 */
#include "relay/net/dns_packet.h"

unsigned dns_u16(const struct dns_packet *r, size_t at)
{
	return (unsigned)r->p[at] << 8 | r->p[at + 1];
}

uint32_t dns_u32(const struct dns_packet *r, size_t at)
{
	return (uint32_t)dns_u16(r, at) << 16 | dns_u16(r, at + 2);
}

static bool add_label(struct dns_name *out, size_t *used,
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

size_t dns_name_read(const struct dns_packet *r, size_t at,
    struct dns_name *out)
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
			at = dns_u16(r, at) & 0x3fff;
			if (at >= low || at < DNS_HEADER)
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

bool dns_name_same(const struct dns_name *a, const struct dns_name *b)
{
	return !a->odd && !b->odd && strcmp(a->text, b->text) == 0;
}

size_t dns_record_read(const struct dns_packet *r, size_t at,
    struct dns_record *out)
{
	at = dns_name_read(r, at, &out->owner);
	if (at == 0 || at + 10 > r->n)
		return 0;
	out->type = dns_u16(r, at);
	out->class = dns_u16(r, at + 2);
	out->ttl = dns_u32(r, at + 4);
	out->length = dns_u16(r, at + 8);
	out->data = at + 10;
	if (out->data + out->length > r->n)
		return 0;
	/* RFC 2181 8: the sign bit means zero. */
	if (out->ttl > INT32_MAX)
		out->ttl = 0;
	return out->data + out->length;
}

bool dns_section_skip(const struct dns_packet *r, size_t at, unsigned count,
    struct dns_section *out)
{
	struct dns_record rec;

	*out = (struct dns_section){r, at, at, count};
	for (unsigned i = 0; i < count; i++) {
		at = dns_record_read(r, at, &rec);
		if (at == 0)
			return false;
	}
	out->end = at;
	return true;
}

const char *dns_rcode_text(unsigned rcode)
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
	case 9:
		return "NOTAUTH";
	}
	return "an unknown response code";
}
