/* SPDX-License-Identifier: ISC
 *
 * Return addresses of copies (RFC 5321 4.5.5 asks that bounces go where the
 * envelope says).
 *
 * Mail to one is a message of its own: stored in the journal before the 250
 * like any other, with one delivery that is over from the first (deleted,
 * reason "returned"), so it is counted but never delivered. Its envelope tells
 * the projector the rest: `parent` is the copy's message, `came_from` the leg
 * that the copy went to, and the recipient's `orcpt` what the report says.
 */
#include "relay/intake/copy_bounce.h"

#include "policy/return_addr.h"
#include "relay/mail/dsn_read.h"

/* A bounce has one recipient; the next transaction may have another. */
static void alone(struct reply *r)
{
	reply_set(r, 452, "4.5.3", "A return address is taken alone");
}

/* The leg whose name begins so; as the address has it when it is gone. */
static const char *leg_name(const struct conf *c, struct arena *a,
    const char *cut)
{
	for (int i = 0; i < c->legs; i++)
		if (slice_eq(slice_head(slice_str(c->leg[i].name),
			    RETURN_LEG_MAX), slice_str(cut)))
			return c->leg[i].name;
	return arena_strdup(a, cut);
}

static void take(struct intake *in, const struct rcpt_to *t,
    const struct return_addr *ret, struct decision *d)
{
	struct mail *m = in->mail;
	struct spool_delivery *dl;

	d->change = in->w->table_floor;
	intake_add(in, t, d);
	dl = &m->delivery[m->deliveries - 1];
	dl->state = D_DELETED;
	dl->reason = WHY_RETURNED;
	m->env.parent = ret->id;
	m->env.came_from = leg_name(intake_conf(in), m->arena,
	    ret->leg);
	in->bounce = true;
}

bool copy_bounce_rcpt(struct intake *in, const struct rcpt_to *t,
    struct reply *r)
{
	struct return_addr ret;
	struct decision d;
	bool is_one = return_addr_decide(intake_conf(in), &t->to,
	    steady_wall_us(in->w->shared), &ret, &d);

	if (!is_one && !in->bounce)
		return false;
	if (is_one && d.verdict == VERDICT_REFUSE) {
		*r = d.reply;
	} else if (in->mail->env.rcpts != 0) {
		alone(r);
	} else {
		take(in, t, &ret, &d);
		reply_set(r, 250, "2.1.5", "Ok");
	}
	return true;
}

void copy_bounce_read(struct intake *in)
{
	struct mail *m = in->mail;
	struct dsn_said said;
	struct strbuf text;

	strbuf_init(&text, DSN_ACTION + DSN_STATUS + DSN_ADDRESS);
	if (dsn_read(spool_draft_head(m->draft), &said))
		strbuf_addf(&text, "%s %s %s", said.action, said.status,
		    said.address);
	m->env.rcpt[0].orcpt = arena_slicedup(m->arena, strbuf_view(&text));
	strbuf_fini(&text);
}
