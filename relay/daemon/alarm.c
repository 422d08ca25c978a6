/* SPDX-License-Identifier: ISC
 *
 * Alarms: an event in the audit trail, and the log. Any thread.
 */
#include "relay/daemon/alarm.h"

#include "relay/audit/note.h"
#include "relay/base/log.h"

void alarm_raise(struct app *a, const char *kind, const char *about,
    const char *text)
{
	struct spool_op *op = spool_op_new();
	struct note_writer w;
	struct strbuf note;
	struct jout *j;

	log_warn("alarm", kv_str("kind", kind), kv_str("about", about),
	    kv_str("text", text));
	strbuf_init(&note, 4096);
	j = note_begin(&w, &note, "alarm");
	jout_str(j, "kind", kind);
	jout_str(j, "about", about);
	jout_str(j, "text", text);
	note_end(&w);
	spool_op_note(op, NOTE_LEG, clock_wall_us(a->clock),
	    strbuf_view(&note));
	strbuf_fini(&note);
	spool_post(a->spool, op);
}
