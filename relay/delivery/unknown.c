/* SPDX-License-Identifier: ISC
 *
 * A leg says that it does not know a recipient. A worker's loop.
 */
#include "relay/delivery/unknown.h"

#include "relay/audit/delivered/last_delivery.h"
#include "relay/audit/projector.h"
#include "relay/client/client.h"

enum unknown_means unknown_means(const struct conf *c,
    const struct unknown_facts *f)
{
	int64_t known_end = f->created_us + c->retry.known_wait_ms * 1000;

	if (f->in_grace || (f->known && f->now_us < known_end))
		return UNKNOWN_WAITS;
	return f->began_in_grace ? UNKNOWN_IS_PARKED : UNKNOWN_IS_FINAL;
}

/* Detail included: only that address was delivered, and a stranger can write to
 * any detail of it. */
bool unknown_delivered(const struct worker *w, int leg, const struct addr *to,
    int64_t now_us)
{
	struct strbuf key;
	bool known;

	if (w->projector == NULL)
		return false;
	strbuf_init(&key, ADDR_MAX);
	known = addr_key(to, '\0', &key) &&
		last_delivery_known(projector_last(w->projector),
		    names_text(w->shared->names, leg), strbuf_view(&key),
		    now_us);
	strbuf_fini(&key);
	return known;
}

/* False: the table cannot be read. */
static bool look_for_flip(const struct attempt *at, struct table *t,
    const struct decision *d, struct unknown_facts *f)
{
	int64_t grace_us = at->snapshot->conf->retry.grace_ms * 1000;
	struct slice key = slice_str(d->key);
	struct error err;
	int now, then = 0;

	/* A change of the domain's row is no flip of the recipient. */
	if (grace_us == 0 || !d->row.found || d->key[0] == '@')
		return true;
	now = table_flipped(t, &d->row, key, f->now_us - grace_us, &err);
	if (now == 0)
		then = table_flipped(t, &d->row, key,
		    f->created_us - grace_us, &err);
	f->in_grace = now > 0;
	f->began_in_grace = then > 0;
	return now >= 0 && then >= 0;
}

bool unknown_judge(const struct attempt *at, struct table *t,
    const struct decision *d, struct outcome_letter *o, unsigned i)
{
	struct result *r = &o->row[i].result;
	struct unknown_facts f = {.now_us = o->time_us,
	    .created_us = o->row[i].delivery.created_us};
	struct addr to;

	if (r->class != CLASS_RECIPIENT ||
	    !mail_rcpt_addr(at->mail, at->row[i].ref.rcpt, &to))
		return true;
	if (!look_for_flip(at, t, d, &f))
		return false;
	f.known = unknown_delivered(at->w, at->leg, &to, o->time_us);
	o->row[i].known = f.known;
	switch (unknown_means(at->snapshot->conf, &f)) {
	case UNKNOWN_WAITS:
		r->outcome = OUT_DEFERRED;
		break;
	case UNKNOWN_IS_PARKED:
		r->outcome = OUT_PARKED;
		break;
	case UNKNOWN_IS_FINAL:
		break;
	}
	return true;
}
