/* SPDX-License-Identifier: ISC
 *
 * Hashes the lines of the table's history and looks whether each names the
 * line before it.
 */
#include "policy/change_chain.h"

#include <openssl/sha.h>

#include "relay/base/strbuf.h"

enum { COL_CHANGE = 0, COL_PREVIOUS = 10, COLUMNS = 11, LINE_BYTES = 1 << 16 };
_Static_assert((int)CHAIN_BYTES == SHA256_DIGEST_LENGTH, "SHA-256");

/* Each column with its length before it, so that no text runs into the next.
 */
void chain_line(sqlite3_stmt *st, unsigned char hash_out[CHAIN_BYTES])
{
	struct strbuf b;

	strbuf_init(&b, LINE_BYTES);
	for (int i = 0; i < COLUMNS; i++) {
		/* As text first: it is what its length is of. */
		const void *p = i == COL_PREVIOUS
				    ? sqlite3_column_blob(st, i)
				    : sqlite3_column_text(st, i);
		size_t n = (size_t)sqlite3_column_bytes(st, i);

		strbuf_addf(&b, "%zu:", n);
		strbuf_add(&b, p == NULL ? "" : p, p == NULL ? 0 : n);
	}
	SHA256((const unsigned char *)b.p, b.n, hash_out);
	strbuf_fini(&b);
}

bool chain_follows(sqlite3_stmt *st, struct slice hash)
{
	const void *p = sqlite3_column_blob(st, COL_PREVIOUS);
	size_t n = (size_t)sqlite3_column_bytes(st, COL_PREVIOUS);

	return slice_eq(slice_of(p == NULL ? "" : p, n), hash);
}

static void look_at_line(struct chain_state *s, sqlite3_stmt *st,
    unsigned char hash[CHAIN_BYTES], uint64_t *last)
{
	struct slice before = slice_of((const char *)hash,
	    s->lines == 0 ? 0 : CHAIN_BYTES);
	uint64_t number = (uint64_t)sqlite3_column_int64(st, COL_CHANGE);

	if (s->broken == 0 && !chain_follows(st, before)) {
		s->broken = number;
		s->before = *last;
	}
	chain_line(st, hash);
	*last = number;
	s->lines++;
}

int chain_verify(struct db *db, struct chain_state *state_out,
    struct error *err)
{
	static const char sql[] = "SELECT " CHAIN_COLUMNS
	    " FROM main.change ORDER BY change";
	unsigned char hash[CHAIN_BYTES];
	sqlite3_stmt *st = NULL;
	uint64_t last = 0;
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &st, NULL);

	*state_out = (struct chain_state){0};
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(st);
		if (rc == SQLITE_ROW)
			look_at_line(state_out, st, hash, &last);
	}
	if (rc != SQLITE_DONE)
		db_error(db, err);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : -1;
}
