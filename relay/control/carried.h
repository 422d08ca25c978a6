/* SPDX-License-Identifier: ISC
 *
 * A message that is carried to another Posthouse, as JSON: queue.export gives
 * it with "envelope", queue.import takes it. Keys that are not known are passed
 * over, so a newer one can be read as far as it says the same. Pure.
 *
 * The envelope's row has its values, those of recipients and deliveries stand
 * apart, since each is a line that has an end.
 */
#ifndef RELAY_CONTROL_CARRIED_H
#define RELAY_CONTROL_CARRIED_H

#include <jansson.h>

#include "relay/base/jout.h"
#include "relay/base/names.h"
#include "relay/mail/envelope.h"
#include "relay/spool/spool.h"

/* Into an object that is begun. Times are us since 1970, wall. */
void carried_print_envelope(struct jout *j, const struct envelope *e);
void carried_print_rcpt(struct jout *j, const struct envelope *e, unsigned i);
void carried_print_delivery(struct jout *j, const struct names *names,
    const struct spool_delivery *d, struct slice detail);

/* Strings are copied into the arena. NULL, or the fault, a constant. */
const char *carried_take_envelope(const json_t *o, struct arena *a,
    struct envelope *e_out) PH_CHECK;
/* `e` learns the legs that must not get it. */
const char *carried_take_rcpt(const json_t *o, struct arena *a,
    struct envelope *e, struct envelope_rcpt *r_out) PH_CHECK;
/* Its leg stays a name: numbers are given when the message is accepted
 * (carried_number_legs()). The change number is another table's and stays 0:
 * the route is looked up anew. */
const char *carried_take_delivery(const json_t *o, struct arena *a,
    const char **leg_out, struct spool_delivery *d_out,
    struct slice *detail_out) PH_CHECK;

/* The bytes of a base64 text, in the arena. False: it is none. */
bool carried_bytes(const json_t *text, struct arena *a, struct slice *out);

#endif
