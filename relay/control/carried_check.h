/* SPDX-License-Identifier: ISC
 *
 * Checks a carried message as a whole before it is accepted: its values, which
 * carried.h read, against one another, the clock and the legs that are known.
 * NULL, or the fault and what would be right, a constant.
 */
#ifndef RELAY_CONTROL_CARRIED_CHECK_H
#define RELAY_CONTROL_CARRIED_CHECK_H

#include "relay/base/names.h"
#include "relay/mail/envelope.h"
#include "relay/spool/spool.h"

/* Each is an address, and there is one. */
const char *carried_check_rcpts(const struct envelope *e) PH_CHECK;
/* Each recipient has a delivery, and one of them waits. */
const char *carried_check_deliveries(const struct envelope *e,
    const struct spool_delivery *d, unsigned n) PH_CHECK;
/* The id: not of a time that is to come. The ids that are made here go on above
 * it, so what it is ahead they are ahead, too. */
const char *carried_check_id(uint64_t id, int64_t now_us) PH_CHECK;
/* Such as a Posthouse has by now: wall, us since 1970. */
const char *carried_check_times(const struct envelope *e,
    const struct spool_delivery *d, unsigned n, int64_t now_us) PH_CHECK;
/* Gives each delivery the number of its leg, by name. A name that is new here
 * is kept for the life of the journal, so there may be few: when they are too
 * many, none is added. To be called last, when the message will be taken. */
const char *carried_number_legs(struct names *names, const char *const *leg,
    struct spool_delivery *d, unsigned n) PH_CHECK;

#endif
