/* SPDX-License-Identifier: ISC
 *
 * Opens a spool.
 */
#ifndef RELAY_SPOOL_START_SPOOL_OPEN_H
#define RELAY_SPOOL_START_SPOOL_OPEN_H

#include "relay/spool/spool.h"

/* NULL and `err` filled if the directory is locked (a second daemon: its pid
 * is named), unreadable, read-only, or of another format, or if a segment
 * cannot be opened or read: it may hold mail, and name bodies elsewhere, so
 * nothing is reused. A segment that is absent, emptied or cut is named as
 * damage, and the rest is served. A torn tail is normal after a crash and is
 * cut; damage elsewhere is set aside, named, and the rest is served. After an
 * unclean end every open delivery without a
 * recorded attempt is UNC_POSSIBLE. The directory is made if need be; the
 * size of segments is fixed when the spool is made. Ready for steps and
 * posts; nothing moves before spool_run(). */
struct spool *spool_open(const struct spool_config *c,
    const struct spool_recovered *r, struct spool_start *start_out,
    struct error *err) PH_CHECK;
/* The same for those who only look, without the daemon: nothing is locked,
 * made or written (c->io refuses it), no message is told, and only the tail,
 * the figures, spool_holds() and spool_close() may be used. NULL and err->no
 * ENOENT: there is no spool; EBUSY: a daemon has it. */
struct spool *spool_look(const struct spool_config *c,
    const struct spool_recovered *r, struct error *err) PH_CHECK;

#endif
