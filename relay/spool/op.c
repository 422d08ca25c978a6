/* SPDX-License-Identifier: ISC
 *
 * Requests to the writer: moves of deliveries, notes, facts. An op's bytes
 * are a run of items in memory form: kind, length, body. The writer turns
 * them into records, where legs are names. Any thread may build and post.
 * Below them: the queues in which the writers keep letters, and the facts.
 */
#include "relay/spool/spool_int.h"

#include "relay/base/assert.h"
#include "relay/base/jout.h"

enum { OP_BYTES = 8 << 20, EVENT_BYTES = 1 << 10, ITEM_HEAD = 5 };

struct spool_op *spool_op_new(void)
{
	struct spool_op *op = NEW(struct spool_op);

	strbuf_init(&op->body, OP_BYTES);
	return op;
}

void spool_op_free(struct spool_op *op)
{
	if (op == NULL)
		return;
	PH_ASSERT(!op->posted);
	strbuf_fini(&op->body);
	mem_free(op);
}

static void put_head(struct spool_op *op, enum op_item kind, size_t n)
{
	if (op->body.max == 0) /* not from spool_op_new() */
		strbuf_init(&op->body, OP_BYTES);
	pack_u8(&op->body, (uint8_t)kind);
	pack_u32(&op->body, (uint32_t)n);
}

bool op_next(struct slice *rest, enum op_item *kind_out,
    struct slice *body_out)
{
	struct unpack u;

	if (rest->n < ITEM_HEAD)
		return false;
	unpack_init(&u, *rest);
	*kind_out = unpack_u8(&u);
	*body_out = unpack_bytes(&u);
	*rest = u.rest;
	return unpack_ok(&u);
}

void spool_op_update(struct spool_op *op, uint64_t id, int64_t time_us,
    const struct spool_update *u, unsigned n)
{
	op->id = id;
	op->time_us = time_us;
	for (unsigned i = 0; i < n; i++) {
		put_head(op, ITEM_UPDATE, sizeof(u[i]) + u[i].detail.n);
		strbuf_add(&op->body, &u[i], sizeof(u[i]));
		strbuf_addsl(&op->body, u[i].detail);
	}
}

struct spool_update op_get_update(struct slice body)
{
	struct spool_update u;

	memcpy(&u, body.p, sizeof(u));
	u.detail = slice_from(body, sizeof(u));
	return u;
}

void spool_op_note(struct spool_op *op, enum note kind, int64_t time_us,
    struct slice bytes)
{
	op->time_us = time_us;
	put_head(op, ITEM_NOTE, 1 + bytes.n);
	pack_u8(&op->body, (uint8_t)kind);
	strbuf_addsl(&op->body, bytes);
}

void spool_op_fact(struct spool_op *op, const char *key, struct slice value)
{
	struct slice k = slice_str(key);

	op->flags |= OP_SYNC;
	put_head(op, ITEM_FACT, 8 + k.n + value.n);
	pack_bytes(&op->body, k);
	pack_bytes(&op->body, value);
}

/* As with updates: the states matter more than what was said. */
static void put_revive(const struct spool *s, struct strbuf *b,
    const struct spool_fetch *f, struct rec_accept *a)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < f->deliveries; i++) {
		a->delivery[i] = f->delivery[i];
		a->detail[i] = strbuf_view(&f->reply[i]);
		bytes += f->reply[i].n;
	}
	for (unsigned i = f->deliveries; i < a->deliveries; i++)
		bytes += a->detail[i].n;
	for (unsigned i = 0; i < a->deliveries &&
	     !spool_revive_holds(s, a->deliveries, bytes); i++)
		a->detail[i] = slice_of("", 0);
	record_put_revive(b, &f->place->place, a, s->c.names);
}

void spool_op_revive(struct spool *s, struct spool_op *op,
    const struct spool_fetch *f, const struct spool_update *more, unsigned n)
{
	struct rec_accept a = {.id = f->id, .accepted_us = f->accepted_us,
	    .ahead_us = spool_ahead_us(s), .envelope = slice_of("", 0),
	    .deliveries = f->deliveries + n};
	struct strbuf record;

	PH_ASSERT(f->over && n > 0);
	a.sender = f->place->sender;
	a.body = f->place->body;
	a.delivery = NEW_ARRAY(struct spool_delivery, a.deliveries);
	a.detail = NEW_ARRAY(struct slice, a.deliveries);
	for (unsigned i = 0; i < n; i++) {
		a.delivery[f->deliveries + i] = more[i].to;
		a.detail[f->deliveries + i] = more[i].detail;
	}
	strbuf_init(&record, OP_BYTES);
	put_revive(s, &record, f, &a);
	op->id = f->id;
	op->time_us = s->c.clock->wall_us(s->c.clock);
	op->flags |= OP_SYNC;
	put_head(op, ITEM_REVIVE, record.n);
	strbuf_addsl(&op->body, strbuf_view(&record));
	strbuf_fini(&record);
	mem_free(a.delivery);
	mem_free(a.detail);
}

struct fact op_get_fact(struct slice body)
{
	struct unpack u;
	struct fact f;

	unpack_init(&u, body);
	f.key = unpack_bytes(&u);
	f.value = unpack_bytes(&u);
	return f;
}

bool op_urgent(const struct spool_op *op)
{
	return (op->flags & OP_SYNC) != 0 || op->group != NULL;
}

void spool_post(struct spool *s, struct spool_op *op)
{
	struct spool_draft *d = op->group;

	PH_ASSERT(!op->posted);
	op->posted = true;
	op->letter.kind = POST_OP;
	if (d != NULL) {
		pthread_mutex_lock(&d->lock);
		d->op = op;
		draft_ready(d);
		pthread_mutex_unlock(&d->lock);
		return;
	}
	/* A plain result rides in the next batch. */
	if (op_urgent(op))
		mailbox_post(&s->journal.in, &op->letter);
	else
		mailbox_post_lazy(&s->journal.in, &op->letter);
}

void op_answer(struct spool_op *op, enum spool_status status)
{
	PH_ASSERT(op->posted);
	op->posted = false;
	if (op->to == NULL) {
		spool_op_free(op);
		return;
	}
	op->status = status;
	op->letter.kind = op->kind;
	mailbox_post(op->to, &op->letter);
}

void op_event(struct spool *s, struct spool_op *op, const char *state,
    const char *reason)
{
	struct strbuf bytes;
	struct jout j;

	strbuf_init(&bytes, EVENT_BYTES);
	strbuf_add(&bytes, "spool", sizeof("spool"));
	jout_init(&j, &bytes);
	jout_object(&j, NULL);
	jout_str(&j, "state", state);
	jout_str(&j, "reason", reason);
	jout_object_end(&j);
	spool_op_note(op, NOTE_SYSTEM, s->c.clock->wall_us(s->c.clock),
	    strbuf_view(&bytes));
	strbuf_fini(&bytes);
}

/* ---- letters that wait ---- */

void queue_init(struct letter_queue *q)
{
	*q = (struct letter_queue){.tail = &q->head};
}

void queue_push(struct letter_queue *q, struct letter *l)
{
	l->next = NULL;
	*q->tail = l;
	q->tail = &l->next;
	q->n++;
}

struct letter *queue_pop(struct letter_queue *q)
{
	struct letter *l = q->head;

	PH_ASSERT((l == NULL) == (q->n == 0));
	if (l == NULL)
		return NULL;
	q->head = l->next;
	if (q->head == NULL)
		q->tail = &q->head;
	q->n--;
	return l;
}

/* Puts all of `from` before what is in `q`. */
void queue_unpop_all(struct letter_queue *q, struct letter_queue *from)
{
	if (from->head == NULL)
		return;
	*from->tail = q->head;
	if (q->head == NULL)
		q->tail = from->tail;
	q->head = from->head;
	q->n += from->n;
	queue_init(from);
}

/* ---- facts ----
 *
 * A few keyed values that outlive recycling, because each segment begins with
 * all of them. A leg has two (why it is suspended, when it was down), the table
 * and the clock one each, so all that there may ever be are one record: there
 * is no table of facts (type 11). A flat array. */

static struct spool_fact *find(struct spool *s, struct slice key)
{
	for (unsigned i = 0; i < s->facts; i++)
		if (slice_eq(slice_str(s->fact[i].key), key))
			return &s->fact[i];
	return NULL;
}

bool fact_fits(const struct spool *s, const struct fact *f)
{
	uint64_t n = f->key.n + f->value.n;
	bool known = false;

	for (unsigned i = 0; i < s->facts; i++) {
		struct slice key = slice_str(s->fact[i].key);

		if (slice_eq(key, f->key))
			known = true; /* it takes the place of the former */
		else
			n += key.n + s->fact[i].value.n;
	}
	return f->value.n == 0 ||
	    (f->key.n + f->value.n <= FACT_BYTES && n <= s->facts_max &&
		(known || s->facts < FACTS_MAX));
}

static void forget(struct spool *s, struct spool_fact *f)
{
	mem_free(f->key);
	strbuf_fini(&f->value);
	*f = s->fact[--s->facts];
}

void fact_set(struct spool *s, struct slice key, struct slice value)
{
	struct spool_fact *f = find(s, key);

	if (value.n == 0) {
		if (f != NULL)
			forget(s, f);
		return;
	}
	if (f == NULL) {
		if (s->facts == FACTS_MAX)
			return;
		f = &s->fact[s->facts++];
		f->key = mem_slicedup(key);
		strbuf_init(&f->value, FACT_BYTES);
	}
	strbuf_reset(&f->value);
	strbuf_addsl(&f->value, value);
}

void facts_clear(struct spool *s)
{
	while (s->facts > 0)
		forget(s, &s->fact[s->facts - 1]);
}

bool spool_fact(struct spool *s, const char *key, struct strbuf *out)
{
	struct spool_fact *f;

	pthread_mutex_lock(&s->lock);
	f = find(s, slice_str(key));
	if (f != NULL)
		strbuf_addsl(out, strbuf_view(&f->value));
	pthread_mutex_unlock(&s->lock);
	return f != NULL;
}
