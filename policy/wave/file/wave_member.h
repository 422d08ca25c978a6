/* SPDX-License-Identifier: ISC
 *
 * A member as a statement gives it.
 */
#ifndef POLICY_WAVE_FILE_WAVE_MEMBER_H
#define POLICY_WAVE_FILE_WAVE_MEMBER_H

#include "policy/wave/file/wave_file_int.h"

/* Columns of `member` as wave_sql.c selects them, then the row's route and
 * hold; texts are the statement's. -1: damaged. */
enum { WAVE_MEMBER_COLUMNS = 10 };
int wave_member_at(const struct wave_file *f, sqlite3_stmt *st,
    struct member *m, struct error *err) PH_CHECK;

#endif
