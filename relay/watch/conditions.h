/* SPDX-License-Identifier: ISC
 *
 * Looks once a second at what may need a person, and raises an alarm when it
 * begins to: the journal's health, the table, the audit index (ops loop), and
 * legs that have been down for alarm.interval (queue thread).
 */
#ifndef RELAY_WATCH_CONDITIONS_H
#define RELAY_WATCH_CONDITIONS_H

#include "relay/daemon/app.h"

struct watch *watch_new(struct app *a);
/* No more looks begin; NULL is fine, here and below. */
void watch_stop(struct watch *w);
void watch_free(struct watch *w); /* when the queue's letters are taken */

#endif
