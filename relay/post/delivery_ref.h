/* SPDX-License-Identifier: ISC
 *
 * Deliveries from and to the form in which the journal has them. Pure.
 */
#ifndef RELAY_POST_DELIVERY_REF_H
#define RELAY_POST_DELIVERY_REF_H

#include "relay/spool/spool.h"

/* One that is read or accepted; its hash is QUEUE_ANYBODY when the journal has
 * none. */
struct delivery_ref delivery_ref_read(const struct spool_delivery *d,
    uint32_t number);
/* One that is written; the journal has its number beside it. */
struct spool_delivery delivery_ref_written(const struct delivery_ref *r);

#endif
