/* SPDX-License-Identifier: ISC
 *
 * The daemon recounts itself while it works.
 */
#include "relay/settle/self_check.h"

#include "relay/base/assert.h"
#include "relay/base/log.h"

/* Together about 0.3 ms, of which the spool's lock is held for a third. */
enum { DELIVERIES = 1000, MESSAGES = 500 };

static const char *look(struct self_check *c, const struct queue *q,
    struct spool *s, const struct ledger *l)
{
	const char *why = queue_check_some(q, &c->queue, DELIVERIES);

	if (why == NULL)
		why = ledger_check(l, NULL, &c->ledger);
	if (why == NULL)
		why = spool_check_some(s, &c->spool, MESSAGES);
	return why;
}

void self_check_step(struct self_check *c, const struct queue *q,
    struct spool *s, const struct ledger *l, int64_t now_us)
{
	bool long_enough;
	const char *why;

	if (now_us < c->next_us)
		return;
	if (c->next_us == 0)
		c->begun_us = now_us;
	c->next_us = now_us + SELF_CHECK_EVERY_US;
	why = look(c, q, s, l);
	if (why == NULL)
		return;
	long_enough = now_us - c->begun_us >= SELF_CHECK_END_US;
	if (!c->told || long_enough)
		log_error("check.failed", kv_str("what", why),
		    kv_str("effect", long_enough
			? "the process ends; the journal is read again"
			: "noted; restart the daemon when it suits"));
	c->told = true;
	PH_ASSERT(!long_enough);
}
