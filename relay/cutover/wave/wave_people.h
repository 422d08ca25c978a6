/* SPDX-License-Identifier: ISC
 *
 * The members of a wave as the queue knows recipients, to tell its deliveries
 * from others without reading a message. One thread at a time.
 */
#ifndef RELAY_CUTOVER_WAVE_WAVE_PEOPLE_H
#define RELAY_CUTOVER_WAVE_WAVE_PEOPLE_H

#include "policy/wave/file/wave_file.h"
#include "relay/post/conf_snapshot.h"

struct wave_people;

/* Of the wave of that name in the file of the cutover table; takes a reference
 * of `s`. NULL: there is none, or it cannot be read. */
struct wave_people *wave_people_open(const char *table_path,
    struct conf_snapshot *s, const char *name, struct error *err) PH_CHECK;
void wave_people_free(struct wave_people *p); /* NULL is fine */

/* Reads some of the members, so that a loop goes on between two calls. 1: there
 * are more; 0: that was all; -1. */
int wave_people_read(struct wave_people *p, struct error *err) PH_CHECK;
/* When all are read: may a delivery with that hash be for one of them? Of a
 * wave with too many members (queue_people.h) any may. */
bool wave_people_may(const struct wave_people *p, uint64_t hash);
/* Is that recipient a member? 1, 0, -1. */
int wave_people_has(struct wave_people *p, const char *to,
    struct error *err) PH_CHECK;
/* When all are read: closes the table's file until the next question, for those
 * who want it for themselves. */
void wave_people_rest(struct wave_people *p);

#endif
