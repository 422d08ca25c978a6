/* SPDX-License-Identifier: ISC
 *
 * Records that never come in: recycled before they were read, damaged, or not
 * understood. Each is a row of the index, a line of events.jsonl and a count.
 */
#include "relay/audit/projector_int.h"

#include "relay/audit/note.h"
#include "relay/base/log.h"

struct gap_row {
	uint64_t generations, records, bytes;
	bool placed; /* it is at p->pos */
	const char *reason;
};

static void print_gap(struct strbuf *to, const struct gap_row *g,
    struct spool_pos pos)
{
	struct note_writer w;
	struct jout *j = note_begin(&w, to, EVENT_GAP);

	if (g->generations > 0)
		jout_int(j, "generations", (int64_t)g->generations);
	if (g->records > 0)
		jout_int(j, "records", (int64_t)g->records);
	if (g->bytes > 0)
		jout_int(j, "bytes", (int64_t)g->bytes);
	if (g->placed) {
		jout_int(j, "generation", (int64_t)pos.generation);
		jout_int(j, "offset", (int64_t)pos.offset);
	}
	jout_str(j, "reason", g->reason);
	note_end(&w);
}

/* Each thing that does not come in is a row, a line and a count. */
static int put_gap(struct projector *p, const struct gap_row *g)
{
	int64_t now = p->clock->wall_us(p->clock);
	struct event_place at = projector_place(p);
	struct note_row row = {.time_us = now, .client = "", .from = "",
	    .to = ""};
	struct strbuf bytes;
	int rc = -1;

	strbuf_init(&bytes, 1024);
	print_gap(&bytes, g, p->pos);
	if (note_parse(strbuf_view(&bytes), &row.event, &row.fields) == 0) {
		log_error("audit.gap", kv_slice("what", row.fields));
		if (projector_wants_line(p)) {
			event_print_note(&p->log.out, &at, now, row.event,
			    row.fields);
			projector_end_line(p);
		}
		rc = hourfile_put_note(projector_file(p), &row);
	}
	strbuf_fini(&bytes);
	if (rc == 0)
		atomic_fetch_add(&p->gap, g->records > 0 ? g->records : 1);
	return rc;
}

int project_gap(struct projector *p, const struct spool_gap *gap)
{
	bool recycled = gap->generations > 0;

	return put_gap(p, &(struct gap_row){
	    .generations = gap->generations,
	    .bytes = recycled ? 0 : gap->bytes,
	    .placed = !recycled,
	    .reason = recycled ? "recycled"
		    : gap->damaged ? "damaged" : "unreadable",
	});
}

int project_discarded(struct projector *p, uint64_t records)
{
	return put_gap(p,
	    &(struct gap_row){.records = records, .reason = "space"});
}

/* The record that is being taken in says nothing that is understood. */
int project_gap_here(struct projector *p, const char *reason)
{
	return put_gap(p, &(struct gap_row){.records = 1, .placed = true,
			      .reason = reason});
}
