/* SPDX-License-Identifier: ISC
 *
 * More of a raw DNS reply than the records that were asked for: with which
 * authority it comes, of which zone, and which name servers it names.
 */
#ifndef RELAY_NET_DNS_TOLD_H
#define RELAY_NET_DNS_TOLD_H

#include "relay/net/dns_int.h"

enum { DNS_TOLD_SERVERS = 16 };

struct dns_told {
	bool authoritative; /* AA */
	unsigned rcode;
	char zone[DNS_NAME_MAX + 1]; /* that an SOA names; "" : none did */
	int64_t serial;		     /* of that SOA; -1 */
	/* NS records, of the answer or of the authority section (a delegation
	 * there), of one owner. */
	char owner[DNS_NAME_MAX + 1]; /* "" : there are none */
	uint32_t ttl_s;		      /* the smallest of them */
	char server[DNS_TOLD_SERVERS][DNS_NAME_MAX + 1];
	int servers;
	bool more; /* than fit */
};

/* Pure, fuzzed. 0, or -1 and why: it is no reply, another question's, cut
 * short, or malformed. Names that no host may have are passed over. */
int dns_told_parse(struct slice packet, enum dns_type type, const char *name,
    struct dns_told *out, const char **why_out);

#endif
