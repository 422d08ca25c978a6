/* SPDX-License-Identifier: ISC
 *
 * The new life of a restored spool: the generations that are there are looked
 * up in the first block of each slot, and it begins above them.
 */
#include "relay/spool/backup/renew.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "relay/spool/spool_int.h"

/* Of segments whose first block is damaged the generation is not known: they
 * are among the newest, at worst. */
enum { MARGIN = 64 };

struct renewing {
	struct spool *s;
	struct life_bounds b;
	bool failed;
};

static void note(uint64_t generation, uint64_t *from, uint64_t *to)
{
	if (generation < *from)
		*from = generation;
	if (generation > *to)
		*to = generation;
}

static void look(struct renewing *r, const unsigned char block[BATCH_HEAD])
{
	unsigned char secret[SUM_SECRET];
	struct batch_head h;

	if (!batch_head_get(block, &h) ||
	    h.spool_id != key_id(r->s, h.lane, h.generation))
		return;
	key_sums(r->s, h.lane, h.generation, secret);
	if (!batch_head_valid(block, secret))
		return;
	if (h.lane == LANE_MAIN)
		note(h.generation, &r->b.main_from, &r->b.main_to);
	if (h.lane == LANE_BULK)
		note(h.generation, &r->b.bulk_from, &r->b.bulk_to);
}

static void on_name(void *arg, const char *name)
{
	struct renewing *r = arg;
	struct diskio *io = r->s->c.io;
	unsigned char block[BATCH_HEAD];
	struct strbuf path;
	int fd;

	if (!slice_starts(slice_str(name), SLICE("seg.")))
		return;
	strbuf_init(&path, 4096);
	spool_path(r->s, name, &path);
	fd = io->open(io, path.p, O_RDONLY, 0);
	strbuf_fini(&path);
	if (fd < 0) {
		r->failed = true;
		return;
	}
	if (io->pread(io, fd, block, sizeof(block), 0) ==
	    (ssize_t)sizeof(block))
		look(r, block);
	io->close(io, fd);
}

static int renew(struct renewing *r, uint64_t known, struct error *err)
{
	struct spool *s = r->s;

	if (key_open(s, err) < 0)
		return -1;
	r->b = (struct life_bounds){UINT64_MAX, key_main_to(s), UINT64_MAX,
	    key_bulk_to(s)};
	if (s->c.io->list(s->c.io, s->path, on_name, r) < 0 || r->failed)
		return error_sys(err, errno, "read spool %s", s->path);
	if (r->b.main_to < known)
		r->b.main_to = known;
	if (r->b.main_to > GENERATION_MOST || r->b.bulk_to > GENERATION_MOST)
		return error_set(err, "%s: a generation of its journal is "
		    "%" PRIu64 ", which no journal reaches: damaged, or "
		    "changed by hand", s->path,
		    r->b.main_to > r->b.bulk_to ? r->b.main_to
						: r->b.bulk_to);
	r->b.main_to += MARGIN;
	r->b.bulk_to += MARGIN;
	return key_renew(s, &r->b, err);
}

int spool_renew(const struct spool_renewal *r, struct error *err)
{
	struct renewing w = {.s = NEW(struct spool)};
	int rc;

	w.s->c.io = r->io;
	w.s->c.rng = r->rng;
	w.s->path = mem_strdup(r->path);
	rc = renew(&w, r->known, err);
	mem_free(w.s->path);
	mem_free(w.s);
	return rc;
}
