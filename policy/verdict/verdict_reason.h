/* SPDX-License-Identifier: ISC
 *
 * May the server behind a leg be switched off? Eight reasons, each ok, no or
 * unknown by the facts that were gathered; all of them have to be ok. What
 * could not be looked at is unknown, and unknown is no. Pure; one thread.
 */
#ifndef POLICY_VERDICT_VERDICT_REASON_H
#define POLICY_VERDICT_VERDICT_REASON_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/mem.h"
#include "relay/base/slice.h"
#include "relay/base/strbuf.h"

enum reason_id {
	REASON_ROWS, REASON_OPEN, REASON_WATERMARKS, REASON_PROPAGATION,
	REASON_STRAGGLERS, REASON_FROM_LEG, REASON_OBSERVED, REASON_INSIDE,
	REASONS
};
enum reason_state { REASON_OK, REASON_UNKNOWN, REASON_NO };

/* Things that speak against it. A row of the table in verdict_reason.c says
 * which reason each is of, and whether it makes that `no` or `unknown`. */
enum fact_id {
	FACT_NO_ROW, FACT_TO_LEG, FACT_TO_ALIAS, FACT_TO_ABSENT, FACT_SETTING,
	FACT_UNRESOLVED,
	FACT_OPEN, FACT_HELD, FACT_FROZEN, FACT_PARKED, FACT_HELD_ROW,
	FACT_WAVE, FACT_GAP,
	FACT_NO_MARK, FACT_PENDING, FACT_WITHDRAWN, FACT_NOT_SYNCED,
	FACT_SHORT_LEDGER,
	FACT_ELSEWHERE, FACT_SILENT, FACT_MAY_LIVE, FACT_NOT_LOOKED,
	FACT_STRAGGLER, FACT_IMPORTED, FACT_SHORT_COUNT,
	FACT_FROM_LEG, FACT_WAY_BACK, FACT_SHORT_WATCH,
	FACT_NO_LISTENER, FACT_UNOBSERVED, FACT_UNOBSERVED_GAP,
	FACT_INSIDE, FACT_LOG_ENDS, FACT_NO_LOG,
	FACTS
};

enum { EVIDENCE_ITEMS = 20 };

/* One kind of thing: how many there are, and the first of them by name. */
struct evidence {
	uint64_t n;
	unsigned items;
	struct {
		const char *text; /* in the arena */
		int64_t at_us;	  /* wall; 0: it has no time */
	} item[EVIDENCE_ITEMS];
};

struct verdict_facts {
	struct arena *arena;
	/* Why a reason could not be looked at; NULL: it was. */
	const char *unread[REASONS];
	/* A sentence about what was looked at; NULL: nothing was. */
	const char *looked[REASONS];
	struct evidence fact[FACTS];
};

/* `text` is copied; at_us 0: it has no time. */
void facts_add(struct verdict_facts *f, enum fact_id id, struct slice text,
    int64_t at_us);
/* The same of `n` things, of which `text` names one. */
void facts_count(struct verdict_facts *f, enum fact_id id, uint64_t n,
    struct slice text);

const char *reason_name(enum reason_id r); /* "rows" */
int reason_find(struct slice name);	   /* -1: there is none */
const char *reason_says(enum reason_id r); /* what is ok when it is, a
					     * sentence without its end */
const char *reason_state_text(enum reason_state s); /* "ok" */
/* The reason of a fact, and what it says of many of them. */
enum reason_id fact_reason(enum fact_id id);
const char *fact_says(enum fact_id id);

enum reason_state reason_judge(const struct verdict_facts *f,
    enum reason_id r);
/* The evidence in words, without a line break: what speaks against it, with
 * up to `names` of each kind by name, or what was looked at. */
void reason_print(const struct verdict_facts *f, enum reason_id r,
    unsigned names, struct strbuf *out);

/* A person takes a reason on. */
struct waiver {
	enum reason_id reason;
	int64_t until_us, time_us; /* wall; time: when it was said */
	const char *who, *host, *note;
};

struct verdict_answer {
	bool go;
	unsigned waived; /* reasons that are not ok, taken on */
};
/* `waiver`: of each reason the one in force, or NULL. One that has ended
 * counts for nothing. */
struct verdict_answer verdict_answer(const struct verdict_facts *f,
    const struct waiver *const waiver[REASONS], int64_t now_us);
bool waiver_holds(const struct waiver *w, int64_t now_us); /* NULL: no */

/* A span in which a listener was open and mail was taken: `observed_us` of it
 * by the monotonic clock, its ends by the wall clock. */
struct watched_span {
	int64_t from_us, to_us, observed_us;
};
/* How much of it lies behind `since_us`, never more than was observed. */
int64_t watched_since(const struct watched_span *s, int64_t since_us);

#endif
