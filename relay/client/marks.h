/* SPDX-License-Identifier: ISC
 *
 * Addresses that something is remembered of for a while.
 */
#ifndef RELAY_CLIENT_MARKS_H
#define RELAY_CLIENT_MARKS_H

#include "relay/net/sockaddr.h"

enum { MARKS_MAX = 64 };
struct mark {
	struct netaddr addr; /* and port */
	int leg;
	int64_t until_ms; /* of the loop; 0: the row is free */
};
struct marks {
	struct mark row[MARKS_MAX];
};

/* Another row falls out when all are taken: the one that ends first. */
void marks_set(
    struct marks *m, int leg, const struct netaddr *a, int64_t until_ms);
bool marks_has(
    const struct marks *m, int leg, const struct netaddr *a, int64_t now_ms);
void marks_clear(struct marks *m, int leg, const struct netaddr *a);

#endif
