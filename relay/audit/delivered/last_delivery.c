/* SPDX-License-Identifier: ISC
 *
 * The last deliveries: what is folded in memory, and when it is written. The
 * projector's thread changes; last_ask.c answers.
 */
#include "relay/audit/delivered/last_delivery.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "relay/audit/delivered/last_delivery_int.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/base/rng.h"
#include "relay/mail/addr.h"

enum {
	PATH_BYTES = 4096,
	COMMIT_MS = 2000,
	SOON_MS = 50, /* while watermarks wait */
	FOLD_ROWS = 16384,    /* are written at once                    */
	FOLD_MAX = 262144,    /* wait for a file; then the index has to */
};

static void forget_fold(struct last_delivery *l)
{
	pthread_mutex_lock(&l->lock);
	last_fold_clear(&l->fold);
	pthread_mutex_unlock(&l->lock);
	outcome_fold_clear(&l->outcomes);
}

/* Of another file: the change log is read from where this one stands. */
static void forget_watermarks(struct last_delivery *l)
{
	pthread_mutex_lock(&l->lock);
	watermark_ops_drop(l, l->ops);
	l->marked = l->h.marked;
	pthread_mutex_unlock(&l->lock);
}

void last_delivery_taken(struct last_delivery *l, struct spool_pos pos)
{
	pthread_mutex_lock(&l->lock);
	l->taken = pos;
	pthread_mutex_unlock(&l->lock);
}

/* ---- opening ----------------------------------------------------------- */

static void close_reader(struct last_delivery *l)
{
	pthread_mutex_lock(&l->lock);
	last_reader_close(l->reader);
	l->reader = NULL;
	atomic_store(&l->damaged, false);
	pthread_mutex_unlock(&l->lock);
}

static void turn_off(struct last_delivery *l, const struct error *err)
{
	if (!l->off)
		log_warn("ledger.off", kv_str("file", l->path), kv_err(err),
		    kv_str("effect", "new deliveries are not remembered, a "
			"leg's \"unknown\" is believed; it is tried again"));
	l->off = true;
	last_file_close(l->file);
	l->file = NULL;
}

/* Out of the way, for a look at it: one of a kind is kept. */
static void set_aside(struct last_delivery *l, const char *suffix,
    const struct error *err)
{
	static const char *const rest[] = {"-wal", "-shm", "-journal"};
	char name[PATH_BYTES];

	last_file_close(l->file);
	l->file = NULL;
	close_reader(l);
	if (snprintf(name, sizeof(name), "%s.%s", l->path, suffix) >=
		PATH_BYTES || rename(l->path, name) != 0)
		unlink(l->path);
	for (size_t i = 0; i < ARRAY_LEN(rest); i++)
		if (snprintf(name, sizeof(name), "%s%s", l->path, rest[i]) <
		    PATH_BYTES)
			unlink(name);
	log_warn("ledger.lost", kv_str("file", l->path), kv_err(err),
	    kv_str("kept_as", suffix),
	    kv_str("effect", "it is made again from the audit index"));
}

static void take_over(struct last_delivery *l)
{
	struct error err;

	if (access(l->known_path, F_OK) != 0)
		return;
	if (last_file_take_over(l->file, l->known_path, &err) == 0)
		log_info("ledger.taken_over", kv_str("file", l->known_path));
	else
		log_warn("ledger.taken_over", kv_str("file", l->known_path),
		    kv_err(&err), kv_str("effect", err.no == EBADMSG
			? "it was no database, and is removed"
			: "it is tried again at the next start"));
}

/* Another key than that of before: what was folded by that one is of no use. */
static bool set_secret(struct last_delivery *l, const uint64_t secret[2])
{
	bool same = memcmp(l->secret, secret, sizeof(l->secret)) == 0;

	if (same)
		return true;
	forget_fold(l);
	forget_watermarks(l);
	pthread_mutex_lock(&l->lock);
	memcpy(l->secret, secret, sizeof(l->secret));
	pthread_mutex_unlock(&l->lock);
	return false;
}

/* False: not now. */
static bool open_file(struct last_delivery *l, struct last_place cursor,
    int64_t now_us)
{
	enum last_opened how = LAST_DAMAGED;
	struct last_header h;
	struct error err;

	/* Twice: what is damaged or newer is set aside once. */
	for (int i = 0; i < 2 && how <= LAST_NEWER && how != LAST_FAILED; i++) {
		h = (struct last_header){.rows = 0};
		memcpy(h.secret, l->secret, sizeof(h.secret));
		last_header_anew(&h, cursor, now_us);
		l->file = last_file_open(l->path, &h, l->legs, &how, &err);
		if (how == LAST_DAMAGED || how == LAST_NEWER)
			set_aside(l, how == LAST_NEWER ? "newer" : "damaged",
			    &err);
	}
	if (l->file == NULL) {
		turn_off(l, &err);
		return false;
	}
	if (how == LAST_MADE)
		close_reader(l); /* it may have what was set aside */
	if (l->off || how == LAST_MADE)
		log_info(how == LAST_MADE ? "ledger.made" : "ledger.on",
		    kv_str("file", l->path));
	l->off = false;
	l->h = h;
	if (h.outcomes_us == 0)
		l->h.outcomes_us = now_us; /* of an older format */
	last_header_gap(&l->h, l->gap_us);
	if (how == LAST_MADE)
		forget_watermarks(l);
	take_over(l);
	return true;
}

/* One that was off: is what was folded meanwhile the rest of it? */
static bool open_again(struct last_delivery *l, struct last_place cursor,
    int64_t now_us)
{
	struct last_place had = l->h.cursor;

	if (!open_file(l, cursor, now_us))
		return false;
	if (!set_secret(l, l->h.secret) || l->lost ||
	    last_place_before(l->h.cursor, had))
		last_delivery_lost(l, cursor, now_us);
	l->lost = false;
	return true;
}

static char *path_in(const char *dir, const char *name)
{
	struct strbuf path;
	char *text;

	strbuf_init(&path, PATH_BYTES);
	strbuf_addf(&path, "%s/%s", dir, name);
	text = mem_slicedup(strbuf_view(&path));
	strbuf_fini(&path);
	return text;
}

struct last_delivery *last_delivery_open(const char *dir,
    const struct conf *c, struct last_place cursor, struct last_time now)
{
	struct last_delivery *l = NEW(struct last_delivery);

	l->path = path_in(dir, "ledger.db");
	l->known_path = path_in(dir, "known.db");
	l->rows_max = LAST_ROWS_MAX;
	l->tried_ms = now.mono_ms - COMMIT_MS;
	l->legs = names_new();
	last_fold_init(&l->fold);
	outcome_fold_init(&l->outcomes);
	pthread_mutex_init(&l->lock, NULL);
	l->stragglers = straggler_counts_new(c);
	last_delivery_configure(l, c);
	for (int i = 0; i < 2; i++)
		l->secret[i] = rng_u64(&rng_system);
	last_header_anew(&l->h, cursor, now.wall_us);
	if (open_file(l, cursor, now.wall_us))
		set_secret(l, l->h.secret);
	l->marked = l->h.marked;
	atomic_store(&l->since_us, l->h.since_us);
	return l;
}

void last_delivery_close(struct last_delivery *l)
{
	if (l == NULL)
		return;
	last_reader_close(l->reader);
	last_file_close(l->file);
	pthread_mutex_destroy(&l->lock);
	separators_free(l->separators);
	straggler_counts_free(l->stragglers);
	names_free(l->legs);
	last_fold_fini(&l->fold);
	outcome_fold_fini(&l->outcomes);
	watermark_ops_drop(l, l->ops);
	mem_free(l->op);
	mem_free(l->path);
	mem_free(l->known_path);
	mem_free(l);
}

void last_delivery_configure(struct last_delivery *l, const struct conf *c)
{
	struct separators *fresh = separators_new(c), *old;

	atomic_store(&l->known_us, c->retry.known_ms * 1000);
	atomic_store(&l->keep_us, c->audit.keep_ms * 1000);
	straggler_counts_configure(l->stragglers, c);
	pthread_mutex_lock(&l->lock);
	old = l->separators;
	l->separators = fresh;
	pthread_mutex_unlock(&l->lock);
	separators_free(old);
}

void last_delivery_rows_max(struct last_delivery *l, int64_t rows_max)
{
	l->rows_max = rows_max;
}

/* ---- writing ----------------------------------------------------------- */

bool last_delivery_due(struct last_delivery *l, struct last_place cursor,
    int64_t mono_ms)
{
	if (l->file != NULL && l->fold.n >= FOLD_ROWS)
		return true;
	if (l->file != NULL && mono_ms - l->tried_ms >= SOON_MS &&
	    watermark_ops_due(l))
		return true;
	return mono_ms - l->tried_ms >= COMMIT_MS &&
	       (l->fold.n > 0 || l->dirty || l->file == NULL ||
		   straggler_counts_due(l->stragglers) ||
		   l->h.cursor.spool != cursor.spool ||
		   last_place_before(l->h.cursor, cursor));
}

static void header_changed(struct last_delivery *l)
{
	l->dirty = true;
	atomic_store(&l->since_us, l->h.since_us);
}

static int write_all(struct last_delivery *l, struct last_place cursor,
    int64_t now_us, struct error *err)
{
	struct last_header next = l->h;
	/* Neighbours share a page. */
	struct last_row *sorted = last_fold_sorted(&l->fold);
	struct last_batch b = {.row = sorted, .n = l->fold.n,
	    .rows_max = l->rows_max, .now_us = now_us,
	    .outcomes = &l->outcomes};
	int rc;

	next.cursor = cursor;
	b.stragglers = straggler_counts_waiting(l->stragglers,
	    &b.straggler_gap_us);
	watermark_ops_take(l, &b, &next);
	rc = last_file_write(l->file, &b, &next, err);
	mem_free(sorted);
	watermark_ops_taken(l, &b, rc == 0);
	if (rc != 0)
		return -1;
	l->h = next;
	header_changed(l);
	l->dirty = false;
	l->gap_us = 0;
	forget_fold(l);
	straggler_counts_written(l->stragglers);
	return 0;
}

/* A failed write is no fault of the projector. A damaged file is made again
 * with the key of before, so what is folded goes into the new one. */
static void failed(struct last_delivery *l, struct last_place cursor,
    int64_t now_us, const struct error *err)
{
	if (err->no != EBADMSG) {
		turn_off(l, err);
		return;
	}
	set_aside(l, "damaged", err);
	open_file(l, cursor, now_us);
}

void last_delivery_commit(struct last_delivery *l, struct last_place cursor,
    struct last_time now)
{
	struct error err;

	l->tried_ms = now.mono_ms;
	if (atomic_load(&l->damaged) && l->file != NULL) {
		error_set(&err, "a reader found it damaged");
		err.no = EBADMSG;
		failed(l, cursor, now.wall_us, &err);
	}
	if (l->file == NULL && !open_again(l, cursor, now.wall_us)) {
		if (l->fold.n > FOLD_MAX || l->outcomes.n > FOLD_MAX)
			last_delivery_lost(l, cursor, now.wall_us);
		return;
	}
	if (write_all(l, cursor, now.wall_us, &err) != 0) {
		failed(l, cursor, now.wall_us, &err);
		l->dirty = true;
	}
}

struct last_place last_delivery_cursor(const struct last_delivery *l)
{
	return l->h.cursor;
}

bool last_delivery_waits(const struct last_delivery *l)
{
	return l->file == NULL;
}

bool last_delivery_saved(const struct last_delivery *l)
{
	return l->file != NULL && !l->dirty;
}

void last_delivery_lost(struct last_delivery *l, struct last_place cursor,
    int64_t now_us)
{
	last_header_anew(&l->h, cursor, now_us);
	last_header_gap(&l->h, l->gap_us);
	straggler_counts_gap(l->stragglers, now_us);
	header_changed(l);
	l->lost = l->file == NULL;
	if (l->lost)
		forget_fold(l);
}

void last_delivery_gap(struct last_delivery *l, int64_t now_us)
{
	l->h.since_us = l->h.outcomes_us = now_us;
	l->h.hole = true;
	l->gap_us = now_us;
	straggler_counts_gap(l->stragglers, now_us);
	header_changed(l);
}

struct straggler_counts *last_delivery_stragglers(struct last_delivery *l)
{
	return l->stragglers;
}

int64_t last_delivery_refill(const struct last_delivery *l)
{
	return l->file == NULL ? LAST_REFILLED : l->h.refill;
}

void last_delivery_refilled(struct last_delivery *l, int64_t hour, bool hole)
{
	l->h.refill = hour;
	l->h.hole = l->h.hole || hole;
	if (!l->h.hole && hour != LAST_REFILLED &&
	    hour * HOUR_US < l->h.since_us)
		l->h.since_us = hour * HOUR_US;
	header_changed(l);
}

int64_t last_delivery_keep_us(const struct last_delivery *l)
{
	int64_t keep = atomic_load(&l->keep_us);
	int64_t known = atomic_load(&l->known_us);

	return keep > known ? keep : known;
}

void last_delivery_prune(struct last_delivery *l, int64_t before_us,
    int64_t now_us)
{
	struct last_age age = {
		.part = (unsigned)(now_us / HOUR_US % LAST_PARTS),
		.before_us = before_us,
		.before_day = last_oldest_day(l, now_us),
		.today = now_us / DAY_US,
	};
	struct error err;

	if (l->file == NULL)
		return;
	if (last_file_prune(l->file, &age, &l->h, &err) != 0)
		failed(l, l->h.cursor, now_us, &err);
	atomic_store(&l->since_us, l->h.since_us);
}
