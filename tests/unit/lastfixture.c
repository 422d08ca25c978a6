/* SPDX-License-Identifier: ISC
 *
 * Shared by the tests of ledger.db.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/unit/conf_defaults.h"
#include "tests/unit/lastfixture.h"

struct last_place index_at;
int64_t mono_now_ms;

struct last_time time_of(int64_t now_us)
{
	return (struct last_time){now_us, mono_now_ms += 10000};
}

struct conf conf_of(int known_days, int keep_days)
{
	struct conf c = {0};

	conf_defaults(SEC_RETRY, &c);
	conf_defaults(SEC_AUDIT, &c);
	c.retry.known_ms = DAYS_MS(known_days);
	c.audit.keep_ms = DAYS_MS(keep_days);
	return c;
}

struct last_delivery *open_days(const char *dir, int known_days)
{
	struct conf c = conf_of(known_days, 90);

	return last_delivery_open(dir, &c, index_at, time_of(NOW));
}

struct last_delivery *open_in(const char *dir)
{
	return open_days(dir, 30);
}

const char *file(const char *dir)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s/ledger.db", dir);
	return path;
}

void forget(const char *dir)
{
	static const char *const names[] = {"ledger.db", "ledger.db-wal",
	    "ledger.db-shm", "ledger.db.damaged", "ledger.db.newer",
	    "known.db"};
	char name[420];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
		unlink(name);
	}
}

bool there(const char *dir, const char *what)
{
	char name[420];

	snprintf(name, sizeof(name), "%s/%s", dir, what);
	return access(name, F_OK) == 0;
}

void add(struct last_delivery *l, const char *leg, const char *to,
    int64_t time_us, uint64_t id)
{
	struct last_delivered m = {.time_us = time_us, .id = id};

	last_delivery_add(l, leg, to, &m);
}

void commit(struct last_delivery *l, int64_t now_us)
{
	index_at.pos.offset += 4096;
	last_delivery_commit(l, index_at, time_of(now_us));
}

void prune(struct last_delivery *l, int64_t now_us)
{
	last_delivery_prune(l, now_us - last_delivery_keep_us(l), now_us);
}

bool has(struct last_delivery *l, const char *key, int64_t now_us)
{
	return last_delivery_known(l, "cloud", slice_str(key), now_us);
}

uint64_t last(struct last_delivery *l, const char *leg,
    const char *key)
{
	struct last_delivered m;

	return last_delivery_find(l, leg, slice_str(key), &m) ? m.id : 0;
}

void alter(const char *dir, const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(file(dir), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

void back_to(const char *dir, int format)
{
	/* [N]: to format N, from the one after it. */
	static const char *const back[LAST_FORMAT] = {
		[3] = "DROP TABLE address; DROP TABLE watermark;"
		      "ALTER TABLE state DROP COLUMN marked;"
		      "UPDATE state SET format = 3,"
		      " refill = -9223372036854775808;",
		[4] = "ALTER TABLE delivery DROP COLUMN days;"
		      "ALTER TABLE state DROP COLUMN outcomes;"
		      "DROP TABLE failure; DROP TABLE leg_day;"
		      "UPDATE state SET format = 4;",
	};

	for (int i = LAST_FORMAT - 1; i >= format; i--)
		alter(dir, back[i]);
}

void add_crowd(struct last_delivery *l, int n, int64_t now_us)
{
	char to[64];

	for (int i = 0; i < n; i++) {
		snprintf(to, sizeof(to), "user%d@example.com", i);
		add(l, i % 2 == 0 ? "cloud" : "legacy", to, now_us + i,
		    (uint64_t)i + 1);
	}
	commit(l, now_us);
}

int count(struct last_delivery *l, int n)
{
	char to[64];
	int known = 0;

	for (int i = 0; i < n; i++) {
		snprintf(to, sizeof(to), "user%d@example.com", i);
		known += last(l, i % 2 == 0 ? "cloud" : "legacy", to) ==
			 (uint64_t)i + 1;
	}
	return known;
}
