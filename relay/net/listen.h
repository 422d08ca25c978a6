/* SPDX-License-Identifier: ISC
 *
 * The acceptor: owns the listening sockets, counts connections in total and
 * per client, and hands each descriptor to the worker with the fewest. Has a
 * thread and a loop of its own (the shell is the daemon's). Listeners stay
 * open across a reload when their address stays.
 *
 * A client is an IPv4 address or an IPv6 /64: a host with one address of a /64
 * has them all. The peers of `proxy_from` stand for many clients, so
 * limits.per_client does not hold for them.
 */
#ifndef RELAY_NET_LISTEN_H
#define RELAY_NET_LISTEN_H

#include "relay/base/mailbox.h"
#include "relay/net/stream.h"

/* A connection for a worker, which frees the letter with mem_free(). */
struct accepted {
	struct letter letter; /* kind as given to acceptor_worker() */
	int fd;
	struct netaddr peer;
	int listen;	   /* index in conf.listen of `conf` */
	struct conf *conf; /* a reference; the worker drops it */
};

struct acceptor;
struct acceptor *acceptor_new(struct loop *l);
void acceptor_free(struct acceptor *a);
/* Adds a receiver; before the first listen. */
void acceptor_worker(struct acceptor *a, struct mailbox *to, int kind);
/* Opens what `conf` names and is not open yet, takes over what is, closes the
 * rest; or changes nothing and says why ("address in use" names who would be
 * asked). Descriptors of LISTEN_FDS are taken when their address fits. */
int acceptor_listen(struct acceptor *a, struct conf *conf, struct error *err);
void acceptor_stop(struct acceptor *a); /* closes all listeners */
/* The address really bound (port 0 was asked), by listener and index. */
bool acceptor_address(const struct acceptor *a, int listen, int index,
    struct netaddr *out);
/* Says them all. */
void acceptor_log(const struct acceptor *a, const struct conf *c);

/* A connection ended: any thread. `client` is the peer given in `accepted`, or
 * the one that acceptor_recount() moved the count to; `worker` its index, in
 * order of acceptor_worker(). */
void acceptor_closed(struct acceptor *a, int worker,
    const struct netaddr *client);
/* The PROXY header named another client: the count moves over. False when
 * that client has too many: the count stays where it was, the worker answers
 * 421. Any thread. */
bool acceptor_recount(struct acceptor *a, const struct netaddr *from,
    const struct netaddr *to);
int acceptor_connections(const struct acceptor *a); /* any thread */

/* Over a limit: the acceptor itself says 421 4.3.2 (best effort) and closes;
 * this is told, on the acceptor's loop. */
void acceptor_on_refused(struct acceptor *a,
    void (*fn)(void *arg, const struct netaddr *peer,
	const struct conf_listen *listen, const char *reason), void *arg);

#endif
