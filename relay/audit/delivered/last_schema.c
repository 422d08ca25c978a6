/* SPDX-License-Identifier: ISC
 *
 * The tables of ledger.db, as steps from one format to the next. A file that
 * is made now takes all steps.
 */
#include "relay/audit/delivered/last_file_int.h"

#include "relay/audit/delivered/watermark_row.h"
#include "relay/audit/straggler/straggler_write.h"
#include "relay/base/strbuf.h"

_Static_assert(LAST_REFILL_ALL == 9223372036854775807, "as a step writes it");

/* [N]: from format N. A new table is a step, and its number LAST_FORMAT. */
static const char *const steps[LAST_FORMAT] = {
	/* `known` has what versions before wrote: a hash that no key of ours
	 * can be made of, and the day. It is only read, and empties with the
	 * days. */
	[0] = "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1),"
	      " format INT, secret BLOB, spool INT, generation INT,"
	      " offset INT, since INT, refill INT, hole INT, deliveries INT);"
	      "CREATE TABLE leg(number INTEGER PRIMARY KEY, name TEXT);"
	      "CREATE TABLE delivery(recipient INT, leg INT, detail INT,"
	      " time INT, id INT, uncertain INT,"
	      " PRIMARY KEY(recipient, leg, detail)) WITHOUT ROWID;"
	      "CREATE TABLE known(hash INTEGER PRIMARY KEY, day INT);",
	/* Messages of a day (UTC, days since 1970). */
	[1] = "CREATE TABLE spf_since(one INTEGER PRIMARY KEY CHECK(one = 1),"
	      " since INT);"
	      "CREATE TABLE spf_client(day INT, domain TEXT, client TEXT,"
	      " messages INT, PRIMARY KEY(day, domain, client)) WITHOUT ROWID;"
	      "CREATE TABLE forecast(day INT, leg TEXT, domain TEXT,"
	      " by_spf INT, by_signature INT, fail_none INT,"
	      " fail_quarantine INT, fail_reject INT, unclear INT,"
	      " PRIMARY KEY(day, leg, domain)) WITHOUT ROWID;",
	/* Replays, each with its recipients and the deliveries that it
	 * made. */
	[2] = "CREATE TABLE replay(number INTEGER PRIMARY KEY AUTOINCREMENT,"
	      " started INT, ended INT, who TEXT, command TEXT, note TEXT,"
	      " wave TEXT, from_leg TEXT, to_leg TEXT, since INT, until INT,"
	      " state INT, reason TEXT, covered INT, users INT, there INT,"
	      " waits INT, came_from INT, gone INT, unread INT);"
	      "CREATE TABLE replay_user(replay INT, address TEXT, lacks INT,"
	      " PRIMARY KEY(replay, address)) WITHOUT ROWID;"
	      "CREATE TABLE replay_mail(replay INT, id INT, rcpt INT,"
	      " address TEXT, number INT, state INT, time INT,"
	      " PRIMARY KEY(replay, id, rcpt)) WITHOUT ROWID;",
	/* The base address of each recipient that `delivery` has, for which
	 * the index is read again; and the watermarks (watermark_row.h), for
	 * which the change log is. `told`: the state in the audit trail. */
	[3] = "CREATE TABLE address(recipient INTEGER PRIMARY KEY,"
	      " address TEXT);"
	      "CREATE TABLE watermark(recipient INT, leg INT, address TEXT,"
	      " change INT, state INT, time INT, id INT, at INT, open INT,"
	      " told INT, hook INT, waived INT, note TEXT,"
	      " PRIMARY KEY(recipient, leg)) WITHOUT ROWID;"
	      "CREATE INDEX watermark_todo ON watermark(recipient, leg)"
	      " WHERE " WATERMARK_TODO ";"
	      "CREATE INDEX watermark_hook ON watermark(recipient, leg)"
	      " WHERE " WATERMARK_HOOK_DUE ";"
	      "ALTER TABLE state ADD COLUMN marked INT DEFAULT 0;"
	      "UPDATE state SET refill = 9223372036854775807;",
	/* First outcomes: what was delivered at once in the row of the last
	 * delivery (day_counts.h), failures by recipient, all by leg. */
	[4] = "ALTER TABLE delivery ADD COLUMN days BLOB;"
	      "CREATE TABLE failure(recipient INT, leg INT, day INT,"
	      " failed INT, trouble INT, last INT,"
	      " PRIMARY KEY(recipient, leg, day)) WITHOUT ROWID;"
	      "CREATE INDEX failure_day ON failure(day);"
	      "CREATE TABLE leg_day(leg INT, day INT, delivered INT,"
	      " failed INT, trouble INT, PRIMARY KEY(leg, day)) WITHOUT ROWID;"
	      "ALTER TABLE state ADD COLUMN outcomes INT DEFAULT 0;",
	[5] = straggler_schema,
};

bool last_schema_steps(struct last_file *f, int from)
{
	bool ok = true;

	for (int i = from; i < LAST_FORMAT && ok; i++)
		ok = sqlite3_exec(f->db, steps[i], NULL, NULL, NULL) ==
		     SQLITE_OK;
	return ok;
}

bool last_schema_upgrade(struct last_file *f, int from)
{
	struct strbuf set;
	bool ok;

	strbuf_init(&set, 64);
	strbuf_addf(&set, "UPDATE state SET format = %d; COMMIT;",
	    LAST_FORMAT);
	ok = sqlite3_exec(f->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) ==
		 SQLITE_OK &&
	     last_schema_steps(f, from) &&
	     sqlite3_exec(f->db, strbuf_cstr(&set), NULL, NULL, NULL) ==
		 SQLITE_OK;
	strbuf_fini(&set);
	return ok;
}
