/* SPDX-License-Identifier: ISC
 *
 * Looks at the name servers of a domain, in observed.db: the tables
 * `spread_domain`, `spread_server` and `spread_target`. Whatever thread has the
 * handle.
 */
#ifndef RELAY_OBSERVED_SPREAD_SPREAD_ROWS_H
#define RELAY_OBSERVED_SPREAD_SPREAD_ROWS_H

#include "policy/propagation/spread.h"
#include "relay/base/mem.h"
#include "relay/observed/observed.h"

enum {
	SPREAD_SERVERS_MAX = 64, /* of a domain; then `more` is set       */
	SPREAD_TARGETS_MAX = 64, /* of a server; then none is added       */
};

/* A way that one answer has. */
struct spread_heard {
	enum spread_way way;
	const char *name; /* as in struct spread_target */
	uint32_t ttl_s;
};

/* One server at one look. */
struct spread_seen {
	enum spread_kind kind;
	const char *name, *address;
	enum spread_said said;
	const char *why;    /* "REFUSED", "Timeout ..."; "" of an answer */
	int64_t serial;	    /* of the SOA; -1: it was not told           */
	const char *answer; /* its MX for people, a JSON array; "" none  */
	uint32_t ttl_s;	    /* of the MX, as it stands in the answer     */
	const struct spread_heard *heard;
	size_t n;
};

struct spread_look {
	const char *domain; /* in normal form */
	const char *zone;   /* it lies in; "" : not found */
	int64_t at_us;
	bool more; /* there are servers that were not asked */
	const struct spread_seen *seen;
	size_t n;
};

/* Takes a look in, in one transaction. Name servers that it does not have stay
 * as they are, and so do the ways of those that gave no answer; resolvers and
 * servers without an address go. */
int spread_put(struct observed *o, const struct spread_look *l,
    struct error *err) PH_CHECK;

struct spread_detail {
	const char *why, *answer;
	int64_t serial;
	uint32_t ttl_s;
};
/* All that is known of a domain. */
struct spread_rows {
	int64_t looked_us; /* the last look; 0: none */
	const char *zone;
	bool more;
	size_t n;
	struct spread_server server[SPREAD_SERVERS_MAX];
	struct spread_detail detail[SPREAD_SERVERS_MAX];
};
/* Texts and ways are in the arena. */
int spread_get(struct observed *o, const char *domain, struct arena *a,
    struct spread_rows *out, struct error *err) PH_CHECK;

#endif
