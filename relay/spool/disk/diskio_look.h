/* SPDX-License-Identifier: ISC
 *
 * The file calls of the journal for those who only look: what would write
 * fails with EROFS, a sync does nothing, and a lock is shared.
 */
#ifndef RELAY_SPOOL_DISK_DISKIO_LOOK_H
#define RELAY_SPOOL_DISK_DISKIO_LOOK_H

#include "relay/spool/disk/diskio.h"

extern struct diskio diskio_look;

#endif
