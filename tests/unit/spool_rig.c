/* SPDX-License-Identifier: ISC
 *
 * A spool over a fake disk, and the ledger of what it promised.
 */
#include "tests/unit/spool_rig.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "relay/base/log.h"
#include "relay/spool/check/spool_check.h"
#include "relay/spool/start/spool_open.h"

enum { PUMPS = 400, SEGMENT = 64 << 10 };

static struct rig *rig_blank(struct fakedisk *disk)
{
	struct rig *r = NEW(struct rig);

	log_setup(-1, LOG_LV_ERROR, &clock_system); /* faults are the point */

	r->disk = disk;
	clock_fake_init(&r->clock, INT64_C(1700000000000000));
	rng_seeded_init(&r->rng, 7);
	r->names = names_new();
	mailbox_init(&r->in);
	r->next_id = 100;
	r->c = (struct spool_config){
	    .path = "/spool",
	    .segment_bytes = SEGMENT,
	    .body_memory_bytes = 8 << 20,
	    .memory_window_bytes = 8 << 20,
	    .spares = 3,
	    .retain_us = 1000000,
	    .clock = &r->clock.clock,
	    .rng = &r->rng.rng,
	    .io = &disk->io,
	    .names = r->names,
	};
	return r;
}

struct rig *rig_new(unsigned slots)
{
	struct rig *r = rig_blank(fakedisk_new());

	r->c.max_bytes = (uint64_t)slots * SEGMENT;
	return r;
}

struct rig *rig_over(struct fakedisk *disk, const struct rig *ledger)
{
	struct rig *r = rig_blank(disk);

	r->c.max_bytes = ledger->c.max_bytes;
	r->c.retain_us = ledger->c.retain_us;
	r->clock.wall = ledger->clock.wall;
	r->clock.mono = ledger->clock.mono;
	memcpy(r->m, ledger->m, ledger->n * sizeof(r->m[0]));
	r->n = ledger->n;
	r->next_id = ledger->next_id;
	return r;
}

static void on_message(void *arg, const struct spool_told *m)
{
	struct rig *r = arg;

	r->told++;
	for (unsigned i = 0; i < m->n; i++)
		r->uncertain += m->delivery[i].uncertain == UNC_POSSIBLE;
}

static void on_damage(void *arg, const char *line)
{
	struct rig *r = arg;

	if (r->damaged++ == 0)
		snprintf(r->first_damage, sizeof(r->first_damage), "%s",
		    line);
	snprintf(r->last_damage, sizeof(r->last_damage), "%s", line);
}

static void on_unread(void *arg, uint64_t id, const char *line)
{
	struct rig *r = arg;

	r->unread++;
	r->unread_id = id;
	snprintf(r->last_damage, sizeof(r->last_damage), "%s", line);
}

bool rig_open(struct rig *r)
{
	struct spool_recovered told = {.arg = r, .message = on_message,
	    .damage = on_damage, .unread = on_unread};

	r->told = r->damaged = r->uncertain = r->unread = 0;
	r->err.text[0] = '\0';
	r->c.unread = on_unread;
	r->c.unread_arg = r;
	r->spool = spool_open(&r->c, &told, &r->start, &r->err);
	return r->spool != NULL;
}

static struct rig_message *find(struct rig *r, uint64_t id)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->m[i].id == id)
			return &r->m[i];
	return NULL;
}

static void on_commit(struct rig *r, struct letter *l)
{
	struct spool_draft_letter *dl =
	    CONTAINER_OF(l, struct spool_draft_letter, letter);
	struct rig_message *m = find(r, spool_draft_id(dl->draft));

	r->commit_letters++;
	m->promise = dl->status == SPOOL_STORED ? P_STORED : P_REFUSED;
	spool_draft_free(dl->draft);
}

static void on_op(struct rig *r, struct letter *l)
{
	struct spool_op *op = CONTAINER_OF(l, struct spool_op, letter);
	struct rig_message *m = op->arg, *dsn;
	bool good = op->status == SPOOL_STORED;

	r->op_letters++;
	r->last_op = op->status;
	if (m != NULL && good)
		m->promise = P_SETTLED;
	if (op->group != NULL) {
		dsn = find(r, spool_draft_id(op->group));
		dsn->promise = good ? P_STORED : P_REFUSED;
		spool_draft_free(op->group);
	}
	spool_op_free(op);
}

static void take_letters(struct rig *r)
{
	struct letter *l, *next;

	for (l = mailbox_take(&r->in); l != NULL; l = next) {
		next = l->next;
		switch (l->kind) {
		case RIG_COMMIT:
			on_commit(r, l);
			break;
		case RIG_OP:
			on_op(r, l);
			break;
		case RIG_FETCH:
			r->fetched =
			    CONTAINER_OF(l, struct spool_fetch, letter);
			break;
		default:
			r->room_letters++;
			break;
		}
	}
}

/* Damage may have lost what the totals know of. */
void rig_recount(const struct rig *r)
{
	struct spool_checker c = {0};
	const char *why = spool_check(r->spool, &c);

	if (why == NULL && r->damaged == 0)
		why = spool_conserved(r->spool, &c);
	if (why != NULL)
		fail_msg("%s", why);
}

void rig_write(struct rig *r)
{
	while (bulk_step(r->spool) == 0)
		continue;
	for (int i = 0; i < 20; i++)
		if (journal_step(r->spool, spool_now_ms(r->spool)) != 0)
			break;
	take_letters(r);
	rig_recount(r);
}

void rig_pump(struct rig *r)
{
	int quiet = 0;

	for (int i = 0; i < PUMPS && quiet < 3; i++) {
		bool busy = bulk_step(r->spool) == 0;
		int64_t now = spool_now_ms(r->spool);

		busy = journal_step(r->spool, now) == 0 || busy;
		busy = steward_work(r->spool, now) || busy;
		for (unsigned k = 0; k < READERS; k++)
			busy = reader_step(r->spool, k) == 0 || busy;
		take_letters(r);
		rig_recount(r);
		clock_fake_step(&r->clock, 200000);
		quiet = busy ? 0 : quiet + 1;
	}
}

void rig_close(struct rig *r)
{
	spool_stop(r->spool);
	take_letters(r);
	spool_close(r->spool);
	r->spool = NULL;
}

/* The process dies: nothing is written any more, memory is given back. */
void rig_kill(struct rig *r)
{
	if (r->spool == NULL)
		return;
	r->disk->fault = FAULT_EIO;
	r->disk->before = NULL;
	r->disk->fail_mask = ~0u;
	r->disk->fail_at = 1;
	r->disk->fail_on = true;
	rig_close(r);
}

void rig_free(struct rig *r)
{
	if (r->spool != NULL)
		rig_kill(r);
	mailbox_fini(&r->in);
	names_free(r->names);
	fakedisk_free(r->disk);
	mem_free(r);
}

void rig_body(uint64_t id, char *p, size_t n)
{
	struct rng_seeded rng;

	rng_seeded_init(&rng, id);
	rng.rng.fill(&rng.rng, p, n);
}

struct spool_delivery rig_delivery(struct rig *r, enum dstate state)
{
	return (struct spool_delivery){
	    .leg = (uint16_t)names_id(r->names, SLICE("legacy")),
	    .state = (uint8_t)state,
	    .hash = r->hash != 0 ? r->hash : 12345,
	    .created_us = r->clock.wall,
	};
}

/* The letter always comes, though it may bring bad news. */
static void wait_for_room(struct rig *r)
{
	unsigned before = r->room_letters;

	rig_write(r);
	for (int i = 0; i < 10 && r->room_letters == before; i++)
		rig_pump(r);
	assert_int_equal(r->room_letters, before + 1);
}

static struct spool_draft *draft(struct rig *r, struct rig_message *m)
{
	struct spool_draft *d =
	    spool_draft_new(r->spool, m->id, &r->in, NULL);
	size_t piece = r->piece == 0 ? 3000 : r->piece;
	char *p = mem_new(m->body);

	rig_body(m->id, p, m->body);
	for (size_t at = 0; at < m->body;) {
		size_t n = m->body - at < piece ? m->body - at : piece;
		enum spool_add rc =
		    spool_draft_add(d, slice_of(p + at, n), RIG_ROOM);

		if (rc != ADD_OK && rc != ADD_WAIT)
			break;
		at += n;
		if (rc == ADD_WAIT)
			wait_for_room(r);
	}
	mem_free(p);
	return d;
}

static struct rig_message *message_new(struct rig *r, size_t body)
{
	struct rig_message *m = &r->m[r->n++];

	*m = (struct rig_message){.id = r->next_id++, .body = body};
	return m;
}

struct rig_message *rig_accept(struct rig *r, size_t body)
{
	struct rig_message *m = message_new(r, body);
	struct spool_delivery to = rig_delivery(r, D_QUEUED);
	struct spool_draft *d = draft(r, m);

	r->commits++;
	if (spool_draft_size(d) < body) { /* it was refused on the way */
		m->promise = P_REFUSED;
		r->cut_short++;
		spool_draft_free(d);
		return m;
	}
	spool_draft_commit(d, SLICE("envelope"), &to, 1, RIG_COMMIT);
	return m;
}

static struct spool_op *moves_op(struct rig *r, struct rig_message *m,
    enum dstate state)
{
	struct spool_op *op = spool_op_new();
	struct spool_update u = {.to = rig_delivery(r, state)};

	u.to.attempts = 1;
	u.to.reason = WHY_ATTEMPT;
	u.detail = SLICE("250 2.0.0 taken");
	op->to = &r->in;
	op->kind = RIG_OP;
	spool_op_update(op, m->id, r->clock.wall, &u, 1);
	return op;
}

void rig_settle(struct rig *r, struct rig_message *m, enum dstate state,
    unsigned flags)
{
	struct spool_op *op = moves_op(r, m, state);

	op->flags = flags;
	if (!dstate_live(state)) {
		op->arg = m;
		m->promise = P_SETTLING;
	}
	spool_post(r->spool, op);
}

struct rig_message *rig_bounce(struct rig *r, struct rig_message *m)
{
	struct rig_message *dsn = message_new(r, 900);
	struct spool_draft *d = draft(r, dsn);
	struct spool_delivery to = rig_delivery(r, D_QUEUED);
	struct spool_op *op;

	if (spool_draft_size(d) < dsn->body) { /* no room for it now */
		dsn->promise = P_REFUSED;
		spool_draft_free(d);
		return dsn;
	}
	op = moves_op(r, m, D_BOUNCED);
	op->group = d;
	op->arg = m;
	m->promise = P_SETTLING;
	spool_draft_prepare(op->group, SLICE("dsn"), &to, 1);
	spool_post(r->spool, op);
	return dsn;
}

void rig_fact(struct rig *r, const char *key, const char *value)
{
	struct spool_op *op = spool_op_new();

	op->to = &r->in;
	op->kind = RIG_OP;
	spool_op_fact(op, key, slice_str(value));
	spool_post(r->spool, op);
}

static struct spool_fetch *fetch(struct rig *r, struct spool_fetch *f)
{
	r->fetched = NULL;
	spool_fetch_post(r->spool, f);
	for (unsigned k = 0; k < READERS; k++)
		reader_step(r->spool, k);
	take_letters(r);
	return r->fetched;
}

struct spool_fetch *rig_fetch(struct rig *r, uint64_t id, bool body)
{
	struct spool_fetch *f = spool_fetch_new(id, &r->in, RIG_FETCH);

	f->want_body = body;
	return fetch(r, f);
}

struct spool_fetch *rig_fetch_kept(struct rig *r, uint64_t id)
{
	struct spool_fetch *f = spool_fetch_new(id, &r->in, RIG_FETCH);

	f->want_body = f->want_kept = true;
	return fetch(r, f);
}

bool rig_same_body(struct spool_fetch *f, const struct rig_message *m)
{
	char *want = mem_new(m->body);
	struct slice chunk;
	size_t at = 0;
	bool same = f->source != NULL && f->source->size == m->body;

	rig_body(m->id, want, m->body);
	while (same && source_next(f->source, &chunk) == SOURCE_CHUNK) {
		same = at + chunk.n <= m->body &&
		    memcmp(want + at, chunk.p, chunk.n) == 0;
		at += chunk.n;
	}
	mem_free(want);
	return same && at == m->body;
}

bool rig_live(struct rig *r, const struct rig_message *m)
{
	struct spool_fetch *f = rig_fetch(r, m->id, true);
	bool live = f->status == 0 && rig_same_body(f, m);

	if (!live)
		print_message("%" PRIu64 " (%zu bytes): %s\n", m->id, m->body,
		    f->status == 0 ? "body differs" : f->err.text);
	spool_fetch_free(f);
	return live;
}

static bool known(struct rig *r, uint64_t id)
{
	return live_find(&r->spool->index.table, id) != 0;
}

const char *rig_check(struct rig *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct rig_message *m = &r->m[i];

		switch (m->promise) {
		case P_STORED:
			if (!known(r, m->id))
				return "an accepted message is gone";
			if (!rig_live(r, m))
				return "an accepted message is not whole";
			break;
		case P_REFUSED:
			if (known(r, m->id))
				return "a refused message came back";
			break;
		case P_SETTLED:
			if (known(r, m->id))
				return "a settled message came back";
			break;
		default:
			if (known(r, m->id) && !rig_live(r, m))
				return "a message is there in part";
			break;
		}
	}
	return NULL;
}
