/* SPDX-License-Identifier: ISC
 *
 * Walks a main segment on disk.
 */
#include <errno.h>

#include "relay/spool/scan.h"

#include <inttypes.h>

enum { WINDOW = 256 << 10, NARROW = 512, TRIES = 3 };

void scan_init(struct scan *sc, struct spool *s)
{
	*sc = (struct scan){.spool = s};
}

void scan_fini(struct scan *sc)
{
	mem_free(sc->win);
	mem_free(sc->bad);
	*sc = (struct scan){0};
}

void scan_open(struct scan *sc, struct segment *seg, uint64_t limit)
{
	sc->seg = seg;
	sc->limit = limit;
	sc->win_n = 0;
	sc->bads = 0;
	sc->bad_blocks = 0;
	sc->bad_end = 0;
	sc->newer = (struct newer){0};
}

/* One failed read says little of the disk: only what fails again is bad. */
static int read_run(struct scan *sc, uint64_t off, size_t at, size_t n)
{
	for (int i = 0; i < TRIES; i++)
		if (segment_read(sc->spool, sc->seg, sc->win + at, n,
			off + at) == 0)
			return 0;
	return -1;
}

static void add_bad(struct scan *sc, uint64_t from, uint64_t to)
{
	if (sc->bads == sc->bad_cap) {
		sc->bad_cap = sc->bad_cap * 2 + 4;
		sc->bad = mem_resize(sc->bad, sc->bad_cap * sizeof(*sc->bad));
	}
	sc->bad[sc->bads++] = (struct bad_run){from, to, errno};
}

/* A run that cannot be read as a whole, block by block: the bad ones become
 * zeros, so that what stands around them is still found. */
static void read_blocks(struct scan *sc, uint64_t off, size_t n)
{
	for (size_t at = 0, m; at < n; at += m) {
		m = BLOCK - (off + at) % BLOCK;
		m = n - at < m ? n - at : m;
		if (read_run(sc, off, at, m) == 0)
			continue;
		add_bad(sc, off + at, off + at + m);
		memset(sc->win + at, 0, m);
	}
}

/* Only what was asked for counts: a body beside the records, which came with
 * the window, is read by those who want it. */
static void count_bad(struct scan *sc, uint64_t off, size_t n)
{
	for (unsigned i = 0; i < sc->bads; i++) {
		const struct bad_run *b = &sc->bad[i];

		if (b->from >= off + n || b->to <= off)
			continue;
		if (sc->bad_blocks++ == 0)
			sc->bad_off = b->from;
		sc->bad_no = b->no;
		if (b->to > sc->bad_end)
			sc->bad_end = b->to;
	}
}

const char *scan_bytes(struct scan *sc, uint64_t off, size_t n)
{
	size_t least = sc->narrow ? NARROW : WINDOW;
	size_t want = n < least ? least : n;

	if (off + n > sc->limit)
		return NULL;
	if (sc->win_n > 0 && off >= sc->win_off &&
	    off + n <= sc->win_off + sc->win_n) {
		count_bad(sc, off, n);
		return sc->win + (off - sc->win_off);
	}
	if (off + want > sc->limit)
		want = sc->limit - off;
	if (want > sc->win_cap) {
		sc->win = mem_resize(sc->win, want);
		sc->win_cap = want;
	}
	sc->bads = 0;
	if (read_run(sc, off, 0, want) < 0)
		read_blocks(sc, off, want);
	count_bad(sc, off, n);
	sc->win_off = off;
	sc->win_n = want;
	return sc->win;
}

static void note_newer(struct scan *sc, struct newer what)
{
	if (!sc->newer.met)
		sc->newer = what;
}

bool scan_head_at(struct scan *sc, uint64_t off, struct batch_head *h_out)
{
	const char *p = scan_bytes(sc, off, BATCH_HEAD);
	unsigned char secret[SUM_SECRET];
	const struct spool *s = sc->spool;

	if (p == NULL || !batch_head_get(p, h_out) ||
	    h_out->spool_id != key_id(s, h_out->lane, h_out->generation))
		return false;
	key_sums(s, h_out->lane, h_out->generation, secret);
	if (!batch_head_valid(p, secret))
		return false;
	if (h_out->format > FORMAT_VERSION)
		note_newer(sc, (struct newer){true, h_out->format, 0, off});
	return h_out->format <= FORMAT_VERSION;
}

bool scan_head(struct scan *sc, uint64_t off, struct batch_head *h_out)
{
	const char *p = scan_bytes(sc, off, BATCH_HEAD);

	if (p == NULL || !batch_head_get(p, h_out) ||
	    h_out->lane != LANE_MAIN ||
	    h_out->generation != sc->seg->generation ||
	    h_out->spool_id !=
		key_id(sc->spool, LANE_MAIN, h_out->generation) ||
	    !batch_head_valid(p, sc->seg->secret))
		return false;
	if (h_out->format > FORMAT_VERSION)
		note_newer(sc, (struct newer){true, h_out->format, 0, off});
	return h_out->format <= FORMAT_VERSION &&
	    off + batch_span(h_out) <= sc->spool->key.segment_bytes;
}

bool scan_latest(struct scan *sc, struct batch_head *best_out)
{
	struct batch_head h;
	bool found = false;

	for (uint64_t off = BLOCK; off < sc->limit; off += BLOCK)
		if (scan_head_at(sc, off, &h) && h.lane == LANE_MAIN &&
		    (!found || h.generation > best_out->generation)) {
			*best_out = h;
			found = true;
		}
	return found;
}

uint64_t scan_find(struct scan *sc, uint64_t from, uint64_t number,
    struct batch_head *h_out)
{
	for (; from + BATCH_HEAD <= sc->limit; from += BLOCK)
		if (scan_head(sc, from, h_out) && h_out->number >= number)
			return from;
	return 0;
}

struct scan_range scan_range_of(uint64_t off, const struct batch_head *h)
{
	return (struct scan_range){
	    .at = off + BATCH_HEAD,
	    .end = off + BATCH_HEAD + h->meta_bytes,
	    .first = h->number,
	    .past = h->number + 1,
	};
}

static bool is_record(const struct scan *sc, const struct scan_range *r,
    struct slice rest, struct scan_record *rec)
{
	return record_frame(rest, &rec->head, &rec->payload) &&
	    rec->head.type >= REC_ACCEPTED &&
	    rec->head.batch - (uint32_t)r->first <
		(uint32_t)(r->past - r->first) &&
	    record_valid(rest, &rec->head, sc->seg->secret);
}

int scan_record(struct scan *sc, struct scan_range *r,
    struct scan_record *rec_out)
{
	bool junk = false;
	const char *p;

	if (r->at >= r->end)
		return 0;
	p = scan_bytes(sc, r->at, r->end - r->at);
	if (p == NULL) {
		r->at = r->end;
		return -1;
	}
	for (uint64_t at = r->at; at < r->end; at += RECORD_ALIGN) {
		struct slice rest = slice_of(p + (at - r->at), r->end - at);

		if (!is_record(sc, r, rest, rec_out)) {
			junk = true;
			continue;
		}
		if (junk) {
			r->at = at; /* the caller hears of the gap first */
			return -1;
		}
		rec_out->off = at;
		rec_out->frame = slice_head(rest, record_span(&rec_out->head));
		r->at = at + record_span(&rec_out->head);
		return 1;
	}
	r->at = r->end;
	return -1;
}

void scan_unknown(struct scan *sc, const struct scan_record *rec)
{
	note_newer(sc, (struct newer){true, 0, rec->head.type, rec->off});
}

static int too_new(const struct scan *sc, struct error *err)
{
	const struct newer *n = &sc->newer;
	unsigned slot = (unsigned)sc->seg->slot;

	if (n->format != 0)
		return error_set(err, "spool segment %s/seg.%04u (generation %"
		    PRIu64 ") at byte %" PRIu64 " was made by format %u; this "
		    "program reads up to %d (no segment was changed)",
		    sc->spool->path, slot, sc->seg->generation, n->off,
		    (unsigned)n->format, FORMAT_VERSION);
	return error_set(err, "spool segment %s/seg.%04u (generation %" PRIu64
	    ") at byte %" PRIu64 " holds a record of type %u, made by a newer "
	    "version of this program: start that one (no segment was changed)",
	    sc->spool->path, slot, sc->seg->generation, n->off,
	    (unsigned)n->type);
}

int scan_all_known(const struct scan *sc, struct error *err)
{
	if (sc->newer.met)
		return too_new(sc, err);
	if (sc->bad_blocks == 0)
		return 0;
	return error_sys(err, sc->bad_no, "spool segment %s/seg.%04u cannot "
	    "be read at byte %" PRIu64 " (no segment was changed; mend the "
	    "disk, or move the file away: what it held is then named)",
	    sc->spool->path, (unsigned)sc->seg->slot, sc->bad_off);
}
