/* SPDX-License-Identifier: ISC
 *
 * Message ids: 64 bits, made at acceptance, never used twice on a node and
 * in order of time. 42 bits of milliseconds since 2020, 8 bits of node, 14
 * bits of sequence. The text form is 13 characters of Crockford's base 32,
 * so ids sort as they were made; the hour of acceptance can be read back.
 */
#ifndef RELAY_BASE_ID_H
#define RELAY_BASE_ID_H

#include <stdatomic.h>
#include <stdint.h>

#include "relay/base/clock.h"
#include "relay/base/slice.h"

enum { ID_TEXT = 14 }; /* with the final NUL */

/* One per process, shared by all workers. */
struct id_maker {
	const struct clock *clock;
	unsigned node; /* 0 … 255 */
	_Atomic uint64_t last;
};

void id_maker_init(struct id_maker *m, const struct clock *c, unsigned node);
/* Never give an id at or below `id` again (recovery says the highest). */
void id_maker_above(struct id_maker *m, uint64_t id);
/* Any thread. Never 0; greater than every id given before, even when the
 * wall clock stands still or steps back. */
uint64_t id_make(struct id_maker *m);

int64_t id_wall_ms(uint64_t id); /* since 1970 */
void id_text(uint64_t id, char out[ID_TEXT]);
void id_text_lower(uint64_t id, char out[ID_TEXT]); /* in small letters */
/* 0 or -1 when it is not an id. Case does not matter. */
int id_parse(struct slice s, uint64_t *id_out);

#endif
