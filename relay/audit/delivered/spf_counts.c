/* SPDX-License-Identifier: ISC
 *
 * Counts that wait to be written, and when they are.
 */
#include "relay/audit/delivered/spf_counts.h"

#include <pthread.h>

#include "relay/audit/delivered/spf_rows.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"

enum { PATH_BYTES = 4096 };

struct spf_counts {
	char *path;

	/* Of all threads, under the lock. */
	pthread_mutex_t lock;
	struct spf_rows rows;

	/* The projector's alone. */
	struct spf_rows writing; /* what could not be written yet */
	int64_t tried_ms;
	bool failing; /* ... and the log says so */
};

struct spf_counts *spf_counts_new(const char *dir, int64_t now_us)
{
	struct spf_counts *c = NEW(struct spf_counts);
	struct strbuf path;

	strbuf_init(&path, PATH_BYTES);
	strbuf_addf(&path, "%s/ledger.db", dir);
	c->path = mem_slicedup(strbuf_view(&path));
	strbuf_fini(&path);
	pthread_mutex_init(&c->lock, NULL);
	c->rows.since_us = now_us;
	c->tried_ms = INT64_MIN;
	return c;
}

void spf_counts_free(struct spf_counts *c)
{
	if (c == NULL)
		return;
	spf_rows_clear(&c->rows);
	spf_rows_clear(&c->writing);
	pthread_mutex_destroy(&c->lock);
	mem_free(c->path);
	mem_free(c);
}

/* ---- counting ------------------------------------------------------------ */

static void count(struct spf_counts *c, const struct spf_row_key *k,
    unsigned at)
{
	struct spf_row_key rest = *k;

	pthread_mutex_lock(&c->lock);
	if (!spf_rows_add(&c->rows, k, at, SPF_WAIT_MAX)) {
		if (k->kind == SPF_ROW_CLIENT)
			rest.first = "";
		rest.second = "";
		spf_rows_add(&c->rows, &rest, at, SIZE_MAX);
	}
	pthread_mutex_unlock(&c->lock);
}

void spf_counts_client(struct spf_counts *c, int64_t now_us,
    const char *domain, const char *client)
{
	count(c, &(struct spf_row_key){SPF_ROW_CLIENT, now_us / DAY_US, domain,
	    client}, 0);
}

void spf_counts_message(struct spf_counts *c, int64_t now_us,
    const char *leg, const char *domain, enum spf_share share)
{
	count(c, &(struct spf_row_key){SPF_ROW_FORECAST, now_us / DAY_US, leg,
	    domain}, share);
}

/* ---- writing ------------------------------------------------------------- */

static size_t waiting(struct spf_counts *c)
{
	size_t n;

	pthread_mutex_lock(&c->lock);
	n = c->rows.n;
	pthread_mutex_unlock(&c->lock);
	return n;
}

/* False: nothing was counted. */
static bool take(struct spf_counts *c, int64_t wall_us)
{
	bool any;

	pthread_mutex_lock(&c->lock);
	any = c->rows.n > 0;
	if (any) {
		c->writing = c->rows;
		c->rows = (struct spf_rows){.since_us = wall_us};
	}
	pthread_mutex_unlock(&c->lock);
	return any;
}

void spf_counts_write(struct spf_counts *c, int64_t wall_us)
{
	struct error err;

	if (c->writing.n == 0 && !take(c, wall_us))
		return;
	if (spf_rows_write(&c->writing, c->path, wall_us, &err) == 0) {
		spf_rows_clear(&c->writing);
		c->failing = false;
		return;
	}
	if (!c->failing)
		log_warn("ledger.counts", kv_str("file", c->path), kv_err(&err),
		    kv_str("effect", "what SPF says of mail waits in memory; "
			"it is tried again"));
	c->failing = true;
}

void spf_counts_follow(struct spf_counts *c, int64_t wall_us, int64_t mono_ms)
{
	if (c->tried_ms != INT64_MIN && mono_ms - c->tried_ms < SPF_WRITE_MS &&
	    (c->failing || waiting(c) < SPF_WAIT_MAX / 2))
		return;
	c->tried_ms = mono_ms;
	spf_counts_write(c, wall_us);
}
