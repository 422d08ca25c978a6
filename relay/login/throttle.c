/* SPDX-License-Identifier: ISC
 *
 * See throttle.h. Tables of a fixed size in sets of eight; the keys are
 * hashes that a stranger cannot choose, so neither can it choose the set.
 */
#include "relay/login/throttle.h"

#include <stddef.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

enum { WAYS = 8, SETS = 2048 /* a power of two */ };

/* Failures of a client, or of a name. */
struct tally {
	uint64_t key;
	unsigned n;			    /* since it is here; 0: empty */
	int64_t at_ms[THROTTLE_FAILURES]; /* of the last ones, a ring     */
};

/* A client that logged in under a name. */
struct pass {
	uint64_t key; /* of both; 0: empty */
	int64_t at_ms;
};

struct throttle {
	struct tally client[SETS * WAYS], name[SETS * WAYS];
	struct pass pass[SETS * WAYS];
};

struct throttle *throttle_new(void)
{
	return NEW(struct throttle);
}

void throttle_free(struct throttle *t)
{
	mem_free(t);
}

static size_t set_of(uint64_t key)
{
	return (size_t)(key & (SETS - 1)) * WAYS;
}

/* ---- failures ---- */

static int64_t last_ms(const struct tally *t)
{
	return t->n == 0 ? INT64_MIN
			 : t->at_ms[(t->n - 1) % THROTTLE_FAILURES];
}

static const struct tally *tally_find(const struct tally *all, uint64_t key)
{
	const struct tally *set = all + set_of(key);

	for (int i = 0; i < WAYS; i++)
		if (set[i].n > 0 && set[i].key == key)
			return &set[i];
	return NULL;
}

/* Did the fifth failure before now happen within the window? */
static bool is_full(const struct tally *all, uint64_t key, int64_t now_ms)
{
	const struct tally *t = tally_find(all, key);

	return t != NULL && t->n >= THROTTLE_FAILURES &&
	       now_ms - t->at_ms[t->n % THROTTLE_FAILURES] <
		   THROTTLE_WINDOW_MS;
}

static void tally_add(struct tally *all, uint64_t key, int64_t now_ms)
{
	struct tally *set = all + set_of(key), *t = set;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].n > 0 && set[i].key == key) {
			t = &set[i];
			break;
		}
		if (last_ms(&set[i]) < last_ms(t))
			t = &set[i];
	}
	if (t->key != key)
		*t = (struct tally){.key = key};
	t->at_ms[t->n % THROTTLE_FAILURES] = now_ms;
	t->n++;
}

/* ---- successes ---- */

static uint64_t pass_key(struct login_who w)
{
	uint64_t key = w.client * UINT64_C(0x9e3779b97f4a7c15) ^ w.name;

	return key == 0 ? 1 : key;
}

static bool has_passed(const struct throttle *t, struct login_who w,
    int64_t now_ms)
{
	uint64_t key = pass_key(w);
	const struct pass *set = t->pass + set_of(key);

	for (int i = 0; i < WAYS; i++)
		if (set[i].key == key)
			return now_ms - set[i].at_ms < DAY_MS;
	return false;
}

void throttle_passed(struct throttle *t, struct login_who w, int64_t now_ms)
{
	uint64_t key = pass_key(w);
	struct pass *set = t->pass + set_of(key), *p = set;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].key == key) {
			p = &set[i];
			break;
		}
		if (p->key != 0 &&
		    (set[i].key == 0 || set[i].at_ms < p->at_ms))
			p = &set[i];
	}
	*p = (struct pass){key, now_ms};
}

/* ---- both ---- */

bool throttle_blocks(const struct throttle *t, struct login_who w,
    int64_t now_ms)
{
	return is_full(t->client, w.client, now_ms) ||
	       (is_full(t->name, w.name, now_ms) && !has_passed(t, w, now_ms));
}

void throttle_failed(struct throttle *t, struct login_who w, int64_t now_ms)
{
	tally_add(t->client, w.client, now_ms);
	tally_add(t->name, w.name, now_ms);
}
