/* SPDX-License-Identifier: ISC
 *
 * One word a leg, so that what is read was said at one time.
 */
#include "relay/delivery/leg_offers.h"

#include <stdatomic.h>

enum {
	KNOWN = 1, UTF8 = 2, EIGHTBIT = 4, CHUNKING = 8, DSN = 16,
	SIZE_SHIFT = 8, /* the rest of the word is the limit */
};
#define SIZE_MOST (UINT64_MAX >> SIZE_SHIFT)

static const struct {
	unsigned ext;
	uint64_t bit;
} bits[] = {
	{ EXT_SMTPUTF8, UTF8 }, { EXT_8BITMIME, EIGHTBIT },
	{ EXT_CHUNKING, CHUNKING }, { EXT_DSN, DSN },
};

void leg_offers_set(struct leg_offers *l, int leg, const struct ehlo *e)
{
	uint64_t size = e->size < SIZE_MOST ? e->size : SIZE_MOST;
	uint64_t word = KNOWN | size << SIZE_SHIFT;

	for (size_t i = 0; i < ARRAY_LEN(bits); i++)
		if (e->ext & bits[i].ext)
			word |= bits[i].bit;
	atomic_store(&l->leg[leg], word);
}

struct leg_offer leg_offers_get(const struct leg_offers *l, int leg)
{
	uint64_t word = atomic_load(&l->leg[leg]);

	return (struct leg_offer){
	    .known = word & KNOWN,
	    .size = word >> SIZE_SHIFT,
	    .utf8 = word & UTF8,
	    .eightbit = word & EIGHTBIT,
	    .chunking = word & CHUNKING,
	    .dsn = word & DSN};
}

void leg_offers_forget(struct leg_offers *l)
{
	for (int i = 0; i < NAMES_MAX; i++)
		atomic_store(&l->leg[i], 0);
}
