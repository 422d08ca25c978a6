/* SPDX-License-Identifier: ISC
 *
 * Looks whether the table is whole. The tables `tag` and `rewrite` hold
 * nothing but what stands in the rows, so a count and a sum of hashes over the
 * rows must be those over the tables.
 */
#include "policy/check/table_check.h"

#include <stdio.h>
#include <string.h>

#include "policy/check/chain_verify.h"
#include "policy/row.h"
#include "relay/base/hash.h"

enum check_statement { ST_ROWS, ST_TAG, ST_REWRITE, ST_INTEGRITY };

static const char *const sql[] = {
	[ST_ROWS] = "SELECT address, tags, addresses FROM main.route",
	[ST_TAG] = "SELECT key, value, address FROM main.tag",
	[ST_REWRITE] = "SELECT key, leg, address FROM main.rewrite",
	[ST_INTEGRITY] = "PRAGMA main.integrity_check(1)",
};
static const char newest[] =
    "SELECT coalesce(max(change), 0) FROM main.change";
enum { PAGE_BYTES = 8192 };

struct sum {
	uint64_t n, hash;
};

static void add(struct sum *s, const struct slice part[3])
{
	const uint64_t hash[3] = {hash_slice(part[0]), hash_slice(part[1]),
	    hash_slice(part[2])};

	s->n++;
	s->hash += hash_bytes(hash, sizeof(hash));
}

static int end(struct db *db, sqlite3_stmt *st, int rc, struct error *err)
{
	if (rc != SQLITE_DONE)
		db_error(db, err);
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

static int sum_table(struct db *db, enum check_statement which, struct sum *s,
    struct error *err)
{
	sqlite3_stmt *st = db_stmt(db, which, err);
	int rc;

	if (st == NULL)
		return -1;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		add(s, (struct slice[]){db_text(st, 0), db_text(st, 1),
			   db_text(st, 2)});
	return end(db, st, rc, err);
}

static void sum_row(struct slice address, struct slice tags,
    struct slice addresses, struct sum sum[2])
{
	struct slice tag, part[3] = {[2] = address}, rewritten;
	struct strbuf key;
	struct error ignored;

	while (slice_next(&tags, ' ', &tag))
		if (tag.n > 0) {
			row_tag_parts(tag, &part[0], &part[1]);
			add(&sum[0], part);
		}
	strbuf_init(&key, ROW_TEXT_MAX);
	while (row_next_address(&addresses, &part[1], &rewritten)) {
		strbuf_reset(&key);
		if (row_key(rewritten, &key, &ignored) < 0)
			continue;
		part[0] = strbuf_view(&key);
		add(&sum[1], part);
	}
	strbuf_fini(&key);
}

static int sum_rows(struct db *db, struct sum sum[2], uint64_t *rows,
    struct error *err)
{
	sqlite3_stmt *st = db_stmt(db, ST_ROWS, err);
	int rc;

	if (st == NULL)
		return -1;
	for (; (rc = sqlite3_step(st)) == SQLITE_ROW; (*rows)++)
		sum_row(db_text(st, 0), db_text(st, 1), db_text(st, 2), sum);
	return end(db, st, rc, err);
}

static bool differ(const struct sum *a, const struct sum *b)
{
	return a->n != b->n || a->hash != b->hash;
}

static int look_at_rows(struct db *db, struct table_checked *out,
    struct error *err)
{
	struct sum in_rows[2] = {{0}}, tags = {0}, rewrites = {0};

	if (sum_rows(db, in_rows, &out->rows, err) < 0 ||
	    sum_table(db, ST_TAG, &tags, err) < 0 ||
	    sum_table(db, ST_REWRITE, &rewrites, err) < 0)
		return -1;
	if (differ(&in_rows[0], &tags))
		error_set(&out->wrong, "%s: the tags of the rows and the table "
		    "that finds rows by them differ; restore a backup",
		    db->path);
	else if (differ(&in_rows[1], &rewrites))
		error_set(&out->wrong, "%s: the rewritten addresses of the "
		    "rows and the table that finds rows by them differ; "
		    "restore a backup", db->path);
	return 0;
}

static int look_at_pages(struct db *db, struct table_checked *out,
    struct error *err)
{
	sqlite3_stmt *st = db_stmt(db, ST_INTEGRITY, err);
	int64_t bytes = 0;
	int rc = st == NULL ? SQLITE_ERROR : sqlite3_step(st);

	if (st == NULL || db_int(db, "PRAGMA page_size", &bytes, err) < 0)
		return -1;
	if (rc != SQLITE_ROW)
		return db_error(db, err);
	if (strcmp(db_str(st, 0), "ok") != 0)
		error_set(&out->wrong, "%s is damaged (%.200s); restore a "
		    "backup", db->path, db_str(st, 0));
	else if (bytes != PAGE_BYTES)
		error_set(&out->wrong, "%s has pages of %lld bytes, a table "
		    "has pages of %d: another program wrote it anew",
		    db->path, (long long)bytes, PAGE_BYTES);
	sqlite3_reset(st);
	return 0;
}

static int look_at_chain(struct db *db, bool deep, struct table_checked *out,
    struct error *err)
{
	struct chain_state chain;
	struct strbuf why;

	if (chain_verify(db, deep, &chain, err) < 0)
		return -1;
	out->lines = chain.lines;
	out->decisions = chain.decisions;
	if (chain.fault == CHAIN_WHOLE)
		return 0;
	strbuf_init(&why, sizeof(out->wrong.text));
	chain_fault_text(&chain, &why);
	error_set(&out->wrong, "%s: the history is not as it was written: "
	    "%s; compare with a backup", db->path, strbuf_cstr(&why));
	strbuf_fini(&why);
	return 0;
}

static int look(struct db *db, bool deep, struct table_checked *out,
    struct error *err)
{
	int64_t change = 0;

	if (db_int(db, "PRAGMA user_version", &out->format, err) < 0 ||
	    (deep && look_at_pages(db, out, err) < 0) ||
	    db_int(db, newest, &change, err) < 0)
		return -1;
	out->change = (uint64_t)change;
	if (out->format < DB_FORMAT || out->wrong.text[0] != '\0')
		return 0;
	if (look_at_chain(db, deep, out, err) < 0)
		return -1;
	return deep && out->wrong.text[0] == '\0' ? look_at_rows(db, out, err)
						   : 0;
}

int table_check(const char *path, bool deep, struct table_checked *out,
    struct error *err)
{
	struct db db;
	int rc;

	*out = (struct table_checked){0};
	if (db_open(&db, path, DB_LOOK, sql, err) < 0)
		return -1;
	/* All of it as of one moment: others change the table meanwhile. */
	rc = db_script(&db, "BEGIN", err);
	if (rc == 0)
		rc = look(&db, deep, out, err);
	db_close(&db); /* which ends it */
	return rc;
}

int table_checked_say(const struct table_checked *c, struct error *err)
{
	return c->wrong.text[0] == '\0' ? 0
					 : error_set(err, "%s", c->wrong.text);
}
