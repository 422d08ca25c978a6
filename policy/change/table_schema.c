/* SPDX-License-Identifier: ISC
 *
 * The schema of the cutover table. Constant.
 *
 *   route    a row an address or @domain; its values as text (row.h)
 *   tag      the tags of `route` by key and value, to find rows by them
 *   rewrite  the rewritten addresses of `route`, to find rows by them
 *   change   a line a change, each with the hash of the one before:
 *            change_chain.h
 *   log      the old and new values of each row of each change
 *   decision what administrators decided, a line each, in a chain too
 *   seeded   domains and legs that configurations had
 *   about    one row: who made the file, and its mark (db_log.c)
 *
 * Tables that this program does not know are left alone: a later version may
 * add some without another format, as those of waves were
 * (policy/wave/file/wave_schema.c).
 *
 * The tag "client=apple" is key "client", value "apple"; a tag without a key,
 * "vip", is key "", value "vip".
 */
#include "policy/change/table_schema.h"

#include "config.h"
#include "policy/db.h"

#define MADE_BY "Posthouse " PACKAGE_VERSION
#define TAG_TABLE "CREATE TABLE IF NOT EXISTS tag(key TEXT NOT NULL," \
	" value TEXT NOT NULL, address TEXT NOT NULL," \
	" PRIMARY KEY(key, value, address)) WITHOUT ROWID;"
#define DECISION_TABLE "CREATE TABLE IF NOT EXISTS decision(" \
	"decision INTEGER PRIMARY KEY, time INTEGER NOT NULL," \
	" who TEXT NOT NULL, host TEXT NOT NULL, command TEXT NOT NULL," \
	" about TEXT NOT NULL, detail TEXT NOT NULL, note TEXT NOT NULL," \
	" previous BLOB NOT NULL);"
#define ABOUT_TABLE(former) "CREATE TABLE IF NOT EXISTS about(" \
	"id INTEGER PRIMARY KEY CHECK(id = 1), made_by TEXT NOT NULL," \
	" mark TEXT NOT NULL, former TEXT NOT NULL," \
	" writes INTEGER NOT NULL);" \
	"INSERT OR IGNORE INTO about VALUES(1, '" MADE_BY "', " \
	DB_MARK_NEW ", '" former "', 0);"

/* One transaction: a crash leaves an empty file or the whole schema. Pages
 * of 8 KiB: measured at 2,100,000 rows, a lookup as quick as with 4 KiB, and
 * a flip of 83,000 scattered rows a third quicker. */
const char table_schema[] =
    "PRAGMA page_size = 8192;"
    "BEGIN IMMEDIATE;"
    "PRAGMA application_id = 1346925680;" /* DB_APPLICATION */
    "PRAGMA user_version = 3;"		  /* DB_FORMAT */
    ABOUT_TABLE("")
    "CREATE TABLE IF NOT EXISTS route("
    " address TEXT NOT NULL PRIMARY KEY, route TEXT NOT NULL,"
    " held INTEGER NOT NULL, mailbox TEXT NOT NULL, tags TEXT NOT NULL,"
    " addresses TEXT NOT NULL, change INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS route_mailbox ON route(mailbox)"
    " WHERE mailbox <> '';"
    TAG_TABLE
    "CREATE TABLE IF NOT EXISTS rewrite(key TEXT NOT NULL,"
    " leg TEXT NOT NULL, address TEXT NOT NULL,"
    " PRIMARY KEY(key, leg, address)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS change(change INTEGER PRIMARY KEY,"
    " time INTEGER NOT NULL, who TEXT NOT NULL, host TEXT NOT NULL,"
    " command TEXT NOT NULL, note TEXT NOT NULL,"
    " recipients INTEGER NOT NULL, node INTEGER NOT NULL,"
    " kind TEXT NOT NULL, wave TEXT NOT NULL, previous BLOB NOT NULL,"
    " rows BLOB NOT NULL, decided BLOB NOT NULL);"
    DECISION_TABLE
    "CREATE TABLE IF NOT EXISTS log(change INTEGER NOT NULL,"
    " address TEXT NOT NULL, old_route TEXT, old_held INTEGER,"
    " old_mailbox TEXT, old_tags TEXT, old_addresses TEXT,"
    " new_route TEXT, new_held INTEGER, new_mailbox TEXT, new_tags TEXT,"
    " new_addresses TEXT, PRIMARY KEY(change, address)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS seeded("
    " domain TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;"
    "COMMIT;";

/* The key of a tag ends before the first '='; one at the beginning ends none.
 * The old table is in the order of the tags, nearly that of the new one. */
const char table_upgrade_1[] =
    ABOUT_TABLE(DB_MARK_ANY)
    "ALTER TABLE tag RENAME TO tag_1;"
    TAG_TABLE
    "INSERT OR IGNORE INTO tag(key, value, address) SELECT"
    " iif(instr(tag, '=') > 1, substr(tag, 1, instr(tag, '=') - 1), ''),"
    " iif(instr(tag, '=') > 1, substr(tag, instr(tag, '=') + 1), tag),"
    " address FROM tag_1;"
    "DROP TABLE tag_1;"
    "ALTER TABLE change ADD COLUMN node INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE change ADD COLUMN kind TEXT NOT NULL DEFAULT 'rows';"
    "ALTER TABLE change ADD COLUMN wave TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE change ADD COLUMN previous BLOB NOT NULL DEFAULT x'';"
    "UPDATE change SET kind = CASE"
    " WHEN command = 'seed' THEN 'seed'"
    " WHEN command = 'table accept' THEN 'accept'"
    " WHEN command LIKE 'undo%' THEN 'undo' ELSE 'rows' END;";

/* Rows of changes that were made before have no digest. */
const char table_upgrade_2[] =
    "ALTER TABLE change ADD COLUMN rows BLOB NOT NULL DEFAULT x'';"
    "ALTER TABLE change ADD COLUMN decided BLOB NOT NULL DEFAULT x'';"
    DECISION_TABLE;

const char table_upgraded[] =
    "PRAGMA user_version = 3;"
    "COMMIT;";
_Static_assert(DB_APPLICATION == 1346925680 && DB_FORMAT == 3,
    "the schema's mark");
