/* SPDX-License-Identifier: ISC
 *
 * Shared by the files behind wave_file.h.
 */
#ifndef POLICY_WAVE_FILE_WAVE_FILE_INT_H
#define POLICY_WAVE_FILE_WAVE_FILE_INT_H

#include "policy/wave/file/wave_file.h"
#include "relay/mail/addr.h"

enum wave_statement {
	WS_BEGIN, WS_COMMIT, WS_ROLLBACK, WS_TOUCH, WS_TOUCH_HEAD, WS_TABLES,
	WS_GET, WS_EACH, WS_COUNT, WS_COUNT_THERE, WS_INSERT, WS_UPDATE,
	WS_DELETE, WS_DELETE_MEMBERS, WS_BEGIN_RUN, WS_CLASH,
	WS_MEMBERS, WS_MEMBERS_ALONE, WS_MEMBER_KEYS, WS_ALIASES, WS_HAS,
	WS_OF, WS_NAMES_OF, WS_MARK, WS_SEAT, WS_FEWER,
	WS_TAKE, WS_MOVED, WS_SLICE_MARK, WS_SLICE_STAY, WS_STAGED,
	WS_SLICE_ADD, WS_SLICE_NEXT,
	WS_HOLD_MARK, WS_HELD, WS_FLIP_MARK, WS_RELEASE_MARK,
	WS_TAKEN_BACK, WS_SLICES, WS_SLICES_SINCE,
	WS_STAGED_CLEAR, WS_STAGED_ADD,
	WS_STAGED_REMOVE, WS_STAGED_REMOVE_ALL, WS_NO_ROW,
	WS_DECIDE, WS_DECIDED, WS_DECIDED_ABOUT, WS_DECIDED_NEWEST,
	WS_STARTED,
	WS_EXCLUDES, WS_EXCLUDE_ADD, WS_EXCLUDE_FIND, WS_EXCLUDE_DROP,
	WS_EXCLUDED_BACK, WS_EXCLUDE_MARK,
	WS_SOAK_TABLES, WS_SOAK_GET, WS_SOAK_PUT, WS_SOAK_DROP,
	WS_SOAK_SINCE, WS_SOAK_MEMBERS,
	WS_COMPLAINT_ADD, WS_COMPLAINTS, WS_COMPLAINED,
	WAVE_STATEMENTS
};
_Static_assert((int)WAVE_STATEMENTS <= (int)DB_STATEMENTS,
    "room for statements");

extern const char *const wave_sql[WAVE_STATEMENTS];

struct wave_file {
	struct db db; /* `borrowed`: with statements of its own alone */
	bool borrowed, absent;
	bool unwatched; /* there are waves, but no tables of soaks */
	struct arena *texts;
};

/* A statement that is ready to bind; NULL: `err`. */
sqlite3_stmt *wave_stmt(struct wave_file *f, enum wave_statement which,
    struct error *err);
/* 1 a row, 0 none, -1; a statement without a row is reset. */
int wave_step(struct wave_file *f, sqlite3_stmt *st, struct error *err)
    PH_CHECK;
/* Steps one that gives no row. *rows_out (NULL: not wanted): changed. */
int wave_do(struct wave_file *f, sqlite3_stmt *st, uint64_t *rows_out,
    struct error *err) PH_CHECK;
/* Are the tables not there (yet)? 1, 0, -1. */
int wave_absent(struct wave_file *f, struct error *err) PH_CHECK;
/* The same of `soak` and `complaint`, which earlier versions did not make. */
int wave_unwatched(struct wave_file *f, struct error *err) PH_CHECK;
/* Writes the pages of the mark, as each transaction does (db_log.c). */
int wave_touch(struct wave_file *f, struct error *err) PH_CHECK;

/* The columns of a wave, in the order of wave_at(). */
#define WAVE_COLUMNS "w.wave, w.name, w.state, w.run, w.begun, w.route, " \
	"w.options, w.at, w.reason, w.created, w.moved, w.who, w.host, w.note"
/* Texts are the statement's until its next step. -1: damaged. */
int wave_at(const struct wave_file *f, sqlite3_stmt *st, struct wave *w,
    struct error *err) PH_CHECK;
/* With texts of the handle. */
int wave_keep(struct wave_file *f, sqlite3_stmt *st, struct wave *w,
    struct error *err) PH_CHECK;

/* wave_held.c: -1 where the change moves a member that another change moved
 * since the wave was created. */
int wave_refuse_moved(struct wave_file *f, const struct wave *w,
    uint64_t change, struct error *err) PH_CHECK;

/* wave_move.c: members of the wave that are in another active one. */
struct wave_clash {
	uint64_t members; /* 0: none; the others are of the first */
	uint64_t line;
	char address[ADDR_MAX], wave[WAVE_NAME_MAX + 1];
};
int wave_clash(struct wave_file *f, int64_t id, struct wave_clash *clash_out,
    struct error *err) PH_CHECK;

/* exclude.c: the rule that leaves a row out. */
struct exclude_rules;
struct exclude_rules *exclude_rules_load(struct wave_file *f,
    struct error *err) PH_CHECK;
void exclude_rules_free(struct exclude_rules *r);
/* Does one of them ask for the column `wave`? */
bool exclude_rules_ask_wave(const struct exclude_rules *r);
/* Its number; 0: none. */
uint64_t exclude_rules_match(const struct exclude_rules *r,
    const struct where_row *row);

#endif
