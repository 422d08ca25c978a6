/* SPDX-License-Identifier: ISC
 *
 * Writes one file of the section `coexist`, beside itself, and renames it when
 * it is whole and on the disk. It blocks.
 */
#ifndef RELAY_CUTOVER_COEXIST_COEXIST_WRITE_H
#define RELAY_CUTOVER_COEXIST_COEXIST_WRITE_H

#include "conf/conf.h"
#include "policy/table.h"

/* 0 and the change that it is of, or -1 and err; the old file stays then. */
int coexist_write(const struct conf *c, const struct conf_coexist *x,
    struct table *t, uint64_t *change_out, struct error *err) PH_CHECK;

#endif
