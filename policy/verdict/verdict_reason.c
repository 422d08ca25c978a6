/* SPDX-License-Identifier: ISC
 *
 * The table of reasons, the table of facts, and what follows from them.
 */
#include "policy/verdict/verdict_reason.h"

#include <inttypes.h>

#include "relay/base/attr.h"

/* clang-format off */
static const struct {
	const char *name, *says;
} reasons[REASONS] = {
	[REASON_ROWS] = { "rows",
		"No route, setting or address leads to the server" },
	[REASON_OPEN] = { "open",
		"Nothing waits for it, and no wave or hold is under way" },
	[REASON_WATERMARKS] = { "watermarks",
		"Each mailbox that got mail there was synchronized after the last of it" },
	[REASON_PROPAGATION] = { "propagation",
		"No name server and no resolver leads to it, nor an old answer that may live" },
	[REASON_STRAGGLERS] = { "stragglers",
		"No client that matters still comes to the old address" },
	[REASON_FROM_LEG] = { "from-leg",
		"Nothing comes from it" },
	[REASON_OBSERVED] = { "observed",
		"The silence was listened to, for as long as it has to last" },
	[REASON_INSIDE] = { "inside",
		"Its own logs show no delivery inside it for mailboxes that have moved" },
};

static const struct {
	enum reason_id reason;
	enum reason_state state;
	const char *says; /* before a number */
} facts[FACTS] = {
	[FACT_NO_ROW] = { REASON_ROWS, REASON_NO, "domains without a row" },
	[FACT_TO_LEG] = { REASON_ROWS, REASON_NO, "rows that lead there" },
	[FACT_TO_ALIAS] = { REASON_ROWS, REASON_NO,
		"rows that lead to the same server by another leg" },
	[FACT_TO_ABSENT] = { REASON_ROWS, REASON_NO,
		"rows to a leg that the configuration does not have" },
	[FACT_SETTING] = { REASON_ROWS, REASON_NO, "settings that lead there" },
	[FACT_UNRESOLVED] = { REASON_ROWS, REASON_UNKNOWN,
		"hosts of legs without an address, so that they may be the same server" },
	[FACT_OPEN] = { REASON_OPEN, REASON_NO, "deliveries that wait or are under way" },
	[FACT_HELD] = { REASON_OPEN, REASON_NO, "deliveries that are held" },
	[FACT_FROZEN] = { REASON_OPEN, REASON_NO, "deliveries that are frozen" },
	[FACT_PARKED] = { REASON_OPEN, REASON_NO, "deliveries that are parked" },
	[FACT_HELD_ROW] = { REASON_OPEN, REASON_NO, "rows that are held" },
	[FACT_WAVE] = { REASON_OPEN, REASON_NO, "waves that are not done" },
	[FACT_GAP] = { REASON_OPEN, REASON_NO, "legs whose deliveries do not add up" },
	[FACT_NO_MARK] = { REASON_WATERMARKS, REASON_NO,
		"recipients that got mail there and have no watermark" },
	[FACT_PENDING] = { REASON_WATERMARKS, REASON_NO, "watermarks that are not reached" },
	[FACT_WITHDRAWN] = { REASON_WATERMARKS, REASON_NO,
		"watermarks that a later delivery has withdrawn" },
	[FACT_NOT_SYNCED] = { REASON_WATERMARKS, REASON_NO,
		"mailboxes that were not reported as synchronized" },
	[FACT_SHORT_LEDGER] = { REASON_WATERMARKS, REASON_UNKNOWN,
		"gaps in what is known of deliveries there" },
	[FACT_ELSEWHERE] = { REASON_PROPAGATION, REASON_NO, "answers that still lead there" },
	[FACT_SILENT] = { REASON_PROPAGATION, REASON_UNKNOWN,
		"servers without a clear answer" },
	[FACT_MAY_LIVE] = { REASON_PROPAGATION, REASON_NO,
		"domains of which an old answer may still live" },
	[FACT_NOT_LOOKED] = { REASON_PROPAGATION, REASON_UNKNOWN,
		"domains that were not looked at" },
	[FACT_STRAGGLER] = { REASON_STRAGGLERS, REASON_NO, "clients that are not quiet" },
	[FACT_IMPORTED] = { REASON_STRAGGLERS, REASON_NO,
		"clients in the logs of the old server that are not quiet" },
	[FACT_SHORT_COUNT] = { REASON_STRAGGLERS, REASON_UNKNOWN,
		"reasons to have missed clients" },
	[FACT_FROM_LEG] = { REASON_FROM_LEG, REASON_NO, "kinds of mail that came from it" },
	[FACT_WAY_BACK] = { REASON_FROM_LEG, REASON_NO,
		"ways by which mail reached it and came back" },
	[FACT_SHORT_WATCH] = { REASON_FROM_LEG, REASON_UNKNOWN,
		"reasons to have missed its mail" },
	[FACT_NO_LISTENER] = { REASON_OBSERVED, REASON_NO,
		"verdicts without a listener to watch" },
	[FACT_UNOBSERVED] = { REASON_OBSERVED, REASON_NO,
		"listeners that were not watched for long enough" },
	[FACT_UNOBSERVED_GAP] = { REASON_OBSERVED, REASON_NO,
		"clients that come too seldom for what was watched" },
	[FACT_INSIDE] = { REASON_INSIDE, REASON_NO,
		"deliveries inside it for recipients that had moved" },
	[FACT_LOG_ENDS] = { REASON_INSIDE, REASON_UNKNOWN,
		"logs that end too early" },
	[FACT_NO_LOG] = { REASON_INSIDE, REASON_UNKNOWN,
		"servers whose logs were not imported" },
};
/* clang-format on */

static const char *const state_text[] = {
	[REASON_OK] = "ok", [REASON_UNKNOWN] = "unknown", [REASON_NO] = "no",
};

void facts_count(struct verdict_facts *f, enum fact_id id, uint64_t n,
    struct slice text)
{
	if (n == 0)
		return;
	facts_add(f, id, text, 0);
	f->fact[id].n += n - 1;
}

void facts_add(struct verdict_facts *f, enum fact_id id, struct slice text,
    int64_t at_us)
{
	struct evidence *e = &f->fact[id];

	e->n++;
	if (e->items == EVIDENCE_ITEMS)
		return;
	e->item[e->items].text = arena_slicedup(f->arena, text);
	e->item[e->items++].at_us = at_us;
}

const char *reason_name(enum reason_id r)
{
	return reasons[r].name;
}

int reason_find(struct slice name)
{
	for (int r = 0; r < REASONS; r++)
		if (slice_eq(name, slice_str(reasons[r].name)))
			return r;
	return -1;
}

const char *reason_says(enum reason_id r)
{
	return reasons[r].says;
}

const char *reason_state_text(enum reason_state s)
{
	return state_text[s];
}

enum reason_id fact_reason(enum fact_id id)
{
	return facts[id].reason;
}

const char *fact_says(enum fact_id id)
{
	return facts[id].says;
}

enum reason_state reason_judge(const struct verdict_facts *f,
    enum reason_id r)
{
	enum reason_state worst =
	    f->unread[r] != NULL || f->looked[r] == NULL ? REASON_UNKNOWN
							 : REASON_OK;

	for (int i = 0; i < FACTS; i++)
		if (facts[i].reason == r && f->fact[i].n > 0 &&
		    facts[i].state > worst)
			worst = facts[i].state;
	return worst;
}

static void print_fact(const struct evidence *e, const char *says,
    unsigned names, struct strbuf *out)
{
	unsigned n = e->items < names ? e->items : names;

	strbuf_addf(out, "%s%s: %" PRIu64, out->n == 0 ? "" : "; ", says,
	    e->n);
	for (unsigned i = 0; i < n; i++)
		strbuf_addf(out, "%s%s", i == 0 ? " (" : ", ",
		    e->item[i].text);
	if (n > 0)
		strbuf_adds(out, e->n > n ? ", …)" : ")");
}

void reason_print(const struct verdict_facts *f, enum reason_id r,
    unsigned names, struct strbuf *out)
{
	if (f->unread[r] != NULL)
		strbuf_adds(out, f->unread[r]);
	for (int i = 0; i < FACTS; i++)
		if (facts[i].reason == r && f->fact[i].n > 0)
			print_fact(&f->fact[i], facts[i].says, names, out);
	if (out->n == 0)
		strbuf_adds(out, f->looked[r] != NULL ? f->looked[r]
			: "it was not looked at");
}

bool waiver_holds(const struct waiver *w, int64_t now_us)
{
	return w != NULL && now_us < w->until_us;
}

struct verdict_answer verdict_answer(const struct verdict_facts *f,
    const struct waiver *const waiver[REASONS], int64_t now_us)
{
	struct verdict_answer a = {.go = true};

	for (int r = 0; r < REASONS; r++) {
		if (reason_judge(f, (enum reason_id)r) == REASON_OK)
			continue;
		if (waiver_holds(waiver[r], now_us))
			a.waived++;
		else
			a.go = false;
	}
	return a;
}

int64_t watched_since(const struct watched_span *s, int64_t since_us)
{
	int64_t behind;

	if (s->observed_us <= 0 || s->to_us <= since_us)
		return 0;
	if (s->from_us >= since_us)
		return s->observed_us;
	behind = s->to_us - since_us;
	return behind < s->observed_us ? behind : s->observed_us;
}
