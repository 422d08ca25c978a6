/* SPDX-License-Identifier: ISC
 *
 * Alarms: what needs a person. Each is an event and a line of the log; by the
 * section `alarm` of the configuration it is also mailed and given to a
 * program, one of a kind about one thing not more often than `interval`, and
 * not more than a few of each kind. What was left out is counted and told with
 * the next one that is not.
 */
#ifndef RELAY_WATCH_ALARM_H
#define RELAY_WATCH_ALARM_H

#include "relay/daemon/app.h"

/* `kind`: "leg-suspended", "certificate", …, of small letters and -; `about`:
 * the leg or file it is about; `text`: what is wrong and what to do, one
 * line. Any thread. */
void alarm_raise(struct app *a, const char *kind, const char *about,
    const char *text);

/* Whom alarms go to, and how often. `exec` may be NULL; it stays the
 * caller's. */
struct spawner;
struct alarms *alarms_new(const struct conf *c, struct spawner *exec);
void alarms_configure(struct alarms *s, const struct conf *c); /* any thread */
void alarms_free(struct alarms *s); /* NULL is fine */

#endif
