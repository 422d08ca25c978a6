/* SPDX-License-Identifier: ISC
 *
 * uthash as we use it: hashed with the key of this process (hash.h),
 * since strangers choose addresses and names, and out of memory never comes
 * back. The only place that may include <uthash.h>.
 */
#ifndef RELAY_BASE_HASHTABLE_H
#define RELAY_BASE_HASHTABLE_H

#include "relay/base/hash.h"
#include "relay/base/mem.h"

#define HASH_FUNCTION(keyptr, keylen, hashv) \
	((hashv) = (unsigned)hash_bytes((keyptr), (keylen)))
#define uthash_malloc(n) mem_new(n)
#define uthash_free(p, n) mem_free(p)
#include <uthash.h>

#endif
