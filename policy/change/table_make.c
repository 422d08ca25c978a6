/* SPDX-License-Identifier: ISC
 *
 * Making the cutover table: creation, upgrade, seeds. Table thread or command
 * line.
 */
#include "policy/change/table_make.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/change/change_int.h"
#include "policy/change/table_schema.h"
#include "policy/change/table_upgrade.h"
#include "relay/base/mem.h"

enum { FILE_MODE = 0600 };

static const char wal[] = "PRAGMA journal_mode = WAL;";

static int make_file(const char *path, struct error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);

	if (fd < 0 && errno == EEXIST)
		return 0;
	if (fd < 0)
		return error_sys(err, errno, "the cutover table %s can not be "
		    "created", path);
	/* Whatever the umask: the group asks the daemon, it reads no table. */
	if (fchmod(fd, FILE_MODE) < 0) {
		error_sys(err, errno, "the cutover table %s", path);
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

static int make_schema(const char *path, struct error *err)
{
	struct db db;
	struct stat st;
	int rc = 0;

	if (make_file(path, err) < 0)
		return -1;
	if (db_open(&db, path, DB_CREATE, change_sql, err) < 0)
		return -1;
	/* Opening it took back what a crash had left of the schema. */
	if (stat(path, &st) == 0 && st.st_size == 0)
		rc = db_script(&db, table_schema, err);
	/* Always: a crash may have come between the schema and this. */
	if (rc == 0)
		rc = db_script(&db, wal, err);
	db_close(&db);
	return rc < 0 ? -1 : table_upgrade(path, err);
}

/* 1 seeded, 0 not yet, -1. */
static int is_seeded(struct change *ch, const char *domain, struct error *err)
{
	sqlite3_stmt *st = db_stmt(&ch->db, CS_SEEDED, err);
	int rc;

	if (st == NULL)
		return -1;
	db_bind_str(st, 1, domain);
	rc = sqlite3_step(st);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		db_error(&ch->db, err);
	sqlite3_reset(st);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

static int stage_domain(struct change *ch, const struct conf_domain *d,
    struct error *err)
{
	struct change_row row = {.route = d->route, .held = -1};
	struct strbuf key;
	int rc;

	rc = d->route[0] == '\0' ? 1 : is_seeded(ch, d->name, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	strbuf_init(&key, ROW_TEXT_MAX);
	strbuf_addf(&key, "@%s", d->name);
	rc = change_stage_row(ch, strbuf_view(&key), &row, err);
	strbuf_fini(&key);
	return rc;
}

static int seed(struct change *ch, const struct conf *c, const char *who,
    struct error *err)
{
	static const struct change_how how = {
	    .create = true, .seed = true, .as_of = -1};
	struct change_by by = {.who = who, .host = "", .command = "seed",
	    .note = "domains of the configuration"};
	struct change_done done;

	for (int i = 0; i < c->domains; i++)
		if (stage_domain(ch, &c->domain[i], err) < 0)
			return -1;
	return ch->staged == 0 ? 0 : change_commit(ch, &how, &by, &done, err);
}

/* ---- marks of legs, for table_gone() ---------------------------------- */

/* The first leg that the table does not know yet; c->legs:
 * none, -1 on failure. */
static int unmarked_leg(struct change *ch, const struct conf *c,
    struct error *err)
{
	char mark[NAME_BYTES + 2];
	int rc = 1;

	for (int i = 0; i < c->legs; i++) {
		if (c->leg[i].egress)
			continue;
		snprintf(mark, sizeof(mark), "+%s", c->leg[i].name);
		rc = is_seeded(ch, mark, err);
		if (rc <= 0)
			return rc < 0 ? -1 : i;
	}
	return c->legs;
}

static int write_marks(struct change *ch, const struct conf *c,
    struct error *err)
{
	for (int i = 0; i < c->legs; i++) {
		sqlite3_stmt *st = db_stmt(&ch->db, CS_LEG_MARK, err);

		if (st == NULL)
			return -1;
		if (c->leg[i].egress)
			continue;
		db_bind_str(st, 1, c->leg[i].name);
		if (db_run(&ch->db, st, err) < 0)
			return -1;
	}
	return 0;
}

/* As a rule there is nothing to write, and no lock is taken. */
static int mark_legs(const char *path, const struct conf *c,
    struct error *err)
{
	struct change *ch = change_open(path, c, err);
	int rc;

	if (ch == NULL)
		return -1;
	rc = unmarked_leg(ch, c, err);
	if (rc >= 0 && rc < c->legs &&
	    (change_arrange(ch, err) < 0 ||
		db_do(&ch->db, CS_LOCK, err) < 0 ||
		write_marks(ch, c, err) < 0 ||
		change_touch(&ch->db, err) < 0 ||
		db_do(&ch->db, CS_COMMIT, err) < 0))
		rc = -1;
	change_close(ch);
	return rc < 0 ? -1 : 0;
}

int table_prepare(const char *path, const struct conf *c, const char *who,
    struct error *err)
{
	struct change *ch;
	int rc;

	if (make_schema(path, err) < 0)
		return -1;
	ch = change_open(path, c, err);
	if (ch == NULL)
		return -1;
	rc = seed(ch, c, who, err);
	change_close(ch);
	return rc < 0 ? -1 : mark_legs(path, c, err);
}
