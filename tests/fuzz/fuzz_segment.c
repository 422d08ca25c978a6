/* SPDX-License-Identifier: ISC
 *
 * Recovery over arbitrary bytes. The key is fixed, so that a corpus made of
 * real segments stays valid; and since no fuzzer guesses a keyed checksum,
 * the input may also name records whose frame is then made valid here. After
 * recovery the spool is read, written and stopped. Its memory is recounted, and
 * what the queue asserts of a delivery holds for each that is told.
 *
 *   input: u8 mode; 0: the bytes are a segment as they are
 *                   1: the bytes are a run of records (u8 type, u16 length,
 *                      payload) that a batch is made of
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/base/assert.h"
#include "relay/spool/check/spool_check.h"
#include "relay/spool/spool_int.h"
#include "relay/spool/tail/tail.h"
#include "relay/spool/start/spool_open.h"
#include "tests/fault/fakedisk.h"

enum { SEGMENT = 64 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct rig {
	struct fakedisk *disk;
	struct clock_fake clock;
	struct rng_seeded rng;
	struct names *names;
	struct spool_config c;
};

static void rig_init(struct rig *r)
{
	log_setup(-1, LOG_LV_ERROR, &clock_system);
	r->disk = fakedisk_new();
	clock_fake_init(&r->clock, INT64_C(1700000000000000));
	rng_seeded_init(&r->rng, 1);
	r->names = names_new();
	r->c = (struct spool_config){
	    .path = "/spool",
	    .segment_bytes = SEGMENT,
	    .max_bytes = 10 * SEGMENT,
	    .body_memory_bytes = 1 << 20,
	    .memory_window_bytes = 1 << 20,
	    .spares = 3,
	    .clock = &r->clock.clock,
	    .rng = &r->rng.rng,
	    .io = &r->disk->io,
	    .names = r->names,
	};
}

static void rig_fini(struct rig *r)
{
	fakedisk_free(r->disk);
	names_free(r->names);
}

static void put_file(struct rig *r, const void *p, size_t n)
{
	struct diskio *io = &r->disk->io;
	int fd = io->open(io, "/spool/seg.0009", O_RDWR | O_CREAT, 0600);

	if (n > 0)
		io->pwrite(io, fd, p, n, 0);
	io->close(io, fd);
}

/* Records of the input's making in one valid batch. */
static void put_records(struct rig *r, struct spool *s, const uint8_t *p,
    size_t n)
{
	struct batch *b = NEW(struct batch);
	struct batch_head h = {.lane = LANE_MAIN,
	    .spool_id = s->key.id,
	    .generation = 100};
	unsigned char secret[SUM_SECRET];
	char *file = mem_new(SEGMENT);
	size_t at = 0;

	batch_init(b);
	while (n >= 3) {
		size_t len = p[1] | (size_t)p[2] << 8;

		len = len < n - 3 ? len : n - 3;
		batch_record(b, p[0]);
		strbuf_add(&b->meta, p + 3, len);
		batch_record_end(b);
		if (batch_bytes(b) > SEGMENT / 2)
			break;
		p += 3 + len;
		n -= 3 + len;
	}
	sum_secret(s->key.secret, LANE_MAIN, h.generation, secret);
	batch_finish(b, &h, 0, secret);
	for (unsigned i = 0; i < b->iovs; i++) {
		if (at + b->iov[i].iov_len > SEGMENT)
			break;
		memcpy(file + at, b->iov[i].iov_base, b->iov[i].iov_len);
		at += b->iov[i].iov_len;
	}
	put_file(r, file, at);
	batch_fini(b);
	mem_free(b);
	mem_free(file);
}

static void on_message(void *arg, const struct spool_told *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct spool_delivery *d = &m->delivery[i];

		PH_ASSERT(d->state > D_NONE && d->state < D_STATES);
		PH_ASSERT(d->leg < NAMES_MAX && d->role <= ROLE_COPY);
		PH_ASSERT(d->uncertain <= UNC_YES);
	}
	PH_ASSERT(m->id != 0);
	*(uint64_t *)arg = m->id;
}

static void read_one(struct spool *s, uint64_t id)
{
	struct mailbox in;
	struct spool_fetch *f;
	struct slice chunk;

	mailbox_init(&in);
	f = spool_fetch_new(id, &in, 1);
	f->want_body = true;
	spool_fetch_post(s, f);
	reader_step(s, 0);
	reader_step(s, 1);
	mailbox_take(&in);
	while (f->source != NULL &&
	    source_next(f->source, &chunk) == SOURCE_CHUNK)
		continue;
	spool_fetch_free(f);
	mailbox_fini(&in);
}

static void recount(struct spool *s)
{
	struct spool_checker c = {0};

	PH_ASSERT(spool_check(s, &c) == NULL);
}

static void use(struct rig *r)
{
	uint64_t id = 0;
	struct spool_gap gap;
	struct spool_recovered told = {.arg = &id, .message = on_message};
	struct spool_record rec;
	struct spool_tail *t;
	struct spool_start start;
	struct error err;
	struct spool *s = spool_open(&r->c, &told, &start, &err);

	if (s == NULL)
		return;
	recount(s);
	if (id != 0)
		read_one(s, id);
	t = spool_tail_open(s, (struct spool_pos){0});
	for (int i = 0; i < 10000; i++)
		if (spool_tail_next(t, &rec, &gap) == 0)
			break;
	spool_tail_close(t);
	for (int i = 0; i < 20; i++) {
		journal_step(s, spool_now_ms(s));
		steward_work(s, spool_now_ms(s));
		recount(s);
		clock_fake_step(&r->clock, 1000000);
	}
	spool_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig r;
	struct spool_start start;
	struct error err;
	struct spool *s;

	if (size < 1)
		return 0;
	rig_init(&r);
	s = spool_open(&r.c, NULL, &start, &err);
	if (data[0] % 2 == 0)
		put_file(&r, data + 1, size - 1);
	else
		put_records(&r, s, data + 1, size - 1);
	spool_close(s);
	use(&r);
	rig_fini(&r);
	return 0;
}
