/* SPDX-License-Identifier: ISC
 *
 * A set of recipients by the hashes that the queue knows them by. One thread
 * fills it; then any may ask.
 */
#ifndef RELAY_QUEUE_QUEUE_PEOPLE_H
#define RELAY_QUEUE_QUEUE_PEOPLE_H

#include "relay/base/map.h"

/* With more recipients it is a set of all. */
enum { QUEUE_PEOPLE_MAX = 1 << 22, QUEUE_PEOPLE_PARTS = 64 };

struct queue_people {
	/* By the hash's first bits. A map that grows moves all that it has:
	 * each of these moves a small part, in a turn of its own. */
	struct map part[QUEUE_PEOPLE_PARTS];
	size_t n;
	bool all;
};

void queue_people_init(struct queue_people *p);
void queue_people_fini(struct queue_people *p);
/* 0, which is no recipient's, is not kept. */
void queue_people_add(struct queue_people *p, uint64_t hash);
/* From here on it is a set of all. */
void queue_people_add_all(struct queue_people *p);
/* May a delivery with that hash be of one of them? Also if only the table
 * could tell its recipient (QUEUE_ANYBODY). */
bool queue_people_may(const struct queue_people *p, uint64_t hash);

#endif
