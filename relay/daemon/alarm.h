/* SPDX-License-Identifier: ISC
 *
 * Alarms: what needs a person. Each is an event and a line of the log; by the
 * section `alarm` of the configuration it is also mailed and given to a
 * program, one of a kind about one thing not more often than `interval`.
 */
#ifndef RELAY_DAEMON_ALARM_H
#define RELAY_DAEMON_ALARM_H

#include "relay/daemon/app.h"

/* `kind`: "leg-suspended", "certificate", …; `about`: the leg or file it is
 * about; `text`: what is wrong and what to do, one line. Any thread. */
void alarm_raise(struct app *a, const char *kind, const char *about,
    const char *text);

#endif
