/* SPDX-License-Identifier: ISC
 *
 * A spool of format 1 is read as it is and written on in format 2; what a
 * newer version wrote is refused by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/spool_fixture.h"
#include "relay/spool/start/spool_open.h"

enum { LIVE = 8, HEAD_FORMAT = 12, SEGMENT = 64 << 10 };

static void all_is_there(struct rig *r, enum fixture_at last)
{
	for (unsigned i = 0; i < fixture_count; i++) {
		const struct fixture_message *m = &fixture_messages[i];
		const char *what = fixture_differs(r, m);

		if (m->at <= last && what != NULL)
			fail_msg("%s", what);
	}
}

static void come_and_go(struct rig *r)
{
	struct rig_message *m = rig_accept(r, 3000);

	rig_write(r);
	rig_settle(r, m, D_DELIVERED, OP_SYNC);
	rig_pump(r);
}

static void open_it(struct rig *r)
{
	if (!rig_open(r))
		fail_msg("%s", r->err.text);
	assert_int_equal(r->damaged, 0);
	assert_int_equal(r->unread, 0);
}

/* U2: by the old heads, by the new ones, and once all was carried. */
static void u2_all_states_come_through_the_upgrade(void **state)
{
	struct rig *r = fixture_rig();
	struct strbuf fact;

	(void)state;
	open_it(r);
	assert_int_equal(r->told, LIVE);
	assert_true(r->start.clean);
	all_is_there(r, FIX_RETAINED);
	rig_accept(r, 600);
	rig_pump(r);
	rig_close(r);
	open_it(r);
	assert_int_equal(r->told, LIVE + 1);
	all_is_there(r, FIX_RETAINED);
	r->c.retain_us = 0;
	rig_close(r);
	open_it(r);
	while (r->spool->journal.oldest <= 2) /* both old ones are carried */
		come_and_go(r);
	all_is_there(r, FIX_LIVE);
	strbuf_init(&fact, 64);
	assert_true(spool_fact(r->spool, "change", &fact));
	assert_true(slice_eq(strbuf_view(&fact), SLICE("42")));
	strbuf_fini(&fact);
	rig_close(r);
	open_it(r);
	all_is_there(r, FIX_LIVE);
	rig_free(r);
}

/* The mark of an orderly end is in the last batch. */
static void u2_also_after_an_end_that_was_not_orderly(void **state)
{
	struct rig *r = fixture_rig();
	size_t n, last = 0;
	char *p = fakedisk_bytes(r->disk, "/spool/seg.0002", &n);

	(void)state;
	for (size_t at = 0; at < n; at += BLOCK)
		if (p[at + HEAD_FORMAT] == 1)
			last = at;
	memset(p + last, 0, BLOCK);
	open_it(r);
	assert_false(r->start.clean);
	assert_int_equal(r->told, LIVE);
	assert_true(r->uncertain > 0);
	all_is_there(r, FIX_RETAINED);
	rig_free(r);
}

/* U3: a segment is of one format, and the key says the newest. */
static void u3_an_older_program_refuses_what_was_written_new(void **state)
{
	struct rig *r = fixture_rig();
	const char *key, *old, *new;
	char path[64];
	size_t n;

	(void)state;
	open_it(r);
	rig_accept(r, 600);
	rig_pump(r);
	key = fakedisk_bytes(r->disk, "/spool/spool.key", &n);
	assert_memory_equal(key, "posthouse-spool 2\n", 18);
	old = fakedisk_bytes(r->disk, "/spool/seg.0002", &n);
	for (size_t at = 0; at < n; at += BLOCK)
		assert_true(old[at + HEAD_FORMAT] <= 1);
	snprintf(path, sizeof(path), "/spool/seg.%04u",
	    (unsigned)r->spool->journal.seg->slot);
	new = fakedisk_bytes(r->disk, path, &n);
	assert_int_equal(new[HEAD_FORMAT], 2);
	rig_free(r);
}

/* At each call that changes the disk while it is upgraded. */
static bool stop_at(struct rig *r, unsigned call)
{
	r->disk->fault = FAULT_EIO;
	r->disk->calls = 0;
	r->disk->hit = false;
	r->disk->fail_mask = 1u << CALL_OPEN | 1u << CALL_WRITE |
	    1u << CALL_SYNC | 1u << CALL_RENAME;
	r->disk->fail_at = call;
	r->disk->fail_on = true;
	rig_open(r);
	return r->disk->hit;
}

static void u2_the_power_may_go_at_each_step(void **state)
{
	bool hit = true;

	(void)state;
	for (unsigned call = 1; hit; call++) {
		struct rig *r = fixture_rig();

		hit = stop_at(r, call);
		for (int cut = 0; cut < CUTS; cut++) {
			struct rig *again = rig_over(
			    fakedisk_cut(r->disk, (enum fake_cut)cut, call), r);

			open_it(again);
			assert_int_equal(again->told, LIVE);
			all_is_there(again, FIX_RETAINED);
			rig_free(again);
		}
		rig_free(r);
		assert_true(call < 500);
	}
}

/* ---- what a newer version writes ---- */

struct newer_batch {
	uint8_t type, flags, format;
};

/* Appends a valid batch of that format with one record. */
static void append(struct rig *r, struct newer_batch what)
{
	struct segment *seg = r->spool->journal.seg;
	struct batch_head h = {.lane = LANE_MAIN,
	    .spool_id = r->spool->key.id, .generation = seg->generation,
	    .number = seg->batches, .synced = seg->batches,
	    .before = seg->before, .oldest = r->spool->journal.oldest,
	    .time_us = r->clock.wall};
	struct batch *b = NEW(struct batch);
	char path[64], *p;
	size_t n, at = seg->end;
	uint64_t sum;

	snprintf(path, sizeof(path), "/spool/seg.%04u", (unsigned)seg->slot);
	p = fakedisk_bytes(r->disk, path, &n);
	batch_init(b);
	batch_record(b, what.type);
	batch_record_flags(b, what.flags);
	strbuf_adds(&b->meta, "of a later time");
	batch_record_end(b);
	batch_finish(b, &h, at, seg->secret);
	for (unsigned i = 0; i < b->iovs; i++) {
		memcpy(p + at, b->iov[i].iov_base, b->iov[i].iov_len);
		at += b->iov[i].iov_len;
	}
	p += seg->end;
	p[HEAD_FORMAT] = (char)what.format;
	sum = htole64(sum_bytes(seg->secret, p + 8, BATCH_HEAD - 8));
	memcpy(p, &sum, sizeof(sum));
	batch_fini(b);
	mem_free(b);
}

static struct rig *with_newer(struct newer_batch what)
{
	struct rig *r = rig_new(SEGMENT / BLOCK), *again;

	assert_true(rig_open(r));
	rig_accept(r, 100);
	rig_pump(r);
	append(r, what);
	rig_kill(r);
	again = rig_over(fakedisk_cut(r->disk, CUT_KEEPS_ALL, 1), r);
	rig_free(r);
	return again;
}

#define BY_RECORD "holds a record of type 200, made by a newer version of " \
	"this program: start that one (no segment was changed)"
#define BY_FORMAT " this program reads up to 2 (no segment was changed)"

static const struct newer_case {
	struct newer_batch what;
	const char *says; /* "": it starts */
} cases[] = {
	/* clang-format off */
	{ { 200, RECORD_MAY_SKIP, 2 }, "" },
	{ { 200, RECORD_MAY_SKIP | 0x80, 2 }, "" },
	{ { 200, 0, 2 }, BY_RECORD },
	{ { 200, 0x80, 2 }, BY_RECORD },
	{ { REC_NOTE, 0, 3 }, "was made by format 3;" BY_FORMAT },
	{ { 200, RECORD_MAY_SKIP, 255 }, "was made by format 255;" BY_FORMAT },
	/* clang-format on */
};

static void u4_what_must_not_be_passed_over_is_refused_by_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct rig *r = with_newer(cases[i].what);
		bool opened = rig_open(r);

		if (opened != (cases[i].says[0] == '\0'))
			fail_msg("case %u: %s", i, r->err.text);
		if (opened)
			assert_int_equal(r->told, 1);
		else if (strstr(r->err.text, cases[i].says) == NULL ||
		    strstr(r->err.text, "/spool/seg.000") == NULL ||
		    strstr(r->err.text, "generation 1") == NULL ||
		    strstr(r->err.text, "byte ") == NULL)
			fail_msg("case %u: %s", i, r->err.text);
		rig_free(r);
	}
}

/* ---- what is passed on as it is ---- */

static void commit(struct rig *r, struct slice envelope)
{
	struct rig_message *m = &r->m[r->n++];
	struct spool_delivery to = rig_delivery(r, D_QUEUED);
	struct spool_draft *d;

	*m = (struct rig_message){.id = r->next_id++};
	d = spool_draft_new(r->spool, m->id, &r->in, NULL);
	to.hash = 77;
	spool_draft_sender(d, 78);
	spool_draft_commit(d, envelope, &to, 1, RIG_COMMIT);
	rig_write(r);
	assert_int_equal(m->promise, P_STORED);
}

/* Superseded by a delivery to another leg. */
static void change_route(struct rig *r, uint64_t id)
{
	struct spool_op *op = spool_op_new();
	struct spool_update u[2] = {{.to = rig_delivery(r, D_SUPERSEDED)},
	    {.delivery = 1, .to = rig_delivery(r, D_QUEUED)}};

	u[0].to.hash = 0; /* not known: it stays */
	u[1].to.leg = (uint16_t)names_id(r->names, SLICE("cloud"));
	u[1].to.flags = DF_PINNED | DF_REPLAYED | DF_EGRESS;
	u[1].to.hash = 79;
	op->to = &r->in;
	op->kind = RIG_OP;
	spool_op_update(op, id, r->clock.wall, u, 2);
	spool_post(r->spool, op);
	rig_pump(r);
}

static void same_envelope(struct rig *r, uint64_t id, struct slice want)
{
	struct spool_fetch *f = rig_fetch(r, id, false);

	assert_int_equal(f->status, 0);
	assert_true(slice_eq(strbuf_view(&f->envelope), want));
	assert_int_equal(f->deliveries, 2);
	assert_int_equal(f->delivery[0].hash, 77);
	assert_int_equal(f->delivery[1].hash, 79);
	assert_int_equal(f->delivery[1].flags,
	    DF_PINNED | DF_REPLAYED | DF_EGRESS);
	spool_fetch_free(f);
}

/* U5: so tags that this version does not know are kept. */
static void u5_an_envelope_is_carried_byte_for_byte(void **state)
{
	struct slice envelope = SLICE("\3...\x63\0\3\0\0\0new");
	struct rig *r = rig_new(12);
	uint64_t id, generation;

	(void)state;
	assert_true(rig_open(r));
	id = r->next_id;
	commit(r, envelope);
	change_route(r, id);
	same_envelope(r, id, envelope);
	for (int round = 0; round < 2; round++) {
		generation = r->spool->journal.generation;
		while (r->spool->journal.oldest <= generation)
			come_and_go(r);
		same_envelope(r, id, envelope);
	}
	assert_true(r->spool->carried >= 2);
	rig_close(r);
	open_it(r);
	same_envelope(r, id, envelope);
	rig_free(r);
}

/* The same in every process that has the spool. */
static void on_key(void *arg, const uint64_t key[2])
{
	memcpy(arg, key, 2 * sizeof(key[0]));
}

static void the_key_of_stored_hashes_stays(void **state)
{
	uint64_t key[3][2] = {{0}};
	struct rig *r = rig_new(12), *other = rig_new(12);

	(void)state;
	rng_seeded_init(&other->rng, 8);
	for (int i = 0; i < 3; i++) {
		struct rig *of = i < 2 ? r : other;
		struct spool_recovered told = {.arg = key[i], .key = on_key};

		of->spool = spool_open(&of->c, &told, NULL, &of->err);
		assert_non_null(of->spool);
		rig_close(of);
	}
	assert_memory_equal(key[0], key[1], sizeof(key[0]));
	assert_memory_not_equal(key[0], key[2], sizeof(key[0]));
	assert_memory_not_equal(&key[0][0], &key[0][1], sizeof(key[0][0]));
	rig_free(r);
	rig_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(u2_all_states_come_through_the_upgrade),
	    cmocka_unit_test(u2_also_after_an_end_that_was_not_orderly),
	    cmocka_unit_test(u2_the_power_may_go_at_each_step),
	    cmocka_unit_test(u3_an_older_program_refuses_what_was_written_new),
	    cmocka_unit_test(u5_an_envelope_is_carried_byte_for_byte),
	    cmocka_unit_test(the_key_of_stored_hashes_stays),
	    cmocka_unit_test(
		u4_what_must_not_be_passed_over_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
