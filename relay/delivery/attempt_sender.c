/* SPDX-License-Identifier: ISC
 *
 * The question about the sender, and its answer in the request.
 */
#include "relay/delivery/attempt_sender.h"

#include "policy/return_addr.h"
#include "relay/audit/note_post.h"
#include "relay/base/id.h"
#include "relay/delivery/attempt_route.h"
#include "relay/delivery/outgoing.h"

static void take_result(struct attempt *at, const struct egress_judged *judged)
{
	at->sender = leg_sender_judged(judged->way[0].result);
	at->sender_spf = spf_result_text(judged->way[0].result);
	at->sender_dmarc_fails = judged->choice.dmarc_would_fail;
}

/* By the table as it is now: a notice about a recipient without a row is for a
 * sender that passes alone. */
static enum leg_sender choose(struct attempt *at, const struct conf_leg *leg)
{
	struct leg_mail m = {.role = at->role, .from = at->mail->env.from,
	    .spf = at->mail->env.spf};

	if (leg->rewrite_sender != REWRITE_NEVER)
		attempt_know_strangers(at);
	for (unsigned i = 0; i < at->n; i++)
		m.stranger |= at->row[i].stranger;
	return leg_sender_choose(at->snapshot->conf, leg, &m);
}

static void on_judged(void *arg, const struct egress_judged *judged)
{
	struct attempt *at = arg;

	take_result(at, judged);
	attempt_take_up(at);
	at->go_on(at);
}

enum egress_step attempt_sender(struct attempt *at,
    void (*go_on)(struct attempt *at))
{
	const struct envelope *e = &at->mail->env;
	const struct egress_judged *judged;
	const struct conf_leg *leg;
	struct egress_subject s;

	if (at->snapshot == NULL)
		at->snapshot = snapshot_ref(at->w->snapshot);
	leg = conf_leg_by_id(at->snapshot->conf, at->leg);
	if (at->sender != LEG_SENDER_ASK || leg == NULL)
		return EGRESS_GO;
	at->sender = choose(at, leg);
	if (at->sender != LEG_SENDER_ASK)
		return EGRESS_GO;
	s = egress_subject_of(at->snapshot->conf, e,
	    clock_wall_us(at->w->shared->clock));
	s.leg = leg;
	judged = egress_judge(at->w->outgoing->egress, &s, on_judged, at,
	    &at->question);
	if (judged == NULL)
		return attempt_put_aside(at, go_on);
	take_result(at, judged);
	return EGRESS_GO;
}

/* A bounce of this mail comes to us, and ends here. */
static void set_return(struct attempt *at)
{
	struct client_request *q = &at->req;
	struct strbuf address;

	strbuf_init(&address, ADDR_MAX);
	if (return_addr_make(q->conf, q->id, q->leg->name,
		steady_wall_us(at->w->shared), &address) &&
	    strbuf_ok(&address)) {
		q->from = arena_slicedup(at->arena, strbuf_view(&address));
		q->ret = RET_HDRS;
		for (unsigned i = 0; i < q->rcpts; i++)
			q->rcpt[i].notify &= NOTIFY_NEVER;
	}
	strbuf_fini(&address);
}

void attempt_sender_set(struct attempt *at)
{
	const char *srs;

	if (at->req.leg == NULL)
		return;
	if (at->sender == LEG_SENDER_SRS && (srs = attempt_srs(at)) != NULL)
		at->req.from = srs;
	else if (at->sender == LEG_SENDER_RETURN)
		set_return(at);
}

void attempt_sender_note(const struct attempt *at)
{
	struct shared *sh = at->w->shared;
	struct note_draft n;
	struct jout *j;
	char id[ID_TEXT];

	if ((at->sender != LEG_SENDER_SRS && at->sender != LEG_SENDER_RETURN) ||
	    strcmp(at->req.from, at->mail->env.from) == 0)
		return;
	j = note_open(&n, EVENT_REWRITTEN);
	id_text(at->mail->env.id, id);
	jout_str(j, "id", id);
	jout_str(j, "from", at->mail->env.from);
	jout_str(j, "leg", names_text(sh->names, at->leg));
	jout_str(j, "rewritten", at->req.from);
	if (at->sender == LEG_SENDER_SRS)
		jout_str(j, "spf", at->sender_spf);
	jout_str(j, "reason", at->sender == LEG_SENDER_SRS ? "spf" : "guard");
	if (at->sender_dmarc_fails)
		jout_str(j, "dmarc", "would-fail");
	note_post(&n, sh->spool, NOTE_SYSTEM, clock_wall_us(sh->clock));
}
