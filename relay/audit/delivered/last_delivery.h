/* SPDX-License-Identifier: ISC
 *
 * Remembers the last delivery of each recipient on each leg, in ledger.db
 * beside the audit index. The rule for recipients that a leg has forgotten
 * (retry.known, D5) reads it.
 *
 * The projector writes it from synced records: they are folded in memory, one
 * row a recipient and leg, and committed every two seconds with the cursor of
 * the journal. That cursor may stand behind the one of the index; at a start
 * the records between are read again for this alone. What is lost is made
 * again from the index (projector_last.c), and says since when it knows.
 * Losing it loses no mail.
 */
#ifndef RELAY_AUDIT_DELIVERED_LAST_DELIVERY_H
#define RELAY_AUDIT_DELIVERED_LAST_DELIVERY_H

#include "relay/audit/delivered/last_file.h"

struct last_delivery;

/* Two clocks, read together. */
struct last_time {
	int64_t wall_us, mono_ms;
};

/* ledger.db of that folder. Made when it is missing or of no use; tried again
 * later when it cannot be opened now. `cursor`: what the index has. Never
 * NULL. */
struct last_delivery *last_delivery_open(const char *dir,
    const struct conf *c, struct last_place cursor, struct last_time now);
/* NULL is fine. The next start reads again what was not committed. */
void last_delivery_close(struct last_delivery *l);

/* ---- any thread -------------------------------------------------------- */

/* Takes the times and domains of a reloaded configuration. */
void last_delivery_configure(struct last_delivery *l, const struct conf *c);

struct last_delivered {
	int64_t time_us;
	uint64_t id;	   /* of the message */
	uint8_t uncertain; /* as the event says (enum uncertain) */
	/* For last_delivery_add(). */
	bool again; /* it was read from the index */
	bool first; /* at the first attempt */
};
/* `key`: an address in its lookup form with its detail (addr_key()). One read
 * of one page or two. False: none is known. */
bool last_delivery_find(struct last_delivery *l, const char *leg,
    struct slice key, struct last_delivered *out);
/* Was there one in the last retry.known? */
bool last_delivery_known(struct last_delivery *l, const char *leg,
    struct slice key, int64_t now_us);
/* Every delivery from then on is known. */
int64_t last_delivery_since(struct last_delivery *l);

/* Counted by the projector's thread, and written with the deliveries. */
struct straggler_counts;
struct straggler_counts *last_delivery_stragglers(struct last_delivery *l);

/* ---- the projector's thread -------------------------------------------- */

/* `to`: the address as it came. In any order: the newest counts. */
void last_delivery_add(struct last_delivery *l, const char *leg,
    const char *to, const struct last_delivered *m);

/* The first attempt at a delivery did not deliver it. */
void last_delivery_missed(struct last_delivery *l, const char *leg,
    const char *to, int64_t time_us, enum first_outcome how);

/* Is a commit worth its sync? `cursor`: the one that it would write. */
bool last_delivery_due(struct last_delivery *l, struct last_place cursor,
    int64_t mono_ms);
/* Writes what was added, which is of before `cursor`, and the cursor. A failure
 * is logged, and tried again when it is due. */
void last_delivery_commit(struct last_delivery *l, struct last_place cursor,
    struct last_time now);
/* Deliveries before that place of the journal were added. */
void last_delivery_taken(struct last_delivery *l, struct spool_pos pos);
/* The journal must keep what lies behind it. */
struct last_place last_delivery_cursor(const struct last_delivery *l);
/* Does it wait for its file? */
bool last_delivery_waits(const struct last_delivery *l);
/* Is all that it was told, but for deliveries, on the disk? */
bool last_delivery_saved(const struct last_delivery *l);

/* Deliveries before `cursor` were not added, but the index has them. */
void last_delivery_lost(struct last_delivery *l, struct last_place cursor,
    int64_t now_us);
/* Neither has the index: the knowledge begins now. */
void last_delivery_gap(struct last_delivery *l, int64_t now_us);

/* Hours before this one are to be added again from the index, newest first.
 * LAST_REFILLED: none. */
int64_t last_delivery_refill(const struct last_delivery *l);
/* That hour was added; LAST_REFILLED: there is none before the last one.
 * `hole`: something is missing in it. */
void last_delivery_refilled(struct last_delivery *l, int64_t hour, bool hole);

/* Rows are kept so long, audit.keep or retry.known. */
int64_t last_delivery_keep_us(const struct last_delivery *l);
/* Rows of before that go. Once an hour; a day of hours goes once through all
 * of it. */
void last_delivery_prune(struct last_delivery *l, int64_t before_us,
    int64_t now_us);

/* For tests: the ceiling of rows. */
void last_delivery_rows_max(struct last_delivery *l, int64_t rows_max);

#endif
