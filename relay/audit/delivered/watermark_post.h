/* SPDX-License-Identifier: ISC
 *
 * Takes the events of watermarks, from any thread; the projector's thread
 * writes them with its next commit of ledger.db. When ledger.db is lost, what
 * waits is forgotten, and watermark_marked() goes back to 0, from where the
 * change log is read again.
 */
#ifndef RELAY_AUDIT_DELIVERED_WATERMARK_POST_H
#define RELAY_AUDIT_DELIVERED_WATERMARK_POST_H

#include "relay/audit/delivered/watermark_row.h"
#include "relay/spool/spool.h"

struct last_delivery;

enum { WATERMARK_WAITS_MAX = 65536 }; /* then the poster waits */

/* Copies `op`. False: the leg has no number, or the address is none. */
bool watermark_post(struct last_delivery *l, const struct watermark_op *op);
/* So many wait for a commit: with that of the deliveries, within two seconds,
 * or sooner when there are too many, or they are hurried. */
size_t watermark_waits(struct last_delivery *l);
void watermark_hurry(struct last_delivery *l);
/* Changes of the table up to this one were told by DO_MARKED. */
uint64_t watermark_marked(struct last_delivery *l);
/* Is every delivery of before that place of the journal written, or will it be
 * with the next commit? */
bool watermark_took(struct last_delivery *l, struct spool_pos pos);
/* ledger.db, for a reader of its own; as long as `l`. */
const char *watermark_path(const struct last_delivery *l);

#endif
