/* SPDX-License-Identifier: ISC
 *
 * Fills conf.place; conf_place() in conf.h reads it.
 */
#ifndef CONF_PLACE_H
#define CONF_PLACE_H

#include "conf/conf.h"
#include "conf/parse.h"

/* Notes file and line of every key of the sections that exist once. */
void conf_places_note(struct conf *c, const struct doc *doc);

#endif
