/* SPDX-License-Identifier: ISC
 *
 * Remembers the last delivery of each recipient on each leg. The projector's
 * thread writes, any thread asks; each over a connection of its own.
 */
#include "relay/audit/delivered_before.h"

#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/mail/addr.h"

enum {
	SEEN = 1 << 16,	   /* of today, so that few are written twice */
	PENDING = 4096,	   /* of one transaction                      */
	READ_WAIT_MS = 50,
	SLICES = 24,	   /* of the file, one pruned an hour         */
};

/* synchronous=NORMAL: a power cut may lose the last of it, never the file.
 * At most 512 MiB, some 16 million recipients; then new ones are forgotten
 * until old ones are over. */
static const char setup[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
    "PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -8000;"
    "PRAGMA max_page_count = 131072;"
    "CREATE TABLE IF NOT EXISTS known(hash INTEGER PRIMARY KEY, day INT);";

enum delivered_sql { ST_BEGIN, ST_COMMIT, ST_ROLLBACK, ST_PUT, ST_PRUNE,
	STATEMENTS };

static const char *const sql[STATEMENTS] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",
	/* A day that is nearly right stays: no page is written for it. */
	[ST_PUT] = "INSERT INTO known VALUES(?1, ?2) ON CONFLICT(hash)"
		   " DO UPDATE SET day = excluded.day WHERE day < ?3",
	[ST_PRUNE] = "DELETE FROM known WHERE hash BETWEEN ?1 AND ?2"
		     " AND day < ?3",
};

struct delivered {
	char *path;
	_Atomic int64_t keep_us;

	/* the projector's */
	sqlite3 *db; /* NULL: off, until it can be opened again */
	bool off;    /* ... and the log says so                 */
	sqlite3_stmt *stmt[STATEMENTS];
	int64_t day; /* of `seen` and `pending` */
	uint64_t seen[SEEN];
	int64_t pending[PENDING];
	unsigned n;

	/* of all threads */
	pthread_mutex_t lock;
	sqlite3 *reader; /* NULL: not opened yet */
	sqlite3_stmt *look;
};

/* ---- days -------------------------------------------------------------- */

static int64_t days(const struct delivered *k)
{
	return (atomic_load(&k->keep_us) + DAY_US - 1) / DAY_US;
}

/* How far the day on record may be behind: it spares most of the writes. */
static int64_t slack(const struct delivered *k)
{
	return days(k) / 10;
}

/* The oldest day that still counts. */
static int64_t oldest(const struct delivered *k, int64_t now_us)
{
	return now_us / DAY_US - days(k) - slack(k);
}

static int64_t hash_of(const char *leg, struct slice key)
{
	struct strbuf b;
	int64_t hash;

	strbuf_init(&b, 2 * ADDR_MAX);
	strbuf_add(&b, leg, strlen(leg) + 1);
	strbuf_addsl(&b, key);
	hash = (int64_t)XXH3_64bits(b.p, b.n);
	strbuf_fini(&b);
	return hash;
}

/* ---- opening ----------------------------------------------------------- */

static void close_writer(struct delivered *k)
{
	for (int i = 0; i < STATEMENTS; i++) {
		sqlite3_finalize(k->stmt[i]);
		k->stmt[i] = NULL;
	}
	sqlite3_close(k->db);
	k->db = NULL;
}

static void unlink_all(const struct delivered *k)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	char name[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (snprintf(name, sizeof(name), "%s%s", k->path,
			suffixes[i]) < PATH_MAX)
			unlink(name);
}

static bool is_damage(int code)
{
	code &= 0xff; /* the rest is detail */
	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

static void close_reader(struct delivered *k)
{
	pthread_mutex_lock(&k->lock);
	sqlite3_finalize(k->look);
	sqlite3_close(k->reader);
	k->look = NULL;
	k->reader = NULL;
	pthread_mutex_unlock(&k->lock);
}

/* A failed write is no fault of the projector. It is tried again with each
 * flush: a shortage of descriptors passes. */
static void give_up(struct delivered *k, int code)
{
	if (!k->off)
		log_warn("known.off", kv_str("file", k->path),
		    kv_str("why", k->db == NULL ? sqlite3_errstr(code)
						: sqlite3_errmsg(k->db)),
		    kv_str("effect", "a leg's \"unknown\" is believed"));
	k->off = true;
	close_writer(k);
	if (!is_damage(code))
		return;
	close_reader(k);
	unlink_all(k);
}

static int open_writer(struct delivered *k)
{
	int rc = sqlite3_open_v2(k->path, &k->db, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(k->db, setup, NULL, NULL, NULL);
	for (int i = 0; i < STATEMENTS && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v3(k->db, sql[i], -1,
		    SQLITE_PREPARE_PERSISTENT, &k->stmt[i], NULL);
	return rc;
}

static void open_or_give_up(struct delivered *k)
{
	int rc = open_writer(k);

	if (is_damage(rc)) {
		give_up(k, rc);
		rc = open_writer(k);
	}
	if (rc != SQLITE_OK) {
		give_up(k, rc);
		return;
	}
	if (k->off)
		log_info("known.on", kv_str("file", k->path));
	k->off = false;
}

struct delivered *delivered_open(const char *dir, int64_t keep_ms)
{
	struct delivered *k = NEW(struct delivered);
	struct strbuf path;

	strbuf_init(&path, PATH_MAX);
	strbuf_addf(&path, "%s/known.db", dir);
	k->path = mem_slicedup(strbuf_view(&path));
	strbuf_fini(&path);
	pthread_mutex_init(&k->lock, NULL);
	delivered_keep(k, keep_ms);
	open_or_give_up(k);
	return k;
}

void delivered_close(struct delivered *k)
{
	if (k == NULL)
		return;
	delivered_flush(k);
	close_reader(k);
	close_writer(k);
	pthread_mutex_destroy(&k->lock);
	mem_free(k->path);
	mem_free(k);
}

void delivered_keep(struct delivered *k, int64_t keep_ms)
{
	atomic_store(&k->keep_us, keep_ms * 1000);
}

/* ---- writing ----------------------------------------------------------- */

static int run(struct delivered *k, enum delivered_sql which)
{
	int rc = sqlite3_step(k->stmt[which]);

	sqlite3_reset(k->stmt[which]);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int by_hash(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int put_all(struct delivered *k)
{
	sqlite3_stmt *s = k->stmt[ST_PUT];
	int rc = run(k, ST_BEGIN);

	for (unsigned i = 0; i < k->n && rc == SQLITE_OK; i++) {
		sqlite3_bind_int64(s, 1, k->pending[i]);
		sqlite3_bind_int64(s, 2, k->day);
		sqlite3_bind_int64(s, 3, k->day - slack(k));
		rc = run(k, ST_PUT);
	}
	return rc == SQLITE_OK ? run(k, ST_COMMIT) : rc;
}

/* Too many to wait with: they count again when they are delivered again. */
static void drop_pending(struct delivered *k)
{
	k->n = 0;
	memset(k->seen, 0, sizeof(k->seen));
}

void delivered_flush(struct delivered *k)
{
	int rc;

	if (k->n == 0)
		return;
	if (k->db == NULL)
		open_or_give_up(k);
	if (k->db != NULL) {
		/* Neighbours share a page. */
		qsort(k->pending, k->n, sizeof(k->pending[0]), by_hash);
		rc = put_all(k);
		if (rc != SQLITE_OK && !sqlite3_get_autocommit(k->db))
			run(k, ST_ROLLBACK);
		if (rc != SQLITE_OK && rc != SQLITE_FULL)
			give_up(k, rc);
	}
	if (k->db != NULL)
		k->n = 0;
	else if (k->n == PENDING)
		drop_pending(k);
}

static void new_day(struct delivered *k, int64_t day)
{
	delivered_flush(k);
	drop_pending(k); /* what could not be written is of yesterday */
	k->day = day;
}

void delivered_add(struct delivered *k, const char *leg, const char *to,
    int64_t time_us)
{
	int64_t day = time_us / DAY_US;
	struct strbuf key;
	struct addr a;
	const char *why;
	int64_t hash;
	uint64_t *seen;

	if (atomic_load(&k->keep_us) == 0)
		return;
	if (day > k->day)
		new_day(k, day);
	strbuf_init(&key, 2 * ADDR_MAX);
	if (addr_parse(slice_str(to), true, &a, &why) == 0 &&
	    addr_key(&a, '\0', &key)) {
		hash = hash_of(leg, strbuf_view(&key));
		seen = &k->seen[(uint64_t)hash % SEEN];
		if (*seen != (uint64_t)hash) {
			*seen = (uint64_t)hash;
			k->pending[k->n++] = hash;
		}
	}
	strbuf_fini(&key);
	if (k->n == PENDING)
		delivered_flush(k);
}

void delivered_prune(struct delivered *k, int64_t now_us)
{
	const uint64_t part = UINT64_MAX / SLICES;
	uint64_t slice = (uint64_t)(now_us / (HOUR_US)) % SLICES;
	uint64_t from = (uint64_t)INT64_MIN + slice * part;
	sqlite3_stmt *s;
	int rc;

	delivered_flush(k);
	if (k->db == NULL)
		return;
	s = k->stmt[ST_PRUNE];
	sqlite3_bind_int64(s, 1, (int64_t)from);
	sqlite3_bind_int64(s, 2, slice == SLICES - 1
				     ? INT64_MAX : (int64_t)(from + part));
	sqlite3_bind_int64(s, 3, oldest(k, now_us));
	rc = run(k, ST_PRUNE);
	if (rc != SQLITE_OK && rc != SQLITE_FULL)
		give_up(k, rc);
}

/* ---- asking ------------------------------------------------------------ */

static bool open_reader(struct delivered *k)
{
	if (k->look != NULL)
		return true;
	if (sqlite3_open_v2(k->path, &k->reader, SQLITE_OPEN_READONLY |
		SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
	    sqlite3_busy_timeout(k->reader, READ_WAIT_MS) == SQLITE_OK &&
	    sqlite3_prepare_v3(k->reader,
		"SELECT 1 FROM known WHERE hash = ?1 AND day >= ?2", -1,
		SQLITE_PREPARE_PERSISTENT, &k->look, NULL) == SQLITE_OK)
		return true;
	sqlite3_close(k->reader);
	k->reader = NULL;
	return false;
}

bool delivered_before(struct delivered *k, const char *leg, struct slice key,
    int64_t now_us)
{
	bool has = false;

	if (atomic_load(&k->keep_us) == 0)
		return false;
	pthread_mutex_lock(&k->lock);
	if (open_reader(k)) {
		sqlite3_bind_int64(k->look, 1, hash_of(leg, key));
		sqlite3_bind_int64(k->look, 2, oldest(k, now_us));
		has = sqlite3_step(k->look) == SQLITE_ROW;
		sqlite3_reset(k->look);
	}
	pthread_mutex_unlock(&k->lock);
	return has;
}
