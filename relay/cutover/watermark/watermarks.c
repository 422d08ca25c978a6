/* SPDX-License-Identifier: ISC
 *
 * The thread of the watermarks: its letters and its steps.
 */
#include "relay/cutover/watermark/watermarks_int.h"

#include "policy/mark/mark_file.h"
#include "relay/audit/projector.h"
#include "relay/base/mem.h"
#include "relay/base/thread.h"
#include "relay/post/behind_mail.h"
#include "relay/post/call.h"

static void take_decision(struct watermarks *w, struct watermark_decision *d)
{
	struct watermark_decision **end = &w->decide;

	while (*end != NULL)
		end = &(*end)->next;
	d->next = NULL;
	*end = d;
}

static void on_letter(void *arg, struct letter *l)
{
	struct watermarks *w = arg;

	switch ((enum watermark_letter)l->kind) {
	case M_CALL:
		call_run(l);
		break;
	case M_FLUSHED:
		marks_flushed(w, (struct spool_op *)l);
		break;
	case M_DECIDE:
		take_decision(w, (struct watermark_decision *)l);
		break;
	}
	if (!w->ended)
		timer_set(&w->again, 0);
}

static void take_snapshot(struct watermarks *w)
{
	struct conf_snapshot *l = atomic_exchange(&w->next_snapshot, NULL);

	if (l == NULL)
		return;
	snapshot_unref(w->snapshot);
	w->snapshot = l;
	marks_hooks_due(w);
}

int watermarks_step(struct watermarks *w)
{
	bool more = false;

	take_snapshot(w);
	marks_decide(w);
	if (!marks_table(w))
		return TROUBLE_MS;
	if (watermark_waits(w->last) < WATERMARK_WAITS_MAX)
		more = w->log.busy = marks_follow(w);
	else
		projector_poke(w->cfg.projector);
	if (marks_ask(w))
		more = true;
	if (!more)
		marks_settled(w); /* what is posted is to be seen soon */
	marks_hooks(w);
	return more ? 0 : SOON_MS;
}

static void on_again(void *arg)
{
	struct watermarks *w = arg;

	timer_set(&w->again, watermarks_step(w));
}

struct watermarks *watermarks_new(const struct watermarks_config *c)
{
	struct watermarks *w = NEW(struct watermarks);

	w->cfg = *c;
	w->shared = c->shared;
	w->last = projector_last(c->projector);
	w->snapshot = snapshot_ref(c->snapshot);
	w->loop = loop_new(c->shared->clock);
	w->arena = arena_new();
	mailbox_init(&w->box);
	mailbox_attach(&w->box, w->loop, on_letter, w);
	timer_init(&w->again, w->loop, on_again, w);
	marks_hooks_init(w);
	return w;
}

static void *run(void *arg)
{
	struct watermarks *w = arg;

	thread_name("ph-watermark");
	thread_behind_mail(5);
	timer_set(&w->again, 0);
	loop_run(w->loop);
	return NULL;
}

int watermarks_run(struct watermarks *w, struct error *err)
{
	int no;

	w->running = true;
	no = pthread_create(&w->thread, NULL, run, w);
	if (no == 0)
		return 0;
	w->running = false;
	return error_sys(err, no, "starting the thread of the watermarks");
}

void watermarks_configure(struct watermarks *w, struct conf_snapshot *l)
{
	snapshot_unref(atomic_exchange(&w->next_snapshot, snapshot_ref(l)));
}

void watermarks_stop(struct watermarks *w)
{
	if (w == NULL)
		return;
	if (w->running) {
		loop_stop(w->loop);
		pthread_join(w->thread, NULL);
		timer_del(&w->again);
	}
	w->running = false;
	w->ended = true; /* read by its thread, while there is one */
}

/* Answers of the queue and the journal that came behind the thread's end, and
 * decisions. */
static void take_left(struct watermarks *w)
{
	struct letter *l = mailbox_take(&w->box), *next;

	for (; l != NULL; l = next) {
		next = l->next;
		on_letter(w, l);
	}
}

void watermarks_answer(struct watermarks *w)
{
	if (w == NULL)
		return;
	take_left(w);
	marks_decide_end(w);
}

void watermarks_free(struct watermarks *w)
{
	if (w == NULL)
		return;
	take_left(w);
	marks_walk_end(w);
	marks_ask_end(w);
	marks_hooks_end(w);
	timer_fini(&w->again);
	mailbox_fini(&w->box);
	loop_free(w->loop);
	table_close(w->table);
	mark_file_close(w->marks);
	snapshot_unref(atomic_exchange(&w->next_snapshot, NULL));
	snapshot_unref(w->snapshot);
	arena_free(w->arena);
	mem_free(w);
}
