/* SPDX-License-Identifier: ISC
 *
 * The names of clients, by the DNS: what the address's PTR says, if the name
 * leads back to the address (RFC 8601 2.7.3, "iprev"). No reply waits for it:
 * it is looked for when a client comes, and it is known when it is wanted, or
 * not. One thread.
 */
#ifndef RELAY_SPF_CLIENT_NAMES_H
#define RELAY_SPF_CLIENT_NAMES_H

#include <stdbool.h>

#include "relay/net/sockaddr.h"

struct client_names;
struct dns;
struct loop;

enum {
	CLIENT_NAME_MS = 2000, /* for one client */
	CLIENT_NAME_PTRS = 10, /* names of one that are looked up */
	CLIENT_NAMES_MAX = 4096, /* remembered, the least used goes first */
};

struct client_names *client_names_new(struct loop *l, struct dns *dns);
void client_names_free(struct client_names *c); /* NULL is fine */
/* Begins to look, unless it is known or under way. Nothing is asked about
 * loopback. */
void client_names_want(struct client_names *c, const struct netaddr *client);
/* False: it is not known, or not yet. True: the name, a domain name in lower
 * case, or "" where there is none that leads back. Borrowed until the next
 * call. */
bool client_names_get(struct client_names *c, const struct netaddr *client,
    const char **name_out);

#endif
