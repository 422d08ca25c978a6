/* SPDX-License-Identifier: ISC
 *
 * One hour of the audit index: its statements, and the functions of ours that
 * they call.
 */
#include "relay/audit/hourfile_int.h"

#define MESSAGE_COLUMNS \
	"id, accepted, client, name, listen, helo, tls, sender, message_id," \
	" size, recipients, spf"

#define TOTAL_COLUMNS \
	"leg, created, delivered, open, parked, bounced, superseded, deleted"

/* The conditions on an attempt; 0 and '' are any. Rows of before the column
 * `code` have none: they are read and looked at. */
#define MOVE_IS \
	"(?1 = 0 OR event = ?1) AND (?2 = '' OR leg = ?2)" \
	" AND (?4 = '' OR ph_has(detail, ?4))"

static const char *const sql[SQLS] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_CURSOR] = "UPDATE state SET generation = ?, offset = ?, seq = ?,"
		       " known = ?, based = ?",
	[SQL_PUT_MESSAGE] = "INSERT OR IGNORE INTO message VALUES"
			    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[SQL_PUT_ORIGIN] = "INSERT OR IGNORE INTO origin VALUES(?,?,?)",
	[SQL_PUT_STRIPPED] = "INSERT OR IGNORE INTO stripped VALUES(?,?)",
	[SQL_PUT_RECIPIENT] =
	    "INSERT OR REPLACE INTO recipient VALUES(?,?,?,?,?,?)",
	[SQL_PUT_MOVE] =
	    "INSERT INTO attempt VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[SQL_PUT_NOTE] = "INSERT INTO note VALUES(?,?,?,?,?,?,?,?)",
	[SQL_PUT_TOTAL] =
	    "INSERT INTO total VALUES(?,?,?,?,?,?,?,?)"
	    " ON CONFLICT(leg) DO UPDATE SET"
	    " created = created + excluded.created,"
	    " delivered = delivered + excluded.delivered,"
	    " open = open + excluded.open,"
	    " parked = parked + excluded.parked,"
	    " bounced = bounced + excluded.bounced,"
	    " superseded = superseded + excluded.superseded,"
	    " deleted = deleted + excluded.deleted",
	[SQL_MESSAGE] =
	    "SELECT " MESSAGE_COLUMNS ", subject FROM message WHERE id = ?",
	[SQL_ORIGIN] = "SELECT came_from, parent FROM origin WHERE id = ?",
	[SQL_STRIPPED] = "SELECT fields FROM stripped WHERE id = ?",
	[SQL_RECIPIENTS] = "SELECT id, rcpt, address, legs, era"
			   " FROM recipient WHERE id = ? ORDER BY rcpt",
	[SQL_ALL_RECIPIENTS] = "SELECT id, rcpt, address, legs, era"
			       " FROM recipient ORDER BY id, rcpt",
	[SQL_COUNT] = "SELECT count(*), ifnull(sum(recipients), 0)"
		      " FROM message",
	[SQL_SIZES] = "SELECT count(*), ifnull(sum(size), 0) FROM"
		      " (SELECT size FROM message ORDER BY id DESC LIMIT ?)",
	[SQL_MOVES] = "SELECT time, event, rcpt, leg, role, why, uncertain,"
		      " attempt, change, detail FROM attempt"
		      " WHERE id = ? ORDER BY seq",
	[SQL_BY_MESSAGE_ID] =
	    "SELECT id FROM message WHERE message_id_hash = ?"
	    " ORDER BY id DESC",
	[SQL_BY_TO] = "SELECT DISTINCT id FROM recipient"
		      " WHERE address_hash = ? ORDER BY id DESC",
	[SQL_BY_FROM] =
	    "SELECT id FROM message WHERE sender_hash IS ? ORDER BY id DESC",
	[SQL_BY_CLIENT] =
	    "SELECT id FROM message WHERE client_hash = ? ORDER BY id DESC",
	[SQL_BY_TIME] = "SELECT id FROM message WHERE accepted BETWEEN ? AND ?"
			" ORDER BY id DESC",
	[SQL_BY_MOVE] = "SELECT DISTINCT id FROM attempt WHERE " MOVE_IS
			" AND (?3 = 0 OR code = ?3 OR code IS NULL)"
			" ORDER BY id DESC",
	[SQL_BY_DOMAIN] =
	    "SELECT id FROM message WHERE ph_at(sender, ?1) UNION"
	    " SELECT id FROM recipient WHERE ph_at(address, ?1)"
	    " ORDER BY id DESC",
	[SQL_BY_SUBJECT] = "SELECT id FROM message WHERE ph_has(subject, ?1)"
			   " ORDER BY id DESC",
	[SQL_NOTES_ID] = "SELECT time, event, fields FROM note WHERE id = ?"
			 " ORDER BY seq",
	[SQL_NOTES_TO] = "SELECT time, event, fields FROM note"
			 " WHERE address_hash = ? ORDER BY seq",
	[SQL_NOTES_FROM] = "SELECT time, event, fields FROM note"
			   " WHERE sender_hash IS ? ORDER BY seq",
	[SQL_NOTES_CLIENT] = "SELECT time, event, fields FROM note"
			     " WHERE client_hash = ? ORDER BY seq",
	[SQL_NOTES_TIME] = "SELECT time, event, fields FROM note"
			   " WHERE time BETWEEN ? AND ? ORDER BY seq",
	/* The walk is along attempt, whose rows are in that order. */
	[SQL_DELIVERED] =
	    "SELECT a.id, a.seq, a.time, a.leg, a.uncertain, r.address"
	    " FROM attempt a CROSS JOIN recipient r"
	    " ON r.id = a.id AND r.rcpt = a.rcpt"
	    " WHERE (a.id, a.seq) > (?1, ?2) AND a.event = ?3"
	    " ORDER BY a.id, a.seq LIMIT ?4",
	[SQL_GAPS] = "SELECT 1 FROM note WHERE event = 'audit.gap' LIMIT 1",
	[SQL_FLOW] = "SELECT " TOTAL_COLUMNS " FROM total",
	[SQL_JOURNAL] = "SELECT " TOTAL_COLUMNS " FROM journal",
	[SQL_BASE] = "SELECT " TOTAL_COLUMNS " FROM base",
	[SQL_PUT_JOURNAL] =
	    "INSERT OR REPLACE INTO journal VALUES(?,?,?,?,?,?,?,?)",
	[SQL_PUT_BASE] =
	    "INSERT OR REPLACE INTO base SELECT j.leg,"
	    " j.created - ifnull(t.created, 0),"
	    " j.delivered - ifnull(t.delivered, 0),"
	    " j.open - ifnull(t.open, 0), j.parked - ifnull(t.parked, 0),"
	    " j.bounced - ifnull(t.bounced, 0),"
	    " j.superseded - ifnull(t.superseded, 0),"
	    " j.deleted - ifnull(t.deleted, 0)"
	    " FROM journal j LEFT JOIN total t ON t.leg = j.leg",
	[SQL_ERA] = "UPDATE state SET spool = ?, era = ?, until_generation = ?,"
		    " until_offset = ?, again = ?",
	[SQL_PUT_OWED] = "INSERT OR REPLACE INTO owed VALUES(1,?,?,?,?)",
	[SQL_OWED] = "SELECT why, open, note, ledger FROM owed",
	[SQL_PUT_TOLD] = "INSERT OR REPLACE INTO told VALUES(1,?,?)",
	[SQL_TOLD] = "SELECT generation, offset FROM told",
};

/* Format 2 has no eras, and the flow alone. */
static const char *before_eras(enum hour_sql which)
{
	switch (which) {
	case SQL_RECIPIENTS:
		return "SELECT id, rcpt, address, legs, NULL FROM recipient"
		       " WHERE id = ? ORDER BY rcpt";
	case SQL_ALL_RECIPIENTS:
		return "SELECT id, rcpt, address, legs, NULL FROM recipient"
		       " ORDER BY id, rcpt";
	case SQL_JOURNAL:
	case SQL_BASE:
		return "SELECT " TOTAL_COLUMNS " FROM total WHERE 0";
	default:
		return sql[which];
	}
}

/* Format 1 has neither subject nor code. */
static const char *text_of(const struct hourfile *f, enum hour_sql which)
{
	if (f->state.format >= 3)
		return sql[which];
	if (f->state.format == 2)
		return before_eras(which);
	if (which == SQL_MESSAGE)
		return "SELECT " MESSAGE_COLUMNS ", '' FROM message"
		       " WHERE id = ?";
	if (which == SQL_BY_MOVE)
		return "SELECT DISTINCT id FROM attempt WHERE " MOVE_IS
		       " AND ?3 IS NOT NULL ORDER BY id DESC";
	if (which == SQL_BY_SUBJECT)
		return "SELECT id FROM message WHERE 0 AND ?1 IS NOT NULL";
	return before_eras(which);
}

sqlite3_stmt *hourfile_stmt(struct hourfile *f, enum hour_sql which)
{
	sqlite3_stmt **s = &f->stmt[which];

	if (f->db == NULL)
		return NULL;
	if (*s == NULL)
		sqlite3_prepare_v3(f->db, text_of(f, which), -1,
		    SQLITE_PREPARE_PERSISTENT, s, NULL);
	else
		sqlite3_reset(*s);
	return *s;
}

/* ---- functions --------------------------------------------------------- */

static struct slice bytes_of(sqlite3_value *v)
{
	const void *p = sqlite3_value_blob(v);

	return slice_of(p == NULL ? "" : p, (size_t)sqlite3_value_bytes(v));
}

/* ph_has(text, part): is it in there, ASCII case folded? */
static void has(sqlite3_context *c, int n, sqlite3_value **v)
{
	(void)n;
	sqlite3_result_int(c, slice_case_has(bytes_of(v[0]), bytes_of(v[1])));
}

/* ph_at(address, domain): is the address at that domain? */
static void at_domain(sqlite3_context *c, int n, sqlite3_value **v)
{
	struct slice address = bytes_of(v[0]), domain = bytes_of(v[1]);

	(void)n;
	sqlite3_result_int(c, address.n > domain.n &&
	    address.p[address.n - domain.n - 1] == '@' &&
	    slice_case_eq(slice_from(address, address.n - domain.n), domain));
}

bool hourfile_functions(struct hourfile *f)
{
	static const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;

	return sqlite3_create_function(f->db, "ph_has", 2, flags, NULL, has,
		   NULL, NULL) == SQLITE_OK &&
	       sqlite3_create_function(f->db, "ph_at", 2, flags, NULL,
		   at_domain, NULL, NULL) == SQLITE_OK;
}
