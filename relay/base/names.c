/* SPDX-License-Identifier: ISC
 *
 * Leg names and their small numbers. A row is written once, before the count
 * that makes it visible, so readers take no lock.
 */
#include "relay/base/names.h"

#include <pthread.h>
#include <stdatomic.h>

#include "relay/base/mem.h"

struct names {
	pthread_mutex_t lock; /* one adds at a time */
	_Atomic int count;
	char text[NAMES_MAX][NAME_BYTES + 1];
};

struct names *names_new(void)
{
	struct names *n = NEW(struct names);

	pthread_mutex_init(&n->lock, NULL);
	return n;
}

void names_free(struct names *n)
{
	if (n == NULL)
		return;
	pthread_mutex_destroy(&n->lock);
	mem_free(n);
}

int names_find(const struct names *n, struct slice name)
{
	int count = atomic_load(&n->count);

	for (int i = 0; i < count; i++)
		if (slice_eq(slice_str(n->text[i]), name))
			return i;
	return -1;
}

int names_id(struct names *n, struct slice name)
{
	int id;

	if (name.n == 0 || name.n > NAME_BYTES)
		return -1;
	id = names_find(n, name);
	if (id >= 0)
		return id;
	pthread_mutex_lock(&n->lock);
	id = names_find(n, name);
	if (id < 0 && atomic_load(&n->count) < NAMES_MAX) {
		id = atomic_load(&n->count);
		memcpy(n->text[id], name.p, name.n);
		atomic_store(&n->count, id + 1);
	}
	pthread_mutex_unlock(&n->lock);
	return id;
}

const char *names_text(const struct names *n, int id)
{
	return id >= 0 && id < atomic_load(&n->count) ? n->text[id] : "?";
}

int names_count(const struct names *n)
{
	return atomic_load(&n->count);
}
