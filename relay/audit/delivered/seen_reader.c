/* SPDX-License-Identifier: ISC
 *
 * Reads recipients that had mail out of ledger.db.
 */
#include "relay/audit/delivered/seen_reader.h"

#include "relay/audit/delivered/ledger_read.h"

static const char *const sql[] = {
	"SELECT a.recipient, a.address, (SELECT max(d.time) FROM delivery d"
	" WHERE d.recipient = a.recipient) FROM address a WHERE a.recipient >"
	" ?1 ORDER BY a.recipient LIMIT ?2",
};

static int read_rows(struct ledger_read *l, sqlite3_stmt *st,
    struct seen_page *page, struct error *err)
{
	int n = 0, rc;

	sqlite3_bind_int64(st, 1, page->after);
	sqlite3_bind_int64(st, 2, page->limit);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		const unsigned char *address = sqlite3_column_text(st, 1);

		page->after = sqlite3_column_int64(st, 0);
		n++;
		if (address != NULL &&
		    !page->fn(page->arg, (const char *)address,
			sqlite3_column_int64(st, 2)))
			return n;
	}
	return rc == SQLITE_DONE ? n : ledger_read_fail(l, err);
}

int seen_read(const struct conf *c, struct seen_page *page, struct error *err)
{
	struct ledger_read l;
	sqlite3_stmt *st = NULL;
	int rc;

	if (ledger_read_open(c, &l, err) < 0)
		return -1;
	rc = ledger_read_prepare(&l, sql, &st, 1, err);
	if (rc == 0)
		rc = read_rows(&l, st, page, err);
	sqlite3_finalize(st);
	ledger_read_close(&l);
	return rc;
}
