/* SPDX-License-Identifier: ISC
 *
 * Adds to the folds: deliveries, and first attempts that did not deliver.
 */
#include "relay/audit/delivered/last_delivery.h"

#include "relay/audit/delivered/last_delivery_int.h"
#include "relay/mail/addr.h"

/* `base_out`: the base address. False: it is no address, or there is no room
 * for the leg. */
static bool key_of(struct last_delivery *l, const char *leg, const char *to,
    struct last_row *r, struct strbuf *base_out)
{
	int number = names_id(l->legs, slice_str(leg));
	struct strbuf key;
	struct addr a;
	const char *why;
	bool ok;

	strbuf_init(&key, 2 * ADDR_MAX);
	ok = number >= 0 && addr_parse(slice_str(to), true, &a, &why) == 0 &&
	     addr_key(&a, '\0', &key);
	if (ok) {
		r->leg = (uint16_t)number;
		pthread_mutex_lock(&l->lock);
		r->to = recipient_key_text(l->separators, l->secret,
		    strbuf_view(&key), base_out);
		pthread_mutex_unlock(&l->lock);
	}
	strbuf_fini(&key);
	return ok;
}

void last_delivery_add(struct last_delivery *l, const char *leg,
    const char *to, const struct last_delivered *m)
{
	struct last_row r = {.time_us = m->time_us, .id = m->id,
	    .uncertain = m->uncertain, .again = m->again,
	    .firsts = m->first};
	struct strbuf base;

	strbuf_init(&base, 2 * ADDR_MAX);
	if (key_of(l, leg, to, &r, &base)) {
		pthread_mutex_lock(&l->lock);
		last_fold_put(&l->fold, &r, strbuf_view(&base));
		pthread_mutex_unlock(&l->lock);
		if (m->first)
			outcome_fold_put(&l->outcomes, &(struct first_attempt){
			    .leg = r.leg, .time_us = r.time_us,
			    .how = FIRST_DELIVERED});
	}
	strbuf_fini(&base);
}

void last_delivery_missed(struct last_delivery *l, const char *leg,
    const char *to, int64_t time_us, enum first_outcome how)
{
	struct first_attempt o = {.time_us = time_us, .how = how};
	struct last_row r = {0};
	struct strbuf base;

	strbuf_init(&base, 2 * ADDR_MAX);
	if (key_of(l, leg, to, &r, &base)) {
		o.recipient = r.to.base;
		o.leg = r.leg;
		outcome_fold_put(&l->outcomes, &o);
	}
	strbuf_fini(&base);
}
