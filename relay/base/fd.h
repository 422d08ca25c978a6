/* SPDX-License-Identifier: ISC
 *
 * Keeps the last descriptors for what must go on when peers have taken the
 * others: the journal, the audit index, the cutover table, the control socket.
 */
#ifndef RELAY_BASE_FD_H
#define RELAY_BASE_FD_H

#include <stdbool.h>

enum { FDS_RESERVED = 64 };

/* Is this one of the last FDS_RESERVED below RLIMIT_NOFILE? A connection to a
 * peer may not keep it. False for -1. */
bool fd_is_reserved(int fd);
/* The same descriptor; or -1 and EMFILE, and a reserved one is closed. */
int fd_for_peer(int fd);

#endif
