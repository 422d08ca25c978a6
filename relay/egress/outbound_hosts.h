/* SPDX-License-Identifier: ISC
 *
 * Compares names of hosts with the DNS: where mail for a domain of ours goes,
 * and what the address of an egress is called. One loop; nothing blocks.
 */
#ifndef RELAY_EGRESS_OUTBOUND_HOSTS_H
#define RELAY_EGRESS_OUTBOUND_HOSTS_H

#include "conf/conf.h"
#include "relay/base/loop.h"

struct dns;
struct outbound_hosts;

/* All of it is borrowed. */
struct outbound_hosts_config {
	struct loop *loop;
	struct dns *dns;
	const struct conf *conf;
	void (*warn)(void *arg, const char *line);
	void (*done)(void *arg); /* once for each question, later */
	void *arg;
};

struct outbound_hosts *outbound_hosts_new(
    const struct outbound_hosts_config *config);
void outbound_hosts_free(struct outbound_hosts *h); /* no callback follows */

/* One question at a time. Bounces come to that domain: warns where its MX is
 * another host than ours, by name or by public_address and the listeners'
 * addresses. */
void outbound_hosts_mx(struct outbound_hosts *h, const char *domain);
/* Warns where a direct egress says another name than its addresses have. */
void outbound_hosts_name(struct outbound_hosts *h,
    const struct conf_leg *egress);

#endif
