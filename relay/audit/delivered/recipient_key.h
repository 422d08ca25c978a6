/* SPDX-License-Identifier: ISC
 *
 * The key of a recipient in ledger.db: a hash of its base address, which all
 * its subaddresses share, and a hash of the whole address where that has a
 * detail. Both are keyed by a key of the file, so that no client can make two
 * recipients meet.
 */
#ifndef RELAY_AUDIT_DELIVERED_RECIPIENT_KEY_H
#define RELAY_AUDIT_DELIVERED_RECIPIENT_KEY_H

#include "conf/conf.h"
#include "relay/base/strbuf.h"

struct recipient_key {
	int64_t base;
	int64_t detail; /* 0: the base address itself */
};

/* The character that begins a detail, by domain: a copy of that part of a
 * configuration. Immutable; any thread. */
struct separators;
struct separators *separators_new(const struct conf *c);
void separators_free(struct separators *s); /* NULL is fine */

/* Of an address in its lookup form (addr_key()), its detail included. */
struct recipient_key recipient_key(const struct separators *s,
    const uint64_t secret[2], struct slice address);

/* The same, and puts the base address, whose hash `base` is, into what is
 * empty. */
struct recipient_key recipient_key_text(const struct separators *s,
    const uint64_t secret[2], struct slice address, struct strbuf *base_out);

#endif
