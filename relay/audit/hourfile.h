/* SPDX-License-Identifier: ISC
 *
 * One file of the audit index: an hour of folded rows in SQLite. The newest
 * file is written by the projector alone, in WAL mode with synchronous=FULL,
 * and holds the cursor beside the rows; all others are sealed: indexed, out
 * of WAL mode, read-only. The command line reads both kinds without the
 * daemon. A handle belongs to one thread.
 */
#ifndef RELAY_AUDIT_HOURFILE_H
#define RELAY_AUDIT_HOURFILE_H

#include <sqlite3.h>

#include "relay/audit/event.h"

struct hourfile;

/* Hours since 1970, and their file names "2026112205.db". */
enum { HOUR_NAME = 16 };
int64_t hour_of(int64_t wall_us);
void hour_name(int64_t hour, char out[HOUR_NAME]);
int hour_parse(struct slice name, int64_t *hour_out);
/* Hours of the files of `dir`, ascending; the caller frees by mem_free(). */
int hour_list(const char *dir, int64_t **hours_out, size_t *n_out,
    struct error *err) PH_CHECK;

/* The first of these files that may have rows of a message with that id: a
 * notice is numbered a moment after the time of the record that it is in, so
 * the last one before the hour of its id is looked at too. */
int64_t hour_first(const int64_t *hours, size_t n, uint64_t id);

/* Stable 64-bit hash (XXH3) of a key of a search, ASCII case folded; 0 for
 * the empty string. On disk. */
int64_t hour_hash(const char *s);
/* The same of a Message-ID without its angle brackets. */
int64_t hour_hash_message_id(const char *s);

/* The newest format, which is written; older ones are read. */
enum { HOUR_FORMAT = 3 };

/* An era is the time with one journal that went on without a break. Where the
 * spool was replaced, went back or lost segments, another begins: the index
 * reads that journal from its start, and rows of before count no longer. */
struct hour_state {
	int format;
	int node;
	struct spool_pos cursor; /* everything before it is in the index */
	int64_t seq;		 /* last used in this file                */
	bool sealed;
	uint64_t spool;		/* the spool's id; 0: not known            */
	int64_t era;
	struct spool_pos until; /* what is before it was in the journal when
				 * the era began                             */
	struct spool_pos told;	/* ... and in the index; {0,0}: nothing      */
	bool known; /* the journal's totals at the cursor are here    */
	bool based; /* ... and those at the beginning of this file    */
};

/* An era begins with one commit, and others learn of it later: that is what
 * would be lost if the process ended now. */
struct era_owed {
	char why[200];	/* it began */
	uint64_t open;	/* deliveries that the journal before it held */
	bool note;	/* no event says so yet, that is in the index */
	bool ledger;	/* ledger.db does not know since when */
};

/* ---- writing ----------------------------------------------------------- */

enum hour_open {
	HOUR_READ,
	HOUR_WRITE, /* rows: fails unless it can be written            */
	HOUR_SEAL,  /* what is over: also one that a seal left half way */
};

/* A new file whose cursor is `s->cursor`, committed when this returns. It
 * begins with the totals of the end of `from`, and owes the same; NULL: there
 * is none. What a crash left of an earlier try is replaced. After a failure
 * there is no such file: its cursor would fall behind that of `from`, which
 * goes on. */
struct hourfile *hourfile_create(const char *dir, int64_t hour,
    const struct hour_state *s, struct hourfile *from,
    struct error *err) PH_CHECK;
/* NULL and err->no ENOENT when there is no such file or it was never
 * committed. */
struct hourfile *hourfile_open(const char *dir, int64_t hour,
    enum hour_open how, struct error *err) PH_CHECK;
void hourfile_close(struct hourfile *f); /* rolls back; NULL is fine */
/* Over a new connection, for HOUR_WRITE. After -1 every call on it fails, but
 * for another hourfile_reopen() and the close. */
int hourfile_reopen(struct hourfile *f, const char *dir,
    struct error *err) PH_CHECK;
/* Did the last call that failed find that this is no database (any more)? */
bool hourfile_damaged(const struct hourfile *f);
int64_t hourfile_hour(const struct hourfile *f);
const struct hour_state *hourfile_state(const struct hourfile *f);

/* Rows. The first begins the transaction. 0, or -1 and hourfile_error(). */
int hourfile_put_message(struct hourfile *f, const struct envelope *e);
int hourfile_put_recipient(struct hourfile *f, uint64_t id, uint32_t rcpt,
    const char *address, struct slice legs);
int hourfile_put_event(struct hourfile *f, const struct delivery_event *m);
struct note_row {
	int64_t time_us;
	struct slice event, fields;
	uint64_t id;
	const char *client, *from, *to; /* keys of searches, "" : none */
};
int hourfile_put_note(struct hourfile *f, const struct note_row *n);
/* Adds to the flow of a leg. */
int hourfile_put_total(struct hourfile *f, const char *leg,
    const int64_t add[TOTALS]);
/* Sets a leg's figures of the journal at the cursor that is committed next. */
int hourfile_put_journal(struct hourfile *f, const char *leg,
    const int64_t total[TOTALS]);
/* `known`: all legs were put by hourfile_put_journal(). `base`: then those of
 * the beginning follow, unless they are there already. */
int hourfile_commit(struct hourfile *f, struct spool_pos cursor, bool known,
    bool base);
/* Takes over spool, era, until, told and the cursor of `s`, what is owed, and
 * forgets all totals. Committed when this returns. */
int hourfile_begin_era(struct hourfile *f, const struct hour_state *s,
    const struct era_owed *o);
/* Takes over what is owed by now. Committed when this returns; with nothing
 * uncommitted before. */
int hourfile_owe(struct hourfile *f, const struct era_owed *o);
/* Nothing, of a file that never heard of it. 0, or -1. */
int hourfile_owed(struct hourfile *f, struct era_owed *out);
/* The same era goes on in a spool that has another id by now. */
int hourfile_put_spool(struct hourfile *f, uint64_t spool);
void hourfile_rollback(struct hourfile *f);
const char *hourfile_error(const struct hourfile *f);

/* Builds the indexes, ends WAL mode and takes away the right to write.
 * Closes `f`. */
int hourfile_seal(struct hourfile *f, const char *dir, struct error *err);

/* ---- reading ----------------------------------------------------------- */

/* All that is read from here on is of one moment, hourfile_state() too; ends
 * with the handle. */
int hourfile_snapshot(struct hourfile *f);
/* From here on a read that takes long fails soon after *stop is true. Until
 * the handle is closed; NULL is fine. */
void hourfile_stop_when(struct hourfile *f, const _Atomic bool *stop);
/* All: 1 found, 0 none, -1 the file cannot be read. Strings live in `a`. */
int hourfile_message(struct hourfile *f, uint64_t id, struct arena *a,
    struct envelope *env_out);
struct hour_recipient {
	uint64_t id;
	uint32_t rcpt;
	int64_t era; /* -1: of before eras were counted */
	const char *address, *legs; /* until the next row */
};
/* id 0: of all messages, in order of id. */
int hourfile_recipients(struct hourfile *f, uint64_t id,
    void (*fn)(void *arg, const struct hour_recipient *r), void *arg);
/* The messages that were accepted in this file's hour, and their recipients. 0
 * or -1. */
int hourfile_count(struct hourfile *f, uint64_t *messages_out,
    uint64_t *recipients_out);
/* Adds the number and the bytes of its newest messages, at most `most` of
 * them. 0 or -1. */
int hourfile_sizes(struct hourfile *f, uint64_t most, uint64_t *messages,
    uint64_t *bytes);
/* accepted_us and `to` are the caller's to fill; the rest of the strings
 * lives until the next row. In order of time. */
int hourfile_events(struct hourfile *f, uint64_t id,
    void (*fn)(void *arg, const struct delivery_event *m), void *arg);
/* A place in a walk along the events; begins with INT64_MIN, INT64_MIN. */
struct hour_seek {
	int64_t id, seq;
};
/* The next deliveries behind `at`, which moves on, at most `most` of them:
 * id, time_us, to, leg and uncertain are filled. Returns how many, or -1. */
int hourfile_delivered(struct hourfile *f, struct hour_seek *at, int most,
    void (*fn)(void *arg, const struct delivery_event *m), void *arg);
/* Is there something that never came in? Also when that cannot be read. */
bool hourfile_has_gap(struct hourfile *f);
struct hour_key {
	enum { KEY_ID, KEY_MESSAGE_ID, KEY_TO, KEY_FROM, KEY_CLIENT,
		KEY_MOVE, KEY_DOMAIN, KEY_SUBJECT, KEY_TIME } by;
	int64_t hash;		    /* or the id; 0 of KEY_FROM: null */
	/* KEY_MOVE: what one event of a delivery must be; 0 and "" are any.
	 * `text` is in its detail; of KEY_SUBJECT a part of the subject, of
	 * KEY_DOMAIN the domain of a sender or recipient. */
	enum event_kind kind;
	int code;
	const char *leg, *text;
	int64_t since_us, until_us; /* KEY_TIME: accepted in that time */
};
/* Ids of the messages with that key, newest first, until fn says false. */
int hourfile_find(struct hourfile *f, const struct hour_key *k,
    bool (*fn)(void *arg, uint64_t id), void *arg);
int hourfile_notes(struct hourfile *f, const struct hour_key *k,
    void (*fn)(void *arg, int64_t time_us, struct slice event,
	struct slice fields), void *arg);
enum hour_totals {
	HOUR_FLOW,    /* what was created, delivered, … in this file      */
	HOUR_JOURNAL, /* the journal's at the cursor                      */
	HOUR_BASE,    /* the journal's at the beginning                   */
};
int hourfile_totals(struct hourfile *f, enum hour_totals which,
    void (*fn)(void *arg, const char *leg, const int64_t total[TOTALS]),
    void *arg);

#endif
