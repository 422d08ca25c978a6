/* SPDX-License-Identifier: ISC
 *
 * The journal's checksum: XXH3 with a secret made from the spool's own random
 * key, the lane and the segment's generation. So neither a body that looks
 * like a record nor a record of the slot's former life is ever taken for one.
 * Pure functions, any thread.
 */
#ifndef RELAY_SPOOL_FORMAT_SUM_H
#define RELAY_SPOOL_FORMAT_SUM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { SUM_SECRET = 192, SUM_KEY = 32 };

void sum_secret(const unsigned char key[SUM_KEY], unsigned lane,
    uint64_t generation, unsigned char secret_out[SUM_SECRET]);
uint64_t sum_bytes(const unsigned char secret[SUM_SECRET], const void *p,
    size_t n);
/* As if the pieces were one. */
uint64_t sum_iov(const unsigned char secret[SUM_SECRET],
    const struct iovec *iov, unsigned n);

#endif
