/* SPDX-License-Identifier: ISC
 *
 * How many questions to the DNS a client has caused in this minute: the
 * records that its senders name cannot be made to ask without end. Bounded: of
 * many clients the one that came last is forgotten first. One thread; time is
 * given.
 */
#ifndef RELAY_SPF_QUERY_RATE_H
#define RELAY_SPF_QUERY_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/net/sockaddr.h"

struct query_rate;

/* `max` questions a minute for a client, `clients` at once. */
struct query_rate *query_rate_new(unsigned max, int clients);
void query_rate_free(struct query_rate *r); /* NULL is fine */
/* Counts a question. False: it is one too many, and is not counted. An IPv6
 * client is its /64. */
bool query_rate_take(struct query_rate *r, const struct netaddr *client,
    int64_t now_ms);

#endif
