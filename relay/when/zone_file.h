/* SPDX-License-Identifier: ISC
 *
 * The zones of this system: the files of tzdata. Reads files, so neither in a
 * worker nor behind the sandbox. Any thread.
 */
#ifndef RELAY_WHEN_ZONE_FILE_H
#define RELAY_WHEN_ZONE_FILE_H

#include "relay/when/zone.h"

#define ZONE_FOLDER "/usr/share/zoneinfo"
#define ZONE_SYSTEM "/etc/localtime"

/* Is that the form of a zone's name: letters, digits, + - _ and single
 * slashes inside, so that no name leads out of the folder? */
bool zone_name_ok(struct slice name);
/* "Europe/London"; "UTC" needs no file. NULL and err->text: a whole
 * sentence. */
const struct zone *zone_load(struct arena *a, struct slice name,
    struct error *err) PH_CHECK;
/* The zone of /etc/localtime; UTC on a system without that file. */
const struct zone *zone_load_system(
    struct arena *a, struct error *err) PH_CHECK;

#endif
