/* SPDX-License-Identifier: ISC
 *
 * RCPT at our SRS domain. An address that we made (policy/srs.h) leads to the
 * sender that it stands for, from whatever client; the domain takes nothing
 * else but mail for its roles. Guesses, and mail to one sender, are limited. A
 * worker's loop.
 */
#ifndef RELAY_INTAKE_SRS_RCPT_H
#define RELAY_INTAKE_SRS_RCPT_H

#include "relay/intake/intake_int.h"

enum srs_led {
	LED_NOT,     /* it stays as it is: not at that domain, or a role */
	LED_BACK,    /* t->to is the true recipient now */
	LED_LATER,   /* the record of message *id_out knows it */
	LED_REFUSED, /* by *r */
};
enum srs_led srs_rcpt(struct intake *in, struct rcpt_to *t, uint64_t *id_out,
    struct reply *r);
/* The record is there: t->to becomes the sender of that message. False: *r
 * refuses. */
bool srs_rcpt_found(struct intake *in, const struct lookup *l,
    struct rcpt_to *t, struct reply *r);

#endif
