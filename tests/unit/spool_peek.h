/* SPDX-License-Identifier: ISC
 *
 * The spool's steps and its index, for tests that cannot include its inside
 * beside the daemon's.
 */
#ifndef TESTS_UNIT_SPOOL_PEEK_H
#define TESTS_UNIT_SPOOL_PEEK_H

#include "relay/spool/spool.h"

/* One turn of its threads; true: there is more to do at once. */
bool spool_turn(struct spool *s, int64_t now_ms);
/* Serves the fetches that wait. */
void spool_read(struct spool *s);
/* As the journal has it; false: not a live message, or no such delivery. */
bool spool_peek(struct spool *s, uint64_t id, uint32_t number,
    struct spool_delivery *out);
/* As when all retained mail is given up and space is short still; until the
 * steward's next turn. */
void spool_press(struct spool *s);

#endif
