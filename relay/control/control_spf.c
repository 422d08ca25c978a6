/* SPDX-License-Identifier: ISC
 *
 * The line of status about checks of SPF, of all workers together. The ops
 * loop.
 */
#include "relay/control/control_int.h"

#include "relay/base/mem.h"
#include "relay/post/worker.h"
#include "relay/post/workers.h"
#include "relay/spf/spf_check.h"
#include "relay/spf/spf_helper.h"

struct spf_sum {
	uint64_t checks, cached, temperrors;
	uint64_t asked, deaths, timeouts, unasked;
	int up;
};

static void add_worker(struct spf_sum *s, const struct worker *w)
{
	const struct spf_check_counts *c = spf_check_counts(w->spf);
	const struct spf_helper_counts *h = spf_helper_counts(w->spf_helper);

	s->checks += atomic_load(&c->checks);
	s->cached += atomic_load(&c->cached);
	s->temperrors += atomic_load(&c->temperrors);
	s->asked += atomic_load(&h->asked);
	s->deaths += atomic_load(&h->deaths);
	s->timeouts += atomic_load(&h->timeouts);
	s->unasked += atomic_load(&h->unasked);
	s->up += atomic_load(&h->up);
}

static int64_t percent(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : (int64_t)(part * 100 / whole);
}

void control_row_spf(const struct control *c, struct ctl_request *r)
{
	struct jout *j = ctl_row(r);
	struct spf_sum s = {0};

	for (int i = 0; i < c->cfg.shared->workers->n; i++)
		add_worker(&s, c->cfg.worker[i]);
	jout_str(j, "section", "spf");
	jout_int(j, "checks", (int64_t)s.checks);
	jout_int(j, "cached_percent", percent(s.cached, s.checks));
	jout_int(j, "temperror_percent", percent(s.temperrors, s.checks));
	jout_int(j, "helpers", s.up);
	jout_int(j, "helper_asked", (int64_t)s.asked);
	jout_int(j, "helper_deaths", (int64_t)s.deaths);
	jout_int(j, "helper_timeouts", (int64_t)s.timeouts);
	jout_int(j, "helper_unasked", (int64_t)s.unasked);
	ctl_row_end(r);
}
