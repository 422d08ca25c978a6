/* SPDX-License-Identifier: ISC
 *
 * A channel of c-ares to the configured servers, on a loop. Its callbacks come
 * from inside ares_query() too, and it must not be closed in one.
 */
#ifndef RELAY_NET_DNS_CHANNEL_H
#define RELAY_NET_DNS_CHANNEL_H

#include <ares.h>

#include "conf/conf.h"
#include "relay/base/error.h"
#include "relay/base/loop.h"
#include "relay/net/sockaddr.h"

struct dns_channel {
	struct loop *loop;
	ares_channel ares; /* NULL: not open */
	struct timer timer;
	struct list socks; /* of all that are open, the last one's too */
};

void dns_channel_init(struct dns_channel *c, struct loop *l);
/* 0, or -1 and `err`. The channel that was open before is the caller's. */
int dns_channel_open(struct dns_channel *c, const struct conf *conf,
    struct error *err);
/* To one server, of whose reply each is given, refusals too. */
struct dns_channel_at {
	struct netaddr server; /* with its port */
	bool recurse;	       /* RD is set */
	int timeout_ms;	       /* of a question in all */
};
int dns_channel_open_at(struct dns_channel *c, const struct dns_channel_at *at,
    struct error *err);
/* Those that an open channel asks, with their ports; how many. */
size_t dns_channel_servers(struct dns_channel *c, struct netaddr *out,
    size_t max);
/* Open questions are answered with a failure. */
void dns_channel_fini(struct dns_channel *c);
/* After each call of c-ares that may have changed when it wants to be woken. */
void dns_channel_arm(struct dns_channel *c);

#endif
