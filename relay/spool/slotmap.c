/* SPDX-License-Identifier: ISC
 *
 * Records beside the segments which slot holds which generation, so that a
 * segment that is absent, zeroed or replaced is noticed at the start, and no
 * generation is used twice after the newest segment was lost. Byte format:
 * doc/journal.md.
 *
 * An entry is written before the first batch of its segment, and again, as
 * "used", after that batch is synced and before anyone is told of it: an
 * entry without that mark promises nothing, and its segment may be missing.
 * Each also says how far generations were given back by then, and one is
 * written before a segment is a spare: the heads that declare it may be lost,
 * and what was given back is still there to be read.
 * An entry that cannot be written costs only this notice, so the journal goes
 * on without it.
 */
#include <errno.h>
#include <fcntl.h>

#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/spool/spool_int.h"

enum { NOTE_BYTES = 32, FLAG_USED = 1, TRIES = 3 };

#define MAGIC UINT64_C(0x31544f4c53484f50) /* "POHSLOT1" */

static uint64_t note_sum(const struct spool *s, const struct strbuf *b)
{
	uint64_t key[2];

	memcpy(key, s->key.secret, sizeof(key));
	return hash_siphash(key, b->p + b->n - (NOTE_BYTES - 8),
	    NOTE_BYTES - 8);
}

static void put_head(const struct spool *s, struct strbuf *b)
{
	pack_u64(b, MAGIC);
	pack_u64(b, s->key.id);
	pack_u64(b, 0);
	pack_u64(b, note_sum(s, b));
}

static void put_note(const struct spool *s, uint32_t slot,
    const struct slot_note *n, struct strbuf *b)
{
	pack_u8(b, n->lane);
	pack_u8(b, n->used ? FLAG_USED : 0);
	pack_u16(b, 0);
	pack_u32(b, slot);
	pack_u64(b, n->generation);
	pack_u64(b, n->oldest);
	pack_u64(b, note_sum(s, b));
}

static void get_note(const struct spool *s, uint32_t slot, struct slice at,
    struct slot_note *out)
{
	struct strbuf again;
	struct unpack u;
	struct slot_note n = {0};

	unpack_init(&u, at);
	n.lane = unpack_u8(&u);
	n.used = (unpack_u8(&u) & FLAG_USED) != 0;
	unpack_u16(&u);
	unpack_u32(&u);
	n.generation = unpack_u64(&u);
	n.oldest = unpack_u64(&u);
	strbuf_init(&again, NOTE_BYTES);
	put_note(s, slot, &n, &again);
	if (slice_eq(strbuf_view(&again), at))
		*out = n; /* else torn or damaged: nothing is known of it */
	strbuf_fini(&again);
}

/* Reads all of it, trying again: a map that is passed over could let a
 * generation be used twice. */
static char *read_all(struct spool *s, int fd, size_t *n_out)
{
	struct diskio *io = s->c.io;
	int64_t size = io->size(io, fd);
	size_t max = (size_t)(SLOTS_MAX + 1) * NOTE_BYTES;
	size_t n = size < 0 ? 0 : (size_t)size < max ? (size_t)size : max;
	char *p = mem_new(n);

	for (int i = 0; size >= 0 && i < TRIES; i++)
		if (io->pread(io, fd, p, n, 0) == (ssize_t)n) {
			*n_out = n;
			return p;
		}
	mem_free(p);
	return NULL;
}

static void parse(struct spool *s, struct slice all)
{
	struct slotmap *m = &s->slotmap;
	struct strbuf head;

	strbuf_init(&head, NOTE_BYTES);
	put_head(s, &head);
	m->known = all.n >= NOTE_BYTES &&
	    slice_eq(slice_head(all, NOTE_BYTES), strbuf_view(&head));
	strbuf_fini(&head);
	if (!m->known)
		return;
	m->notes = (unsigned)(all.n / NOTE_BYTES) - 1;
	m->note = NEW_ARRAY(struct slot_note, m->notes);
	for (unsigned i = 0; i < m->notes; i++) {
		get_note(s, i,
		    slice_head(slice_from(all, (i + 1) * (size_t)NOTE_BYTES),
			NOTE_BYTES),
		    &m->note[i]);
		if (m->note[i].oldest > m->oldest)
			m->oldest = m->note[i].oldest;
	}
}

int slotmap_load(struct spool *s, struct error *err)
{
	struct diskio *io = s->c.io;
	struct strbuf path;
	size_t n = 0;
	char *all = NULL;
	int fd, no;

	strbuf_init(&path, 4096);
	spool_path(s, "spool.slots", &path);
	fd = io->open(io, path.p, O_RDONLY, 0);
	no = errno;
	strbuf_fini(&path);
	if (fd < 0 && no == ENOENT)
		return 0; /* a new spool, or one of an earlier version */
	if (fd >= 0) {
		all = read_all(s, fd, &n);
		no = errno;
		io->close(io, fd);
	}
	if (all == NULL)
		return error_sys(err, no, "read %s/spool.slots", s->path);
	parse(s, slice_of(all, n));
	mem_free(all);
	return 0;
}

/* Lists the slots as recovery found them; the entry of a lost segment
 * stays. */
static void fill(struct spool *s, struct strbuf *b)
{
	const struct slotmap *m = &s->slotmap;
	unsigned n = s->segs > m->notes ? s->segs : m->notes;

	put_head(s, b);
	for (unsigned i = 0; i < n; i++) {
		const struct segment *seg = i < s->segs ? s->seg[i] : NULL;
		struct slot_note note = {0};

		if (slotmap_lost(s, i))
			note = m->note[i];
		else if (seg != NULL && seg->state == SEG_MAIN)
			note = (struct slot_note){.lane = LANE_MAIN,
			    .used = seg->batches > 0,
			    .generation = seg->generation};
		else if (seg != NULL && seg->state == SEG_BULK)
			note = (struct slot_note){.lane = LANE_BULK,
			    .used = true, .generation = seg->generation};
		note.oldest = s->journal.oldest;
		put_note(s, i, &note, b);
	}
	if (b->n % BLOCK != 0) {
		memset(strbuf_reserve(b, BLOCK), 0, BLOCK);
		strbuf_used(b, BLOCK - b->n % BLOCK);
	}
}

static int write_whole(struct spool *s, int fd)
{
	struct diskio *io = s->c.io;
	struct strbuf all;
	int rc;

	strbuf_init(&all, (size_t)(SLOTS_MAX + 1) * NOTE_BYTES + BLOCK);
	fill(s, &all);
	rc = io->pwrite(io, fd, all.p, all.n, 0) == (ssize_t)all.n ? 0 : -1;
	strbuf_fini(&all);
	return rc == 0 ? io->fsync(io, fd) : -1;
}

static int write_anew(struct spool *s, const char *tmp, const char *path)
{
	struct diskio *io = s->c.io;
	int fd = io->open(io, tmp, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		return -1;
	if (write_whole(s, fd) < 0 || io->rename(io, tmp, path) < 0 ||
	    spool_sync_directory(s) < 0) {
		io->close(io, fd);
		return -1;
	}
	return fd;
}

void slotmap_start(struct spool *s)
{
	struct strbuf path, tmp;
	struct error err;

	if (s->c.look_only)
		return;
	strbuf_init(&path, 4096);
	strbuf_init(&tmp, 4096);
	spool_path(s, "spool.slots", &path);
	spool_path(s, "spool.slots.new", &tmp);
	s->slotmap.fd = write_anew(s, tmp.p, path.p);
	if (s->slotmap.fd < 0) {
		error_sys(&err, errno, "write %s", path.p);
		log_warn("spool.slots_unwritten", kv_err(&err));
	}
	strbuf_fini(&path);
	strbuf_fini(&tmp);
}

void slotmap_note(struct spool *s, const struct segment *seg, bool used)
{
	struct slot_note n = {.lane = seg->state == SEG_MAIN ? LANE_MAIN :
		seg->state == SEG_BULK ? LANE_BULK : LANE_SPARE,
	    .used = used, .generation = seg->generation};
	struct diskio *io = s->c.io;
	struct strbuf b;

	if (s->slotmap.fd < 0)
		return;
	pthread_mutex_lock(&s->lock);
	n.oldest = s->journal.declared;
	pthread_mutex_unlock(&s->lock);
	strbuf_init(&b, NOTE_BYTES);
	put_note(s, seg->slot, &n, &b);
	if (io->pwrite(io, s->slotmap.fd, b.p, b.n,
		(int64_t)(seg->slot + 1) * NOTE_BYTES) != (ssize_t)b.n ||
	    io->fdatasync(io, s->slotmap.fd) < 0)
		log_warn("spool.slots_unwritten",
		    kv_int("slot", (int64_t)seg->slot));
	strbuf_fini(&b);
}

bool slotmap_lost(const struct spool *s, uint32_t slot)
{
	return slot < s->slotmap.notes && s->slotmap.note[slot].lost;
}

bool slotmap_outlived(const struct spool *s, uint32_t slot,
    const struct batch_head *h)
{
	const struct slot_note *n = slot < s->slotmap.notes ?
	    &s->slotmap.note[slot] : NULL;

	return n != NULL && n->lane == LANE_MAIN && n->used &&
	    (h->lane != LANE_MAIN || h->generation < n->generation);
}

void slotmap_fini(struct spool *s)
{
	if (s->slotmap.fd >= 0)
		s->c.io->close(s->c.io, s->slotmap.fd);
	mem_free(s->slotmap.note);
}
