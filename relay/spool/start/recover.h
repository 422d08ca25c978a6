/* SPDX-License-Identifier: ISC
 *
 * Between the two halves of recovery: finding the segments, and replaying
 * them. Before any thread.
 */
#ifndef RELAY_SPOOL_START_RECOVER_H
#define RELAY_SPOOL_START_RECOVER_H

#include "relay/spool/chunk_file.h"
#include "relay/spool/scan.h"
#include "relay/spool/window.h"

struct spool_recovery {
	struct spool *s;
	const struct spool_recovered *told;
	struct spool_start *start;
	struct scan sc;
	struct record record;
	bool met_summary; /* in the batch that is replayed */
	bool clean; /* the last batch has the mark of an orderly end */
	int64_t before_us; /* steady time of the batch before this one */
	int64_t ahead_us; /* of steady time, while messages are told */
	unsigned lost; /* segments that are not there */
	struct windows *windows; /* while messages are told */
	struct resume *resume; /* a checkpoint that is gone on from */
	uint64_t from, from_number, from_offset; /* ... this batch */
	uint64_t *slots;
	unsigned n_slots;
};

/* Names damage: counts it and tells one line. */
void replay_damage(struct spool_recovery *r, const char *fmt, ...)
    PH_PRINTF(2, 3);
/* This generation of the main lane is not whole. */
void replay_gone(struct spool_recovery *r, uint64_t generation);
/* continuity.c: says how far the journal goes, and above what generation it
 * goes on; corrects the totals by what is there. `last`: the newest segment,
 * or NULL. Sets r->clean to false when the index has read further. */
void origin_find(struct spool_recovery *r, const struct segment *last);
/* continuity.c: names the segments that are not there; and keeps bodies that
 * only they may name. */
void origin_find_lost(struct spool_recovery *r);
void origin_keep_unnamed(struct spool_recovery *r);
/* continuity.c: names a live message whose body, or a part of it, is not there
 * any more. */
void origin_check_body(struct spool_recovery *r, uint64_t id,
    const struct body_place *y);
/* After recovery: where the session begins to write. */
void origin_begin(struct spool *s);
/* resume.c: takes over the newest checkpoint that is whole and fits the
 * segments, before the replay, which then begins at its batch. Without one
 * nothing changes. */
void checkpoint_resume(struct spool_recovery *r);
/* The row of a live message, when it is as it was then; ids ascend. */
const struct message_row *checkpoint_row_of(struct spool_recovery *r,
    uint32_t number);
void checkpoint_leave(struct spool_recovery *r);
/* Takes over the facts of r->record. */
void replay_facts(struct spool_recovery *r);
void replay_adopt_bulk(struct spool_recovery *r, const struct body_place *y);
/* take_summary.c: is each record of that batch whole, or by its frame a part of
 * a summary, whose bytes may be spoilt? */
bool only_summary_spoilt(struct spool_recovery *r, uint64_t off,
    const struct batch_head *h);
/* take_summary.c: takes over a sealed segment, of which so many batches count,
 * by its summary. False: it has none that is whole, and nothing was done. */
bool take_summary(struct spool_recovery *r, struct segment *seg,
    uint64_t batches);
/* Replays the segments of spool.mains. -1 and err when one cannot be read. */
int replay_all(struct spool_recovery *r, struct error *err);
/* recover.c: what is on the disk, into memory; tells what is live. -1, err. */
int recover(struct spool *s, const struct spool_recovered *told,
    struct spool_start *start_out, struct error *err);

#endif
