/* SPDX-License-Identifier: ISC
 *
 * Socket addresses as values and as text. Pure. v4-mapped v6 addresses are
 * turned into v4 wherever one comes in, so 192.0.2.1 has one form.
 *
 * Only the two families that mail travels on: 32 bytes instead of the 136 of
 * a sockaddr_storage, for every session keeps two of them.
 */
#ifndef RELAY_NET_SOCKADDR_H
#define RELAY_NET_SOCKADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "relay/base/slice.h"

struct netaddr {
	union {
		struct sockaddr sa; /* AF_UNSPEC: nothing, or another family */
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

enum { NETADDR_TEXT = 56 };

void netaddr_from(struct netaddr *a, const struct sockaddr *sa); /* unmaps */
/* Address literal (no brackets) and port; 0 or -1. */
int netaddr_parse(struct netaddr *a, struct slice ip, int port);
/* Without the port; "unknown" for AF_UNSPEC. */
void netaddr_ip(const struct netaddr *a, char out[NETADDR_TEXT]);
/* "192.0.2.1:25", "[2001:db8::1]:25". */
void netaddr_text(const struct netaddr *a, char out[NETADDR_TEXT]);
int netaddr_port(const struct netaddr *a);
bool netaddr_same_ip(const struct netaddr *a, const struct netaddr *b);
/* Keyed hash (hash.h) of a client: its address; of IPv6 the /64 that one client
 * has. */
uint64_t netaddr_client_key(const struct netaddr *a);

/* The descriptor's own address, and its peer's. */
void netaddr_local(struct netaddr *a, int fd);
void netaddr_peer(struct netaddr *a, int fd);

#endif
