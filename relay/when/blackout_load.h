/* SPDX-License-Identifier: ISC
 *
 * A list of blackouts from their texts, with the zones that they name. Reads
 * tzdata (zone_file.h).
 */
#ifndef RELAY_WHEN_BLACKOUT_LOAD_H
#define RELAY_WHEN_BLACKOUT_LOAD_H

#include "relay/when/blackout.h"

struct blackout_texts {
	char *const *s;
	int count;
	const struct zone *zone; /* where none is named; NULL: the system's */
};

/* `a` owns what the list refers to; the texts are the caller's. Refuses
 * blackouts that leave no moment of a week. -1 and err->text: a whole
 * sentence. */
int blackouts_load(struct arena *a, const struct blackout_texts *texts,
    struct blackouts *blackouts_out, struct error *err) PH_CHECK;

#endif
