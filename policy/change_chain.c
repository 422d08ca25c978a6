/* SPDX-License-Identifier: ISC
 *
 * Hashes the lines of the table's history, their rows, and decisions.
 */
#include "policy/change_chain.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "relay/base/pack.h"

enum {
	COL_PREVIOUS = 10, COL_ROWS = 11, COL_DECIDED = 12,
	COL_DECISION_PREVIOUS = 8,
	OLD_COLUMNS = 11, /* of a line before rows had a digest */
	LOG_COLUMNS = 11, DECISION_COLUMNS = 9,
	LINE_BYTES = 1 << 16, LOG_ROW_BYTES = 1 << 18,
};
_Static_assert((int)CHAIN_BYTES == SHA256_DIGEST_LENGTH, "SHA-256");
_Static_assert((int)COL_DECIDED + 1 == (int)CHAIN_COLUMN_COUNT, "all");

static struct slice blob(sqlite3_stmt *st, int column)
{
	const void *p = sqlite3_column_blob(st, column);
	size_t n = (size_t)sqlite3_column_bytes(st, column);

	return slice_of(p == NULL ? "" : p, p == NULL ? 0 : n);
}

/* Each column with its length before it, so that no text runs into the next.
 * Those from `blobs` on are bytes, the others text. */
static void hash_columns(sqlite3_stmt *st, int columns, int blobs,
    unsigned char hash_out[CHAIN_BYTES])
{
	struct strbuf b;

	strbuf_init(&b, LINE_BYTES);
	for (int i = 0; i < columns; i++) {
		struct slice s = i >= blobs ? blob(st, i) : db_text(st, i);

		strbuf_addf(&b, "%zu:", s.n);
		strbuf_addsl(&b, s);
	}
	SHA256((const unsigned char *)b.p, b.n, hash_out);
	strbuf_fini(&b);
}

void chain_line(sqlite3_stmt *st, unsigned char hash_out[CHAIN_BYTES])
{
	bool old = chain_rows(st).n == 0 && chain_decided(st).n == 0;

	hash_columns(st, old ? (int)OLD_COLUMNS : (int)CHAIN_COLUMN_COUNT,
	    COL_PREVIOUS, hash_out);
}

void chain_text(const unsigned char hash[CHAIN_BYTES],
    char text_out[CHAIN_TEXT])
{
	for (int i = 0; i < CHAIN_BYTES; i++)
		snprintf(text_out + 2 * i, 3, "%02x", hash[i]);
}

struct slice chain_previous(sqlite3_stmt *st)
{
	return blob(st, COL_PREVIOUS);
}

struct slice chain_rows(sqlite3_stmt *st)
{
	return blob(st, COL_ROWS);
}

struct slice chain_decided(sqlite3_stmt *st)
{
	return blob(st, COL_DECIDED);
}

/* ---- rows of the log --------------------------------------------------- */

static void add_log_row(struct strbuf *b, sqlite3_stmt *st)
{
	for (int i = 0; i < LOG_COLUMNS; i++) {
		if (sqlite3_column_type(st, i) == SQLITE_NULL)
			pack_u32(b, UINT32_MAX);
		else
			pack_bytes(b, db_text(st, i));
	}
}

int chain_log(sqlite3_stmt *st, const struct chain_each *each,
    unsigned char digest_out[CHAIN_BYTES], uint64_t *rows_out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct strbuf b;
	int rc = SQLITE_NOMEM;
	bool good = ctx != NULL &&
		    EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	*rows_out = 0;
	strbuf_init(&b, LOG_ROW_BYTES);
	while (good && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		strbuf_reset(&b);
		add_log_row(&b, st);
		good = strbuf_ok(&b) &&
		       EVP_DigestUpdate(ctx, b.p, b.n) == 1;
		++*rows_out;
		if (good && each != NULL)
			good = each->fn(each->arg, st) == 0;
	}
	good = good && rc == SQLITE_DONE &&
	       EVP_DigestFinal_ex(ctx, digest_out, NULL) == 1;
	sqlite3_reset(st);
	strbuf_fini(&b);
	EVP_MD_CTX_free(ctx);
	return good ? 0 : -1;
}

/* ---- decisions --------------------------------------------------------- */

void chain_decision(sqlite3_stmt *st, unsigned char hash_out[CHAIN_BYTES])
{
	hash_columns(st, DECISION_COLUMNS, COL_DECISION_PREVIOUS, hash_out);
}

struct slice chain_decision_previous(sqlite3_stmt *st)
{
	return blob(st, COL_DECISION_PREVIOUS);
}

/* 1, and the number of the newest row and its hash; 0: there is none; -1. */
static int newest(struct db *db, const char *sql,
    void (*hash)(sqlite3_stmt *st, unsigned char hash_out[CHAIN_BYTES]),
    uint64_t *number_out, unsigned char hash_out[CHAIN_BYTES])
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		*number_out = (uint64_t)sqlite3_column_int64(st, 0);
		hash(st, hash_out);
	}
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

static int newest_decision(struct db *db, uint64_t *number_out,
    unsigned char hash_out[CHAIN_BYTES])
{
	return newest(db, "SELECT " CHAIN_DECISION_COLUMNS
	    " FROM main.decision ORDER BY decision DESC LIMIT 1",
	    chain_decision, number_out, hash_out);
}

int chain_newest_decision(struct db *db, unsigned char hash_out[CHAIN_BYTES],
    struct error *err)
{
	uint64_t number;
	int found = newest_decision(db, &number, hash_out);

	return found < 0 ? db_error(db, err) : found * CHAIN_BYTES;
}

int chain_heads(struct db *db, struct chain_heads *out, struct error *err)
{
	unsigned char hash[CHAIN_BYTES];
	int found;

	*out = (struct chain_heads){0};
	found = newest(db, "SELECT " CHAIN_COLUMNS
	    " FROM main.change ORDER BY change DESC LIMIT 1", chain_line,
	    &out->change, hash);
	if (found > 0)
		chain_text(hash, out->change_head);
	if (found >= 0)
		found = newest_decision(db, &out->decision, hash);
	if (found > 0)
		chain_text(hash, out->decision_head);
	return found < 0 ? db_error(db, err) : 0;
}
