/* SPDX-License-Identifier: ISC
 *
 * Answers of the DNS as long as they may be believed, and a while longer
 * (RFC 8767): an answer past its TTL is kept for the case that the resolver
 * fails. Bounded in entries and in bytes; the least used goes first. One
 * thread; time is given.
 */
#ifndef RELAY_NET_DNSCACHE_H
#define RELAY_NET_DNSCACHE_H

#include "relay/net/dns.h"

/* A counted answer. */
struct dns_held {
	int refs;
	struct dns_answer answer;
};

/* Takes what `a` owns. */
struct dns_held *dns_hold(const struct dns_answer *a);
struct dns_held *dns_held_ref(struct dns_held *h);
void dns_held_unref(struct dns_held *h); /* NULL is fine */

struct dnscache;
struct dnscache *dnscache_new(int max_entries, size_t max_bytes);
void dnscache_free(struct dnscache *c);

/* `name` in lower case. NULL when nothing is there that may be believed now
 * (fresh), or that could serve while the resolver fails (stale). Borrowed
 * until the next put. */
struct dns_held *dnscache_fresh(struct dnscache *c, enum dns_type type,
    const char *name, int64_t now_ms);
struct dns_held *dnscache_stale(struct dnscache *c, enum dns_type type,
    const char *name, int64_t now_ms);
/* How long it is still fresh; 0: it is not. */
int64_t dnscache_left_ms(struct dnscache *c, enum dns_type type,
    const char *name, int64_t now_ms);
/* Keeps a reference for the answer's TTL: 1 s to 1 day, of a negative one
 * up to 5 minutes, of a failure 2 s. Replaces, but a failure never replaces
 * an answer that may still serve: that one is believed for 30 s more. */
void dnscache_put(struct dnscache *c, const char *name, struct dns_held *h,
    int64_t now_ms);
/* Nothing is believed from now on: all is asked again, and serves as stale
 * until the answer comes. */
void dnscache_expire(struct dnscache *c, int64_t now_ms);
int dnscache_count(const struct dnscache *c);

#endif
