/* SPDX-License-Identifier: ISC
 *
 * ledger.db in a directory, without a projector: what its tests share.
 */
#ifndef TESTS_UNIT_LASTFIXTURE_H
#define TESTS_UNIT_LASTFIXTURE_H

#include "relay/audit/delivered/last_delivery.h"
#include "tests/unit/conf_tmp.h"

#define DAYS_MS(n) ((n) * INT64_C(86400000))
#define NOW (20000 * DAY_US + 7)

/* The cursor of the index, and a clock that goes on with each commit. */
extern struct last_place index_at;
extern int64_t mono_now_ms;

struct last_time time_of(int64_t now_us);
struct conf conf_of(int known_days, int keep_days);
/* At NOW; the index is kept for 90 days, recipients are known for 30. */
struct last_delivery *open_days(const char *dir, int known_days);
struct last_delivery *open_in(const char *dir);

const char *file(const char *dir); /* its path */
void forget(const char *dir);	   /* removes all files of it */
bool there(const char *dir, const char *what);
/* Runs it on the file, over a connection of its own. */
void alter(const char *dir, const char *text);
/* Makes the file what the last build of that format, 3 or more, left. */
void back_to(const char *dir, int format);

void add(struct last_delivery *l, const char *leg, const char *to,
    int64_t time_us, uint64_t id);
void commit(struct last_delivery *l, int64_t now_us);
void prune(struct last_delivery *l, int64_t now_us);
/* Is it known on cloud? */
bool has(struct last_delivery *l, const char *key, int64_t now_us);
/* The id of the last one; 0: none. */
uint64_t last(struct last_delivery *l, const char *leg, const char *key);

/* user0@example.com on cloud, user1 on legacy, …, each with the id of its
 * number plus 1, a microsecond apart; and how many of them are there. */
void add_crowd(struct last_delivery *l, int n, int64_t now_us);
int count(struct last_delivery *l, int n);

#endif
