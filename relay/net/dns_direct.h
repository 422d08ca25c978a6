/* SPDX-License-Identifier: ISC
 *
 * Questions to single DNS servers, each by its address, without a cache: what
 * does this one say? For a thread that may wait.
 */
#ifndef RELAY_NET_DNS_DIRECT_H
#define RELAY_NET_DNS_DIRECT_H

#include <stdatomic.h>

#include "relay/net/dns_channel.h"
#include "relay/net/dns_int.h"

enum { DNS_DIRECT_MAX = 16 }; /* that are under way at once */

struct dns_direct {
	struct dns_channel_at at;
	enum dns_type type;
	const char *name; /* in normal form */
	/* Filled: the reply as it came, over TCP where it was cut short over
	 * UDP; or none, and why. */
	char *packet;
	size_t size;
	const char *why; /* constant; NULL with a reply */
};

/* Asks all of them and waits until each has its answer. The replies are the
 * caller's, to be freed by dns_direct_fini(). Gives up, with what is still
 * open unanswered, when *stop becomes true (NULL: never). */
void dns_direct_run(struct loop *l, struct dns_direct *q, size_t n,
    const _Atomic bool *stop);
void dns_direct_fini(struct dns_direct *q, size_t n);

#endif
