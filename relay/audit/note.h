/* SPDX-License-Identifier: ISC
 *
 * A note in the journal: an event that is of no delivery (refused, change,
 * leg, body, …), as its name, a NUL and a JSON object. Its writer gives the
 * fields of its row in the table of events; the projector adds time, node and
 * pos. Pure.
 *
 *   struct note_writer w;
 *   struct jout *j = note_begin(&w, &bytes, EVENT_REFUSED);
 *   jout_str(j, "client", ip);
 *   note_end(&w);
 *   spool_op_note(op, NOTE_REFUSED, now_us, strbuf_view(&bytes));
 */
#ifndef RELAY_AUDIT_NOTE_H
#define RELAY_AUDIT_NOTE_H

#include "relay/audit/event_table.h"
#include "relay/base/jout.h"

struct note_writer {
	struct jout jout;
};

/* Appends to `to`, which is empty. Fields go into the returned writer. */
struct jout *note_begin(struct note_writer *w, struct strbuf *to,
    enum event_id event);
void note_end(struct note_writer *w);

/* The name and the fields between the braces, both borrowed. 0, or -1 when
 * the bytes are not a note. */
int note_parse(struct slice bytes, struct slice *event_out,
    struct slice *fields_out) PH_CHECK;

#endif
