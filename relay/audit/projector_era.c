/* SPDX-License-Identifier: ISC
 *
 * Is the journal the one that the index has read? If it is another, ended
 * before what was read, or lost deliveries, an era begins: its records are
 * read from the start, so that what it holds has rows of this era, and open
 * rows without one are what was lost (doc/audit.md).
 */
#include "relay/audit/projector_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "relay/audit/event_table.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"

struct spool_pos projector_cursor(const char *dir)
{
	struct spool_pos at = {0};
	struct error err;
	int64_t *hour;
	size_t n;

	if (hour_list(dir, &hour, &n, &err) != 0)
		return at;
	for (; n > 0 && at.generation == 0; n--) {
		struct hourfile *f =
		    hourfile_open(dir, hour[n - 1], HOUR_READ, &err);

		if (f != NULL)
			at = hourfile_state(f)->cursor;
		hourfile_close(f);
	}
	mem_free(hour);
	return at;
}

const struct projector_era *projector_era(const struct projector *p)
{
	return &p->era;
}

static void add_open(void *arg, const char *leg, const int64_t total[TOTALS])
{
	uint64_t *open = arg;

	(void)leg;
	*open += (uint64_t)(total[T_OPEN] + total[T_PARKED]);
}

/* A spool that was restored together with this index has another id. */
bool projector_is_spool(const struct spool_origin *o, uint64_t spool)
{
	for (unsigned i = 0; i < o->formers; i++)
		if (o->former[i] == spool)
			return true;
	return spool == o->id;
}

/* Leaves e->why empty when the journal goes on where the index stopped. */
static void compare(struct projector_era *e, const struct hour_state *st,
    const struct spool_origin *o)
{
	if (st->spool != 0 && !projector_is_spool(o, st->spool))
		snprintf(e->why, sizeof(e->why), "the spool is another than "
		    "the one that the index knows");
	else if (spool_pos_cmp(st->cursor, o->end) > 0)
		snprintf(e->why, sizeof(e->why), "the journal ends at %" PRIu64
		    ":%" PRIu64 ", and the index had read it to %" PRIu64
		    ":%" PRIu64, o->end.generation, o->end.offset,
		    st->cursor.generation, st->cursor.offset);
	e->replaced = e->why[0] != '\0';
	if (!e->replaced && o->corrected > 0 && st->spool != 0)
		snprintf(e->why, sizeof(e->why), "the journal has %" PRIu64
		    " deliveries more or less than it counted when it was "
		    "stopped", o->corrected);
}

/* One that began at an earlier start, which ended too soon: what is owed of it
 * is owed still. */
static int resume(struct projector *p)
{
	struct projector_era *e = &p->era;

	if (hourfile_owed(projector_file(p), &p->owed) != 0)
		return -1;
	if (!p->owed.note && !p->owed.ledger)
		return 0;
	memcpy(e->why, p->owed.why, sizeof(e->why));
	e->replaced = p->owed.note;
	e->open = p->owed.open;
	return 0;
}

static void owe(struct projector *p)
{
	struct era_owed *o = &p->owed;

	memcpy(o->why, p->era.why, sizeof(o->why));
	o->open = p->era.open;
	o->note = o->note || p->era.replaced;
	o->ledger = true;
}

/* To where the index has what a journal of the same spool held. One that ends
 * before the cursor holds nothing else; one that lost segments may hold more
 * than the index had read. */
static struct spool_pos told_to(const struct hour_state *was,
    const struct spool_origin *o)
{
	if (was->spool != 0 && !projector_is_spool(o, was->spool))
		return (struct spool_pos){0};
	if (spool_pos_cmp(was->cursor, o->end) > 0 ||
	    spool_pos_cmp(was->cursor, o->begin) > 0)
		return o->begin;
	/* An era that was cut short had not read it all once more. */
	return spool_pos_cmp(was->cursor, was->told) > 0 ? was->cursor
							  : was->told;
}

static int begin_era(struct projector *p, const struct hour_state *was,
    const struct spool_origin *o)
{
	struct hour_state st = *was;

	if (was->spool == 0 && p->era.why[0] == '\0') {
		st.spool = o->id; /* a new index, or of an earlier version */
		st.until = o->begin;
	} else {
		hourfile_totals(projector_file(p), HOUR_JOURNAL, add_open,
		    &p->era.open);
		st.told = told_to(was, o);
		owe(p);
		st.spool = o->id;
		st.era = was->era + 1;
		st.until = o->begin;
		st.cursor = (struct spool_pos){0};
		log_warn("audit.spool_replaced", kv_str("why", p->era.why),
		    kv_int("open", (int64_t)p->era.open));
	}
	return hourfile_begin_era(projector_file(p), &st, &p->owed);
}

static int take_up(struct projector *p, const struct hour_state *st,
    const struct spool_origin *o)
{
	struct projector_era found = {.open = 0};

	if (resume(p) != 0)
		return -1;
	compare(&found, st, o);
	if (found.why[0] != '\0') {
		found.open = p->era.open; /* of the one that was cut short */
		found.replaced = found.replaced || p->era.replaced;
		p->era = found;
	}
	if ((st->spool == 0 || found.why[0] != '\0') &&
	    begin_era(p, st, o) != 0)
		return -1;
	return st->spool == o->id
		   ? 0
		   : hourfile_put_spool(projector_file(p), o->id);
}

int projector_take_up(struct projector *p, const struct spool_origin *o,
    struct error *err)
{
	const struct hour_state *st = hourfile_state(projector_file(p));

	p->batches = o != NULL;
	if (o != NULL && take_up(p, st, o) != 0)
		return error_set(err, "audit index: %s",
		    hours_error(p->hours));
	p->open.era = st->era;
	p->next = st->cursor;
	return 0;
}

/* One that was in the journal before is of another life of it. */
void projector_era_note(struct projector *p, struct slice event,
    const json_t *fields)
{
	const char *state =
	    json_string_value(json_object_get(fields, "state"));

	if (p->owed.note && !projector_reads_back(p) && state != NULL &&
	    slice_eq(event, slice_str(event_table[EVENT_SPOOL].name)) &&
	    strcmp(state, "replaced") == 0)
		p->tells = true;
}

void projector_era_settle(struct projector *p)
{
	struct era_owed o = p->owed;

	o.note = o.note && !p->told;
	o.ledger = o.ledger && !last_delivery_saved(p->last);
	o.open = o.note ? o.open : 0;
	if (o.note == p->owed.note && o.ledger == p->owed.ledger)
		return;
	if (hourfile_owe(projector_file(p), &o) == 0)
		p->owed = o;
}
