/* SPDX-License-Identifier: ISC
 *
 * A question of our own to a leg whose set-up is in doubt.
 */
#include "relay/delivery/leg_question.h"

#include <stdio.h>

#include "policy/reply_class.h"
#include "relay/client/client.h"
#include "relay/delivery/outgoing.h"
#include "relay/mail/addr.h"
#include "relay/post/queue_letters.h"

struct leg_question {
	struct worker *w;
	struct conf_snapshot *snapshot;
	struct arena *arena;
	struct client_request req;
	struct client_rcpt rcpt;
	struct question_letter *letter;
};

static void end(struct leg_question *q)
{
	q->letter->letter.kind = S_ANSWERED;
	mailbox_post(q->w->shared->queue_box, &q->letter->letter);
	snapshot_unref(q->snapshot);
	arena_free(q->arena);
	mem_free(q);
}

static void on_done(void *arg, struct client_request *r)
{
	struct leg_question *q = arg;
	struct question_letter *l = q->letter;
	struct result *res = &q->rcpt.result;
	const struct conf_reply *row = reply_classify(r->leg->replies, res);

	l->class = res->class;
	l->taken = res->outcome == OUT_DELIVERED;
	l->at_rcpt = res->stage == STAGE_RCPT && res->code != 0;
	snprintf(l->said, sizeof(l->said), "%d %s %.150s. %s",
	    res->code, res->enh, res->text, row != NULL ? row->help : "");
	dialogs_count(q->w);
	end(q);
}

static void fill(struct leg_question *q)
{
	const char *to = q->letter->to;
	struct client_request *r = &q->req;
	const char *why;
	struct addr a;

	q->snapshot = snapshot_ref(q->w->snapshot);
	q->arena = arena_new();
	q->rcpt = (struct client_rcpt){.address = to, .orcpt = ""};
	r->conf = q->snapshot->conf;
	r->leg = conf_leg_by_id(r->conf, q->letter->leg);
	r->from = r->conf->postmaster;
	r->envid = "";
	r->ask = true;
	r->utf8 = addr_parse(slice_str(to), true, &a, &why) == 0 && a.utf8;
	r->rcpt = &q->rcpt;
	r->rcpts = 1;
	r->arena = q->arena;
	r->done = on_done;
	r->arg = q;
}

/* Without a connection and a slot the question is not asked: that it is in
 * doubt is no reason to give the leg more connections than it allows. */
void leg_question_take(struct worker *w, struct question_letter *l)
{
	struct leg_question *q = NEW(struct leg_question);
	bool slot = false;

	q->w = w;
	q->letter = l;
	fill(q);
	snprintf(l->said, sizeof(l->said), "not asked");
	l->class = CLASS_NONE;
	if (q->req.leg != NULL && !client_has_idle(w->client, l->leg))
		slot = ledger_take_trial(w->shared->ledger, l->leg);
	if (q->req.leg != NULL && client_send(w->client, &q->req, slot)) {
		dialogs_count(w);
		return;
	}
	if (slot)
		ledger_give(w->shared->ledger, l->leg);
	end(q);
}
