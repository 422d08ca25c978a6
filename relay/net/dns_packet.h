/* SPDX-License-Identifier: ISC
 *
 * Names and records in a raw DNS message (RFC 1035 4.1), which strangers
 * write. Pure.
 *
 * Names are read into fixed buffers, lower case, without escapes: any octet may
 * be in them. Only a name that its text could not stand for (a dot inside a
 * label, a NUL) is marked odd and matches nothing.
 */
#ifndef RELAY_NET_DNS_PACKET_H
#define RELAY_NET_DNS_PACKET_H

#include "relay/net/dns_int.h"

enum { DNS_HEADER = 12, DNS_CNAME = 5 };

struct dns_name {
	char text[DNS_NAME_MAX + 1];
	bool odd;
};

struct dns_packet {
	const unsigned char *p;
	size_t n;
};

struct dns_record {
	struct dns_name owner;
	unsigned type, class;
	uint32_t ttl;
	size_t data, length; /* in the packet */
};

struct dns_section {
	const struct dns_packet *r;
	size_t begin, end;
	unsigned records;
};

/* The bytes are there. */
unsigned dns_u16(const struct dns_packet *r, size_t at);
uint32_t dns_u32(const struct dns_packet *r, size_t at);
/* Reads the name at `at`; the offset behind it, or 0 when it is none. A
 * pointer must lead backwards, so every one is followed at most once. */
size_t dns_name_read(const struct dns_packet *r, size_t at,
    struct dns_name *out);
bool dns_name_same(const struct dns_name *a, const struct dns_name *b);
/* The offset behind the record, or 0. */
size_t dns_record_read(const struct dns_packet *r, size_t at,
    struct dns_record *out);
/* Finds where `count` records end, so that later walks cannot fail. */
bool dns_section_skip(const struct dns_packet *r, size_t at, unsigned count,
    struct dns_section *out);
/* The name of an rcode that is an error. */
const char *dns_rcode_text(unsigned rcode);

#endif
