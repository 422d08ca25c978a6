/* SPDX-License-Identifier: ISC
 *
 * Packs and reads the records of the journal. Layout of each: doc/journal.md.
 */
#include "relay/spool/format/record.h"

#include "relay/base/mem.h"

enum { /* smallest and largest encoded forms */
	DELIVERY_MIN = 4 + 5 + 2 + 1 + 24, /* of format 1 */
	DELIVERY_MAX = DELIVERY_MIN + 1 + 8 + NAME_BYTES,
	DETAIL_MIN = 4,
	EXTENT_BYTES = 28,
	UPDATE_MIN = 4 + 1 + DELIVERY_MIN + DETAIL_MIN,
	UPDATE_MAX = 4 + 1 + DELIVERY_MAX + DETAIL_MIN,
	FACT_MIN = 8,
	ACCEPT_FIXED = 80,
	RECORD_HEAD_ROOM = 32, /* the frame and its padding */
};

void record_init(struct record *r)
{
	*r = (struct record){0};
}

void record_fini(struct record *r)
{
	mem_free(r->accept.delivery);
	mem_free(r->accept.detail);
	mem_free(r->accept.body.extent);
	mem_free(r->update.update);
	mem_free(r->update.old_state);
	mem_free(r->update.old_at);
	mem_free(r->fact);
	record_init(r);
}

/* A count whose elements take at least `min` bytes each. */
static unsigned take_count(struct unpack *u, size_t min)
{
	uint32_t n = unpack_u32(u);

	if (u->bad || n > u->rest.n / min) {
		u->bad = true;
		return 0;
	}
	return n;
}

static void put_delivery(struct strbuf *b, const struct spool_delivery *d,
    const struct names *names)
{
	const char *leg = names_text(names, d->leg);

	pack_u32(b, d->rcpt);
	pack_u8(b, d->role);
	pack_u8(b, d->state);
	pack_u8(b, d->uncertain);
	pack_u8(b, d->reason);
	pack_u16(b, d->flags);
	pack_u16(b, d->attempts);
	pack_u8(b, (uint8_t)strlen(leg));
	strbuf_adds(b, leg);
	pack_i64(b, d->created_us);
	pack_i64(b, d->due_us);
	pack_u64(b, d->change);
	pack_u64(b, d->hash);
}

/* Where a record is read from. */
struct input {
	struct unpack u;
	unsigned format;
	struct names *names;
};

static void take_delivery(struct input *in, struct spool_delivery *d)
{
	struct unpack *u = &in->u;
	int leg;

	*d = (struct spool_delivery){.rcpt = unpack_u32(u)};
	d->role = unpack_u8(u);
	d->state = unpack_u8(u);
	d->uncertain = unpack_u8(u);
	d->reason = unpack_u8(u);
	d->flags = in->format == 1 ? unpack_u8(u) : unpack_u16(u);
	d->attempts = unpack_u16(u);
	leg = names_id(in->names, unpack_short(u));
	d->created_us = unpack_i64(u);
	d->due_us = unpack_i64(u);
	d->change = unpack_u64(u);
	d->hash = in->format == 1 ? 0 : unpack_u64(u);
	if (leg < 0 || d->rcpt >= SPOOL_RCPTS || d->role > ROLE_COPY ||
	    d->uncertain > UNC_YES || d->state == D_NONE ||
	    d->state >= D_STATES)
		u->bad = true;
	d->leg = (uint16_t)(leg < 0 ? 0 : leg);
}

static void put_body(struct strbuf *b, const struct body_place *y)
{
	pack_u64(b, y->size);
	pack_u64(b, 0); /* the builder fills the inline place in */
	pack_u64(b, 0);
	pack_u32(b, y->extents);
	for (unsigned i = 0; i < y->extents; i++) {
		pack_u32(b, y->extent[i].slot);
		pack_u64(b, y->extent[i].generation);
		pack_u32(b, y->extent[i].off);
		pack_u32(b, y->extent[i].bytes);
		pack_u64(b, y->extent[i].sum);
	}
}

static void take_body(struct record *r, struct unpack *u)
{
	struct body_place *y = &r->accept.body;
	uint64_t sum = 0;
	unsigned n;

	y->size = unpack_u64(u);
	y->off = unpack_u32(u);
	y->bytes = unpack_u32(u);
	y->sum = unpack_u64(u);
	n = take_count(u, EXTENT_BYTES);
	if (n > r->extent_cap) {
		y->extent = mem_resize(y->extent, n * sizeof(*y->extent));
		r->extent_cap = n;
	}
	y->extents = n;
	for (unsigned i = 0; i < n; i++) {
		y->extent[i].slot = unpack_u32(u);
		y->extent[i].generation = unpack_u64(u);
		y->extent[i].off = unpack_u32(u);
		y->extent[i].bytes = unpack_u32(u);
		y->extent[i].sum = unpack_u64(u);
		sum += y->extent[i].bytes;
	}
	if (y->size != sum + y->bytes || (n > 0 && y->bytes > 0))
		u->bad = true;
}

size_t record_put_accept(struct strbuf *b, const struct rec_accept *a,
    const struct names *names)
{
	size_t at;

	pack_u64(b, a->id);
	pack_i64(b, a->accepted_us);
	pack_i64(b, a->ahead_us);
	pack_u64(b, a->sender);
	at = b->n + sizeof(uint64_t);
	put_body(b, &a->body);
	pack_bytes(b, a->envelope);
	pack_u32(b, a->deliveries);
	for (unsigned i = 0; i < a->deliveries; i++) {
		put_delivery(b, &a->delivery[i], names);
		pack_bytes(b, a->detail == NULL ? slice_of("", 0) :
						  a->detail[i]);
	}
	return at;
}

static void take_accept(struct record *r, struct input *in)
{
	struct rec_accept *a = &r->accept;
	struct unpack *u = &in->u;

	a->id = unpack_u64(u);
	a->accepted_us = unpack_i64(u);
	a->ahead_us = in->format == 1 ? 0 : unpack_i64(u);
	a->sender = in->format == 1 ? 0 : unpack_u64(u);
	take_body(r, u);
	a->envelope = unpack_bytes(u);
	a->deliveries = take_count(u, DELIVERY_MIN + DETAIL_MIN);
	if (a->deliveries > r->delivery_cap) {
		r->delivery_cap = a->deliveries;
		a->delivery = mem_resize(a->delivery,
		    a->deliveries * sizeof(*a->delivery));
		a->detail = mem_resize(a->detail,
		    a->deliveries * sizeof(*a->detail));
	}
	for (unsigned i = 0; i < a->deliveries; i++) {
		take_delivery(in, &a->delivery[i]);
		a->detail[i] = unpack_bytes(u);
	}
	if (a->id == 0)
		u->bad = true;
}

/* The inline place, which the builder of a batch fills in for others, stands
 * in another segment here. */
void record_put_revive(struct strbuf *b, const struct rec_revive *v,
    const struct rec_accept *a, const struct names *names)
{
	struct strbuf place;
	size_t at;

	pack_u64(b, v->generation);
	pack_u32(b, v->off);
	pack_u32(b, v->bytes);
	pack_u32(b, v->old);
	at = record_put_accept(b, a, names);
	strbuf_init(&place, 16);
	pack_u32(&place, a->body.off);
	pack_u32(&place, a->body.bytes);
	pack_u64(&place, a->body.sum);
	if (strbuf_ok(b))
		memcpy(b->p + at, place.p, place.n);
	strbuf_fini(&place);
}

static void take_revive(struct record *r, struct input *in)
{
	r->revive.generation = unpack_u64(&in->u);
	r->revive.off = unpack_u32(&in->u);
	r->revive.bytes = unpack_u32(&in->u);
	r->revive.old = unpack_u32(&in->u);
	take_accept(r, in);
	if (r->revive.old >= r->accept.deliveries)
		in->u.bad = true;
}

void record_put_update(struct strbuf *b, const struct rec_update *up,
    const struct names *names)
{
	pack_u64(b, up->id);
	pack_i64(b, up->time_us);
	pack_i64(b, up->ahead_us);
	pack_u32(b, up->updates);
	for (unsigned i = 0; i < up->updates; i++) {
		pack_u32(b, up->update[i].delivery);
		pack_u8(b, D_NONE); /* the old state: known when applied */
		put_delivery(b, &up->update[i].to, names);
		pack_bytes(b, up->update[i].detail);
	}
}

static void grow_updates(struct record *r, unsigned n)
{
	struct rec_update *up = &r->update;

	if (n <= r->update_cap)
		return;
	r->update_cap = n;
	up->update = mem_resize(up->update, n * sizeof(*up->update));
	up->old_state = mem_resize(up->old_state, n * sizeof(*up->old_state));
	up->old_at = mem_resize(up->old_at, n * sizeof(*up->old_at));
}

static void take_update(struct record *r, struct input *in, const char *start)
{
	struct rec_update *up = &r->update;
	struct unpack *u = &in->u;

	up->id = unpack_u64(u);
	up->time_us = unpack_i64(u);
	up->ahead_us = in->format == 1 ? 0 : unpack_i64(u);
	up->updates = take_count(u, UPDATE_MIN);
	grow_updates(r, up->updates);
	for (unsigned i = 0; i < up->updates; i++) {
		up->update[i].delivery = unpack_u32(u);
		up->old_at[i] = (uint32_t)(u->rest.p - start);
		up->old_state[i] = unpack_u8(u);
		take_delivery(in, &up->update[i].to);
		up->update[i].detail = unpack_bytes(u);
	}
	if (up->id == 0)
		u->bad = true;
}

void record_put_facts(struct strbuf *b, bool all, const struct fact *f,
    unsigned n)
{
	pack_u8(b, all);
	pack_u32(b, n);
	for (unsigned i = 0; i < n; i++) {
		pack_bytes(b, f[i].key);
		pack_bytes(b, f[i].value);
	}
}

static void take_facts(struct record *r, struct unpack *u)
{
	r->all_facts = unpack_u8(u) != 0;
	r->facts = take_count(u, FACT_MIN);
	if (r->facts > r->fact_cap) {
		r->fact_cap = r->facts;
		r->fact = mem_resize(r->fact, r->facts * sizeof(*r->fact));
	}
	for (unsigned i = 0; i < r->facts; i++) {
		r->fact[i].key = unpack_bytes(u);
		r->fact[i].value = unpack_bytes(u);
	}
}

void record_put_totals(struct strbuf *b, const uint64_t (*total)[TOTALS],
    const struct names *names, unsigned legs)
{
	pack_u32(b, legs);
	for (unsigned i = 0; i < legs; i++) {
		pack_str(b, names_text(names, (int)i));
		for (int t = 0; t < TOTALS; t++)
			pack_u64(b, total[i][t]);
	}
}

int record_totals(struct slice payload, uint64_t (*total_out)[TOTALS],
    struct names *names)
{
	struct unpack u;
	unsigned n;

	unpack_init(&u, payload);
	n = take_count(&u, 4 + TOTALS * sizeof(uint64_t));
	for (unsigned i = 0; i < n; i++) {
		int leg = names_id(names, unpack_bytes(&u));

		for (int t = 0; t < TOTALS; t++) {
			uint64_t v = unpack_u64(&u);

			if (leg >= 0)
				total_out[leg][t] = v;
		}
		if (leg < 0)
			u.bad = true;
	}
	return unpack_end(&u) ? 0 : -1;
}

bool record_known(uint8_t type)
{
	return type >= REC_ACCEPTED && type <= REC_REVIVE;
}

static void take_note(struct record *r, struct unpack *u)
{
	r->note = unpack_u8(u);
	r->time_us = unpack_i64(u);
	r->bytes = unpack_bytes(u);
}

int record_parse(struct record *r, const struct record_head *h,
    struct slice payload, unsigned format, struct names *names)
{
	struct input in = {.format = format, .names = names};

	unpack_init(&in.u, payload);
	r->type = h->type;
	switch (r->type) {
	case REC_ACCEPTED:
	case REC_CARRY:
		take_accept(r, &in);
		break;
	case REC_UPDATE:
		take_update(r, &in, payload.p);
		break;
	case REC_GROUP:
		take_update(r, &in, payload.p);
		take_accept(r, &in);
		break;
	case REC_NOTE:
		take_note(r, &in.u);
		break;
	case REC_FACTS:
		take_facts(r, &in.u);
		break;
	case REC_TOTALS:
	case REC_SUMMARY:
		r->totals = r->bytes = payload; /* for those who read it */
		return 0;
	case REC_REVIVE:
		take_revive(r, &in);
		break;
	case REC_CLEAN:
		r->time_us = unpack_i64(&in.u);
		break;
	default:
		return -1;
	}
	return unpack_end(&in.u) ? 0 : -1;
}

size_t record_accept_max(size_t envelope, unsigned deliveries,
    size_t details, unsigned extents)
{
	return RECORD_HEAD_ROOM + ACCEPT_FIXED + envelope + details +
	    (size_t)deliveries * (DELIVERY_MAX + DETAIL_MIN) +
	    (size_t)extents * EXTENT_BYTES;
}

size_t record_update_max(unsigned updates, size_t details)
{
	return RECORD_HEAD_ROOM + ACCEPT_FIXED + details +
	    (size_t)updates * UPDATE_MAX;
}
