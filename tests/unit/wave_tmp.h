/* SPDX-License-Identifier: ISC
 *
 * Waves of a test, in a table of table_tmp.h. All must succeed where nothing
 * else is said.
 */
#ifndef TESTS_UNIT_WAVE_TMP_H
#define TESTS_UNIT_WAVE_TMP_H

#include "policy/wave/file/wave_make.h"
#include "tests/unit/table_tmp.h"

enum { WAVE_TMP_NOW = 1000000, WAVE_TMP_TEXT = 2000 };

/* ann, bob and cid @example.com, and the mailbox of amy, amy.b and zoe, all on
 * legacy: changes 2 to 7. */
struct table_tmp *wave_tmp_table(void **state);
/* A change with these staged, keeping all values: "ann bob x@y.example". */
struct change *wave_tmp_staged(struct table_tmp *t, const char *names);
/* A wave of these to cloud; 0 or -1. */
int wave_tmp_try(struct table_tmp *t, const char *name, const char *names,
    struct wave_made *made, struct error *err);
struct wave_made wave_tmp_create(struct table_tmp *t, const char *name,
    const char *names);
struct wave_file *wave_tmp_open(struct table_tmp *t, bool write);
/* One event; 0 or -1. */
int wave_tmp_said(struct table_tmp *t, const char *name,
    struct wave_said said, struct error *err);
void wave_tmp_move(struct table_tmp *t, const char *name,
    enum wave_event event);
void wave_tmp_refused(struct table_tmp *t, const char *name,
    enum wave_event event, const char *says);
/* The members are "ann done, bob skipped no row". */
void wave_tmp_members(struct table_tmp *t, const char *name,
    const char *want);

/* A slice to cloud, as the daemon makes it. */
struct wave_tmp_run {
	struct change *ch;
	struct wave_slice slice;
	const char *name; /* of the wave */
	char text[WAVE_TMP_TEXT]; /* of wave_take(), as wave_tmp_members() */
};
void wave_tmp_look(struct table_tmp *t, struct wave_tmp_run *run,
    uint64_t limit, bool force);
/* The change of what was looked at; 0 or -1. */
int wave_tmp_make(struct wave_tmp_run *run, struct error *err);
/* Both; returns its members. */
uint64_t wave_tmp_slice(struct table_tmp *t, struct wave_tmp_run *run,
    uint64_t limit);

#endif
