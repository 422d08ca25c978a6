/* SPDX-License-Identifier: ISC
 *
 * Randomness behind a table.
 */
#include "relay/base/rng.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "relay/base/attr.h"

static void system_fill(struct rng *r, void *p, size_t n)
{
	(void)r;
	/* Without randomness there are no keys, no ids and no TLS. */
	if (RAND_bytes(p, (int)n) != 1)
		abort();
}

struct rng rng_system = {system_fill};

/* splitmix64: for tests, never for secrets. */
static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void seeded_fill(struct rng *r, void *p, size_t n)
{
	struct rng_seeded *s = CONTAINER_OF(r, struct rng_seeded, rng);
	char *to = p;

	while (n > 0) {
		uint64_t v = splitmix(&s->state);
		size_t take = n < sizeof(v) ? n : sizeof(v);

		memcpy(to, &v, take);
		to += take;
		n -= take;
	}
}

void rng_seeded_init(struct rng_seeded *r, uint64_t seed)
{
	r->rng.fill = seeded_fill;
	r->state = seed;
}

uint64_t rng_u64(struct rng *r)
{
	uint64_t v;

	r->fill(r, &v, sizeof(v));
	return v;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % n, v;

	do {
		v = rng_u64(r);
	} while (v >= limit);
	return v % n;
}
