/* SPDX-License-Identifier: ISC
 *
 * Remembers the last delivery of each recipient on each leg (retry.known, D5):
 * a leg that took mail for a recipient last week and does not know it today is
 * more often wrong than right.
 *
 * One small file beside the index: eight bytes for (leg, recipient) and the
 * day. The projector writes it in the rhythm of its own commits and before
 * them, so what the index has counted is remembered across a kill; a day's
 * second delivery costs a look into an array. Losing the file loses no mail:
 * a failure switches the memory off and is logged.
 */
#ifndef RELAY_AUDIT_DELIVERED_BEFORE_H
#define RELAY_AUDIT_DELIVERED_BEFORE_H

#include "relay/base/attr.h"
#include "relay/base/slice.h"

struct delivered;

/* The file of that folder, made when it is missing and made anew when it is
 * damaged. Never NULL: without a file no recipient is known. `keep_ms` is
 * retry.known. */
struct delivered *delivered_open(const char *dir, int64_t keep_ms);
void delivered_close(struct delivered *k); /* NULL is fine */
/* Any thread: of a reloaded configuration. */
void delivered_keep(struct delivered *k, int64_t keep_ms);

/* The projector's thread. `to`: the address as it came. */
void delivered_add(struct delivered *k, const char *leg, const char *to,
    int64_t time_us);
void delivered_flush(struct delivered *k);
/* Once an hour; a day of hours goes once through all of it. */
void delivered_prune(struct delivered *k, int64_t now_us);

/* Any thread; one read of one page or two. Was mail for `key`, an address in
 * its lookup form (addr_key()), delivered on `leg` in the last keep_ms? It is
 * remembered up to a tenth longer. */
bool delivered_before(struct delivered *k, const char *leg, struct slice key,
    int64_t now_us);

#endif
