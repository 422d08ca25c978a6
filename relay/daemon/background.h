/* SPDX-License-Identifier: ISC
 *
 * A daemon of the old kind, for init scripts: the parent stays until the
 * child is ready, and its exit code tells whether it is.
 */
#ifndef RELAY_DAEMON_BACKGROUND_H
#define RELAY_DAEMON_BACKGROUND_H

/* Forks. 1 in the parent, 0 in the child, which is in a session of its own.
 * Before any thread. */
int background_enter(void);
int background_wait(void);  /* parent: 0 ready, 1 the child ended instead */
void background_ready(void); /* child; nothing happens in the foreground */

#endif
