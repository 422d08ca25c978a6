/* SPDX-License-Identifier: ISC
 *
 * Verdicts for our own addresses, from the check of a client. When its mail has
 * been delivered, the forecast judges the same sender over the address that the
 * leg sees: the helper has the records at hand now, and would be woken for that
 * alone a moment later.
 */
#include "conf/conf.h"
#include "relay/spf/spf_check_int.h"

static struct spf_identity identity_of(const struct spf_run *r,
    struct slice address)
{
	struct spf_identity i = r->id;

	memcpy(i.ip, address.p, address.n);
	i.ip_n = address.n;
	return i;
}

static bool is_known(struct spf_run *r, struct slice address)
{
	struct spf_checker *c = r->checker;
	struct verdict_now now = {r->epoch, loop_now_ms(c->loop)};
	struct spf_identity i = identity_of(r, address);

	return shared_verdicts_find(c->verdicts, &now, &i, false, NULL);
}

/* A network of several addresses is left out: only its first and last address
 * are ever judged, and rarely. */
static void take(struct spf_run *r, const struct conf_net *net)
{
	struct slice a = slice_of((const char *)net->addr,
	    net->family == AF_INET6 ? 16 : 4);

	if (r->others == SPF_OTHERS_MAX || net->bits != (int)a.n * 8)
		return;
	for (int i = 0; i < r->others; i++)
		if (slice_eq(r->other[i], a))
			return;
	if (!is_known(r, a))
		r->other[r->others++] = slice_of(arena_slicedup(r->arena, a),
		    a.n);
}

/* The forecast is of legs of the table, never of an egress; a leg that looks
 * through us judges the client's address. */
void spf_others_find(struct spf_run *r, const struct conf *c)
{
	/* For a null sender our own HELO name is judged. */
	if (c == NULL || r->id.of_helo)
		return;
	for (int i = 0; i < c->legs; i++) {
		if (c->leg[i].egress || leg_looks_through(&c->leg[i]))
			continue;
		for (int n = 0; n < c->leg[i].seen.count; n++)
			take(r, &c->leg[i].seen.net[n]);
	}
}

void spf_others_keep(struct spf_run *r, const struct spf_reply *reply)
{
	struct spf_checker *c = r->checker;
	struct verdict_now now = {r->epoch, loop_now_ms(c->loop)};

	for (int i = 0; i < reply->others && i < r->others; i++) {
		const struct spf_other *o = &reply->other[i];
		struct verdict_found found = {&o->verdict, 0, r->ttl_ms,
		    false};
		struct spf_identity id = identity_of(r, r->other[i]);

		if (o->known && o->verdict.result != SPF_TEMPERROR)
			shared_verdicts_put(c->verdicts, &now, &id, &found);
	}
}
