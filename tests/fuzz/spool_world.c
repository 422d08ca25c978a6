/* SPDX-License-Identifier: ISC
 *
 * The spool of the fuzz targets.
 */
#include "tests/fuzz/spool_world.h"

#include <fcntl.h>

#include "relay/base/assert.h"
#include "relay/base/log.h"
#include "relay/spool/check/spool_check.h"
#include "relay/spool/start/spool_open.h"
#include "relay/spool/tail/tail.h"

void world_init(struct world *r)
{
	log_setup(-1, LOG_LV_ERROR, &clock_system);
	r->disk = fakedisk_new();
	clock_fake_init(&r->clock, INT64_C(1700000000000000));
	rng_seeded_init(&r->rng, 1);
	r->names = names_new();
	r->c = (struct spool_config){
	    .path = "/spool",
	    .segment_bytes = WORLD_SEGMENT,
	    .max_bytes = 10 * WORLD_SEGMENT,
	    .body_memory_bytes = 1 << 20,
	    .memory_window_bytes = 1 << 20,
	    .spares = 3,
	    .clock = &r->clock.clock,
	    .rng = &r->rng.rng,
	    .io = &r->disk->io,
	    .names = r->names,
	};
}

void world_fini(struct world *r)
{
	fakedisk_free(r->disk);
	names_free(r->names);
}

void world_put_file(struct world *r, const char *path, const void *p, size_t n)
{
	struct diskio *io = &r->disk->io;
	int fd = io->open(io, path, O_RDWR | O_CREAT, 0600);

	if (n > 0)
		io->pwrite(io, fd, p, n, 0);
	io->close(io, fd);
}

size_t world_put_batch(struct world *r, const char *path, size_t at,
    struct batch *b, struct batch_head *h, const struct spool *s)
{
	struct diskio *io = &r->disk->io;
	int fd = io->open(io, path, O_RDWR | O_CREAT, 0600);
	unsigned char secret[SUM_SECRET];

	h->spool_id = s->key.id;
	sum_secret(s->key.secret, (uint8_t)h->lane, h->generation, secret);
	batch_finish(b, h, at, secret);
	for (unsigned i = 0; i < b->iovs; i++) {
		if (at + b->iov[i].iov_len > WORLD_SEGMENT)
			break;
		io->pwrite(io, fd, b->iov[i].iov_base, b->iov[i].iov_len,
		    (int64_t)at);
		at += b->iov[i].iov_len;
	}
	io->close(io, fd);
	return at;
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

void world_use(struct world *r)
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
