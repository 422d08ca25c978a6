/* SPDX-License-Identifier: ISC
 *
 * Fetches the MTA-STS policy of a domain (RFC 8461 3.3): HTTPS with a
 * certificate that the system's authorities signed, 64 KiB, ten seconds in
 * all, no redirect. Blocks.
 */
#ifndef RELAY_CLI_PROPAGATION_STS_FETCH_H
#define RELAY_CLI_PROPAGATION_STS_FETCH_H

#include "relay/base/error.h"
#include "relay/base/strbuf.h"
#include "relay/net/sockaddr.h"

enum { STS_FETCH_MS = 10000 };

struct sts_source {
	const char *host; /* "mta-sts.example.com" */
	const struct netaddr *address; /* with port 443; each is tried */
	size_t n;
};

/* The whole reply into `out`, whose ceiling is the caller's. 0, or -1 with
 * `err`. */
int sts_fetch(const struct sts_source *s, struct strbuf *out,
    struct error *err) PH_CHECK;

#endif
