/* SPDX-License-Identifier: ISC
 *
 * The column `wave` of an expression, answered from the tables of waves.
 */
#ifndef POLICY_WAVE_FILE_WAVE_WHERE_H
#define POLICY_WAVE_FILE_WAVE_WHERE_H

#include "policy/wave/file/wave_file.h"
#include "policy/where.h"

/* For the table at `path`, which is opened at the first question. One thread;
 * waves.end() frees it. */
struct where_waves wave_where_new(const char *path);
/* Appends the names of all waves that the address is a member of, each with a
 * blank behind it. 0 or -1. */
int wave_names_of(struct wave_file *f, struct slice address,
    struct strbuf *names_out, struct error *err) PH_CHECK;

#endif
