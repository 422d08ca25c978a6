/* SPDX-License-Identifier: ISC
 *
 * Recipients without a delivery that stands: all that are known of one were
 * superseded, and nothing came after.
 */
#include "relay/audit/verify/conserve_int.h"
#include "relay/base/id.h"

/* Accepted before the oldest file that is kept: another delivery of it may
 * have stood there. */
static bool is_older(struct recounting *c, uint64_t id)
{
	struct arena *a;
	struct envelope env;
	int rc;

	if (hour_of(id_wall_ms(id) * 1000) >= c->first_hour)
		return false;
	if (hourfile_hour(c->file) != c->first_hour)
		return true;
	a = arena_new(); /* an upload across the first hour's beginning? */
	rc = hourfile_message(c->file, id, a, &env);
	arena_free(a);
	return rc <= 0;
}

void suspect_add(struct recounting *c, const struct hour_recipient *r)
{
	if (is_older(c, r->id))
		return;
	if (c->suspects == c->cap) {
		c->cap = c->cap == 0 ? 16 : c->cap * 2;
		c->suspect =
		    mem_resize(c->suspect, c->cap * sizeof(*c->suspect));
	}
	c->suspect[c->suspects++] = (struct suspect){.id = r->id,
	    .rcpt = r->rcpt, .to = arena_strdup(c->a, r->address)};
}

struct suspect_check {
	struct arena *a;
	struct suspect *s;
};

static void see_leg(struct arena *a, struct suspect *s,
    const struct recipient_leg *l)
{
	struct suspect_leg now = {l->number, l->state != D_SUPERSEDED}, *grown;

	for (unsigned i = 0; i < s->legs; i++)
		if (s->leg[i].number == l->number) {
			s->leg[i] = now;
			return;
		}
	grown = arena_alloc(a, (s->legs + 1) * sizeof(*grown));
	if (s->legs > 0)
		memcpy(grown, s->leg, s->legs * sizeof(*grown));
	grown[s->legs++] = now;
	s->leg = grown;
}

static void on_suspect_row(void *arg, const struct hour_recipient *r)
{
	struct suspect_check *c = arg;
	struct slice text = slice_str(r->legs);
	struct recipient_leg l;

	while (r->rcpt == c->s->rcpt && leg_states_next(&text, &l))
		see_leg(c->a, c->s, &l);
}

static bool stands(const struct suspect *s)
{
	for (unsigned i = 0; i < s->legs; i++)
		if (s->leg[i].stands)
			return true;
	return false;
}

static int check(struct recounting *c)
{
	int rc = 0;

	for (size_t i = 0; i < c->suspects && rc >= 0; i++) {
		struct suspect_check now = {c->a, &c->suspect[i]};

		rc = hourfile_recipients(
		    c->file, now.s->id, on_suspect_row, &now);
	}
	return rc < 0 ? -1 : 0;
}

/* Where another delivery of it may have stood was pruned meanwhile; a notice is
 * numbered after its hour's end. */
static bool was_pruned(const struct recounting *c, uint64_t id)
{
	return c->gone != INT64_MIN &&
	       hour_of(id_wall_ms(id) * 1000) <= c->gone + 1;
}

/* Several files may have made the same recipient suspect. */
static bool told(const struct recounting *c, size_t n)
{
	const struct suspect *s = &c->suspect[n];

	for (size_t i = 0; i < n; i++)
		if (c->suspect[i].id == s->id && c->suspect[i].rcpt == s->rcpt)
			return true;
	return false;
}

static void tell(struct recounting *c)
{
	for (size_t i = 0; i < c->suspects; i++) {
		const struct suspect *s = &c->suspect[i];

		if (stands(s) || told(c, i) || was_pruned(c, s->id))
			continue;
		c->out->lost++;
		if (c->out->on_lost != NULL)
			c->out->on_lost(c->out->arg, s->id, s->to);
	}
}

int suspects_check(struct recounting *c, struct error *err)
{
	if (c->suspects == 0)
		return 0;
	if (recounting_each(c, check, err) != 0)
		return -1;
	tell(c);
	return 0;
}

void suspects_fini(struct recounting *c)
{
	mem_free(c->suspect);
}
