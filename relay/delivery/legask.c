/* SPDX-License-Identifier: ISC
 *
 * A question of our own to a leg whose set-up is in doubt: does it take mail
 * from our postmaster for somebody who got mail there today? Begins on the
 * queue thread, lives on a worker's loop, ends on the queue thread.
 */
#include "relay/settle/leg_health.h"

#include <stdio.h>

#include "policy/reply_class.h"
#include "relay/daemon/worker.h"
#include "relay/mail/addr.h"

struct question {
	struct worker *w;
	struct live *live;
	struct arena *arena;
	struct client_request req;
	struct client_rcpt rcpt;
	struct leg_answer answer;
	char to[ADDR_MAX + 1];
};

/* The answer on its way to the queue thread. */
struct back {
	struct settle *s;
	struct leg_answer answer;
};

static void on_back(void *arg)
{
	struct back *b = arg;

	legs_answered(b->s, &b->answer);
	mem_free(b);
}

static void end(struct question *q)
{
	struct app *a = q->w->app;
	struct back *b = NEW(struct back);

	*b = (struct back){a->settle, q->answer};
	call_post(settle_box(a->settle), S_CALL, on_back, b);
	live_unref(q->live);
	arena_free(q->arena);
	mem_free(q);
}

static void on_done(void *arg, struct client_request *r)
{
	struct question *q = arg;
	struct result *res = &q->rcpt.result;
	const struct conf_reply *row = reply_classify(r->leg->replies, res);

	q->answer.class = res->class;
	q->answer.taken = res->outcome == OUT_DELIVERED;
	q->answer.at_rcpt = strcmp(res->stage, "rcpt") == 0 && res->code != 0;
	snprintf(q->answer.said, sizeof(q->answer.said), "%d %s %.150s. %s",
	    res->code, res->enh, res->text, row != NULL ? row->help : "");
	worker_count_dialogs(q->w);
	end(q);
}

static void fill(struct question *q)
{
	struct client_request *r = &q->req;
	const char *why;
	struct addr a;

	q->live = live_ref(q->w->live);
	q->rcpt = (struct client_rcpt){.address = q->to, .orcpt = ""};
	r->conf = q->live->conf;
	r->leg = conf_leg_by_id(r->conf, q->answer.leg);
	r->from = r->conf->postmaster;
	r->envid = "";
	r->ask = true;
	r->utf8 = addr_parse(slice_str(q->to), true, &a, &why) == 0 && a.utf8;
	r->rcpt = &q->rcpt;
	r->rcpts = 1;
	r->arena = q->arena;
	r->done = on_done;
	r->arg = q;
}

/* Without a connection and a slot the question is not asked: that it is in
 * doubt is no reason to give the leg more connections than it allows. */
static void on_worker(void *arg)
{
	struct question *q = arg;
	struct ledger *l = q->w->app->ledger;
	int leg = q->answer.leg;
	bool slot = false;

	q->arena = arena_new();
	fill(q);
	snprintf(q->answer.said, sizeof(q->answer.said), "not asked");
	q->answer.class = CLASS_NONE;
	if (q->req.leg != NULL && !client_has_idle(q->w->client, leg))
		slot = ledger_take_trial(l, leg);
	if (q->req.leg != NULL && client_send(q->w->client, &q->req, slot)) {
		worker_count_dialogs(q->w);
		return;
	}
	if (slot)
		ledger_give(l, leg);
	end(q);
}

void legask_send(struct app *a, int leg, unsigned run, const char *to)
{
	struct question *q = NEW(struct question);

	q->w = a->worker[(unsigned)leg % (unsigned)a->workers];
	q->answer.leg = leg;
	q->answer.run = run;
	snprintf(q->to, sizeof(q->to), "%s", to);
	call_post(&q->w->box, W_CALL, on_worker, q);
}
