/* SPDX-License-Identifier: ISC
 *
 * ledger.db read by another thread than the one that writes it, and the rows
 * of the file that versions before had.
 */
#include <sqlite3.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "relay/audit/delivered/last_file.h"
#include "relay/base/mem.h"
#include "relay/mail/addr.h"

enum { READ_WAIT_MS = 50 };

struct last_reader {
	sqlite3 *db;
	sqlite3_stmt *find, *known;
};

struct last_reader *last_reader_open(const char *path)
{
	struct last_reader *r = NEW(struct last_reader);

	if (sqlite3_open_v2(path, &r->db, SQLITE_OPEN_READONLY |
		SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
	    sqlite3_busy_timeout(r->db, READ_WAIT_MS) == SQLITE_OK &&
	    sqlite3_prepare_v3(r->db, "SELECT time, id, uncertain FROM delivery"
		" WHERE recipient = ?1 AND leg = ?2 AND detail = ?3", -1,
		SQLITE_PREPARE_PERSISTENT, &r->find, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v3(r->db, "SELECT 1 FROM known WHERE hash = ?1"
		" AND day >= ?2", -1, SQLITE_PREPARE_PERSISTENT, &r->known,
		NULL) == SQLITE_OK)
		return r;
	last_reader_close(r);
	return NULL;
}

void last_reader_close(struct last_reader *r)
{
	if (r == NULL)
		return;
	sqlite3_finalize(r->find);
	sqlite3_finalize(r->known);
	sqlite3_close(r->db);
	mem_free(r);
}

int last_reader_find(struct last_reader *r, struct last_row *row)
{
	int rc, got;

	sqlite3_bind_int64(r->find, 1, row->to.base);
	sqlite3_bind_int(r->find, 2, row->leg);
	sqlite3_bind_int64(r->find, 3, row->to.detail);
	rc = sqlite3_step(r->find);
	if (rc == SQLITE_ROW) {
		row->time_us = sqlite3_column_int64(r->find, 0);
		row->id = (uint64_t)sqlite3_column_int64(r->find, 1);
		row->uncertain = (uint8_t)sqlite3_column_int(r->find, 2);
	}
	got = rc == SQLITE_ROW ? 1 : 0;
	if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB)
		got = -1;
	sqlite3_reset(r->find);
	return got;
}

/* The hash that a known.db has. */
static int64_t known_hash(const char *leg, struct slice key)
{
	struct strbuf b;
	int64_t hash;

	strbuf_init(&b, 2 * ADDR_MAX);
	strbuf_add(&b, leg, strlen(leg) + 1);
	strbuf_addsl(&b, key);
	hash = (int64_t)XXH3_64bits(b.p, b.n);
	strbuf_fini(&b);
	return hash;
}

bool last_reader_knows(struct last_reader *r, const char *leg,
    struct slice key, int64_t day)
{
	bool has;

	sqlite3_bind_int64(r->known, 1, known_hash(leg, key));
	sqlite3_bind_int64(r->known, 2, day);
	has = sqlite3_step(r->known) == SQLITE_ROW;
	sqlite3_reset(r->known);
	return has;
}
