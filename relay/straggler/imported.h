/* SPDX-License-Identifier: ISC
 *
 * imported.db beside ledger.db: what the logs of the old server say of its
 * clients and of deliveries into its own mailboxes. Commands write it, one at a
 * time; the daemon and other commands read meanwhile. One thread a handle;
 * calls block, up to ten seconds for another writer.
 */
#ifndef RELAY_STRAGGLER_IMPORTED_H
#define RELAY_STRAGGLER_IMPORTED_H

#include "relay/audit/straggler/straggler_row.h"
#include "relay/base/error.h"

#define IMPORTED_NAME "imported.db"

struct imported;
/* In that folder. To write, it is made where it is missing. NULL and `err`. */
struct imported *imported_open(const char *dir, bool write,
    struct error *err) PH_CHECK;
/* For reading; *none_out and NULL: there is no such file, no error. */
struct imported *imported_open_any(const char *dir, bool *none_out,
    struct error *err) PH_CHECK;
void imported_close(struct imported *i); /* NULL is fine */

/* ---- writing: all between begin and end is one transaction -------------- */

int imported_begin(struct imported *i, struct error *err) PH_CHECK;
/* Commits, synced, when `rc` is 0; else takes all back and returns -1 with the
 * error that `err` has already. */
int imported_end(struct imported *i, int rc, struct error *err) PH_CHECK;

/* Adds to what is there of that client; days are not kept. */
int imported_put_client(struct imported *i, const char *client,
    const struct straggler_row *row, struct error *err) PH_CHECK;
struct imported_inside {
	const char *to, *from; /* `to` in its lookup form; `from` may be "" */
	int64_t time_us;       /* of the last one */
	uint64_t deliveries;
};
int imported_put_inside(struct imported *i, const struct imported_inside *d,
    struct error *err) PH_CHECK;

struct imported_file {
	const char *hash; /* SHA-256 of all bytes, hexadecimal */
	const char *name, *format, *who, *note;
	int64_t time_us; /* of the import */
	uint64_t lines, unread;
	int64_t first_us, last_us; /* times in it; 0: none */
};
/* 1: it was imported before, and nothing is written; 0; -1. */
int imported_put_file(struct imported *i, const struct imported_file *f,
    struct error *err) PH_CHECK;

/* ---- reading ------------------------------------------------------------- */

struct imported_client {
	const char *client, *name, *helo, *senders;
	int64_t first_us, last_us, gap_us;
	uint64_t messages, recipients, delivered;
};
/* 1, 0: there is none, -1; texts until the next call. */
int imported_get_client(struct imported *i, const char *client,
    struct imported_client *out, struct error *err) PH_CHECK;
/* Newest first, until fn says false. 0 or -1, here and below. */
int imported_clients(struct imported *i,
    bool (*fn)(void *arg, const struct imported_client *c), void *arg,
    struct error *err) PH_CHECK;
int imported_insides(struct imported *i, int64_t after_us,
    void (*fn)(void *arg, const struct imported_inside *d), void *arg,
    struct error *err) PH_CHECK;
int imported_files(struct imported *i,
    void (*fn)(void *arg, const struct imported_file *f), void *arg,
    struct error *err) PH_CHECK;

#endif
