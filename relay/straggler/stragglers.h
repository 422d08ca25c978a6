/* SPDX-License-Identifier: ISC
 *
 * All that is known of stragglers: those that were counted here (ledger.db),
 * those that the logs of the old server name (imported.db), and the marks of
 * people (the table's file). One thread a handle; calls block. Where it cannot
 * be known, the answer is an error, or says since when it is: never none.
 */
#ifndef RELAY_STRAGGLER_STRAGGLERS_H
#define RELAY_STRAGGLER_STRAGGLERS_H

#include "conf/conf.h"
#include "policy/straggler/straggler_marks.h"
#include "relay/audit/straggler/straggler_reader.h"
#include "relay/base/clock.h"

/* verdict.quiet, where there is no such section. */
#define STRAGGLER_QUIET_US (14 * DAY_US)

struct stragglers;
/* By audit.path, table.path and spf.exempt of `c`, which outlives it. NULL and
 * `err`: one of the three is there and cannot be read, or ledger.db is
 * missing. */
struct stragglers *stragglers_open(const struct conf *c,
    struct error *err) PH_CHECK;
void stragglers_close(struct stragglers *s); /* NULL is fine */

/* All stragglers that came later were counted (wall, us); 0: none is yet. */
int64_t stragglers_since(const struct stragglers *s);

/* A straggler, judged; texts are borrowed for the call. */
struct straggler_found {
	struct straggler seen; /* of an imported one, as far as logs say */
	struct straggler_facts facts;
	struct straggler_marked marked;
	bool imported; /* from logs of the old server, not from here */
	bool legitimate;
	int64_t quiet_at_us; /* from then on it is quiet */
};

/* As straggler_reader_days(). */
int stragglers_days(struct stragglers *s, int64_t id, int64_t day,
    struct straggler_day out[STRAGGLER_DAYS_KEPT + 1],
    struct error *err) PH_CHECK;

struct straggler_ask {
	enum straggler_which which;
	int64_t since_us; /* last seen then or later; 0: any time */
	int64_t quiet_us; /* verdict.quiet */
	const char *listen, *customer; /* of these alone; NULL: of all. Those
					* imported have neither, and are given
					* whatever is asked for */
	/* False: enough. */
	bool (*fn)(void *arg, const struct straggler_found *f);
	void *arg;
};
/* Those that were seen, newest first, then those that were imported. 0, or -1
 * and `err`. */
int stragglers_each(struct stragglers *s, const struct straggler_ask *ask,
    struct error *err) PH_CHECK;
/* Reason 5 of a verdict: each legitimate one that is not quiet at `now_us`. The
 * others of `ask` are passed over. */
int stragglers_restless(struct stragglers *s, const struct straggler_ask *ask,
    int64_t now_us, struct error *err) PH_CHECK;

/* Reason 8: deliveries into the old server's own mailboxes, by its logs. */
struct inside_logs {
	uint64_t files, lines, unread; /* unread: lines that say nothing */
	int64_t first_us, last_us; /* the first and last time in them; 0 */
};
int stragglers_logs(struct stragglers *s, struct inside_logs *out,
    struct error *err) PH_CHECK;
/* The last delivery inside for each recipient, at `after_us` or later, in order
 * of addresses. */
struct inside_delivery {
	const char *to;	  /* lookup form, base or with its detail as logged */
	const char *from; /* sender; "": the null sender, or not known */
	int64_t time_us;
	uint64_t deliveries; /* of all times */
};
int stragglers_inside(struct stragglers *s, int64_t after_us,
    void (*fn)(void *arg, const struct inside_delivery *d), void *arg,
    struct error *err) PH_CHECK;

#endif
