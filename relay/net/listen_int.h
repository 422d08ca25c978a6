/* SPDX-License-Identifier: ISC
 *
 * Shared by the files of the acceptor.
 */
#ifndef RELAY_NET_LISTEN_INT_H
#define RELAY_NET_LISTEN_INT_H

#include "relay/net/listen.h"

/* ---- sockets: listen_open.c ---- */

/* A listening socket for `at`, not blocking; -1. `dual`: an IPv6 wildcard
 * takes IPv4 too. */
int listen_open(const struct netaddr *at, bool dual, struct error *err);

/* Sockets that the service manager opened for us (sd_listen_fds(3)). */
struct inherited {
	int fd;
	struct netaddr at;
};
struct inherited *listen_inherit(int *count_out);

/* ---- counts: listen_count.c; any thread ---- */

struct counts;
struct counts *counts_new(void);
void counts_free(struct counts *c);
void counts_limit(struct counts *c, int total, int per_client);
/* NULL, or why this client may not have another connection. */
const char *counts_add(struct counts *c, const struct netaddr *client,
    bool proxy);
void counts_remove(struct counts *c, const struct netaddr *client);
bool counts_move(struct counts *c, const struct netaddr *from,
    const struct netaddr *to);
int counts_total(struct counts *c);

#endif
