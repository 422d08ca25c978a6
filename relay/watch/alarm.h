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

#include "conf/conf.h"
#include "relay/audit/event_table.h"
#include "relay/post/shared.h"

struct spawner;
struct alarms;

/* The alarm that is told; borrowed for the call. */
struct alarm_told {
	const char *kind, *about, *text;
	unsigned unsaid; /* of the same, since it was told last */
	unsigned others; /* of others, that had to be left out  */
};

struct alarm_config {
	struct shared *shared;
	const struct conf *conf;
	struct spawner *exec; /* runs the program, if it has one; or NULL */
	/* Sends the mail: any thread, copies what it keeps. May be NULL. */
	void (*mail)(void *arg, const struct alarm_told *told);
	void *arg;
};

struct alarms *alarms_new(const struct alarm_config *c);
/* Where alarms go to, and how often; any thread. */
void alarms_configure(struct alarms *s, const struct conf *c);
void alarms_free(struct alarms *s); /* NULL is fine */

/* `about`: the leg or file it is about; `text`: what is wrong and what to do,
 * one line. Any thread. */
void alarm_raise(struct alarms *s, enum alarm_kind kind, const char *about,
    const char *text);

#endif
