/* SPDX-License-Identifier: ISC
 *
 * The cutover table: what is known of each recipient. This is the reader's
 * side; changes are in change.h. One handle belongs to one thread; no read
 * transaction may be held across a turn of an event loop.
 */
#ifndef POLICY_TABLE_H
#define POLICY_TABLE_H

#include "relay/base/error.h"
#include "relay/base/mem.h"
#include "relay/base/names.h"
#include "relay/base/strbuf.h"

enum route_kind { ROUTE_NONE, ROUTE_LEGS, ROUTE_DEFER, ROUTE_REJECT,
	ROUTE_GONE };

struct route {
	enum route_kind kind;
	unsigned legs;
	uint16_t leg[ROUTE_LEGS_MAX]; /* first is primary; numbers of names */
};

struct table_row {
	bool found;
	bool held;
	struct route route;	/* a leg that names does not have is added */
	const char *route_text; /* as stored */
	const char *mailbox;	/* "" : none */
	const char *tags;	/* space separated, "" : none */
	unsigned addresses;	/* rewrites */
	struct {
		uint16_t leg;
		const char *address;
	} address[ROUTE_LEGS_MAX];
	uint64_t change;	/* that wrote the row last */
	const char *key;	/* by table_reverse() alone; else NULL */
};

struct table;

/* Opens for reading. The file must exist, be readable and of our format:
 * else NULL and one clear sentence. */
struct table *table_open(const char *path, struct names *names,
    struct error *err) PH_CHECK;
/* The same of an older format too, whose rows alone may be asked for. */
struct table *table_open_old(const char *path, struct names *names,
    struct error *err) PH_CHECK;
void table_close(struct table *t);

int table_begin(struct table *t, struct error *err) PH_CHECK;
void table_end(struct table *t);
/* 1 found, 0 no row, -1 the table cannot be read. `key` is an address' key
 * or "@domain". Strings live in `a`. */
int table_get(struct table *t, struct slice key, struct arena *a,
    struct table_row *row_out, struct error *err) PH_CHECK;
/* The row whose rewritten address for that leg is `key` (T4: a leg's own
 * domains are mapped back), with its own key in row_out->key. As table_get().
 */
struct leg_address {
	struct slice key; /* of the rewritten address */
	int leg;
};
int table_reverse(struct table *t, struct leg_address of, struct arena *a,
    struct table_row *row_out, struct error *err) PH_CHECK;
/* Rows in order of their keys, above `after`: at most `limit`. */
struct table_page {
	struct slice after;
	unsigned limit;
	struct arena *a; /* where a row lives; the caller renews it */
	void (*fn)(void *arg, struct slice key, const struct table_row *row);
	void *arg;
	const struct slice *tag; /* only rows that bear one of them … */
	unsigned tags;		 /* … 0: all rows */
};
/* Returns how many, or -1. */
int table_rows(struct table *t, const struct table_page *page,
    struct error *err);
/* The newest change number; -1 on failure. Inside table_begin() … table_end()
 * it is read only once. */
int64_t table_change(struct table *t, struct error *err);
/* Differs from the last call when another connection committed. */
int64_t table_data_version(struct table *t);
/* Another file stands at the path (a backup was put there): open anew. */
bool table_moved(struct table *t);

/* The change log above (`after`, `after_key`), in order: at most `limit`
 * pairs. A key that begins with '@' is a domain's row and concerns every
 * recipient there; "@" alone, which `table accept` writes, concerns all. */
struct table_log_page {
	uint64_t after;
	const char *after_key; /* NULL: changes above `after` */
	unsigned limit;
	void (*fn)(void *arg, uint64_t change, struct slice key);
	void *arg;
};
/* Returns how many, or -1. */
int table_log(struct table *t, const struct table_log_page *page,
    struct error *err);

/* The command of an undo is stored with the number behind it: "undo 41". */
#define TABLE_UNDO "undo "

/* A change as a whole: for the audit trail. */
struct table_change {
	uint64_t change;
	int64_t time_us;
	const char *who, *host, *command, *note;
	uint64_t recipients;
	uint64_t undid; /* the change that it took back; 0: it is no undo */
	int node;	/* where it was made */
	const char *kind; /* rows, seed, undo, accept, wave, rollback, more */
	const char *wave; /* that it belongs to; "": none */
	char head[65];	  /* the hash of its line: change_chain.h */
};
/* The changes above `after`, in order: at most `limit`. */
struct table_changes_page {
	uint64_t after;
	unsigned limit;
	void (*fn)(void *arg, const struct table_change *c);
	void *arg;
};
/* Returns how many, or -1. */
int table_changes(struct table *t, const struct table_changes_page *page,
    struct error *err);

/* The value of a row in the log; `row` false: there was none. */
struct table_value {
	bool row, held;
	const char *route, *mailbox, *tags;
	const char *addresses; /* lines "leg=address" */
};
/* The change log with its values, as table_log(): at most `limit` rows above
 * (`after`, `after_key`). Returns how many, or -1. */
struct table_log_values {
	uint64_t after;
	const char *after_key; /* NULL: changes above `after` */
	unsigned limit;
	void (*fn)(void *arg, uint64_t change, struct slice key,
	    const struct table_value *before, const struct table_value *after);
	void *arg;
};
int table_log_rows(struct table *t, const struct table_log_values *page,
    struct error *err);
/* The changes of one row, oldest first. */
int table_history(struct table *t, struct slice key,
    void (*fn)(void *arg, const struct table_change *c,
	const struct table_value *before, const struct table_value *after),
    void *arg, struct error *err);
/* The rows that one change changed, in order of keys. Returns how many, or
 * -1. */
int table_change_rows(struct table *t, uint64_t change,
    void (*fn)(void *arg, struct slice key, const struct table_value *before,
	const struct table_value *after),
    void *arg, struct error *err);
/* The change itself: 1, 0 there is none, -1. Strings live in `a`. */
int table_change_get(struct table *t, uint64_t change, struct arena *a,
    struct table_change *change_out, struct error *err) PH_CHECK;

/* The change that gave a row the route and the hold that it has; `change` is
 * the one that wrote it last. 1, 0 none is on record, -1. Strings live in `a`.
 */
struct table_at {
	struct slice key;
	uint64_t change;
};
int table_routed(struct table *t, const struct table_at *row, struct arena *a,
    struct table_change *change_out, struct error *err) PH_CHECK;

/* Was the recipient flipped since `since_us` (wall clock)? That is: its row
 * got another route than it had, or `posthouse flip --create` made it. A row
 * that was set, imported or seeded for the first time is no flip. 1, 0, -1. */
int table_flipped(struct table *t, const struct table_row *row,
    struct slice key, int64_t since_us, struct error *err) PH_CHECK;

struct conf;
/* Finds legs and domains that earlier configurations had, this one has not, and
 * rows still name (the row of the domain itself apart). Calls `fn` for each;
 * returns how many, or -1 when the table cannot be read. Reads all rows only
 * when something is missing. */
int table_gone(const char *path, const struct conf *c,
    void (*fn)(void *arg, bool leg, const char *name, uint64_t rows),
    void *arg, struct error *err);
/* The sentence that refuses such a configuration and says what to do. */
void table_gone_text(bool leg, const char *name, uint64_t rows,
    struct strbuf *out);
#endif
