/* SPDX-License-Identifier: ISC
 *
 * Compares names of hosts with the DNS: where mail for a domain of ours goes,
 * and what the address of an egress is called.
 */
#ifndef RELAY_EGRESS_OUTBOUND_HOSTS_H
#define RELAY_EGRESS_OUTBOUND_HOSTS_H

#include "relay/spf/spf_alone.h"

struct outbound_hosts {
	struct spf_alone *o;
	const struct conf *c;
	void (*warn)(void *arg, const char *line);
	void *arg;
};

/* Bounces come to that domain: warns where its MX is another host than ours,
 * by name or by public_address and the listeners' addresses. */
void outbound_hosts_mx(const struct outbound_hosts *h, const char *domain);
/* Warns where a direct egress says another name than its addresses have. */
void outbound_hosts_name(const struct outbound_hosts *h,
    const struct conf_leg *egress);

#endif
