/* SPDX-License-Identifier: ISC
 *
 * The journal's checksum. The secret is drawn with SipHash from the key, so
 * that it does not depend on xxhash's own experimental generator.
 */
#include "relay/spool/format/sum.h"

#include <string.h>
#include <xxhash.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"

void sum_secret(const unsigned char key[SUM_KEY], unsigned lane,
    uint64_t generation, unsigned char secret_out[SUM_SECRET])
{
	uint64_t half[2][2], in[3] = {lane, generation, 0};

	memcpy(half, key, SUM_KEY);
	for (size_t i = 0; i < SUM_SECRET / sizeof(uint64_t); i++) {
		uint64_t v;

		in[2] = i;
		v = hash_siphash(half[i % 2], in, sizeof(in));
		memcpy(secret_out + i * sizeof(v), &v, sizeof(v));
	}
}

uint64_t sum_bytes(const unsigned char secret[SUM_SECRET], const void *p,
    size_t n)
{
	return XXH3_64bits_withSecret(p, n, secret, SUM_SECRET);
}

uint64_t sum_iov(const unsigned char secret[SUM_SECRET],
    const struct iovec *iov, unsigned n)
{
	XXH3_state_t *state;
	uint64_t sum;

	if (n == 1)
		return sum_bytes(secret, iov[0].iov_base, iov[0].iov_len);
	state = XXH3_createState();
	if (state == NULL)
		mem_exhausted(0);
	XXH3_64bits_reset_withSecret(state, secret, SUM_SECRET);
	for (unsigned i = 0; i < n; i++)
		XXH3_64bits_update(state, iov[i].iov_base, iov[i].iov_len);
	sum = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return sum;
}
