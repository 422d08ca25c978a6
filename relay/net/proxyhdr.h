/* SPDX-License-Identifier: ISC
 *
 * The PROXY protocol header, versions 1 and 2. Pure.
 */
#ifndef RELAY_NET_PROXYHDR_H
#define RELAY_NET_PROXYHDR_H

#include "relay/net/sockaddr.h"

enum proxy_state { PROXY_MORE, PROXY_DONE, PROXY_BAD };

enum proxy_kind {
	PROXY_NONE, /* no header */
	PROXY_V1,
	PROXY_V2,
	PROXY_LOCAL,   /* the proxy's own connection, such as a health check */
	PROXY_UNKNOWN, /* it does not know its client's address */
};

struct proxy_header {
	enum proxy_kind kind;
	/* Of PROXY_V1 and PROXY_V2; else they are the connection's own. */
	struct netaddr client, server;
};

enum { PROXY_MAX = 16 + 2048 }; /* longer v2 headers are refused */

/* PROXY_DONE: *taken_out bytes were the header. */
enum proxy_state proxy_parse(struct slice in, struct proxy_header *header_out,
    size_t *taken_out, const char **why_out);
/* Does it name the client? Without a header nothing is hidden. */
bool proxy_names_client(enum proxy_kind kind);
/* "v1", "v2", "local", "unknown"; "" for none. */
const char *proxy_kind_text(enum proxy_kind kind);

#endif
