/* SPDX-License-Identifier: ISC
 *
 * Copies those parts of a configuration by which stragglers are told from other
 * clients. Immutable; any thread.
 */
#ifndef RELAY_AUDIT_STRAGGLER_STRAGGLER_CONF_H
#define RELAY_AUDIT_STRAGGLER_STRAGGLER_CONF_H

#include "conf/conf.h"

struct straggler_conf;
struct straggler_conf *straggler_conf_new(const struct conf *c);
void straggler_conf_free(struct straggler_conf *s); /* NULL is fine */

/* Is a client with that address at that listener no leg, no proxy's own
 * connection, and none that may send to the outside? */
bool straggler_conf_counts(const struct straggler_conf *s,
    const struct conf_net *client, const char *listen);
/* Is it in a private network, and in no outbound.clients? */
bool straggler_conf_may_want(const struct straggler_conf *s,
    const struct conf_net *client);

/* The customer of an address's domain; "": none. As long as `s`. */
const char *straggler_conf_customer(const struct straggler_conf *s,
    const char *address);
/* Is its domain neither ours nor a leg's? */
bool straggler_conf_outside(const struct straggler_conf *s,
    const char *address);
/* Appends the domain of an address in normal form; nothing when it has none. */
void straggler_domain(const char *address, struct strbuf *out);

#endif
