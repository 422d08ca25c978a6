/* SPDX-License-Identifier: ISC
 *
 * The SQL of waves. All statements are constant. CROSS JOIN keeps the order of
 * the loops. The states of members are numbers of enum member_state: 0
 * pending, 1 done, 2 failed, 3 excluded, 4 skipped, 5 held, 6 flipped.
 */
#include "policy/change_chain.h"
#include "policy/wave/file/wave_file_int.h"

_Static_assert(MEMBER_PENDING == 0 && MEMBER_DONE == 1 &&
    MEMBER_EXCLUDED == 3 && MEMBER_SKIPPED == 4 && MEMBER_HELD == 5 &&
    MEMBER_FLIPPED == 6, "numbers in the statements");

#define ACTIVE "('scheduled', 'running', 'paused')"
#define MEMBER_ALONE "m.address, m.state, m.was, m.line, m.change, " \
	"m.slice, m.run, m.reason"
#define MEMBER MEMBER_ALONE ", r.route, r.held"
#define SLICE_COLUMNS "run, slice, change, members, time"
#define STAGED "address IN (SELECT address FROM temp.stage)"

const char *const wave_sql[WAVE_STATEMENTS] = {
	[WS_BEGIN] = "BEGIN IMMEDIATE",
	[WS_COMMIT] = "COMMIT",
	[WS_ROLLBACK] = "ROLLBACK",
	[WS_TOUCH] = DB_TOUCH,
	[WS_TOUCH_HEAD] = DB_TOUCH_HEAD,
	[WS_TABLES] = "SELECT 1 FROM main.sqlite_schema "
	    "WHERE type = 'table' AND name = 'exclude'",

	[WS_GET] = "SELECT " WAVE_COLUMNS " FROM wave w WHERE w.name = ?1",
	[WS_EACH] = "SELECT " WAVE_COLUMNS " FROM wave w ORDER BY w.wave",
	/* Counted by the caller, which costs a fifth of GROUP BY. */
	[WS_COUNT] = "SELECT state FROM member WHERE wave = ?1",
	[WS_COUNT_THERE] = "SELECT count(*) FROM member m "
	    "CROSS JOIN route r ON r.address = m.address "
	    "WHERE m.wave = ?1 AND m.state IN (1, 6) AND r.route = m.gave",
	[WS_INSERT] = "INSERT INTO wave(name, state, run, begun, route, "
	    "options, at, reason, created, moved, who, host, note) "
	    "VALUES(?1, 'planned', 0, 0, ?2, ?3, ?8, '', ?4, ?4, ?5, ?6, ?7)",
	[WS_UPDATE] = "UPDATE wave SET state = ?2, run = ?3, begun = ?4, "
	    "route = ?5, options = ?6, at = ?7, reason = ?8, moved = ?9 "
	    "WHERE wave = ?1",
	[WS_DELETE] = "DELETE FROM wave WHERE wave = ?1",
	[WS_DELETE_MEMBERS] = "DELETE FROM member WHERE wave = ?1",
	[WS_BEGIN_RUN] = "UPDATE member SET state = 0, run = 0, slice = 0, "
	    "change = 0, gave = '', reason = '' WHERE wave = ?1 "
	    "AND state <> 0 AND (state <> 1 OR gave IS NOT (SELECT r.route "
	    "FROM route r WHERE r.address = member.address))",
	[WS_CLASH] = "SELECT m.address, m.line, w.name FROM member m "
	    "CROSS JOIN member o ON o.address = m.address "
	    "AND o.wave <> m.wave CROSS JOIN wave w ON w.wave = o.wave "
	    "WHERE m.wave = ?1 AND w.state IN " ACTIVE
	    " ORDER BY m.line, m.address",

	[WS_MEMBERS] = "SELECT " MEMBER " FROM member m "
	    "LEFT JOIN route r ON r.address = m.address WHERE m.wave = ?1 "
	    "AND (?2 < 0 OR m.state = ?2) ORDER BY m.address",
	[WS_MEMBER_KEYS] = "SELECT address FROM member WHERE wave = ?1 "
	    "AND address > ?2 ORDER BY address LIMIT ?3",
	[WS_MEMBERS_ALONE] = "SELECT " MEMBER_ALONE ", NULL, 0 FROM member m "
	    "WHERE m.wave = ?1 AND (?2 < 0 OR m.state = ?2) "
	    "ORDER BY m.address",
	[WS_ALIASES] = "SELECT DISTINCT r.address FROM member m "
	    "CROSS JOIN route x ON x.address = m.address "
	    "CROSS JOIN route r ON r.mailbox = x.mailbox "
	    "AND r.mailbox <> '' AND r.address NOT IN (SELECT n.address "
	    "FROM member n WHERE n.wave = ?1 AND n.address = r.address) "
	    "WHERE m.wave = ?1 AND x.mailbox <> ''",
	[WS_HAS] = "SELECT 1 FROM member WHERE address = ?2 "
	    "AND wave = (SELECT wave FROM wave WHERE name = ?1)",
	[WS_OF] = "SELECT " WAVE_COLUMNS " FROM member m "
	    "CROSS JOIN wave w ON w.wave = m.wave WHERE m.address = ?1 "
	    "ORDER BY w.state IN " ACTIVE " DESC, w.moved DESC LIMIT 1",
	[WS_NAMES_OF] = "SELECT w.name FROM member m CROSS JOIN wave w "
	    "ON w.wave = m.wave WHERE m.address = ?1 ORDER BY w.name",
	[WS_MARK] = "UPDATE member SET state = ?3, change = ?4, slice = ?5, "
	    "run = ?6, reason = ?7, gave = iif(?3 = 1, coalesce((SELECT "
	    "r.route FROM route r WHERE r.address = ?2), ''), gave) "
	    "WHERE wave = ?1 AND address = ?2",
	[WS_SEAT] = "INSERT INTO member VALUES(?1, ?2, 0, ?3, ?4, ?5, 0, 0, "
	    "0, '', '')",
	[WS_FEWER] = "SELECT count(*) < ?1 FROM "
	    "(SELECT 1 FROM member LIMIT ?1)",

	/* Columns that slicing does not use (line, change, slice, run, reason)
	 * are not read. */
	[WS_TAKE] = "SELECT m.address, m.state, m.was, 0, 0, 0, 0, '', "
	    "r.route, r.held, m.seat, r.mailbox, r.tags, r.change "
	    "FROM member m LEFT JOIN route r ON r.address = m.address "
	    "WHERE m.wave = ?1 AND m.state = 0 ORDER BY m.seat, m.address",
	/* Members of the slice to which another route was given meanwhile. */
	[WS_MOVED] = "SELECT m.address FROM temp.stage s "
	    "CROSS JOIN member m ON m.wave = ?1 AND m.address = s.address "
	    "CROSS JOIN log l ON l.change = ?2 AND l.address = m.address "
	    "WHERE m.state IN (0, 5) AND l.old_route IS NOT m.was "
	    "AND l.old_route IS NOT l.new_route LIMIT 1",
	/* By the rows of the change; those that another change gave another
	 * route meanwhile stay as they are, unless ?5. OR ROLLBACK as in
	 * change_sql.c. */
	[WS_SLICE_MARK] = "UPDATE OR ROLLBACK member SET state = 1, "
	    "slice = ?3, run = ?4, reason = '', change = ?2, "
	    "gave = l.new_route FROM log l WHERE l.change = ?2 "
	    "AND member.wave = ?1 AND member.address = l.address "
	    "AND member.state = 0 "
	    "AND (?5 OR l.old_route IS member.was "
	    "OR l.old_route IS l.new_route)",
	[WS_STAGED] = "SELECT count(*) FROM temp.stage",
	/* Members that had the route already are in no row of it. */
	[WS_SLICE_STAY] = "UPDATE member SET state = 1, slice = ?3, "
	    "run = ?4, reason = '', change = 0, "
	    "gave = coalesce((SELECT r.route FROM route r "
	    "WHERE r.address = member.address), '') "
	    "WHERE wave = ?1 AND state = 0 AND " STAGED
	    " AND NOT EXISTS(SELECT 1 FROM log l "
	    "WHERE l.change = ?2 AND l.address = member.address)",
	/* `change` is 0 where another change held it before. */
	[WS_HOLD_MARK] = "UPDATE member SET state = 5, slice = ?3, "
	    "run = ?4, reason = '', change = iif(EXISTS(SELECT 1 FROM log l "
	    "WHERE l.change = ?2 AND l.address = member.address "
	    "AND l.old_held IS NOT l.new_held), ?2, 0) "
	    "WHERE wave = ?1 AND state = 0 AND " STAGED,
	[WS_HELD] = "SELECT " MEMBER ", m.seat FROM member m "
	    "LEFT JOIN route r ON r.address = m.address "
	    "WHERE m.wave = ?1 AND m.state = ?2 ORDER BY m.seat, m.address",
	[WS_FLIP_MARK] = "UPDATE member SET state = iif(change = 0, 1, 6), "
	    "reason = '', change = iif(EXISTS(SELECT 1 FROM log l "
	    "WHERE l.change = ?2 AND l.address = member.address), ?2, 0), "
	    "gave = coalesce((SELECT r.route FROM route r "
	    "WHERE r.address = member.address), '') "
	    "WHERE wave = ?1 AND state = 5 AND " STAGED,
	[WS_RELEASE_MARK] = "UPDATE member SET state = 1 "
	    "WHERE wave = ?1 AND state = 6",
	[WS_SLICE_ADD] = "INSERT OR IGNORE INTO slice(wave, run, slice, "
	    "time, change, members) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
	[WS_SLICE_NEXT] = "SELECT coalesce(max(slice), 0) + 1 FROM slice "
	    "WHERE wave = ?1 AND run = ?2",
	[WS_TAKEN_BACK] = "UPDATE OR ROLLBACK member SET state = 4, "
	    "reason = ?2 WHERE wave = ?1 AND state IN (1, 5) AND " STAGED,
	[WS_SLICES] = "SELECT " SLICE_COLUMNS " FROM slice WHERE wave = ?1 "
	    "ORDER BY run, slice",
	[WS_SLICES_SINCE] = "SELECT " SLICE_COLUMNS " FROM slice "
	    "WHERE time > ?1 ORDER BY time",

	[WS_STAGED_CLEAR] = "DELETE FROM temp.stage",
	/* A mailbox has the seat of its first address. */
	[WS_STAGED_ADD] = "INSERT OR IGNORE INTO member SELECT ?1, s.address, "
	    "0, (SELECT coalesce(max(seat), 0) FROM member WHERE wave = ?1) "
	    "+ dense_rank() OVER (ORDER BY s.first), s.line, s.route, "
	    "0, 0, 0, '', '' FROM (SELECT g.address, g.line, r.route, "
	    "iif(coalesce(r.mailbox, '') = '', g.address, "
	    "min(g.address) OVER (PARTITION BY coalesce(nullif(r.mailbox, "
	    "''), g.address))) AS first FROM temp.stage g "
	    "LEFT JOIN route r ON r.address = g.address) s "
	    "ORDER BY s.address",
	[WS_STAGED_REMOVE] = "DELETE FROM member WHERE wave = ?1 AND " STAGED,
	[WS_STAGED_REMOVE_ALL] = "DELETE FROM member WHERE wave IN "
	    "(SELECT wave FROM wave WHERE state = 'planned') AND " STAGED,
	[WS_NO_ROW] = "SELECT count(*) FROM member WHERE wave = ?1 "
	    "AND was IS NULL",

	[WS_DECIDE] = "INSERT INTO decision(time, who, host, command, about, "
	    "detail, note, previous) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[WS_DECIDED] = "SELECT " CHAIN_DECISION_COLUMNS " FROM decision "
	    "WHERE decision > ?1 ORDER BY decision",
	[WS_DECIDED_NEWEST] = "SELECT coalesce(max(decision), 0) FROM decision",
	[WS_DECIDED_ABOUT] = "SELECT " CHAIN_DECISION_COLUMNS " FROM decision "
	    "WHERE decision > ?1 AND about = ?2 ORDER BY decision",

	[WS_STARTED] = "SELECT who, host FROM decision WHERE about = ?1 AND "
	    "command IN ('wave start', 'wave schedule', 'wave plan', "
	    "'wave resume') ORDER BY decision DESC LIMIT 1",

	/* A rule more or fewer makes another number. */
	[WS_EXCLUDE_MARK] = "SELECT coalesce(max(time), 0) + "
	    "1000003 * coalesce(sum(exclude), 0) + count(*) FROM exclude",
	[WS_EXCLUDES] = "SELECT exclude, time, expression, who, note "
	    "FROM exclude ORDER BY exclude",
	[WS_EXCLUDE_ADD] = "INSERT INTO exclude(expression, time, who, host, "
	    "note) VALUES(?1, ?2, ?3, ?4, ?5)",
	[WS_EXCLUDE_FIND] = "SELECT exclude, expression FROM exclude "
	    "WHERE exclude = ?1 OR (?1 = 0 AND expression = ?2)",
	[WS_EXCLUDE_DROP] = "DELETE FROM exclude WHERE exclude = ?1",
	[WS_EXCLUDED_BACK] = "UPDATE member SET state = 0, reason = '' "
	    "WHERE state = 3 AND wave IN (SELECT wave FROM wave "
	    "WHERE state NOT IN ('done', 'rolled-back'))",

	[WS_SOAK_TABLES] = "SELECT 1 FROM main.sqlite_schema "
	    "WHERE type = 'table' AND name = 'complaint'",
	[WS_SOAK_GET] = "SELECT began, since, looked, ended, end, told, back, "
	    "who, of_leg, base_delivered, base_failed, base_trouble, "
	    "was_delivered, was_failed, was_trouble, delivered, failed, "
	    "trouble, users, complaints FROM soak "
	    "WHERE wave = ?1 AND run = ?2 AND slice = ?3",
	[WS_SOAK_PUT] = "INSERT OR REPLACE INTO soak VALUES(?1, ?2, ?3, ?4, "
	    "?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, "
	    "?18, ?19, ?20, ?21, ?22, ?23)",
	[WS_SOAK_DROP] = "DELETE FROM soak WHERE wave = ?1 AND run = ?2 "
	    "AND slice = ?3",
	/* From the first slice of the run, or from where a person went on. */
	[WS_SOAK_SINCE] = "SELECT max(coalesce((SELECT min(time) FROM slice "
	    "WHERE wave = ?1 AND run = ?2), 0), coalesce((SELECT max(ended) "
	    "FROM soak WHERE wave = ?1 AND run = ?2 AND end = 'accepted'), "
	    "0))",
	[WS_SOAK_MEMBERS] = "SELECT address, coalesce(was, ''), gave "
	    "FROM member WHERE wave = ?1 AND run = ?2 AND slice = ?3 "
	    "AND state = 1",
	[WS_COMPLAINT_ADD] = "INSERT INTO complaint(address, time, who, host, "
	    "note) VALUES(?1, ?2, ?3, ?4, ?5)",
	[WS_COMPLAINTS] = "SELECT complaint, address, time, who, host, note "
	    "FROM complaint WHERE time >= ?1 ORDER BY complaint",
	[WS_COMPLAINED] = "SELECT count(DISTINCT c.address) FROM complaint c "
	    "CROSS JOIN member m ON m.wave = ?1 AND m.address = c.address "
	    "WHERE c.time > ?3 AND m.run = ?2 AND m.slice > 0",
};
