/* SPDX-License-Identifier: ISC
 *
 * Where the bytes of a message come from: memory, or the journal through a
 * reader thread. One reader at a time, on one loop; may be rewound and read
 * again (a second host, a second transaction).
 */
#ifndef RELAY_BASE_SOURCE_H
#define RELAY_BASE_SOURCE_H

#include "relay/base/slice.h"

enum source_state {
	SOURCE_CHUNK, /* *chunk_out is the next run of bytes, never empty    */
	SOURCE_END,
	SOURCE_WAIT,  /* `ready` is called once when there is more to say    */
	SOURCE_ERROR, /* the bytes cannot be read; constant until rewound    */
};

struct source;

struct source_ops {
	enum source_state (*next)(struct source *s, struct slice *chunk_out);
	void (*rewind)(struct source *s);
	void (*free)(struct source *s);
};

struct source {
	const struct source_ops *ops;
	uint64_t size; /* bytes in all */
	/* Set by the reader, before SOURCE_WAIT may be met. Called later,
	 * never from inside next(). */
	void (*ready)(void *arg);
	void *ready_arg;
};

/* The chunk lives until the next call of any of these. */
enum source_state source_next(struct source *s, struct slice *chunk_out);
void source_rewind(struct source *s);
void source_free(struct source *s); /* NULL is fine */

/* Bytes that are the caller's and outlive the source. */
struct source *source_of_slice(struct slice s);
/* `prefix`, which outlives the source, and then all of `s`, which it takes. */
struct source *source_behind(struct slice prefix, struct source *s);

#endif
