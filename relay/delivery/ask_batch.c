/* SPDX-License-Identifier: ISC
 *
 * A question about several recipients of one leg.
 */
#include "relay/delivery/ask_batch.h"

#include <stdio.h>

#include "relay/delivery/ask_int.h"
#include "relay/mail/domain.h"
#include "relay/post/call.h"
#include "relay/post/worker_letters.h"

/* A batch at its worker. */
struct batch_asked {
	struct ask_way way;
	struct ask_batch *batch;
	struct client_rcpt rcpt[ASK_BATCH_MAX];
};

struct handed {
	struct worker *worker;
	struct ask_batch *batch;
};

struct ask_batch *ask_batch_new(int leg)
{
	struct ask_batch *b = NEW(struct ask_batch);

	b->arena = arena_new();
	b->leg = leg;
	return b;
}

void ask_batch_free(struct ask_batch *b)
{
	if (b == NULL)
		return;
	arena_free(b->arena);
	mem_free(b);
}

bool ask_batch_add(struct ask_batch *b, const char *address)
{
	if (b->n == ASK_BATCH_MAX)
		return false;
	b->row[b->n++].address = arena_strdup(b->arena, address);
	return true;
}

/* ---- back ---------------------------------------------------------------- */

static void on_back(void *arg)
{
	struct ask_batch *b = arg;

	b->done(b->arg, b);
}

static void go_back(struct ask_batch *b)
{
	call_post(b->back, 0, on_back, b);
}

static void put_reply(char out[ASK_REPLY_MAX], const struct result *r)
{
	snprintf(out, ASK_REPLY_MAX, "%.*s", ASK_REPLY_MAX - 1,
	    r->text == NULL ? "" : r->text);
}

static void note_stop(struct ask_batch *b, const struct result *r)
{
	enum preflight_stop stop = preflight_stop_of(r);

	if (stop == PREFLIGHT_GO || b->stop != PREFLIGHT_GO)
		return;
	b->stop = stop;
	if (r->code == 0)
		put_reply(b->stopped_by, r);
	else
		snprintf(b->stopped_by, ASK_REPLY_MAX, "%d %s %.200s",
		    r->code, r->enh, r->text == NULL ? "" : r->text);
}

static void on_done(void *arg, struct client_request *req)
{
	struct batch_asked *q = arg;
	struct ask_batch *b = q->batch;

	for (unsigned i = 0; i < b->n; i++) {
		struct result *r = &q->rcpt[i].result;
		struct ask_batch_row *row = &b->row[i];

		(void)reply_classify(req->leg->replies, r);
		row->class = preflight_class_of(r,
		    r->stage == STAGE_RCPT && r->code != 0);
		row->code = r->code;
		memcpy(row->enh, r->enh, sizeof(row->enh));
		put_reply(row->reply, r);
		note_stop(b, r);
	}
	ask_way_over(&q->way);
	ask_way_fini(&q->way);
	mem_free(q);
	go_back(b);
}

/* ---- at the worker ------------------------------------------------------- */

static bool may_ask(struct worker *w, const struct ask_batch *b)
{
	struct ledger *l = w->shared->ledger;
	const struct conf_leg *leg =
	    conf_leg_by_id(w->snapshot->conf, b->leg);

	return w->client != NULL && leg != NULL && !leg->direct &&
	       !atomic_load(&w->shared->stopping) &&
	       ledger_gates(l, b->leg) == 0 &&
	       !(b->idle_only && ledger_ready(l, b->leg) > 0);
}

static bool any_utf8(const struct ask_batch *b)
{
	for (unsigned i = 0; i < b->n; i++)
		if (!ascii_only(slice_str(b->row[i].address)))
			return true;
	return false;
}

static void fill(struct batch_asked *q)
{
	struct ask_batch *b = q->batch;
	struct client_request *r = &q->way.req;

	ask_way_fill(&q->way, "", b->row[0].address, any_utf8(b));
	for (unsigned i = 0; i < b->n; i++)
		q->rcpt[i] = (struct client_rcpt){
		    .address = b->row[i].address, .orcpt = ""};
	r->rcpt = q->rcpt;
	r->rcpts = b->n;
	r->apart = r->leg->probe_source[0] != '\0';
	r->done = on_done;
	r->arg = q;
}

static void on_worker(void *arg)
{
	struct handed h = *(struct handed *)arg;
	struct batch_asked *q;

	mem_free(arg);
	if (!may_ask(h.worker, h.batch)) {
		go_back(h.batch);
		return;
	}
	q = NEW(struct batch_asked);
	q->batch = h.batch;
	ask_way_init(&q->way, h.worker, h.batch->leg);
	fill(q);
	h.batch->asked = ask_way_put(&q->way, ask_way_spare);
	if (h.batch->asked)
		return;
	ask_way_fini(&q->way);
	mem_free(q);
	go_back(h.batch);
}

void ask_batch_post(struct worker *w, struct ask_batch *b)
{
	struct handed *h = NEW(struct handed);

	PH_ASSERT(b->n > 0 && b->done != NULL && b->back != NULL);
	*h = (struct handed){w, b};
	b->asked = false;
	b->stop = PREFLIGHT_GO;
	call_post(&w->box, W_CALL, on_worker, h);
}
