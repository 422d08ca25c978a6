/* SPDX-License-Identifier: ISC
 *
 * The log is opened once more for sync_file_range(2): SQLite locks the file of
 * the table and the -shm file, never the log, so no lock is lost when this
 * descriptor is closed. What goes wrong on the way to the disk is found by the
 * sync of the commit.
 */
#include "policy/change/log_push.h"

#include <fcntl.h>
#include <unistd.h>

enum { PUSH_PAGES = 128 };

void log_push_init(struct log_push *p)
{
	*p = (struct log_push){.fd = -1};
}

void log_push_fini(struct log_push *p)
{
	if (p->fd >= 0)
		close(p->fd);
	log_push_init(p);
}

static int log_of(struct log_push *p, const struct db *db)
{
	char log[DB_BESIDE];

	if (p->fd >= 0)
		return p->fd;
	db_beside(db->path, "-wal", log);
	p->fd = open(log, O_RDONLY | O_CLOEXEC);
	return p->fd;
}

int log_push(struct log_push *p, struct db *db, struct error *err)
{
	int rc = sqlite3_db_cacheflush(db->handle), written = 0, most;

	/* Busy: a page of it is in use. */
	if (rc != SQLITE_OK && rc != SQLITE_BUSY)
		return db_error(db, err);
	sqlite3_db_status(db->handle, SQLITE_DBSTATUS_CACHE_WRITE, &written,
	    &most, 0);
	if (written - p->written < PUSH_PAGES)
		return 0;
	p->written = written;
	if (log_of(p, db) >= 0)
		sync_file_range(p->fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE |
		    SYNC_FILE_RANGE_WRITE);
	return 0;
}
