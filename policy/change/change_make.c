/* SPDX-License-Identifier: ISC
 *
 * Making a change: one transaction from the staged rows to the log, from the
 * log to the table. Everything that depends on what the table holds is done
 * here, under the write lock (or, for a preview, in one read snapshot).
 */
#include <inttypes.h>
#include <stdio.h>

#include "policy/change/change_int.h"
#include "policy/route.h"
#include "policy/table_int.h"
#include "relay/base/mem.h"

/* ---- what is to be, made complete ------------------------------------- */

static int widen(struct change *ch, enum change_statement which,
    struct error *err)
{
	if (change_run(ch, which, 0, err) < 0)
		return -1;
	ch->staged += (uint64_t)sqlite3_changes64(ch->db.handle);
	return 0;
}

int change_widen(struct change *ch, struct error *err)
{
	uint64_t any = 0;

	if (change_number(ch, CS_ANY_MAILBOX, 0, &any, err) < 0)
		return -1;
	return any == 0 ? 0 : widen(ch, CS_MAILBOXES, err);
}

static int stage_seed(struct change *ch, struct error *err)
{
	if (change_run(ch, CS_SEED_SKIP, 0, err) < 0 ||
	    change_run(ch, CS_SEED_MARK, 0, err) < 0)
		return -1;
	return change_run(ch, CS_SEED_KEEP, 0, err);
}

static int complete(struct change *ch, const struct change_how *how,
    struct change_done *done, struct error *err)
{
	ch->unaltered = 0;
	if (how->undo != 0)
		return change_stage_undo(ch, how->undo, done, err) < 0
			   ? -1 : change_check_crossing(ch, how, err);
	if (how->part != NULL && how->part->stage != NULL)
		return how->part->stage(how->part->arg, ch, done, err) < 0
			   ? -1 : change_check_crossing(ch, how, err);
	if (how->seed && stage_seed(ch, err) < 0)
		return -1;
	if (how->replace && widen(ch, CS_REPLACE, err) < 0)
		return -1;
	if (how->mailboxes && change_widen(ch, err) < 0)
		return -1;
	if (change_complete_known(ch, how, done, err) < 0)
		return -1;
	if (how->inherit && change_run(ch, CS_INHERIT, 0, err) < 0)
		return -1;
	return change_check(ch, how, err);
}

/* ---- the transaction -------------------------------------------------- */

static const char *kind_of(const struct change_how *how)
{
	return how->kind != NULL ? how->kind
	       : how->undo != 0	 ? "undo"
	       : how->seed	 ? "seed"
				 : "rows";
}

static void count_same(const struct change *ch, struct change_done *done)
{
	uint64_t other = done->recipients + ch->unaltered;

	done->same = ch->staged > other ? ch->staged - other : 0;
}

static int write_change(struct change *ch, const struct change_how *how,
    const struct change_by *by, struct change_done *done, struct error *err)
{
	unsigned char rows[CHAIN_BYTES];
	struct change_line line = {.by = by, .kind = kind_of(how),
	    .rows = rows};
	uint64_t newest = 0;

	change_phase(ch, "comparing");
	if (complete(ch, how, done, err) < 0 ||
	    change_number(ch, CS_NEWEST, 0, &newest, err) < 0)
		return -1;
	change_phase(ch, "writing the history");
	if (change_run(ch, CS_LOG, (int64_t)newest + 1, err) < 0)
		return -1;
	done->recipients = (uint64_t)sqlite3_changes64(ch->db.handle);
	count_same(ch, done);
	if (done->recipients == 0)
		return 0;
	done->change = newest + 1;
	line.number = done->change;
	line.recipients = done->recipients;
	change_phase(ch, "writing the rows");
	if (change_write_rows(ch, (int64_t)done->change, rows, err) < 0 ||
	    change_check_log(ch, how, done->change, err) < 0)
		return -1;
	return change_write_line(ch, &line, err);
}

static int write_all(struct change *ch, const struct change_how *how,
    const struct change_by *by, struct change_done *done, struct error *err)
{
	const struct change_part *part = how->part;

	if (write_change(ch, how, by, done, err) < 0)
		return -1;
	if (part == NULL || part->also == NULL)
		return 0;
	/* The line of a change has touched the mark already. */
	if (done->change == 0 && change_touch(&ch->db, err) < 0)
		return -1;
	return part->also(part->arg, &ch->db, done, err);
}

/* Ends the transaction by `rc`; the first error is the one that is told. */
static int finish(struct change *ch, int rc, struct error *err)
{
	struct error ignored;

	change_phase(ch, "saving");
	if (rc == 0)
		rc = db_do(&ch->db, CS_COMMIT, err);
	change_phase(ch, NULL);
	if (rc < 0 && !sqlite3_get_autocommit(ch->db.handle) &&
	    db_do(&ch->db, CS_ROLLBACK, &ignored) < 0)
		return -1; /* closing rolls back */
	return rc;
}

int change_commit(struct change *ch, const struct change_how *how,
    const struct change_by *by, struct change_done *done_out,
    struct error *err)
{
	struct change_by said = *by;
	char command[40];

	*done_out = (struct change_done){0};
	if (how->undo != 0) {
		snprintf(command, sizeof(command), TABLE_UNDO "%" PRIu64,
		    how->undo);
		said.command = command;
	}
	ch->commits = true;
	ch->made = false;
	if (change_arrange(ch, err) < 0 || db_do(&ch->db, CS_LOCK, err) < 0)
		return -1;
	return finish(ch, write_all(ch, how, &said, done_out, err), err);
}

int change_accept(struct change *ch, uint64_t above,
    const struct change_by *by, struct change_done *done_out,
    struct error *err)
{
	unsigned char rows[CHAIN_BYTES];
	struct change_line line = {.by = by, .kind = "accept", .rows = rows};
	uint64_t number = 0;
	int rc;

	*done_out = (struct change_done){0};
	if (change_arrange(ch, err) < 0 || db_do(&ch->db, CS_LOCK, err) < 0)
		return -1;
	rc = change_number(ch, CS_NEWEST, 0, &number, err) < 0 ? -1 : 0;
	line.number = (number > above ? number : above) + 1;
	if (rc == 0)
		rc = change_run(ch, CS_LOG_ALL, (int64_t)line.number, err);
	if (rc == 0)
		rc = change_digest(ch, (int64_t)line.number, rows, err);
	if (rc == 0)
		rc = change_write_line(ch, &line, err);
	rc = finish(ch, rc, err);
	if (rc == 0)
		done_out->change = line.number;
	return rc;
}

/* ---- looking ---------------------------------------------------------- */

static void count_kind(struct change_done *done, struct slice key, bool before,
    bool after)
{
	done->made += !before;
	done->deleted += !after;
	done->defaults += !after && key.p[0] == '@';
}

static int preview(struct change *ch, const struct change_show *show,
    struct change_done *done, struct error *err)
{
	sqlite3_stmt *st = db_stmt(&ch->db, CS_PREVIEW, err);
	int rc;

	if (st == NULL)
		return -1;
	change_phase(ch, NULL); /* the rows that are shown are a sign */
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct table_value before = table_value_at(st, 1);
		struct table_value after = table_value_at(st, 6);

		done->recipients++;
		count_kind(done, db_text(st, 0), before.row, after.row);
		if (show != NULL)
			show->fn(show->arg, db_text(st, 0), &before, &after);
	}
	if (rc != SQLITE_DONE)
		db_error(&ch->db, err);
	sqlite3_reset(st);
	count_same(ch, done);
	return rc == SQLITE_DONE ? 0 : -1;
}

int change_preview(struct change *ch, const struct change_how *how,
    const struct change_show *show, struct change_done *done_out,
    struct error *err)
{
	struct error ignored;
	uint64_t staged;
	int rc;

	*done_out = (struct change_done){0};
	if (change_arrange(ch, err) < 0 || db_do(&ch->db, CS_BEGIN, err) < 0)
		return -1;
	staged = ch->staged;
	ch->commits = false;
	change_phase(ch, "comparing");
	rc = complete(ch, how, done_out, err);
	if (rc == 0)
		rc = preview(ch, show, done_out, err);
	/* The staged rows are there again, for a commit. */
	ch->staged = staged;
	if (db_do(&ch->db, CS_ROLLBACK, rc == 0 ? err : &ignored) < 0)
		rc = -1;
	return rc;
}
