/* SPDX-License-Identifier: ISC
 *
 * Reads decisions on from the last that was told. A journal that knows of none
 * (of an earlier version, or a new one) begins with the newest: its hash covers
 * all before it.
 */
#include "relay/cutover/decision_notes.h"

#include <inttypes.h>
#include <stdio.h>

#include "policy/wave/file/decided.h"
#include "relay/audit/note_post.h"
#include "relay/base/log.h"

static const char fact_decision[] = "decision";

static void on_decision(void *arg, const struct decided *d)
{
	struct decision_notes *notes = arg;
	struct note_draft n;
	struct jout *j = note_open(&n, EVENT_DECISION);

	notes->noted = d->number;
	jout_int(j, "decision", (int64_t)d->number);
	jout_str(j, "who", d->who);
	jout_str(j, "host", d->host);
	jout_str(j, "command", d->command);
	jout_str(j, "about", d->about);
	jout_str(j, "detail", d->detail);
	jout_str(j, "note", d->note);
	jout_str(j, "head", d->head);
	note_post(&n, notes->shared->spool, NOTE_SYSTEM, d->time_us);
}

static void remember(const struct decision_notes *d)
{
	struct spool_op *op = spool_op_new();
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, d->noted);
	spool_op_fact(op, fact_decision, slice_str(text));
	spool_post(d->shared->spool, op);
}

/* An older table may stand there by now, whose numbers come again. */
static void begin(struct decision_notes *d, uint64_t newest)
{
	struct strbuf b;

	if (!d->begun) {
		strbuf_init(&b, 64);
		if (!spool_fact(d->shared->spool, fact_decision, &b) ||
		    !slice_uint(strbuf_view(&b), INT64_MAX, &d->noted))
			d->noted = newest == 0 ? 0 : newest - 1;
		strbuf_fini(&b);
		d->begun = true;
	}
	if (d->noted > newest)
		d->noted = newest;
}

static int tell(struct decision_notes *d, struct wave_file *f,
    struct error *err)
{
	uint64_t newest, before;

	if (decided_newest(f, &newest, err) < 0)
		return -1;
	begin(d, newest);
	before = d->noted;
	if (decided_each(f, &(struct decided_page){.after = d->noted,
		.fn = on_decision, .arg = d}, err) < 0)
		return -1;
	if (d->noted != before)
		remember(d);
	return 0;
}

void decision_notes_look(struct decision_notes *d)
{
	struct error err;
	struct wave_file *f = wave_file_open(d->shared->table_path, false,
	    &err);

	if (f == NULL || tell(d, f, &err) < 0)
		log_warn("table.decisions", kv_err(&err));
	wave_file_close(f);
}
