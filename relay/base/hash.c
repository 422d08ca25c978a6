/* SPDX-License-Identifier: ISC
 *
 * SipHash-2-4. OpenSSL has one too, but behind a context per call: 30 lines
 * here keep a hash of a short key at some 20 ns.
 */
#include "relay/base/hash.h"

static uint64_t process_key[2], stored_key[2];

void hash_setup(struct rng *rng)
{
	rng->fill(rng, process_key, sizeof(process_key));
}

static inline uint64_t rotl(uint64_t x, int b)
{
	return (x << b) | (x >> (64 - b));
}

static inline void sipround(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static inline void absorb(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sipround(v);
	sipround(v);
	v[0] ^= m;
}

uint64_t hash_siphash(const uint64_t key[2], const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573)};
	uint64_t m, last = (uint64_t)n << 56;
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		memcpy(&m, p + i, 8);
		absorb(v, m);
	}
	for (size_t j = 0; i + j < n; j++)
		last |= (uint64_t)p[i + j] << (8 * j);
	absorb(v, last);
	v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		sipround(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_bytes(const void *p, size_t n)
{
	return hash_siphash(process_key, p, n);
}

uint64_t hash_slice(struct slice s)
{
	return hash_bytes(s.p, s.n);
}

void hash_stored_setup(const uint64_t key[2])
{
	stored_key[0] = key[0];
	stored_key[1] = key[1];
}

uint64_t hash_stored(struct slice s)
{
	return hash_siphash(stored_key, s.p, s.n);
}
