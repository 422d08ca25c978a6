/* SPDX-License-Identifier: ISC
 *
 * A note as a record of its own.
 */
#include "relay/audit/note_post.h"

#include "relay/mail/envelope.h"

enum { NOTE_BYTES = ENVELOPE_MAX };

struct jout *note_open(struct note_draft *n, enum event_id event)
{
	strbuf_init(&n->bytes, NOTE_BYTES);
	return note_begin(&n->writer, &n->bytes, event);
}

void note_post(struct note_draft *n, struct spool *s, enum note kind,
    int64_t time_us)
{
	struct spool_op *op = spool_op_new();

	note_end(&n->writer);
	spool_op_note(op, kind, time_us, strbuf_view(&n->bytes));
	strbuf_fini(&n->bytes);
	spool_post(s, op);
}
