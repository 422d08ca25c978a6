/* SPDX-License-Identifier: ISC
 *
 * The SQL statements that change the table. All are constant.
 *
 * The rows of a change are sorted in memory (heap.c) and loaded into the
 * temporary table `stage`. The view `next` shows, for each staged row, the
 * values in the table and the values after the change. The change's rows of
 * `log` are written from `next`, and `route` is then updated from `log`, so
 * the history is always what was done. `tag` and `rewrite`, by which rows are
 * found, are updated from `log` too.
 */
#include "policy/change_chain.h"
#include "policy/change/change_int.h"

const char change_temp[] =
    "CREATE TEMP TABLE stage("
    " address TEXT NOT NULL PRIMARY KEY, line INTEGER NOT NULL DEFAULT 0,"
    " gone INTEGER NOT NULL DEFAULT 0, route TEXT, held INTEGER,"
    " mailbox TEXT, tags TEXT, patch TEXT, whole TEXT,"
    " tag_patch INTEGER NOT NULL DEFAULT 0,"
    " new_route INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE TEMP TABLE seat(mailbox TEXT NOT NULL PRIMARY KEY, route TEXT,"
    " held INTEGER) WITHOUT ROWID;"
    "CREATE TEMP VIEW next AS SELECT s.address, s.line,"
    " r.route AS old_route, r.held AS old_held, r.mailbox AS old_mailbox,"
    " r.tags AS old_tags, r.addresses AS old_addresses,"
    " iif(s.gone, NULL, iif(s.new_route AND r.address IS NOT NULL, r.route,"
    "  coalesce(s.route, r.route))) AS new_route,"
    " iif(s.gone, NULL, coalesce(s.held, r.held, 0)) AS new_held,"
    " iif(s.gone, NULL, coalesce(s.mailbox, r.mailbox, '')) AS new_mailbox,"
    " iif(s.gone, NULL, iif(s.tag_patch,"
    "  patch_tags(coalesce(r.tags, ''), s.tags),"
    "  coalesce(s.tags, r.tags, ''))) AS new_tags,"
    " iif(s.gone, NULL, coalesce(s.whole, iif(s.patch IS NULL,"
    "  coalesce(r.addresses, ''),"
    "  merge_addresses(coalesce(r.addresses, ''), s.patch))))"
    "  AS new_addresses"
    " FROM stage s LEFT JOIN main.route r ON r.address = s.address;";

#define VALUES "old_route, old_held, old_mailbox, old_tags, " \
	"old_addresses, new_route, new_held, new_mailbox, new_tags, " \
	"new_addresses"
#define DIFFERS "(old_route IS NOT new_route OR old_held IS NOT new_held " \
	"OR old_mailbox IS NOT new_mailbox OR old_tags IS NOT new_tags " \
	"OR old_addresses IS NOT new_addresses)"
/* The log's row changed nothing but route and hold: no index moves. */
#define ROUTE_ONLY "(l.old_route IS NOT NULL AND l.new_route IS NOT NULL " \
	"AND l.old_mailbox IS l.new_mailbox AND l.old_tags IS l.new_tags " \
	"AND l.old_addresses IS l.new_addresses)"
#define AS_IT_WAS "(r.route IS l.old_route AND r.held IS l.old_held " \
	"AND r.mailbox IS l.old_mailbox AND r.tags IS l.old_tags " \
	"AND r.addresses IS l.old_addresses)"
/* The table's row `r` has what the change of log row `l` gave. */
#define AS_GIVEN "(r.route IS l.new_route AND r.held IS l.new_held " \
	"AND r.mailbox IS l.new_mailbox AND r.tags IS l.new_tags " \
	"AND r.addresses IS l.new_addresses)"

#define OLD "l.old_route, l.old_held, l.old_mailbox, l.old_tags, " \
	"l.old_addresses"
#define GIVEN "l.new_route, l.new_held, l.new_mailbox, l.new_tags, " \
	"l.new_addresses"
#define NOW "r.route, r.held, r.mailbox, r.tags, r.addresses"
#define ALTERED(column) "l.old_" column " IS NOT l.new_" column
/* A column that the change altered: what it was, or NULL (it stays) when it
 * is another by now. */
#define TAKEN_BACK(column) "iif(" ALTERED(column) " AND r." column \
	" IS l.new_" column ", l.old_" column ", NULL)"
#define LEFT(column) "(" ALTERED(column) " AND r." column " IS NOT l.new_" \
	column " AND r." column " IS NOT l.old_" column ")"
/* Rows of log `l` that an undo leaves as they are, in whole or in part. A
 * column that has its value of before the change again does not count. */
#define UNDO_LEAVES "FROM main.log l LEFT JOIN main.route r " \
	"ON r.address = l.address WHERE l.change = ?1 AND CASE " \
	"WHEN l.old_route IS NULL AND l.new_route IS NULL THEN 0 " \
	"WHEN l.old_route IS NULL THEN r.address IS NOT NULL " \
	"AND NOT " AS_GIVEN " " \
	"WHEN l.new_route IS NULL THEN r.address IS NOT NULL " \
	"AND NOT " AS_IT_WAS " " \
	"WHEN r.address IS NULL THEN 1 " \
	"ELSE " LEFT("route") " OR " LEFT("mailbox") " OR (" \
	ALTERED("addresses") " AND left_addresses(l.old_addresses, " \
	"l.new_addresses, r.addresses) <> '') END"

/* Addresses that changes above ?1 gave another route. */
#define REROUTED "SELECT address FROM main.log WHERE change > ?1 " \
	"AND old_route IS NOT new_route"

const char *const change_sql[CHANGE_STATEMENTS] = {
	[CS_BEGIN] = "BEGIN",
	[CS_LOCK] = "BEGIN IMMEDIATE",
	[CS_COMMIT] = "COMMIT",
	[CS_ROLLBACK] = "ROLLBACK",

	[CS_STAGE] = "INSERT INTO stage(address, line, gone, route, held, "
	    "mailbox, tags, patch, tag_patch, new_route) "
	    "SELECT c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 "
	    "FROM feed",
	[CS_SCAN] = "SELECT address, route, held, mailbox, tags, change "
	    "FROM main.route",
	[CS_SCAN_ADDRESS] = "SELECT address, route, held, mailbox, tags, "
	    "change FROM main.route WHERE address = ?1",
	[CS_HAS_TAG] = "SELECT 1 FROM main.tag WHERE key = ?1 "
	    "AND value = ?2 LIMIT 1",
	[CS_SCAN_TAG] = "SELECT r.address, r.route, r.held, r.mailbox, r.tags, "
	    "r.change FROM main.tag t CROSS JOIN main.route r "
	    "ON r.address = t.address WHERE t.key = ?1 AND t.value = ?2 "
	    "ORDER BY t.address",

	[CS_SEEDED] = "SELECT 1 FROM main.seeded WHERE domain = ?1",
	/* A '+' begins no domain: see table_gone.c. */
	[CS_LEG_MARK] = "INSERT OR IGNORE INTO main.seeded "
	    "VALUES('+' || ?1)",
	[CS_SEED_SKIP] = "DELETE FROM stage WHERE substr(address, 2) IN "
	    "(SELECT domain FROM main.seeded)",
	[CS_SEED_MARK] = "INSERT INTO main.seeded "
	    "SELECT substr(address, 2) FROM stage",
	[CS_SEED_KEEP] = "DELETE FROM stage WHERE address IN "
	    "(SELECT address FROM main.route)",

	/* A row that the change made, one that it deleted, one that it
	 * altered. */
	[CS_UNDO] = "INSERT OR IGNORE INTO stage(address, gone, route, held, "
	    "mailbox, tags, whole) SELECT l.address, 1, NULL, NULL, NULL, "
	    "NULL, NULL FROM main.log l JOIN main.route r "
	    "ON r.address = l.address WHERE l.change = ?1 "
	    "AND l.old_route IS NULL AND " AS_GIVEN
	    " UNION ALL SELECT l.address, 0, " OLD " FROM main.log l "
	    "WHERE l.change = ?1 AND l.old_route IS NOT NULL "
	    "AND l.new_route IS NULL AND NOT EXISTS (SELECT 1 "
	    "FROM main.route r WHERE r.address = l.address)"
	    " UNION ALL SELECT l.address, 0, " TAKEN_BACK("route") ", "
	    TAKEN_BACK("held") ", " TAKEN_BACK("mailbox") ", "
	    "iif(" ALTERED("tags") ", undo_tags(l.old_tags, l.new_tags, "
	    "r.tags), NULL), iif(" ALTERED("addresses") ", "
	    "undo_addresses(l.old_addresses, l.new_addresses, "
	    "r.addresses), NULL) FROM main.log l JOIN main.route r "
	    "ON r.address = l.address WHERE l.change = ?1 "
	    "AND l.old_route IS NOT NULL AND l.new_route IS NOT NULL",
	[CS_UNDO_KNOWN] = "SELECT 1 FROM main.change WHERE change = ?1",
	[CS_UNDO_COUNT] = "SELECT count(*) " UNDO_LEAVES,
	[CS_UNDO_LEFT] = "SELECT l.address, " OLD ", " GIVEN ", " NOW " "
	    UNDO_LEAVES " ORDER BY l.address",
	[CS_ROUTES] = "SELECT DISTINCT route FROM stage "
	    "WHERE route IS NOT NULL",

	[CS_CROSSING] = "SELECT address, line, new_route FROM next "
	    "WHERE new_route IS NOT NULL AND new_route IS NOT old_route "
	    "ORDER BY line, address",
	/* Domains' rows stay: they are no recipients. */
	[CS_REPLACE] = "INSERT OR IGNORE INTO stage(address, gone) "
	    "SELECT address, 1 FROM main.route "
	    "WHERE substr(address, 1, 1) <> '@' AND domain_of(address) IN "
	    "(SELECT DISTINCT domain_of(address) FROM stage)",
	/* A mailbox that rows of two customers share: ?1 asks about those
	 * whose mailbox stays as well. */
	[CS_SHARED] = "SELECT n.address, n.line, b.address FROM next n "
	    "CROSS JOIN main.route b ON b.mailbox = n.new_mailbox "
	    "WHERE n.new_mailbox <> '' AND b.mailbox <> '' "
	    "AND (?1 OR n.new_mailbox IS NOT n.old_mailbox) "
	    "AND customer_of(b.address) <> customer_of(n.address) "
	    "AND NOT EXISTS (SELECT 1 FROM stage s "
	    "WHERE s.address = b.address AND (s.gone OR "
	    "coalesce(s.mailbox, b.mailbox) <> b.mailbox)) "
	    "GROUP BY n.address ORDER BY n.line, n.address",
	[CS_SHARED_STAGED] = "SELECT max(address), max(line), min(address) "
	    "FROM next WHERE new_mailbox <> '' "
	    "AND new_mailbox IS NOT old_mailbox GROUP BY new_mailbox "
	    "HAVING count(DISTINCT customer_of(address)) > 1",
	[CS_ANY_MAILBOX] = "SELECT EXISTS(SELECT 1 FROM main.route "
	    "WHERE mailbox <> '')",
	[CS_MAILBOXES] = "INSERT OR IGNORE INTO stage(address, line, route, "
	    "held) SELECT b.address, s.line, s.route, s.held FROM stage s "
	    "CROSS JOIN main.route a ON a.address = s.address "
	    "CROSS JOIN main.route b ON b.mailbox = a.mailbox "
	    "WHERE a.mailbox <> '' AND b.mailbox <> ''",
	[CS_INHERIT] = "UPDATE stage SET route = (SELECT d.route "
	    "FROM main.route d WHERE d.address = "
	    "'@' || domain_of(stage.address)) "
	    "WHERE route IS NULL AND NOT gone "
	    "AND substr(address, 1, 1) <> '@' AND NOT EXISTS "
	    "(SELECT 1 FROM main.route r WHERE r.address = stage.address)",
	/* A mailbox that is said by an address of it: the table's row of that
	 * address may name it otherwise. */
	[CS_MAILBOX_OF] = "UPDATE stage SET mailbox = r.mailbox "
	    "FROM main.route r WHERE r.address = stage.mailbox "
	    "AND r.mailbox <> '' AND NOT gone",
	/* Rows that a later change gave a route; one that the file does not
	 * have stays, and has line -1 here. One that it deleted is staged as
	 * gone, which it is. */
	[CS_LATER] = "UPDATE stage SET new_route = 1 WHERE address IN ("
	    REROUTED ")",
	[CS_LATER_GONE] = "UPDATE stage SET gone = 0, line = -1 "
	    "WHERE gone AND new_route",
	[CS_LATER_DELETED] = "UPDATE stage SET gone = 1 WHERE NOT EXISTS "
	    "(SELECT 1 FROM main.route r WHERE r.address = stage.address) "
	    "AND address IN (" REROUTED ")",
	[CS_KEPT] = "SELECT s.address, r.route, s.route, EXISTS(SELECT 1 "
	    "FROM next n WHERE n.address = s.address AND " DIFFERS ") "
	    "FROM stage s "
	    "LEFT JOIN main.route r ON r.address = s.address "
	    "WHERE iif(r.address IS NULL, s.gone, "
	    "s.new_route AND (s.route <> r.route OR s.line = -1)) "
	    "ORDER BY s.address",
	[CS_AT] = "SELECT coalesce(max(change), 0) FROM main.change "
	    "WHERE time <= ?1",
	/* Is there any row but those of domains? */
	[CS_PEOPLE] = "SELECT 1 FROM main.route "
	    "WHERE substr(address, 1, 1) <> '@' LIMIT 1",
	/* A mailbox that a new row is of; the route and hold of its row that
	 * bears its name, else of the first staged one, else of its first. */
	[CS_NEWCOMERS] = "INSERT OR IGNORE INTO seat(mailbox) "
	    "SELECT s.mailbox FROM stage s WHERE s.mailbox <> '' "
	    "AND NOT s.gone AND NOT EXISTS (SELECT 1 FROM main.route r "
	    "WHERE r.address = s.address)",
	[CS_SEATS] = "INSERT INTO seat(mailbox, route, held) "
	    "SELECT new_mailbox, new_route, new_held FROM next "
	    "WHERE old_route IS NOT NULL AND new_route IS NOT NULL "
	    "AND new_mailbox IN (SELECT mailbox FROM seat) "
	    "AND NOT EXISTS (SELECT 1 FROM main.route b "
	    "WHERE b.address = new_mailbox AND b.mailbox = new_mailbox "
	    "AND NOT EXISTS (SELECT 1 FROM stage s "
	    "WHERE s.address = b.address)) "
	    "ORDER BY address <> new_mailbox, address "
	    "ON CONFLICT(mailbox) DO UPDATE SET route = excluded.route, "
	    "held = excluded.held WHERE seat.route IS NULL",
	[CS_SEATS_OTHER] = "UPDATE seat SET (route, held) = "
	    "(SELECT b.route, b.held FROM main.route b "
	    "WHERE b.mailbox = seat.mailbox AND b.mailbox <> '' "
	    "ORDER BY b.address <> b.mailbox, b.address LIMIT 1) "
	    "WHERE route IS NULL",
	[CS_JOIN] = "UPDATE stage SET route = t.route, held = t.held "
	    "FROM seat t WHERE t.mailbox = stage.mailbox "
	    "AND t.route IS NOT NULL AND NOT gone AND NOT EXISTS "
	    "(SELECT 1 FROM main.route r WHERE r.address = stage.address)",
	[CS_MISSING] = "SELECT count(*), min(s.address) FROM stage s "
	    "LEFT JOIN main.route r ON r.address = s.address "
	    "WHERE r.address IS NULL",
	[CS_MADE] = "SELECT count(*), min(address) FROM main.log "
	    "WHERE change = ?1 AND old_route IS NULL",
	[CS_ROUTELESS] = "SELECT s.line, s.address FROM stage s "
	    "LEFT JOIN main.route r ON r.address = s.address "
	    "WHERE r.address IS NULL AND s.route IS NULL AND NOT s.gone "
	    "ORDER BY s.line",
	[CS_AS_OF] = "SELECT count(DISTINCT l.address), min(l.address), "
	    "max(l.change) FROM main.log l CROSS JOIN next n "
	    "ON n.address = l.address WHERE l.change > ?1 "
	    "AND l.old_route IS NOT l.new_route "
	    "AND n.old_route IS NOT n.new_route",

	/* A row that was so before the change was allowed then. */
	[CS_TWOFOLD] = "SELECT count(*), min(address), min(line) FROM next "
	    "WHERE instr(new_route, '+') > 0 "
	    "AND (' ' || new_tags || ' ' LIKE '% kind=group %' "
	    "OR ' ' || new_tags || ' ' LIKE '% kind=room %') "
	    "AND (old_route IS NOT new_route OR old_tags IS NOT new_tags)",

	[CS_NEWEST] = "SELECT coalesce(max(change), 0) FROM main.change",
	/* OR ROLLBACK: else each page that a statement of many rows writes is
	 * copied before, so that it alone could be taken back. */
	[CS_LOG] = "INSERT OR ROLLBACK INTO main.log(change, address, "
	    VALUES ") "
	    "SELECT ?1, address, " VALUES " FROM next WHERE " DIFFERS
	    " ORDER BY address",
	[CS_LOG_ALL] = "INSERT INTO main.log(change, address) "
	    "VALUES(?1, '@')",
	[CS_CHANGE] = "INSERT INTO main.change(" CHAIN_COLUMNS ") "
	    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
	[CS_CHAIN_LOG] = "SELECT " CHAIN_LOG_COLUMNS " FROM main.log "
	    "WHERE change = ?1 ORDER BY address",
	[CS_LAST_LINE] = "SELECT " CHAIN_COLUMNS " FROM main.change "
	    "ORDER BY change DESC LIMIT 1",
	[CS_NEXT_LINE] = "SELECT change FROM main.change WHERE change > ?1 "
	    "ORDER BY change LIMIT 1",
	[CS_CHAIN_LINE] = "UPDATE main.change SET previous = ?2 "
	    "WHERE change = ?1 RETURNING " CHAIN_COLUMNS,
	/* The mark's page and page 1 into the log: see db_log.c. */
	[CS_TOUCH] = DB_TOUCH,
	[CS_TOUCH_HEAD] = DB_TOUCH_HEAD,
	[CS_MARK_DRAW] = "UPDATE main.about SET former = mark, "
	    "mark = " DB_MARK_NEW ", writes = writes + 1",
	[CS_MARK_FORMER] = "SELECT 1 FROM main.about WHERE former <> ''",
	[CS_MARK_SETTLE] = "UPDATE main.about SET former = '', "
	    "writes = writes + 1",
	[CS_MARK_COPY] = "UPDATE main.about SET former = ?1, "
	    "mark = " DB_MARK_NEW,
	[CS_PREVIEW] = "SELECT address, " VALUES " FROM next WHERE " DIFFERS
	    " ORDER BY address",

	[CS_UPDATE] = "UPDATE main.route SET change = ?1, route = ?2, "
	    "held = ?3 WHERE address = ?4",
	[CS_HOLD_PAGE] = "SELECT change FROM main.route WHERE address = ?1",
	[CS_UPSERT] = "INSERT INTO main.route(address, route, held, mailbox, "
	    "tags, addresses, change) SELECT l.address, l.new_route, "
	    "l.new_held, l.new_mailbox, l.new_tags, l.new_addresses, ?1 "
	    "FROM main.log l WHERE l.change = ?1 AND l.new_route IS NOT NULL "
	    "AND NOT " ROUTE_ONLY " ORDER BY l.address "
	    "ON CONFLICT(address) DO UPDATE SET route = excluded.route, "
	    "held = excluded.held, mailbox = excluded.mailbox, "
	    "tags = excluded.tags, addresses = excluded.addresses, "
	    "change = excluded.change",
	[CS_DELETE] = "DELETE FROM main.route WHERE address IN "
	    "(SELECT l.address FROM main.log l WHERE l.change = ?1 "
	    "AND l.new_route IS NULL)",

	[CS_TAGS] = "SELECT address, old_tags, new_tags FROM main.log "
	    "WHERE change = ?1 "
	    "AND coalesce(old_tags, '') <> coalesce(new_tags, '')",
	[CS_TAGS_ADD] = "INSERT OR IGNORE INTO main.tag(key, value, address) "
	    "SELECT c0, c1, c2 FROM feed",
	/* One tag of many rows: its text is bound once. */
	[CS_TAG_ADD] = "INSERT OR IGNORE INTO main.tag(key, value, address) "
	    "SELECT ?1, ?2, c2 FROM feed",
	[CS_TAG_DROP] = "DELETE FROM main.tag WHERE key = ?1 AND value = ?2 "
	    "AND address = ?3",
	[CS_REWRITES] = "SELECT address, old_addresses, new_addresses "
	    "FROM main.log WHERE change = ?1 "
	    "AND coalesce(old_addresses, '') <> coalesce(new_addresses, '')",
	[CS_REWRITES_ADD] = "INSERT OR IGNORE INTO main.rewrite(key, leg, "
	    "address) SELECT c0, c3, c5 FROM feed",
	[CS_REWRITE_DROP] = "DELETE FROM main.rewrite WHERE key = ?1 "
	    "AND leg = ?2 AND address = ?3",
};
