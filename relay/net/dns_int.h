/* SPDX-License-Identifier: ISC
 *
 * Shared by the files of the resolver.
 */
#ifndef RELAY_NET_DNS_INT_H
#define RELAY_NET_DNS_INT_H

#include "relay/net/dns.h"

enum {
	DNS_NAME_MAX = 255,
	DNS_CLASS_IN = 1,
	DNS_EDNS_BYTES = 1232, /* pass every path whole (flag day 2020) */
};

/* As dns_reply_parse(), and the name of the question, lower case. */
int dns_reply_read(struct slice packet, enum dns_type type,
    char asked_out[DNS_NAME_MAX + 1], struct dns_answer *answer_out,
    const char **why_out);

#endif
