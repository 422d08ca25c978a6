/* SPDX-License-Identifier: ISC
 *
 * Shared by the files behind change.h.
 */
#ifndef POLICY_CHANGE_CHANGE_INT_H
#define POLICY_CHANGE_CHANGE_INT_H

#include "policy/change/change.h"
#include "policy/change/heap.h"
#include "policy/change/log_push.h"
#include "policy/change_chain.h"
#include "policy/db.h"
#include "policy/row.h"
#include "relay/mail/addr.h"

enum change_statement {
	CS_BEGIN, CS_LOCK, CS_COMMIT, CS_ROLLBACK,
	CS_STAGE, CS_SCAN, CS_SCAN_TAG, CS_SCAN_ADDRESS, CS_HAS_TAG,
	CS_SEEDED, CS_LEG_MARK, CS_SEED_SKIP, CS_SEED_MARK, CS_SEED_KEEP,
	CS_UNDO, CS_UNDO_COUNT, CS_UNDO_LEFT, CS_UNDO_KNOWN, CS_ROUTES,
	CS_CROSSING, CS_SHARED, CS_SHARED_STAGED,
	CS_REPLACE, CS_ANY_MAILBOX, CS_MAILBOXES, CS_INHERIT,
	CS_LATER, CS_LATER_GONE, CS_LATER_DELETED, CS_KEPT, CS_PEOPLE,
	CS_MAILBOX_OF,
	CS_NEWCOMERS, CS_SEATS, CS_SEATS_OTHER, CS_JOIN, CS_AT,
	CS_MISSING, CS_MADE, CS_ROUTELESS, CS_AS_OF, CS_TWOFOLD,
	CS_NEWEST, CS_LOG, CS_LOG_ALL, CS_CHANGE, CS_PREVIEW,
	CS_UPDATE, CS_HOLD_PAGE, CS_UPSERT, CS_DELETE,
	CS_TAGS, CS_TAGS_ADD, CS_TAG_ADD, CS_TAG_DROP,
	CS_REWRITES, CS_REWRITES_ADD, CS_REWRITE_DROP,
	CS_LAST_LINE, CS_NEXT_LINE, CS_CHAIN_LINE, CS_CHAIN_LOG,
	CS_TOUCH, CS_TOUCH_HEAD,
	CS_MARK_DRAW, CS_MARK_FORMER, CS_MARK_SETTLE, CS_MARK_COPY,
	CHANGE_STATEMENTS
};
_Static_assert((int)CHANGE_STATEMENTS <= (int)DB_STATEMENTS,
    "room for statements");

extern const char *const change_sql[CHANGE_STATEMENTS];
extern const char change_temp[]; /* the staging area */

/* Tags as they were given, and their canonical form, which is no longer. */
enum { TAG_FORMS = 1024, TAG_FORM_TEXT = 96 };
struct tag_form {
	char given[TAG_FORM_TEXT], canonical[TAG_FORM_TEXT];
};

/* The route that was given last, to a row of that domain (NULL: none of the
 * configuration's); its canonical form is in `route`. "": there is none. */
struct route_form {
	const struct conf_domain *domain;
	char given[TAG_FORM_TEXT];
};

struct change {
	struct db db;
	struct heap *heap; /* rows that are staged; NULL: they are in `stage` */
	struct rows_feed *feed; /* for the statement that reads it */
	struct log_push push;
	const struct conf *conf;
	uint64_t staged, strangers;
	uint64_t unaltered; /* of change_done.kept: no other value differs */
	char stranger[ADDR_MAX]; /* the first of them */
	bool commits; /* what is staged is written, not only looked at */
	bool removes; /* a staged row is to go */
	bool made;    /* a row of the log is new; change_write_rows() */
	bool twofold; /* a row may be given a copy, or become a group */
	bool no_domains; /* change_set() refuses their rows */
	bool once;    /* an address given twice is an error … */
	bool alike;   /* … if its values differ */
	const char *csv_route; /* change_csv_route(); NULL: none */
	bool csv_route_known;
	struct change_watch watch;
	struct where_waves waves; /* of NULL: it is not known */
	const char *phase; /* NULL: nothing that takes long */
	uint64_t faults;
	struct error first; /* of the faults, as the caller is told it */
	struct strbuf key, route, tags, patch; /* of the row at hand */
	struct tag_form *form; /* TAG_FORMS; NULL: no row had tags yet */
	struct route_form route_form;
};

/* change_query.c: a statement with at most one parameter, a number. */
int change_run(struct change *ch, enum change_statement which,
    int64_t parameter, struct error *err) PH_CHECK;
/* Its first row: 1, 0 none, -1; columns are read by the caller, which
 * resets the statement. */
int change_ask(struct change *ch, enum change_statement which,
    int64_t parameter, sqlite3_stmt **st_out, struct error *err) PH_CHECK;
/* The next row, after change_ask(). */
int change_next(struct change *ch, sqlite3_stmt *st, struct error *err)
    PH_CHECK;
int change_number(struct change *ch, enum change_statement which,
    int64_t parameter, uint64_t *value_out, struct error *err) PH_CHECK;
/* change_check.c: may what is staged be made? An undo is asked about the
 * second alone: what was before was allowed then. */
int change_check(struct change *ch, const struct change_how *how,
    struct error *err) PH_CHECK;
/* Refuses rows that the table does not have, if change_check() did not: a row
 * of the log without old values shows one. After change_write_rows(). */
int change_check_log(struct change *ch, const struct change_how *how,
    uint64_t number, struct error *err) PH_CHECK;
int change_check_crossing(struct change *ch, const struct change_how *how,
    struct error *err) PH_CHECK;
/* change_known.c: completes staged rows by what the table knows: which routes
 * stay, and the routes of mailboxes for their new rows. */
int change_complete_known(struct change *ch, const struct change_how *how,
    struct change_done *done, struct error *err) PH_CHECK;
/* change_undo.c: stages the inverse of a change, counts the rows that stay
 * as they are. */
int change_stage_undo(struct change *ch, uint64_t undo,
    struct change_done *done, struct error *err) PH_CHECK;
/* Does the configuration have the legs of all staged routes? */
int change_check_legs(struct change *ch, struct error *err) PH_CHECK;
/* change_query.c: binds a tag's key and value as parameters 1 and 2. */
void change_bind_tag(sqlite3_stmt *st, struct slice tag);
/* change_functions.c: gives the handle the SQL functions that the statements
 * call. */
void change_functions(struct change *ch);
/* The customer that the domain of a key belongs to; "": none. */
struct slice change_customer(const struct conf *c, struct slice key);

struct change_line {
	uint64_t number, recipients;
	const struct change_by *by;
	const char *kind; /* rows, seed, undo, accept, wave, rollback */
	const unsigned char *rows; /* CHAIN_BYTES, the digest of its rows */
};

/* A row in canonical form; copied. */
void change_stage(struct change *ch, const struct staged *s);
/* change_rows.c: reads the rows of change `number` in the log, which are all
 * there, and gives the table and its indexes their values. */
int change_write_rows(struct change *ch, int64_t number,
    unsigned char digest_out[CHAIN_BYTES], struct error *err) PH_CHECK;
/* Reads them for their digest alone. */
int change_digest(struct change *ch, int64_t number,
    unsigned char digest_out[CHAIN_BYTES], struct error *err) PH_CHECK;
/* The line of the change in the history, behind its rows of the
 * log, and the marks of its pages (db_log.c). */
int change_write_line(struct change *ch, const struct change_line *line,
    struct error *err) PH_CHECK;
/* Writes the pages of the mark, as each transaction does. */
int change_touch(struct db *db, struct error *err) PH_CHECK;
/* Names what is done now, for those who watch. */
void change_phase(struct change *ch, const char *what);
/* -1 and the first fault when there were any, else 0. */
int change_faulty(const struct change *ch, struct error *err) PH_CHECK;
/* Ends the staging: sorts, and finds what was given twice. */
int change_arrange(struct change *ch, struct error *err) PH_CHECK;
/* Does a row's route, in canonical form, keep to the legs of its domain? -1
 * and a sentence that names the row. */
int change_may_use(const struct change *ch, struct slice key,
    struct slice route, struct error *err) PH_CHECK;
/* Calls `fn` for each row that `w` selects; -1 ends it. One that bears two of
 * the tags may come twice. */
struct change_each {
	int (*fn)(void *arg, const struct where_row *row, struct error *err);
	void *arg;
};
int change_each(struct change *ch, const struct where *w,
    const struct change_each *each, struct error *err) PH_CHECK;

#endif
