/* SPDX-License-Identifier: ISC
 *
 * Gives up all that an evaluation does not need, before the first byte of a
 * stranger's is read: the environment, all descriptors but one, memory beyond
 * 256 MiB, cores, and all system calls but reading, writing, memory and the
 * end.
 */
#ifndef RELAY_SPF_GUARD_CONFINE_H
#define RELAY_SPF_GUARD_CONFINE_H

#include <stdbool.h>

/* Descriptor 0 remains. false: something was refused, and no request may be
 * read. A build under a sanitizer keeps its memory and its system calls. */
bool confine(void);

#endif
