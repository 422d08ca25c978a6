/* SPDX-License-Identifier: ISC
 *
 * Remembers what each leg offered when it was last greeted: the workers'
 * connections write it, intake reads it before a client is told that its mail
 * was taken. Forgotten by a reload. Any thread.
 */
#ifndef RELAY_DELIVERY_LEG_OFFERS_H
#define RELAY_DELIVERY_LEG_OFFERS_H

#include "relay/base/names.h"
#include "relay/mail/ehlo.h"

/* All zero: nothing is known. */
struct leg_offers {
	_Atomic uint64_t leg[NAMES_MAX];
};

struct leg_offer {
	bool known; /* false: it was never greeted, the rest says nothing */
	uint64_t size; /* of a message; 0: no limit */
	bool utf8, eightbit, chunking, dsn;
};

void leg_offers_set(struct leg_offers *l, int leg, const struct ehlo *e);
struct leg_offer leg_offers_get(const struct leg_offers *l, int leg);
void leg_offers_forget(struct leg_offers *l);

#endif
