/* SPDX-License-Identifier: ISC
 *
 * Gives up what a start as root brings. Main thread, before there is another.
 */
#ifndef RELAY_DAEMON_PRIVILEGES_H
#define RELAY_DAEMON_PRIVILEGES_H

#include "conf/conf.h"

/* Root may read everything, and the daemon needs not be root: makes this
 * process the user that owns the spool, the table or the audit folder, with
 * its groups; the right to bind ports below 1024 stays. Returns 1 when it
 * became another user, 0 when there was no need, -1 and err->text. */
int privileges_become(const struct conf *c, struct error *err) PH_CHECK;

enum privileges {
	PRIVILEGES_BIND, /* ports below 1024, for the listeners of a reload */
	PRIVILEGES_NONE,
};
/* Drops all capabilities but those, for good: the bounding set is emptied
 * too. 0 or -errno. Not being root nor having any is fine. */
int privileges_drop(enum privileges keep);

#endif
