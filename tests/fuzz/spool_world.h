/* SPDX-License-Identifier: ISC
 *
 * A spool over a fake disk with a fixed key, for the fuzz targets that put
 * files of their own making into it.
 */
#ifndef TESTS_FUZZ_SPOOL_WORLD_H
#define TESTS_FUZZ_SPOOL_WORLD_H

#include "relay/spool/spool_int.h"
#include "tests/fault/fakedisk.h"

enum { WORLD_SEGMENT = 64 << 10 };

struct world {
	struct fakedisk *disk;
	struct clock_fake clock;
	struct rng_seeded rng;
	struct names *names;
	struct spool_config c;
};

void world_init(struct world *w);
void world_fini(struct world *w);
void world_put_file(struct world *w, const char *path, const void *p,
    size_t n);
/* Ends the batch, as file `path` from `at` on; returns where it ends. */
size_t world_put_batch(struct world *w, const char *path, size_t at,
    struct batch *b, struct batch_head *h, const struct spool *s);
/* Opens the spool, reads and writes, and recounts what is in memory. */
void world_use(struct world *w);

#endif
