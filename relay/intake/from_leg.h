/* SPDX-License-Identifier: ISC
 *
 * Mail that a leg sends: counted, and a way back told of. A worker's loop.
 */
#ifndef RELAY_INTAKE_FROM_LEG_H
#define RELAY_INTAKE_FROM_LEG_H

#include "relay/intake/intake_int.h"

/* A message that is to be stored: counts it for each leg that it comes from.
 * Mail for recipients of ours that reached the leg from outside, though it has
 * not passed here before, came by a way that still leads to it: the alarm
 * way-back names its first hop outside. */
void from_leg_count(struct intake *in);
/* It was refused, since the leg had it. */
void from_leg_refused(struct intake *in, const struct addr *to);

#endif
