/* SPDX-License-Identifier: ISC
 *
 * An alarm as a message to `alarm.mail`.
 */
#ifndef RELAY_DELIVERY_ALARM_MAIL_H
#define RELAY_DELIVERY_ALARM_MAIL_H

#include "relay/post/worker.h"
#include "relay/watch/alarm.h"

/* Copies `told` and sends it from the worker's loop. Any thread; a stop drops
 * it, and the event is on record either way. */
void alarm_mail_post(struct worker *w, const struct alarm_told *told);

#endif
