/* SPDX-License-Identifier: ISC
 *
 * Backups: a spool that is held and copied while mail flows, and one that is
 * restored, whose open mail comes back frozen and whose new records have
 * another id and secret.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>

#include "relay/spool/backup/hold.h"
#include "relay/spool/backup/renew.h"
#include "relay/spool/tail/tail.h"
#include "tests/unit/spool_rig.h"

enum { SLOTS = 16, SEGMENT = 64 << 10 };

static void renew(struct rig *r, uint64_t known, uint64_t seed)
{
	struct rng_seeded rng;
	struct spool_renewal what = {.path = r->c.path, .io = &r->disk->io,
	    .rng = &rng.rng, .known = known};
	struct error err;

	rng_seeded_init(&rng, seed);
	if (spool_renew(&what, &err) < 0)
		fail_msg("%s", err.text);
}

static void open_well(struct rig *r)
{
	if (!rig_open(r))
		fail_msg("%s", r->err.text);
	if (r->damaged > 0)
		fail_msg("%s", r->first_damage);
}

static enum dstate state_of(struct rig *r, const struct rig_message *m)
{
	struct version *v = index_copy(r->spool, m->id);
	enum dstate state = v == NULL ? D_NONE : (enum dstate)v->d[0].state;

	version_free(v);
	return state;
}

static void fill_to(struct rig *r, uint64_t generation)
{
	while (r->spool->journal.generation < generation) {
		rig_accept(r, 4000);
		rig_pump(r);
	}
}

/* A queued one, a parked, a settled, one with a body in the bulk lane. */
static struct rig *make(bool clean)
{
	struct rig *r = rig_new(SLOTS);

	open_well(r);
	rig_accept(r, 100);
	rig_accept(r, 100);
	rig_accept(r, 100);
	rig_accept(r, 12000);
	rig_pump(r);
	rig_settle(r, &r->m[1], D_PARKED, OP_SYNC);
	rig_settle(r, &r->m[2], D_DELIVERED, OP_SYNC);
	rig_pump(r);
	fill_to(r, 3);
	r->m[1].promise = P_STORED; /* it is live */
	if (clean)
		rig_close(r);
	else
		rig_kill(r);
	return r;
}

static void all_live(struct rig *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (r->m[i].promise == P_STORED)
			assert_true(rig_live(r, &r->m[i]));
}

static struct rig *taken_over(struct rig *r)
{
	struct rig *next = rig_over(fakedisk_cut(r->disk, CUT_KEEPS_ALL, 1), r);

	rig_free(r);
	return next;
}

static void reopen(struct rig **r, bool kill)
{
	if (kill)
		rig_kill(*r);
	else
		rig_close(*r);
	*r = taken_over(*r);
	open_well(*r);
}

static void open_mail_comes_back_frozen(void **state)
{
	(void)state;
	for (int clean = 0; clean < 2; clean++) {
		struct rig *r = taken_over(make(clean));
		unsigned n = r->n;
		uint64_t was;
		struct rig_message *m;

		renew(r, 0, 99);
		open_well(r);
		was = r->spool->key.life[0].id;
		assert_true(r->start.restored);
		assert_false(r->start.clean);
		assert_true(r->spool->key.id != was);
		assert_int_equal(state_of(r, &r->m[0]), D_FROZEN);
		assert_int_equal(state_of(r, &r->m[1]), D_PARKED);
		assert_int_equal(state_of(r, &r->m[2]), D_NONE);
		assert_int_equal(state_of(r, &r->m[3]), D_FROZEN);
		assert_int_equal(r->uncertain, n - 2);
		all_live(r, n);

		m = rig_accept(r, 12000);
		rig_pump(r);
		assert_true(r->spool->journal.generation >
			    r->spool->key.life[0].main_to);
		assert_true(r->spool->bulk.generation >
			    r->spool->key.life[0].bulk_to);
		rig_settle(r, &r->m[0], D_QUEUED, OP_SYNC); /* thawed */
		rig_pump(r);
		r->m[0].promise = P_STORED;
		for (int kill = 0; kill < 2; kill++) {
			reopen(&r, kill);
			assert_false(r->start.restored);
			assert_int_equal(state_of(r, &r->m[0]), D_QUEUED);
			assert_int_equal(state_of(r, &r->m[3]), D_FROZEN);
			m = &r->m[n];
			assert_int_equal(state_of(r, m), D_QUEUED);
			all_live(r, r->n);
		}
		rig_free(r);
	}
}

/* Whatever is left of the first batch of the new life, or nothing. */
static void a_cut_in_the_first_start_freezes_again(void **state)
{
	(void)state;
	for (int how = 0; how < CUTS; how++) {
		struct rig *r = taken_over(make(true)), *after;

		renew(r, 0, 99);
		open_well(r);
		after = rig_over(
		    fakedisk_cut(r->disk, (enum fake_cut)how, 5), r);
		open_well(after);
		assert_int_equal(state_of(after, &after->m[0]), D_FROZEN);
		all_live(after, after->n);
		rig_free(after);
		rig_free(r);
	}
}

/* Until the last segment of the old life is recycled, and after it. */
static void the_old_life_goes_as_segments_are_recycled(void **state)
{
	struct rig *r = taken_over(make(true));

	(void)state;
	renew(r, 0, 99);
	open_well(r);
	for (unsigned i = 4; i < r->n; i++)
		rig_settle(r, &r->m[i], D_DELIVERED, OP_SYNC);
	rig_pump(r);
	for (int i = 0; i < 400 && LIST_FIRST(&r->spool->mains, struct segment,
		 node)->generation <= r->spool->key.life[0].main_to; i++) {
		struct rig_message *m = rig_accept(r, 4000);

		rig_pump(r);
		rig_settle(r, m, D_DELIVERED, OP_SYNC);
		rig_pump(r);
	}
	assert_true(LIST_FIRST(&r->spool->mains, struct segment,
	    node)->generation > r->spool->key.life[0].main_to);
	reopen(&r, true);
	assert_int_equal(state_of(r, &r->m[0]), D_FROZEN);
	assert_int_equal(state_of(r, &r->m[1]), D_PARKED);
	assert_true(rig_live(r, &r->m[0]));
	rig_free(r);
}

static void stored_hashes_outlive_it(void **state)
{
	struct rig *r = taken_over(make(true));
	uint64_t was[2], is[2];

	(void)state;
	open_well(r);
	key_of_rcpts(r->spool, was);
	rig_close(r);
	r = taken_over(r);
	renew(r, 0, 99);
	open_well(r);
	key_of_rcpts(r->spool, is);
	assert_memory_equal(was, is, sizeof(was));
	rig_free(r);
}

/* Nothing between the lives is a gap. */
static void an_index_reads_on_from_life_to_life(void **state)
{
	struct rig *r = taken_over(make(true));
	struct spool_record rec;
	struct spool_gap gap;
	struct spool_tail *t;
	uint64_t last = 0, life = 0;
	enum tail_got got;

	(void)state;
	renew(r, 0, 99);
	open_well(r);
	rig_accept(r, 10);
	rig_pump(r);
	t = spool_tail_open(r->spool, (struct spool_pos){0, 0});
	while ((got = spool_tail_next(t, &rec, &gap)) != TAIL_NONE) {
		assert_int_equal(got, TAIL_RECORD);
		last = rec.type == REC_ACCEPTED ? rec.id : last;
		life = rec.pos.generation;
	}
	assert_int_equal(last, r->m[r->n - 1].id);
	assert_true(life > key_main_to(r->spool));
	spool_tail_close(t);
	rig_free(r);
}

/* Again and again; in each life something stays. */
static void lives_have_an_end(void **state)
{
	struct rig *r = make(true);
	struct rng_seeded rng;
	struct spool_renewal what = {.path = r->c.path, .rng = &rng.rng};
	struct error err;

	(void)state;
	for (unsigned i = 0; i < LIVES_MAX; i++) {
		r = taken_over(r);
		renew(r, 0, 1000 + i);
		open_well(r);
		assert_int_equal(r->spool->key.lives, i + 1);
		rig_accept(r, 10);
		rig_pump(r);
		all_live(r, r->n);
		rig_close(r);
	}
	r = taken_over(r);
	what.io = &r->disk->io;
	rng_seeded_init(&rng, 1);
	assert_int_equal(spool_renew(&what, &err), -1);
	assert_non_null(strstr(err.text, "restored 8 times"));
	open_well(r); /* as it was */
	all_live(r, r->n);
	rig_free(r);
}

static void it_begins_above_all_that_an_index_has_seen(void **state)
{
	struct rig *r = taken_over(make(true));

	(void)state;
	renew(r, 5000, 99);
	open_well(r);
	rig_accept(r, 10);
	rig_pump(r);
	assert_true(r->spool->journal.generation > 5000);
	reopen(&r, true); /* and no generation is called missing */
	rig_free(r);
}

/* A number that a backup's manifest brings, or a key. */
static void a_generation_that_no_journal_reaches_is_refused(void **state)
{
	static const uint64_t hostile[] = {GENERATION_MOST + 1, UINT64_MAX - 63,
	    UINT64_MAX};
	struct rig *r = taken_over(make(true));
	struct rng_seeded rng;
	struct spool_renewal what = {.path = r->c.path, .io = &r->disk->io,
	    .rng = &rng.rng};
	struct error err;

	(void)state;
	rng_seeded_init(&rng, 1);
	for (unsigned i = 0; i < ARRAY_LEN(hostile); i++) {
		what.known = hostile[i];
		assert_int_equal(spool_renew(&what, &err), -1);
		assert_non_null(strstr(err.text, "no journal reaches"));
	}
	open_well(r); /* as it was */
	assert_int_equal(r->spool->key.lives, 0);
	rig_close(r);
	r = taken_over(r);
	renew(r, GENERATION_MOST, 99);
	what.io = &r->disk->io;
	what.known = 0; /* now the key says it */
	assert_int_equal(spool_renew(&what, &err), -1);
	assert_non_null(strstr(err.text, "no journal reaches"));
	rig_free(r);
}

/* Two messages whose batch was never whole, behind two that were promised. */
static struct rig *with_torn_tail(void)
{
	struct rig *r = rig_new(SLOTS);
	struct batch_head h;
	char path[32], *p;
	uint64_t at;
	size_t n;

	open_well(r);
	rig_accept(r, 100);
	rig_accept(r, 100);
	rig_pump(r);
	snprintf(path, sizeof(path), "/spool/seg.%04u",
	    (unsigned)r->spool->journal.seg->slot);
	at = r->spool->journal.seg->end;
	rig_accept(r, 100);
	rig_accept(r, 100);
	rig_write(r);
	rig_kill(r);
	p = fakedisk_bytes(r->disk, path, &n) + at;
	assert_true(batch_head_get(p, &h));
	p[BATCH_HEAD + h.meta_bytes] ^= 1; /* of the first body */
	r->m[2].promise = r->m[3].promise = P_REFUSED;
	return r;
}

static void fail_writes(struct rig *r, bool on)
{
	r->disk->fault = on ? FAULT_EIO : FAULT_NONE;
	r->disk->fail_mask = 1u << CALL_WRITE;
	r->disk->fail_at = 1;
	r->disk->fail_on = on;
	r->disk->calls = 0;
}

/* L3: after a restore, or below what an index has read; also when the first
 * start came to nothing. */
static void what_was_cut_off_stays_cut_at_each_start(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) {
		struct rig *r = taken_over(with_torn_tail());

		if (how % 2 == 0)
			renew(r, 0, 99);
		if (how >= 2) {
			r->c.known = (struct spool_pos){how % 2 * 9, 4096};
			fail_writes(r, true);
			rig_open(r);
			rig_kill(r);
			fail_writes(r, false);
			r = taken_over(r);
		}
		r->c.known = (struct spool_pos){how % 2 * 9, 4096};
		open_well(r);
		for (int start = 0; start < 4; start++) {
			assert_null(rig_check(r));
			rig_accept(r, 100);
			rig_pump(r);
			reopen(&r, start % 2 == 0);
		}
		assert_true(r->spool->journal.generation > 9);
		assert_null(rig_check(r));
		rig_free(r);
	}
}

static void a_flipped_bit_of_the_key_is_damage(void **state)
{
	struct rig *r = taken_over(make(true));
	size_t n;
	char *key;

	(void)state;
	renew(r, 0, 99);
	key = fakedisk_bytes(r->disk, "/spool/spool.key", &n);
	for (size_t i = 0; i < n; i++) {
		key[i] ^= 1;
		assert_false(rig_open(r));
		key[i] ^= 1;
	}
	open_well(r);
	rig_free(r);
}

/* ---- holding ---- */

static void put_file(struct fakedisk *to, const char *name, const char *p,
    size_t n)
{
	struct diskio *io = &to->io;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/spool/%s", name);
	fd = io->open(io, path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(io->pwrite(io, fd, p, n, 0), n);
	assert_int_equal(io->fsync(io, fd), 0);
	io->close(io, fd);
}

static void copy_file(struct rig *r, struct fakedisk *to, const char *name,
    size_t bytes)
{
	char path[64], *all = mem_new(SEGMENT), *p;
	size_t n, size = bytes == 0 ? 0 : SEGMENT;

	snprintf(path, sizeof(path), "/spool/%s", name);
	p = fakedisk_bytes(r->disk, path, &n);
	assert_non_null(p);
	if (bytes == 0)
		size = bytes = n;
	assert_true(bytes <= n);
	memcpy(all, p, bytes);
	put_file(to, name, all, size);
	mem_free(all);
}

static struct fakedisk *copy_slots(struct rig *r, const struct spool_hold *h)
{
	struct fakedisk *to = fakedisk_new();
	const struct spool_slot *slot;
	char name[32];
	unsigned n;

	assert_int_equal(to->io.mkdir(&to->io, "/spool", 0700), 0);
	copy_file(r, to, "spool.key", 0);
	slot = spool_hold_slots(h, &n);
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "seg.%04u", slot[i].slot);
		copy_file(r, to, name, slot[i].bytes);
	}
	return to;
}

static void mail_flows(struct rig *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct rig_message *m = rig_accept(r, i % 7 == 0 ? 12000 : 900);

		rig_pump(r);
		if (i % 3 != 0 && m->promise == P_STORED)
			rig_settle(r, m, D_DELIVERED, OP_SYNC);
		rig_pump(r);
	}
}

static void a_copy_taken_while_mail_flows_has_all_of_then(void **state)
{
	struct rig *r = rig_new(40), *copy;
	struct spool_hold *h;
	struct rig ledger;
	struct spool_pos end;

	(void)state;
	open_well(r);
	mail_flows(r, 150);
	assert_true(r->spool->recycled > 0);
	h = spool_hold_new(r->spool);
	mail_flows(r, 10);
	end = spool_hold_take(h);
	ledger = *r;
	mail_flows(r, 60); /* behind the position that was taken */
	copy = rig_over(copy_slots(r, h), &ledger);
	spool_hold_free(h);
	mail_flows(r, 150);
	renew(copy, end.generation, 99);
	open_well(copy);
	for (unsigned i = 0; i < ledger.n; i++)
		assert_true(ledger.m[i].promise != P_STORED ||
		    rig_live(copy, &ledger.m[i]));
	assert_null(rig_check(copy));
	rig_free(copy);
	rig_free(r);
}

static void nothing_is_recycled_while_it_is_held(void **state)
{
	struct rig *r = rig_new(40);
	struct spool_hold *h, *other;
	uint64_t before;

	(void)state;
	open_well(r);
	mail_flows(r, 100);
	h = spool_hold_new(r->spool);
	other = spool_hold_new(r->spool);
	rig_pump(r);
	before = r->spool->journal.oldest;
	mail_flows(r, 60);
	spool_hold_free(h);
	mail_flows(r, 10);
	assert_true(r->spool->journal.oldest <= before + 1);
	spool_hold_free(other);
	mail_flows(r, 60);
	assert_true(r->spool->journal.oldest > before + 1);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_mail_comes_back_frozen),
		cmocka_unit_test(a_cut_in_the_first_start_freezes_again),
		cmocka_unit_test(the_old_life_goes_as_segments_are_recycled),
		cmocka_unit_test(stored_hashes_outlive_it),
		cmocka_unit_test(an_index_reads_on_from_life_to_life),
		cmocka_unit_test(lives_have_an_end),
		cmocka_unit_test(it_begins_above_all_that_an_index_has_seen),
		cmocka_unit_test(
		    a_generation_that_no_journal_reaches_is_refused),
		cmocka_unit_test(what_was_cut_off_stays_cut_at_each_start),
		cmocka_unit_test(a_flipped_bit_of_the_key_is_damage),
		cmocka_unit_test(a_copy_taken_while_mail_flows_has_all_of_then),
		cmocka_unit_test(nothing_is_recycled_while_it_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
