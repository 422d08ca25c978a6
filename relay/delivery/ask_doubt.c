/* SPDX-License-Identifier: ISC
 *
 * A question of our own to a leg whose set-up is in doubt.
 */
#include "relay/delivery/ask_doubt.h"

#include <stdio.h>

#include "relay/base/mem.h"
#include "relay/delivery/ask_int.h"
#include "relay/post/queue_letters.h"

struct doubt {
	struct ask_way way;
	struct question_letter *letter;
};

static void end(struct doubt *q)
{
	q->letter->letter.kind = S_ANSWERED;
	mailbox_post(q->way.w->shared->queue_box, &q->letter->letter);
	ask_way_fini(&q->way);
	mem_free(q);
}

static void on_done(void *arg, struct client_request *r)
{
	struct doubt *q = arg;
	struct question_letter *l = q->letter;
	const struct result *res = &q->way.rcpt.result;
	const struct conf_reply *row = ask_way_classify(&q->way);

	(void)r;
	l->class = res->class;
	l->taken = res->outcome == OUT_DELIVERED;
	l->at_rcpt = ask_way_came_to_rcpt(&q->way);
	snprintf(l->said, sizeof(l->said), "%d %s %.150s. %s",
	    res->code, res->enh, res->text, row != NULL ? row->help : "");
	ask_way_over(&q->way);
	end(q);
}

static void fill(struct doubt *q)
{
	const char *to = q->letter->to, *why;
	struct addr a;
	bool utf8 = addr_parse(slice_str(to), true, &a, &why) == 0 && a.utf8;

	ask_way_fill(&q->way, q->way.snapshot->conf->postmaster, to, utf8);
	q->way.req.done = on_done;
	q->way.req.arg = q;
}

/* Without a connection and a slot the question is not asked: that it is in
 * doubt is no reason to give the leg more connections than it allows. */
void ask_doubt_take(struct worker *w, struct question_letter *l)
{
	struct doubt *q = NEW(struct doubt);

	q->letter = l;
	ask_way_init(&q->way, w, l->leg);
	fill(q);
	snprintf(l->said, sizeof(l->said), "not asked");
	l->class = CLASS_NONE;
	if (!ask_way_put(&q->way, ledger_take_trial))
		end(q);
}
