/* SPDX-License-Identifier: ISC
 *
 * Changing the cutover table. A change is staged first, in a TEMP table that
 * no one waits for, then made in one transaction over any number of rows,
 * with one number and the old and new value of each row in the log (R1, R2).
 *
 *   change_open -> change_set, change_csv … -> change_commit ->
 *   change_close
 *
 * One handle belongs to one thread and makes one change; it blocks (up to
 * ten seconds for another writer). Table thread or command line.
 */
#ifndef POLICY_CHANGE_CHANGE_H
#define POLICY_CHANGE_CHANGE_H

#include "conf/conf.h"
#include "policy/table.h"
#include "policy/where.h"

struct change;

struct change *change_open(const char *path, const struct conf *c,
    struct error *err) PH_CHECK;
void change_close(struct change *ch); /* what is staged is forgotten */

/* ---- what is to be ---------------------------------------------------- */

/* Values for a row; NULL (held: -1) keeps what is there. */
struct change_row {
	const char *route;   /* as people write it; see route_parse() */
	int held;
	const char *mailbox; /* "" clears */
	const char *tags;
	const char *add_tags, *drop_tags; /* `tags` is NULL then */
	const char *drop_keys; /* beside add_tags: tags with these keys go */
	const char *addresses; /* lines "leg=address" over what is there; an
				* empty address clears its leg */
	uint64_t line;	       /* of a file, for messages */
	bool new_route; /* the route is of a new row; a known one keeps its */
};

/* From here on, rows of domains that are named are refused. */
void change_refuse_domains(struct change *ch);
/* From here on, an address may be given again with the same values; other
 * values are a fault that names both lines. */
void change_refuse_conflicts(struct change *ch);
/* Stages one row; `address` as people write it, or "@domain". */
int change_set(struct change *ch, struct slice address,
    const struct change_row *row, struct error *err) PH_CHECK;
/* … that of a key in canonical form, also one of a domain. */
int change_stage_row(struct change *ch, struct slice key,
    const struct change_row *row, struct error *err) PH_CHECK;
int change_delete(struct change *ch, struct slice address, struct error *err)
    PH_CHECK;
/* The same values for every row that `w` selects. */
int change_where(struct change *ch, const struct where *w,
    const struct change_row *row, struct error *err) PH_CHECK;
/* Deletes every row that `w` selects, those of domains too. */
int change_delete_where(struct change *ch, struct where *w, struct error *err)
    PH_CHECK;
/* For expressions that ask for the column `wave`, which are refused without it.
 * Takes `waves`, which change_close() ends. */
void change_take_waves(struct change *ch, const struct where_waves *waves);
/* A tag that the expression names and no row has, which may be mistyped: a
 * word that is no column is a tag. In `a`; NULL: none. */
const char *change_no_such_tag(struct change *ch, const struct where *w,
    struct arena *a);
/* The route of rows of a CSV file that has no column of routes; with `known` of
 * those that the table has, too. Before change_csv(). */
void change_csv_route(struct change *ch, const char *route, bool known);
/* CSV with a header; each line a row (doc/posthouse.1). Every bad line is a
 * fault (change_watch()); the first is named in `err` too. */
int change_csv(struct change *ch, int fd, struct error *err) PH_CHECK;
/* One address a line; blank lines and those beginning with '#' are passed
 * over. The same values for each. Faults as with change_csv(). */
int change_list(struct change *ch, int fd, const struct change_row *row,
    struct error *err) PH_CHECK;
uint64_t change_staged(const struct change *ch);

/* Functions that report progress and bad lines of a change to the caller; NULL:
 * not reported. */
struct change_watch {
	void *arg;
	/* A line of the file that cannot be taken. Reading goes on, so that
	 * one run tells all of them; nothing is changed then. */
	void (*fault)(void *arg, uint64_t line, const char *why);
	/* Now and then, while a file is read: bytes of it. */
	void (*read)(void *arg, uint64_t bytes);
	/* At the beginning of everything else that takes its time, such as
	 * "sorting", and now and then while it lasts; NULL: it is over. */
	void (*phase)(void *arg, const char *what);
	/* Another change is being made, and this one waits for its end, at
	 * most so long. */
	void (*waits)(void *arg, int64_t limit_ms);
	int64_t wait_ms; /* that limit; 0: ten seconds */
};
void change_watch(struct change *ch, const struct change_watch *watch);
/* For a reader of a file of another form: a line that cannot be taken (0:
 * none of them), and the bytes that are read by now. */
void change_fault(struct change *ch, uint64_t line, const char *why);
void change_read_so_far(struct change *ch, uint64_t bytes);
/* Call after the last line. If there were bad lines, also finds addresses that
 * are given twice, and returns -1 with the first fault. Otherwise these are
 * found by change_preview() or change_commit(). */
int change_file_end(struct change *ch, struct error *err) PH_CHECK;
/* Lines that could not be taken, until now. */
uint64_t change_faults(const struct change *ch);
/* Rows that were given a route at a domain that the configuration does not
 * have, which may be a mistyped one; the first of them. */
uint64_t change_strangers(const struct change *ch, const char **first_out);

/* ---- how -------------------------------------------------------------- */

struct change_done {
	uint64_t change;     /* 0: nothing differed, no change was made */
	uint64_t recipients; /* rows changed */
	uint64_t same;	     /* rows that have it already */
	uint64_t kept;	     /* rows that keep their route: change_how.kept */
	uint64_t left;	     /* undo: rows with a value that stays as it is */
	/* Of the recipients; by change_preview() alone. */
	uint64_t made, deleted;
	uint64_t defaults; /* deleted rows of domains */
};

/* The handle, to read what is staged by; until the first preview or commit all
 * is read as of one moment. */
struct db;
struct db *change_db(struct change *ch);

/* Functions that a caller adds to a change. Both run inside its transaction,
 * under the write lock; -1: all of it is taken back. */
struct change_part {
	/* Stages rows that the table itself tells, in place of staged ones; a
	 * preview calls it too. NULL: the rows are staged. */
	int (*stage)(void *arg, struct change *ch, struct change_done *done,
	    struct error *err);
	/* Writes what is kept or lost with the change, behind its rows. Called
	 * also when nothing differed (done->change 0). NULL: nothing. */
	int (*also)(void *arg, struct db *db, const struct change_done *done,
	    struct error *err);
	void *arg;
};

/* For such a function: stages the other addresses of the mailboxes too. */
int change_widen(struct change *ch, struct error *err) PH_CHECK;

/* Each row that keeps its route though the file says another one, or does not
 * have the address (`said` NULL), or that stays deleted (`route` NULL); in
 * order of keys, before the change is made. */
struct change_kept {
	void (*fn)(void *arg, struct slice key, const char *route,
	    const char *said);
	void *arg;
};

struct change_how {
	bool create;	/* rows that do not exist are made; else refused */
	bool inherit;	/* … with the route of their domain's row */
	bool mailboxes; /* with all addresses of their mailboxes */
	bool replace;	/* address rows of the domains that are staged, and
			 * are not staged themselves, are deleted */
	bool seed;	/* the domains staged are seeded now */
	bool twice;	/* a group or a room may get a copy; else refused */
	bool mailbox_of; /* a mailbox is said by an address of it, whose row
			 * may name it otherwise */
	bool join;	/* new rows get the route and the hold of the rows
			 * that share their mailbox */
	int64_t as_of;	/* -1: none. Else routes that a later change gave may
			 * not be altered: the change is refused. */
	bool keep;	/* Instead of refusing, such rows keep their route;
			 * they, and rows of change_row.new_route, are counted
			 * in change_done.kept. */
	const struct change_kept *kept; /* of such rows; NULL: not told */
	uint64_t undo;	/* 0; else stage the inverse of that change */
	const char *kind; /* in the history; NULL: rows, seed or undo */
	const struct change_part *part; /* NULL: nothing is added */
};

struct change_by {
	const char *who, *host, *command, *note;
	const char *wave; /* that the change belongs to; NULL: none */
};

/* In one transaction, synced when it returns 0. -1: nothing was changed. */
int change_commit(struct change *ch, const struct change_how *how,
    const struct change_by *by, struct change_done *done_out,
    struct error *err) PH_CHECK;
/* Each row that a change alters, in order of keys. */
struct change_show {
	void (*fn)(void *arg, struct slice key,
	    const struct table_value *before, const struct table_value *after);
	void *arg;
};
/* Gives the effect of change_commit() to `show` (NULL: it is only counted);
 * nothing is written, and a commit may follow. */
int change_preview(struct change *ch, const struct change_how *how,
    const struct change_show *show, struct change_done *done_out,
    struct error *err) PH_CHECK;
/* Called for each column that an undo leaves as it is, with its value as text
 * and the whole row as it is now. */
typedef void change_left_fn(void *arg, struct slice key, const char *column,
    const char *value, const struct table_value *now);
/* Before or after the commit of that undo, or its preview. */
int change_left(struct change *ch, uint64_t undo, change_left_fn *fn,
    void *arg, struct error *err) PH_CHECK;

/* The newest change at that time; 0: there was none. */
int change_at(struct change *ch, int64_t time_us, uint64_t *number_out,
    struct error *err) PH_CHECK;

/* A restored table is taken as it is: an empty change whose number is above
 * `above`, the last one that was known before. It wakes all queued mail. */
int change_accept(struct change *ch, uint64_t above,
    const struct change_by *by, struct change_done *done_out,
    struct error *err) PH_CHECK;

#endif
