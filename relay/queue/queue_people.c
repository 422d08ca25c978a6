/* SPDX-License-Identifier: ISC
 *
 * See queue_people.h.
 */
#include "relay/queue/queue_people.h"

#include "relay/queue/queue.h"

enum { PART_SHIFT = 58 };
_Static_assert(QUEUE_PEOPLE_PARTS == 1 << (64 - PART_SHIFT),
    "a part for each value of the first bits");

void queue_people_init(struct queue_people *p)
{
	for (int i = 0; i < QUEUE_PEOPLE_PARTS; i++)
		map_init(&p->part[i]);
	p->n = 0;
	p->all = false;
}

void queue_people_fini(struct queue_people *p)
{
	for (int i = 0; i < QUEUE_PEOPLE_PARTS; i++)
		map_fini(&p->part[i]);
}

void queue_people_add(struct queue_people *p, uint64_t hash)
{
	if (p->all || hash == 0)
		return;
	if (map_put(&p->part[hash >> PART_SHIFT], hash, p) == NULL)
		p->n++;
	if (p->n > QUEUE_PEOPLE_MAX)
		queue_people_add_all(p);
}

void queue_people_add_all(struct queue_people *p)
{
	queue_people_fini(p);
	queue_people_init(p);
	p->all = true;
}

bool queue_people_may(const struct queue_people *p, uint64_t hash)
{
	return p->all || hash == QUEUE_ANYBODY ||
	       map_get(&p->part[hash >> PART_SHIFT], hash) != NULL;
}
