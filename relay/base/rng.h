/* SPDX-License-Identifier: ISC
 *
 * Randomness behind a table: the system's, or a seeded sequence that makes a
 * test repeatable. Any thread may use rng_system; a seeded one belongs to one.
 */
#ifndef RELAY_BASE_RNG_H
#define RELAY_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
	void (*fill)(struct rng *r, void *p, size_t n);
};

extern struct rng rng_system;

struct rng_seeded {
	struct rng rng;
	uint64_t state;
};
void rng_seeded_init(struct rng_seeded *r, uint64_t seed);

uint64_t rng_u64(struct rng *r);
/* Uniform in 0 … n-1; n > 0. */
uint64_t rng_below(struct rng *r, uint64_t n);

#endif
