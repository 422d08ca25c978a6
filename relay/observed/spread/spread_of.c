/* SPDX-License-Identifier: ISC
 *
 * See spread_of.h.
 */
#include "relay/observed/spread/spread_of.h"

int spread_of(const struct spread_asked *q, struct arena *a,
    struct spread_found *out, struct error *err)
{
	struct observed *o = observed_read(q->conf->audit.path, err);
	int rc;

	if (o == NULL)
		return -1;
	rc = spread_get(o, q->domain, a, &out->rows, err);
	observed_close(o);
	if (rc < 0 || stated_get(q->conf->table.path, q->domain, a,
		&out->stated, err) < 0)
		return -1;
	out->facts = (struct spread_facts){.leg = q->leg,
	    .now_us = q->now_us,
	    .interval_us = q->conf->propagation.interval_ms * 1000,
	    .stale_us = q->conf->propagation.stale_ms * 1000,
	    .more = out->rows.more,
	    .stated = out->stated.what,
	    .server = out->rows.server,
	    .servers = out->rows.n};
	spread_judge(&out->facts, &out->judged);
	return 0;
}
