/* SPDX-License-Identifier: ISC
 *
 * Makes the cutover table: creation, upgrade, seeds. Table thread or command
 * line.
 */
#ifndef POLICY_CHANGE_TABLE_MAKE_H
#define POLICY_CHANGE_TABLE_MAKE_H

#include "conf/conf.h"
#include "relay/base/error.h"

/* Creates the file when it is missing, upgrades an older format, and seeds the
 * rows @domain of the configuration that were never seeded (R2): one change.
 */
int table_prepare(const char *path, const struct conf *c,
    const char *who, struct error *err) PH_CHECK;

#endif
