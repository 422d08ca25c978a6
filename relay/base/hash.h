/* SPDX-License-Identifier: ISC
 *
 * SipHash-2-4 (Aumasson, Bernstein 2012) for keys that strangers choose.
 * hash_bytes() uses a key drawn once per process by hash_setup(); its values
 * mean nothing outside this process. hash_stored() uses the spool's key, so its
 * values may be written down beside it. Any thread.
 */
#ifndef RELAY_BASE_HASH_H
#define RELAY_BASE_HASH_H

#include "relay/base/rng.h"
#include "relay/base/slice.h"

/* Call once, before any thread. Without it the key is zero (tests). */
void hash_setup(struct rng *rng);
uint64_t hash_bytes(const void *p, size_t n);
uint64_t hash_slice(struct slice s);
/* Call once, before any thread; without it the key is zero. */
void hash_stored_setup(const uint64_t key[2]);
uint64_t hash_stored(struct slice s);
/* FNV-1a: where a collision that a stranger makes costs a little time alone. */
static inline uint32_t hash_fnv(struct slice s)
{
	uint32_t h = 2166136261;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 16777619;
	return h ^ h >> 16;
}
uint64_t hash_siphash(const uint64_t key[2], const void *p, size_t n);

#endif
