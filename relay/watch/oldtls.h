/* SPDX-License-Identifier: ISC
 *
 * The clients that brought mail over TLS below 1.2 since the start: as long
 * as there are some, their listener cannot do without tls_min. Bounded; past
 * it the one that was not seen for the longest time is forgotten. Any thread.
 */
#ifndef RELAY_WATCH_OLDTLS_H
#define RELAY_WATCH_OLDTLS_H

#include "relay/base/jout.h"
#include "relay/net/sockaddr.h"

enum { OLDTLS_MAX = 64 };

struct oldtls;
struct oldtls *oldtls_new(void);
void oldtls_free(struct oldtls *o);
/* A mail began over `tls`, "TLSv1.3 TLS_…"; newer versions are not noted. */
void oldtls_note(struct oldtls *o, const char *listen,
    const struct netaddr *client, const char *tls, int64_t now_us);
unsigned oldtls_count(struct oldtls *o); /* never gets less */
/* The fields of the row `i`, in no order. */
void oldtls_print(struct oldtls *o, unsigned i, struct jout *j);

#endif
