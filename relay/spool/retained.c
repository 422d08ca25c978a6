/* SPDX-License-Identifier: ISC
 *
 * Finds a message that is over and kept still (R4). Nothing of it is in memory
 * but the lowest and the highest id that each segment names; those segments
 * whose range has its id are read, from the oldest on.
 */
#include "relay/spool/scan.h"

struct kept_search {
	struct spool *s;
	uint64_t id;
	struct scan sc;
	struct record record;
	struct version *found;
};

static void pin_all(struct spool *s, uint64_t id, struct retained *r)
{
	unsigned n = 0;

	pthread_mutex_lock(&s->lock);
	list_each(at, &s->mains)
		n++;
	r->pin = NEW_ARRAY(struct segment *, n);
	list_each(at, &s->mains) {
		struct segment *seg = LIST_ENTRY(at, struct segment, node);

		if (id < seg->id_min || id > seg->id_max)
			continue;
		seg->pins++;
		r->pin[r->pins++] = seg;
	}
	pthread_mutex_unlock(&s->lock);
}

void retained_let_go(struct spool *s, struct retained *r)
{
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < r->pins; i++)
		r->pin[i]->pins--;
	pthread_mutex_unlock(&s->lock);
	if (r->pins > 0)
		space_wake(s);
	mem_free(r->pin);
	version_free(r->version);
	*r = (struct retained){0};
}

static void become(struct kept_search *f, struct version *v)
{
	if (v == NULL)
		return;
	version_free(f->found);
	f->found = v;
}

/* The id stands first in all but a revival and the second part of a group. */
static bool may_name(const struct kept_search *f, const struct scan_record *rec)
{
	struct unpack u;

	if (rec->head.type == REC_GROUP || rec->head.type == REC_REVIVE)
		return true;
	unpack_init(&u, rec->payload);
	return (rec->head.type == REC_ACCEPTED ||
		   rec->head.type == REC_CARRY ||
		   rec->head.type == REC_UPDATE) &&
	    unpack_u64(&u) == f->id;
}

static void look_at(struct kept_search *f, struct segment *seg,
    const struct scan_record *rec)
{
	struct rec_place at = {seg, (uint32_t)rec->off,
	    (uint32_t)rec->frame.n, rec->frame.p};
	struct record *r = &f->record;

	if (!may_name(f, rec) ||
	    record_parse(r, &rec->head, rec->payload, seg->format,
		f->s->c.names) < 0)
		return;
	if ((r->type == REC_UPDATE || r->type == REC_GROUP) &&
	    r->update.id == f->id && f->found != NULL)
		become(f, version_after(f->found, &r->update, at));
	if (r->type != REC_UPDATE && r->accept.id == f->id)
		become(f, version_of(f->s, r, at));
}

static void read_segment(struct kept_search *f, struct segment *seg)
{
	struct batch_head h;
	struct scan_record rec;
	uint64_t off = 0, end;

	pthread_mutex_lock(&f->s->lock);
	end = seg->end;
	pthread_mutex_unlock(&f->s->lock);
	scan_open(&f->sc, seg, end);
	while (off < end) {
		struct scan_range range;
		int rc;

		if (!scan_head(&f->sc, off, &h)) {
			off = scan_find(&f->sc, off + BLOCK, 0, &h);
			if (off == 0)
				return;
		}
		range = scan_range_of(off, &h);
		while ((rc = scan_record(&f->sc, &range, &rec)) != 0)
			if (rc > 0)
				look_at(f, seg, &rec);
		off += batch_span(&h);
	}
}

struct version *retained_find(struct spool *s, uint64_t id,
    struct retained *out, struct error *err)
{
	struct kept_search f = {.s = s, .id = id};
	int rc = 0;

	*out = (struct retained){0};
	pin_all(s, id, out);
	scan_init(&f.sc, s);
	record_init(&f.record);
	for (unsigned i = 0; i < out->pins && rc == 0; i++) {
		read_segment(&f, out->pin[i]);
		rc = scan_all_known(&f.sc, err);
	}
	scan_fini(&f.sc);
	record_fini(&f.record);
	out->version = f.found;
	if (rc == 0 && f.found == NULL)
		error_set(err, "no such message is in the queue, or kept");
	if (rc == 0 && f.found != NULL)
		return f.found;
	retained_let_go(s, out);
	return NULL;
}
