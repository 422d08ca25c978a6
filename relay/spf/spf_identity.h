/* SPDX-License-Identifier: ISC
 *
 * The identity that a check of SPF is about (RFC 7208 2.3, 2.4, 4.1): who says
 * so, what it said in HELO, and in whose name. Pure; any thread.
 */
#ifndef RELAY_SPF_SPF_IDENTITY_H
#define RELAY_SPF_SPF_IDENTITY_H

#include <stdbool.h>

#include "relay/net/sockaddr.h"

struct conf;

/* The mail that is to be judged. All of it is borrowed. */
struct spf_subject {
	const struct netaddr *client;
	struct slice helo;   /* as it came */
	struct slice sender; /* of MAIL FROM; empty: HELO is judged */
	bool explain; /* what the domain says to a sender that fails it */
	bool ours; /* the client is an address of ours: it asks without limit */
	/* Over the addresses of its legs the same sender is judged soon: it is
	 * done along with this check where that asks no more. Or NULL. */
	const struct conf *legs;
};

enum { SPF_DOMAIN_MAX = 253 };

struct spf_identity {
	unsigned char ip[16]; /* 4 of them are used for IPv4 */
	size_t ip_n;
	bool of_helo; /* the HELO name is judged: the sender is null */
	struct slice helo, local; /* of the subject; or "postmaster" */
	/* A-labels, lower case, without a final dot; ends in a NUL. */
	size_t domain_n;
	char domain[SPF_DOMAIN_MAX + 1];
};

/* False: there is nothing that a domain could say of it, so the result is none.
 * The client is loopback, or what is judged is no domain name of two labels or
 * more (RFC 7208 4.3): "localhost", an address literal, a label that is empty
 * or too long. */
bool spf_identity_make(const struct spf_subject *s,
    struct spf_identity *identity_out);

static inline struct slice spf_identity_domain(const struct spf_identity *i)
{
	return slice_of(i->domain, i->domain_n);
}

/* Is the client on this machine? */
bool spf_is_loopback(const struct netaddr *client);

#endif
