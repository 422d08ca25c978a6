/* SPDX-License-Identifier: ISC
 *
 * The networks that a record of SPF lists, those of the records that it
 * includes among them: where a platform's mail comes from. Mechanisms that
 * name hosts (a, mx, exists, ptr) are not followed, nor what stands behind a
 * macro. Kept, and asked anew before they end. One thread; nothing blocks.
 */
#ifndef RELAY_SPF_SPF_NETWORKS_H
#define RELAY_SPF_SPF_NETWORKS_H

#include "conf/conf.h"
#include "relay/base/list.h"

struct dns;
struct loop;
struct spf_networks;

enum {
	SPF_NETWORKS_MAX = 64,
	SPF_NETWORKS_LOOKUPS = 10, /* RFC 7208 4.6.4 */
	SPF_NETWORKS_MIN_MS = 60 * 1000,
	SPF_NETWORKS_MAX_MS = 3600 * 1000,
	SPF_NETWORKS_ERROR_MS = 30 * 1000,
	/* Those known serve so long, while they are asked for anew and while
	 * the DNS is silent. */
	SPF_NETWORKS_STALE_MS = 86400 * 1000,
};

struct spf_network_list {
	struct conf_net net[SPF_NETWORKS_MAX];
	int n;
	bool cut; /* there are more */
	/* The DNS did not answer; or there is no record, it is in error, or it
	 * lists no network. */
	bool silent, empty;
};

/* Borrows loop and dns, copies `domain`; asks nothing yet. */
struct spf_networks *spf_networks_new(struct loop *l, struct dns *dns,
    const char *domain);
void spf_networks_free(struct spf_networks *n); /* no callback follows */

/* The caller's memory, which list_node_init() of its node makes ready. */
struct spf_networks_wait {
	struct list node;
	void (*done)(void *arg);
	void *arg;
};
/* The list as it is known, borrowed until the next turn of the loop. NULL:
 * wait->done is called once, later; then it is known. */
const struct spf_network_list *spf_networks_get(struct spf_networks *n,
    struct spf_networks_wait *wait);
/* No callback follows; also when none was waited for. */
void spf_networks_cancel(struct spf_networks_wait *wait);

#endif
