/* SPDX-License-Identifier: ISC
 *
 * Windows on segments, for those who read many records. A message and its last
 * update stand apart, so there are several; the one that was read the longest
 * ago is read anew.
 */
#include "relay/spool/window.h"

struct windows *windows_new(struct spool *s)
{
	struct windows *w = NEW(struct windows);

	w->s = s;
	return w;
}

void windows_free(struct windows *w)
{
	if (w == NULL)
		return;
	for (unsigned i = 0; i < WINDOWS; i++)
		mem_free(w->w[i].mem);
	mem_free(w);
}

static const char *look_in(const struct window *w, const struct segment *seg,
    uint64_t off, size_t n)
{
	if (w->seg != seg || w->generation != seg->generation ||
	    off < w->off || off + n > w->off + w->n)
		return NULL;
	return w->mem + (off - w->off);
}

/* From a block on, so that what stands a little before is there as well. */
static bool load(struct windows *to, struct window *w, struct segment *seg,
    uint64_t off, size_t n)
{
	uint64_t from = off - off % BLOCK;
	uint64_t most = to->s->key.segment_bytes - from;

	w->seg = NULL;
	w->n = most < WINDOW_BYTES ? most : WINDOW_BYTES;
	if (off + n > from + w->n)
		return false;
	if (w->mem == NULL)
		w->mem = mem_new(WINDOW_BYTES);
	if (segment_read(to->s, seg, w->mem, w->n, from) < 0)
		return false;
	w->seg = seg;
	w->generation = seg->generation;
	w->off = from;
	return true;
}

const char *windows_bytes(struct windows *to, struct segment *seg, uint64_t off,
    size_t n)
{
	const char *p = NULL;
	struct window *w;

	if (n > WINDOW_BYTES || off + n > to->s->key.segment_bytes)
		return NULL;
	for (unsigned i = 0; i < WINDOWS && p == NULL; i++)
		p = look_in(&to->w[i], seg, off, n);
	if (p != NULL)
		return p;
	w = &to->w[to->turn++ % WINDOWS];
	return load(to, w, seg, off, n) ? look_in(w, seg, off, n) : NULL;
}
