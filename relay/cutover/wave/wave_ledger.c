/* SPDX-License-Identifier: ISC
 *
 * The watermarks of held members (doc/watermark.md). One that began before the
 * hold, and has its state since before it, is of an earlier move, and says
 * nothing. (It may begin with an earlier change when it is made anew from the
 * change log, which is compared with the routes as they are.)
 */
#include "relay/cutover/wave/wave_ledger.h"

#include <stdio.h>

#include "policy/route.h"
#include "policy/row.h"
#include "relay/audit/delivered/watermark_reader.h"
#include "relay/base/mem.h"

struct wave_ledger {
	const struct conf *conf;
	struct names *names;
	struct watermark_reader *reader;
	bool tried;
};

/* One member. */
struct legs_look {
	const struct held_asked *asked;
	struct names *names;
	struct route was, to;
	unsigned ended; /* legs of `was` */
	bool failed;
	char *why;
};

struct wave_ledger *wave_ledger_new(const struct conf *c, struct names *names)
{
	struct wave_ledger *l = NEW(struct wave_ledger);

	l->conf = c;
	l->names = names;
	return l;
}

void wave_ledger_free(struct wave_ledger *l)
{
	if (l == NULL)
		return;
	watermark_reader_close(l->reader);
	mem_free(l);
}

static bool has_leg(const struct route *r, int leg)
{
	for (unsigned i = 0; i < r->legs; i++)
		if (r->leg[i] == leg)
			return true;
	return false;
}

/* A leg that the new route names too gets mail again, so there is nothing to
 * synchronize; but what is under way there has to end. */
static bool is_over(const struct watermark *row, bool stays)
{
	if (row->state == WATERMARK_SYNCED)
		return true;
	return row->state == WATERMARK_REACHED && (stays || row->waived);
}

static void on_watermark(void *arg, const struct watermark *row)
{
	struct legs_look *l = arg;
	int leg = names_find(l->names, slice_str(row->leg));
	bool stays = has_leg(&l->to, leg);

	if (leg < 0 || !has_leg(&l->was, leg) ||
	    (row->change < l->asked->change &&
		row->at_us < l->asked->since_us))
		return;
	if (is_over(row, stays)) {
		l->ended++;
	} else if (!stays && row->state == WATERMARK_REACHED &&
		   row->hook == HOOK_FAILED) {
		l->failed = true;
		snprintf(l->why, HELD_WHY_MAX, "its move failed: %.170s",
		    row->note);
	}
}

static int look(struct wave_ledger *l, struct legs_look *look,
    struct error *err)
{
	const struct held_asked *q = look->asked;
	const struct conf_domain *d = conf_domain(l->conf,
	    row_domain(slice_str(q->address)));
	struct strbuf base;
	int rc;

	if (route_parse(slice_str(q->was), l->conf, d, &look->was, err) < 0 ||
	    route_parse(slice_str(q->to), l->conf, d, &look->to, err) < 0)
		return -1;
	strbuf_init(&base, 2 * ADDR_MAX);
	rc = route_base(l->conf, slice_str(q->address), &base)
		 ? watermark_reader_get(l->reader, strbuf_view(&base),
		       on_watermark, look, err)
		 : error_set(err, "%.200s is no recipient", q->address);
	strbuf_fini(&base);
	return rc < 0 ? -1 : 0;
}

enum held_is wave_ledger_held(struct wave_ledger *l,
    const struct held_asked *q, char why[HELD_WHY_MAX])
{
	struct legs_look of = {.asked = q, .names = l->names, .why = why};
	struct error ignored;

	if (!l->tried)
		l->reader = watermark_reader_open(l->conf, &ignored);
	l->tried = true;
	/* The watermarks' thread reports one that cannot be read. */
	if (l->reader == NULL || look(l, &of, &ignored) < 0)
		return HELD_WAITS;
	return of.failed		? HELD_FAILED
	       : of.ended == of.was.legs ? HELD_ENDED : HELD_WAITS;
}
