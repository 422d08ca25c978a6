/* SPDX-License-Identifier: ISC
 *
 * Made-up records.
 */
#include "tests/unit/fakejournal.h"

#include <stdio.h>

#include "relay/base/id.h"
#include "relay/mail/result.h"

enum { RECORD_BYTES = 4096, DETAIL_MAX = 1 << 16 };

void fakejournal_init(struct fakejournal *j)
{
	*j = (struct fakejournal){.a = arena_new(), .bad = SIZE_MAX,
	    .passed = SIZE_MAX};
}

void fakejournal_fini(struct fakejournal *j)
{
	arena_free(j->a);
	mem_free(j->rec);
}

static struct spool_record *add(struct fakejournal *j, enum record_type type,
    uint64_t id, int64_t time_us)
{
	struct spool_pos pos = {1, RECORD_BYTES * (j->n + 1)};
	struct spool_record *r;

	if (j->n == j->cap) {
		j->cap = j->cap == 0 ? 64 : j->cap * 2;
		j->rec = mem_resize(j->rec, j->cap * sizeof(*j->rec));
	}
	r = &j->rec[j->n++];
	if (j->group) {
		pos = j->rec[j->n - 2].pos;
		pos.offset |= 1;
		j->rec[j->n - 2].next = pos;
	}
	*r = (struct spool_record){.pos = pos, .type = type, .id = id,
	    .time_us = time_us};
	r->next = (struct spool_pos){1, RECORD_BYTES * (j->n + 1)};
	j->visible = j->n;
	return r;
}

static struct slice keep(struct fakejournal *j, struct slice s)
{
	return slice_of(arena_slicedup(j->a, s), s.n);
}

uint64_t fake_id(int64_t wall_us, unsigned seq)
{
	/* id.h: 42 bits of ms since 2020, 8 of node, 14 of sequence */
	const int64_t y2020_ms = INT64_C(1577836800000);

	return (uint64_t)(wall_us / 1000 - y2020_ms) << 22 | 1 << 14 | seq;
}

void fake_message(struct fakejournal *j, enum record_type type,
    const struct envelope *e, const struct spool_delivery *d, unsigned n)
{
	struct spool_record *r = add(j, type, e->id, e->accepted_us);
	struct spool_delivery *copy = arena_alloc(j->a, (n + 1) * sizeof(*d));
	struct strbuf bytes;

	strbuf_init(&bytes, ENVELOPE_MAX);
	envelope_pack(e, &bytes);
	memcpy(copy, d, n * sizeof(*d));
	r->envelope = keep(j, strbuf_view(&bytes));
	r->delivery = copy;
	r->deliveries = n;
	strbuf_fini(&bytes);
	for (unsigned i = 0; i < n && type == REC_ACCEPTED; i++) {
		j->total[d[i].leg][T_CREATED]++;
		j->total[d[i].leg][dstate_total((enum dstate)d[i].state)]++;
	}
}

void fake_accepted(struct fakejournal *j, uint64_t id, int64_t time_us,
    const char *from, const char *const *to, uint16_t leg)
{
	struct envelope_rcpt rcpt[16];
	struct spool_delivery d[16];
	struct envelope e = {.id = id, .accepted_us = time_us,
	    .client = "192.0.2.1", .client_name = "mx.example.org",
	    .listen = "old-mx", .helo = "mx.example.org", .tls = "",
	    .from = from, .envid = "", .spf = "", .size = 4096, .rcpt = rcpt};
	char text[64];

	snprintf(text, sizeof(text), "<%llu@example.org>",
	    (unsigned long long)id);
	e.message_id = text;
	for (; to[e.rcpts] != NULL; e.rcpts++) {
		rcpt[e.rcpts] = (struct envelope_rcpt){
		    .to = to[e.rcpts], .orcpt = ""};
		d[e.rcpts] = (struct spool_delivery){.rcpt = e.rcpts,
		    .leg = leg, .role = ROLE_PRIMARY, .state = D_QUEUED,
		    .created_us = time_us, .change = 7};
	}
	fake_message(j, REC_ACCEPTED, &e, d, e.rcpts);
}

void fake_update(struct fakejournal *j, uint64_t id, int64_t time_us,
    enum dstate old_state, const struct spool_update *u)
{
	struct spool_record *r = add(j, REC_UPDATE, id, time_us);
	struct spool_update *copy = arena_alloc(j->a, sizeof(*u));
	uint8_t *old = arena_alloc(j->a, 1);

	*copy = *u;
	copy->detail = keep(j, u->detail);
	*old = (uint8_t)old_state;
	r->update = copy;
	r->old_state = old;
	r->updates = 1;
	j->total[u->to.leg][old_state == D_NONE ? T_CREATED :
	    dstate_total(old_state)] += old_state == D_NONE ? 1 : UINT64_MAX;
	j->total[u->to.leg][dstate_total((enum dstate)u->to.state)]++;
}

void fake_totals(struct fakejournal *j)
{
	struct spool_record *r = add(j, REC_TOTALS, 0, 0);
	void *copy = arena_alloc(j->a, sizeof(j->total));

	memcpy(copy, j->total, sizeof(j->total));
	r->total = copy;
}

void fake_attempt(struct fakejournal *j, uint64_t id, int64_t time_us,
    const struct spool_delivery *to, enum dstate old_state)
{
	bool ok = to->state == D_DELIVERED;
	struct result res = {.outcome = ok ? OUT_DELIVERED : OUT_DEFERRED,
	    .class = ok ? CLASS_NONE : CLASS_THROTTLE, .code = ok ? 250 : 451,
	    .stage = STAGE_DATA, .remote = "mx1.example.net [192.0.2.7]:25",
	    .text = ok ? "2.0.0 Ok: queued as 4711" : "4.3.2 not now",
	    .tls = "TLSv1.3 TLS_AES_256_GCM_SHA384", .address = ""};
	struct spool_update u = {.delivery = to->rcpt, .to = *to};
	struct strbuf detail;

	snprintf(res.enh, sizeof(res.enh), "%s", ok ? "2.0.0" : "4.3.2");
	strbuf_init(&detail, DETAIL_MAX);
	result_pack(&res, &detail);
	u.to.reason = WHY_ATTEMPT;
	u.detail = strbuf_view(&detail);
	fake_update(j, id, time_us, old_state, &u);
	strbuf_fini(&detail);
}

void fake_note(struct fakejournal *j, int64_t time_us, struct slice bytes)
{
	add(j, REC_NOTE, 0, time_us)->bytes = keep(j, bytes);
}

/* ---- the tail ---------------------------------------------------------- */

static void on_open(void *arg, struct spool_pos from)
{
	struct fakejournal *j = arg;

	j->at = 0;
	while (j->at < j->n && j->rec[j->at].pos.offset < from.offset)
		j->at++;
}

static void gap_at(struct fakejournal *j, struct spool_gap *gap_out)
{
	struct spool_pos pos = j->rec[j->at].pos;

	*gap_out = (struct spool_gap){.pos = pos,
	    .next = {pos.generation, pos.offset + 8}, .bytes = RECORD_BYTES};
}

static enum tail_got on_next(void *arg, struct spool_record *rec_out,
    struct spool_gap *gap_out)
{
	struct fakejournal *j = arg;

	if (j->at_next != NULL)
		j->at_next(j->arg, j->at);
	if (j->at < j->first) {
		j->at = j->first;
		*gap_out = (struct spool_gap){.pos = {1, 0}, .generations = 1};
		gap_out->next = j->rec[j->at].pos;
		return TAIL_GAP;
	}
	if (j->at >= j->visible)
		return TAIL_NONE;
	if (j->at == j->bad && j->fails < j->bad_for) {
		gap_at(j, gap_out);
		gap_out->no = j->bad_no;
		j->fails++;
		return TAIL_FAILED;
	}
	if (j->at == j->passed) {
		gap_at(j, gap_out);
		j->at++;
		return TAIL_GAP;
	}
	*rec_out = j->rec[j->at++];
	return TAIL_RECORD;
}

static void on_pass(void *arg)
{
	struct fakejournal *j = arg;

	j->passed = j->bad;
	j->bad = SIZE_MAX;
}

static void on_done(void *arg, struct spool_pos pos)
{
	struct fakejournal *j = arg;

	j->done = pos;
	j->dones++;
	if (j->at_done != NULL)
		j->at_done(j->arg);
}

static bool on_low(void *arg)
{
	struct fakejournal *j = arg;

	return j->low;
}

static void on_close(void *arg)
{
	(void)arg;
}

struct projector_input fakejournal_input(struct fakejournal *j)
{
	return (struct projector_input){.open = on_open, .next = on_next,
	    .pass = on_pass,
	    .done = on_done, .low = on_low, .close = on_close, .arg = j,
	    .origin = j->origin};
}
