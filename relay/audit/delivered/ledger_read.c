/* SPDX-License-Identifier: ISC
 *
 * ledger.db is opened for reading.
 */
#include "relay/audit/delivered/ledger_read.h"

#include "relay/audit/delivered/last_file.h"
#include "relay/base/mem.h"

enum { READ_WAIT_MS = 1000, PATH_BYTES = 4096 };

int ledger_read_fail(const struct ledger_read *r, struct error *err)
{
	return error_set(err, "the ledger of last deliveries: %s",
	    sqlite3_errmsg(r->db));
}

static int read_header(struct ledger_read *r, struct error *err)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(r->db, "SELECT format FROM state", -1, &s,
	    NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc != SQLITE_ROW)
		rc = ledger_read_fail(r, err);
	else if (sqlite3_column_int(s, 0) != LAST_FORMAT)
		rc = error_set(err, "the ledger of last deliveries has format "
		    "%d, this version reads %d; start the daemon of this "
		    "version", sqlite3_column_int(s, 0), LAST_FORMAT);
	else
		rc = 0;
	sqlite3_finalize(s);
	return rc;
}

static int read_state(struct ledger_read *r, struct error *err)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(r->db, "SELECT secret, since, outcomes FROM"
	    " state", -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc != SQLITE_ROW) {
		rc = ledger_read_fail(r, err);
	} else if (sqlite3_column_bytes(s, 0) != sizeof(r->secret)) {
		rc = error_set(err, "the ledger of last deliveries: its key is "
		    "not of %zu bytes", sizeof(r->secret));
	} else {
		memcpy(r->secret, sqlite3_column_blob(s, 0),
		    sizeof(r->secret));
		r->since_us = sqlite3_column_int64(s, 1);
		r->outcomes_us = sqlite3_column_int64(s, 2);
		rc = 0;
	}
	sqlite3_finalize(s);
	return rc;
}

int ledger_read_open_at(const char *path, const struct conf *c,
    struct ledger_read *r_out, struct error *err)
{
	struct ledger_read *r = r_out;
	int rc;

	*r = (struct ledger_read){.separators = separators_new(c)};
	rc = sqlite3_open_v2(path, &r->db, SQLITE_OPEN_READONLY |
	    SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK
	    ? 0 : ledger_read_fail(r, err);
	if (rc == 0) {
		sqlite3_busy_timeout(r->db, READ_WAIT_MS);
		rc = read_header(r, err);
	}
	if (rc == 0)
		rc = read_state(r, err);
	if (rc < 0)
		ledger_read_close(r);
	return rc;
}

int ledger_read_open(const struct conf *c, struct ledger_read *r_out,
    struct error *err)
{
	struct strbuf path;
	int rc;

	strbuf_init(&path, PATH_BYTES);
	strbuf_addf(&path, "%s/ledger.db", c->audit.path);
	rc = ledger_read_open_at(strbuf_cstr(&path), c, r_out, err);
	strbuf_fini(&path);
	return rc;
}

void ledger_read_close(struct ledger_read *r)
{
	sqlite3_close(r->db);
	separators_free(r->separators);
	*r = (struct ledger_read){.db = NULL};
}

int ledger_read_prepare(struct ledger_read *r, const char *const *sql,
    sqlite3_stmt **stmt_out, int n, struct error *err)
{
	for (int i = 0; i < n; i++)
		if (sqlite3_prepare_v3(r->db, sql[i], -1,
			SQLITE_PREPARE_PERSISTENT, &stmt_out[i], NULL) !=
		    SQLITE_OK)
			return ledger_read_fail(r, err);
	return 0;
}

int64_t ledger_read_key(const struct ledger_read *r, struct slice address)
{
	return recipient_key(r->separators, r->secret, address).base;
}
