/* SPDX-License-Identifier: ISC
 *
 * Is a leg or a domain that a configuration has no more still in use? Main
 * thread; the rows of the table are read only when something is missing.
 */
#ifndef RELAY_CUTOVER_REMOVAL_H
#define RELAY_CUTOVER_REMOVAL_H

#include "conf/conf.h"
#include "relay/spool/spool.h"

/* -1 and "FILE:1: what, how many rows, what would be right". A table that is
 * not there yet or cannot be read names nothing. */
int removal_check_table(const struct conf *c, struct error *err) PH_CHECK;
/* The same of mail, for a reload: legs that `old` has and `fresh` has not. */
int removal_check_spool(const struct conf *old, const struct conf *fresh,
    struct spool *spool, struct error *err) PH_CHECK;

#endif
