/* SPDX-License-Identifier: ISC
 *
 * A set of 64-bit keys: added one by one, sorted once, then asked. Eight bytes
 * a key. One thread.
 */
#ifndef RELAY_CLI_WAVE_PLAN_KEYS_H
#define RELAY_CLI_WAVE_PLAN_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/slice.h"

struct plan_keys {
	uint64_t *key;
	size_t n, cap;
};

/* Of a text of one kind; the same in every process. */
enum plan_key_kind { PLAN_ADDRESS, PLAN_MAILBOX, PLAN_TOGETHER, PLAN_VALUE };
uint64_t plan_key(enum plan_key_kind kind, struct slice text);

void plan_keys_add(struct plan_keys *k, uint64_t key);
void plan_keys_sort(struct plan_keys *k); /* … before it is asked */
bool plan_keys_have(const struct plan_keys *k, uint64_t key);
void plan_keys_fini(struct plan_keys *k);

#endif
