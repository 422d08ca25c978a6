/* SPDX-License-Identifier: ISC
 *
 * Finds the DMARC policy of a domain and the organization that the domain
 * belongs to, by the walk of RFC 9989 4.10 from the name to the root. Kept for
 * an hour a domain. One thread; nothing blocks.
 */
#ifndef RELAY_SPF_DMARC_WALK_H
#define RELAY_SPF_DMARC_WALK_H

#include "relay/base/list.h"
#include "relay/spf/dmarc_record.h"

struct dns;
struct loop;
struct dmarc; /* a worker's */

enum {
	DMARC_QUERIES = 8,       /* a walk (4.10); no more for anything else */
	DMARC_DOMAINS = 4096,    /* are kept; about 400 bytes each */
	DMARC_WALKS = 256,       /* at once; beyond them nothing is known */
	DMARC_KEEP_MS = 3600 * 1000,
	DMARC_ERROR_MS = 30 * 1000,
};

struct dmarc_found {
	bool silent; /* the DNS did not answer: nothing of this is known */
	bool has_record;
	bool strict_dkim, strict_spf; /* of the record that has the policy */
	enum dmarc_policy policy;
	const char *org; /* the organizational domain (4.10.2) */
};

struct dmarc *dmarc_new(struct loop *l, struct dns *dns);
void dmarc_free(struct dmarc *d); /* no callback follows; NULL is fine */

/* The caller's memory, which list_node_init() of its node makes ready. */
struct dmarc_wait {
	struct list node;
	void (*done)(void *arg);
	void *arg;
};
/* `domain` is in normal form. Borrowed until the next call or turn of the loop.
 * NULL: wait->done is called once, later; then it is known. */
const struct dmarc_found *dmarc_find(struct dmarc *d, const char *domain,
    struct dmarc_wait *wait);
/* No callback follows; also when none was waited for. */
void dmarc_cancel(struct dmarc_wait *wait);

#endif
