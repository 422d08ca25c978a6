/* SPDX-License-Identifier: ISC
 *
 * Clients of the old MX are counted: of an event that is projected, and of a
 * record that is read for ledger.db alone.
 */
#include "relay/audit/note.h"
#include "relay/audit/projector_int.h"

void project_straggler_note(struct projector *p, int64_t time_us,
    struct slice event, const json_t *fields)
{
	struct straggler_refusal r = {projector_text(fields, "client"),
	    projector_text(fields, "listen"), projector_text(fields, "stage"),
	    projector_text(fields, "to"),
	    projector_text(fields, "enhanced"), time_us,
	    json_integer_value(json_object_get(fields, "count"))};

	if (slice_eq(event, slice_str(event_table[EVENT_REFUSED].name)))
		straggler_counts_refused(projector_stragglers(p), &r);
}

static void accepted(struct projector *p,
    const struct spool_record *rec)
{
	struct arena *a = arena_new();
	struct envelope env;

	if (envelope_unpack(rec->envelope, a, &env) == 0)
		straggler_counts_accepted(projector_stragglers(p), &env);
	arena_free(a);
}

static void note(struct projector *p, const struct spool_record *rec)
{
	struct slice event, fields;
	json_t *o = NULL;

	if (note_parse(rec->bytes, &event, &fields) == 0)
		o = json_loadb(fields.p - 1, fields.n + 2, 0, NULL);
	if (o != NULL)
		project_straggler_note(p, rec->time_us, event, o);
	json_decref(o);
}

void project_straggler(struct projector *p, const struct spool_record *rec)
{
	if (rec->type == REC_ACCEPTED)
		accepted(p, rec);
	else if (rec->type == REC_NOTE)
		note(p, rec);
}

bool projector_wants_outbound(struct projector *p,
    char client_out[PROJECTOR_CLIENT_TEXT])
{
	_Static_assert((int)PROJECTOR_CLIENT_TEXT ==
	    (int)STRAGGLER_CLIENT_TEXT, "one size");

	return straggler_counts_wanting(projector_stragglers(p), client_out);
}
