/* SPDX-License-Identifier: ISC
 *
 * Writes a note (note.h) and gives it to the journal in a record of its own,
 * which rides in the next batch. The spool tells the projector. Any thread.
 *
 *   struct note_draft n;
 *   struct jout *j = note_open(&n, EVENT_LEG);
 *   jout_str(j, "leg", name);
 *   note_post(&n, spool, NOTE_LEG, now_us);
 */
#ifndef RELAY_AUDIT_NOTE_POST_H
#define RELAY_AUDIT_NOTE_POST_H

#include "relay/audit/note.h"
#include "relay/spool/spool.h"

struct note_draft {
	struct note_writer writer;
	struct strbuf bytes;
};

/* Fields go into the returned writer. note_post() must follow. */
struct jout *note_open(struct note_draft *n, enum event_id event);
/* Ends the note; `time_us`: wall. */
void note_post(struct note_draft *n, struct spool *s, enum note kind,
    int64_t time_us);

#endif
