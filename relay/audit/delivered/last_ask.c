/* SPDX-License-Identifier: ISC
 *
 * Answers questions about the last deliveries: the newer one of the row that
 * waits in memory and the one in the file. Any thread.
 */
#include "relay/audit/delivered/last_delivery.h"

#include "relay/audit/delivered/last_delivery_int.h"

/* Under the lock. */
static bool reader_ready(struct last_delivery *l)
{
	if (l->reader == NULL)
		l->reader = last_reader_open(l->path);
	return l->reader != NULL;
}

/* Under the lock: the newer one of fold and file. */
static bool look(struct last_delivery *l, struct last_row *r)
{
	const struct last_row *have = last_fold_find(&l->fold, r);
	int got = reader_ready(l) ? last_reader_find(l->reader, r) : 0;

	if (got < 0)
		atomic_store(&l->damaged, true);
	if (have != NULL && (got != 1 || have->time_us >= r->time_us)) {
		*r = *have;
		return true;
	}
	return got == 1;
}

bool last_delivery_find(struct last_delivery *l, const char *leg,
    struct slice key, struct last_delivered *out)
{
	int number = names_find(l->legs, slice_str(leg));
	struct last_row r = {.leg = (uint16_t)number};
	bool found;

	if (number < 0)
		return false;
	pthread_mutex_lock(&l->lock);
	r.to = recipient_key(l->separators, l->secret, key);
	found = look(l, &r);
	pthread_mutex_unlock(&l->lock);
	if (found)
		*out = (struct last_delivered){.time_us = r.time_us,
		    .id = r.id, .uncertain = r.uncertain};
	return found;
}

bool last_delivery_known(struct last_delivery *l, const char *leg,
    struct slice key, int64_t now_us)
{
	int64_t known_us = atomic_load(&l->known_us);
	struct last_delivered m;
	bool has;

	if (known_us == 0)
		return false;
	if (last_delivery_find(l, leg, key, &m) &&
	    m.time_us >= now_us - known_us)
		return true;
	pthread_mutex_lock(&l->lock);
	has = reader_ready(l) && last_reader_knows(l->reader, leg, key,
	    last_oldest_day(l, now_us));
	pthread_mutex_unlock(&l->lock);
	return has;
}

int64_t last_delivery_since(struct last_delivery *l)
{
	return atomic_load(&l->since_us);
}
