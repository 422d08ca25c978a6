/* SPDX-License-Identifier: ISC
 *
 * Reads many records of segments, in about the order of the journal, through a
 * few large reads instead of two small ones each. One thread.
 */
#ifndef RELAY_SPOOL_WINDOW_H
#define RELAY_SPOOL_WINDOW_H

#include "relay/spool/spool_int.h"

enum { WINDOWS = 8, WINDOW_BYTES = 128 << 10 };

struct window {
	const struct segment *seg;
	uint64_t generation, off;
	size_t n;
	char *mem;
};

struct windows {
	struct spool *s;
	struct window w[WINDOWS];
	unsigned turn;
};

struct windows *windows_new(struct spool *s);
void windows_free(struct windows *w);
/* n bytes of a segment, which is pinned, as they were when their window was
 * read: bytes that were written since may be missing, so what is not whole is
 * to be read by itself. NULL: they cannot be had here. Until the next call. */
const char *windows_bytes(struct windows *w, struct segment *seg, uint64_t off,
    size_t n);

#endif
