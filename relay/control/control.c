/* SPDX-License-Identifier: ISC
 *
 * Control commands: legs, waiting for a change; and the door to all of them.
 * The ops loop.
 */
#include "relay/control/control_int.h"

#include <stdio.h>

#include "relay/audit/note.h"
#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/cutover/table_follow.h"
#include "relay/settle/leg_health.h"
#include "relay/daemon/worker.h"

enum { LOOK_AGAIN_MS = 20, END_TURNS = 500 };

const char *control_arg(const json_t *args, const char *key)
{
	const char *s = json_string_value(json_object_get(args, key));

	return s == NULL ? "" : s;
}

void control_ask_queue(struct control *c, void (*fn)(void *arg), void *arg)
{
	call_post(settle_box(c->app->settle), S_CALL, fn, arg);
}

void control_come_back(struct control *c, void (*fn)(void *arg), void *arg)
{
	call_post(&c->box, O_CALL, fn, arg);
}

/* ---- legs ---- */

/* A decision: in the journal before it is acted on and reported. */
struct leg_act {
	struct control *c;
	struct ctl_request *r;
	int leg;
	char fact[256]; /* why it is suspended; "": it is not */
	bool ok;
};

static void on_leg_done(void *arg)
{
	struct leg_act *la = arg;

	if (la->ok)
		ctl_end(la->r, 0, "%s", "");
	else
		ctl_end(la->r, 1, "the journal could not be written: the leg "
				  "stays as it was");
	la->c->busy--;
	mem_free(la);
}

static void leg_apply(void *arg)
{
	struct leg_act *la = arg;

	legs_decided(la->c->app->settle, la->leg, slice_str(la->fact));
	control_come_back(la->c, on_leg_done, la);
}

static void on_leg_written(struct control *c, struct spool_op *op)
{
	struct leg_act *la = op->arg;

	la->ok = op->status == SPOOL_STORED;
	if (la->ok)
		control_ask_queue(c, leg_apply, la);
	else
		on_leg_done(la);
	spool_op_free(op);
}

static void leg_decide(struct control *c, struct ctl_request *r,
    const json_t *args, bool suspend)
{
	const char *name = control_arg(args, "leg");
	const char *reason;
	const struct conf_leg *leg =
	    conf_leg_by_name(c->live->conf, slice_str(name));
	struct leg_act *la;
	struct spool_op *op;
	char key[NAME_BYTES + 8];

	if (leg == NULL) {
		ctl_end(r, 1, "no leg is called \"%s\"; see `posthouse leg "
			      "list`", name);
		return;
	}
	reason = control_reason(r, args);
	if (reason == NULL)
		return;
	la = NEW(struct leg_act);
	*la = (struct leg_act){.c = c, .r = r, .leg = leg->id};
	c->busy++;
	snprintf(key, sizeof(key), "leg.%s", leg->name);
	if (suspend)
		snprintf(la->fact, sizeof(la->fact), "%s by %s",
		    reason[0] != '\0' ? reason : "suspended", ctl_who(r));
	leg_note(c->app, leg->name, suspend ? "suspended" : "resumed", "none",
	    reason, ctl_who(r));
	op = spool_op_new();
	spool_op_fact(op, key, slice_str(la->fact));
	op->flags |= OP_SYNC;
	op->to = &c->box;
	op->kind = O_WRITTEN;
	op->arg = la;
	spool_post(c->app->spool, op);
}

static void run_leg_suspend(void *arg, struct ctl_request *r,
    const json_t *args)
{
	leg_decide(arg, r, args, true);
}

static void run_leg_resume(void *arg, struct ctl_request *r,
    const json_t *args)
{
	leg_decide(arg, r, args, false);
}

/* What was suspended before the restart still is; what was only down begins
 * as if it were not. Before the queue runs. */
static void restore_legs(struct control *c)
{
	const struct conf *conf = c->live->conf;
	struct strbuf value;
	char key[NAME_BYTES + 8];

	strbuf_init(&value, 1024);
	for (int i = 0; i < conf->legs; i++) {
		snprintf(key, sizeof(key), "leg.%s", conf->leg[i].name);
		strbuf_reset(&value);
		if (!spool_fact(c->app->spool, key, &value))
			strbuf_reset(&value);
		legs_restore(c->app->settle, conf->leg[i].id,
		    strbuf_view(&value));
	}
	strbuf_fini(&value);
}

/* ---- flip --wait, hold --wait ---- */

/* Until no attempt that was begun under an older change is open for these
 * recipients, or at all. */
struct route_wait {
	struct control *c;
	struct ctl_request *r;
	uint64_t change;
	uint64_t *hash;
	size_t hashes;
	unsigned open;
	bool applied;
	int64_t until_us; /* monotonic; 0: no limit */
	struct timer again;
};

static void on_wait_back(void *arg);

static void wait_look(void *arg)
{
	struct route_wait *w = arg;
	struct queue *q = settle_queue(w->c->app->settle);

	w->applied = atomic_load(&w->c->app->change_floor) >= w->change;
	w->open = 0;
	for (size_t i = 0; i < w->hashes; i++)
		w->open += queue_older_attempts(q, w->hash[i], w->change);
	w->open += queue_older_attempts(q, QUEUE_ANYBODY, w->change);
	if (w->hashes == 0)
		w->open = queue_older_attempts(q, 0, w->change);
	control_come_back(w->c, on_wait_back, w);
}

static void on_wait_again(void *arg)
{
	struct route_wait *w = arg;

	control_ask_queue(w->c, wait_look, w);
}

static void wait_free(struct route_wait *w)
{
	timer_fini(&w->again);
	w->c->busy--;
	mem_free(w->hash);
	mem_free(w);
}

static void on_wait_back(void *arg)
{
	struct route_wait *w = arg;

	if (w->applied && w->open == 0) {
		ctl_end(w->r, 0, "%s", "");
		wait_free(w);
		return;
	}
	if (ctl_gone(w->r)) {
		ctl_end(w->r, 1, "gone");
		wait_free(w);
		return;
	}
	if (w->until_us != 0 &&
	    w->c->app->clock->mono_us(w->c->app->clock) >= w->until_us) {
		ctl_end(w->r, 1, "%u attempt%s begun before the change %s "
		    "still under way; the change stands, and later ones go by "
		    "it", w->open, w->open == 1 ? "" : "s",
		    w->open == 1 ? "is" : "are");
		wait_free(w);
		return;
	}
	timer_set(&w->again, LOOK_AGAIN_MS);
}

static void run_route_wait(void *arg, struct ctl_request *r,
    const json_t *args)
{
	struct control *c = arg;
	struct route_wait *w = NEW(struct route_wait);
	const json_t *keys = json_object_get(args, "addresses");
	size_t n = json_array_size(keys);

	w->c = c;
	w->r = r;
	c->busy++;
	w->change = (uint64_t)json_integer_value(
	    json_object_get(args, "change"));
	w->hash = NEW_ARRAY(uint64_t, n);
	for (size_t i = 0; i < n; i++) {
		const char *k = json_string_value(json_array_get(keys, i));

		if (k != NULL)
			w->hash[w->hashes++] =
			    follow_key_hash(c->live->conf, slice_str(k));
	}
	if (json_is_integer(json_object_get(args, "timeout_ms")))
		w->until_us = c->app->clock->mono_us(c->app->clock) + 1000 *
		    json_integer_value(json_object_get(args, "timeout_ms"));
	timer_init(&w->again, c->app->ops, on_wait_again, w);
	follow_poke(c->app->follow);
	control_ask_queue(c, wait_look, w);
}

static const struct ctl_command commands[] = {
	/* clang-format off */
	{ "audit.count",  control_audit_count  },
	{ "leg.list",     control_leg_list     },
	{ "leg.probe",    control_leg_probe    },
	{ "leg.resume",   run_leg_resume       },
	{ "leg.suspend",  run_leg_suspend      },
	{ "queue.act",    control_queue_act    },
	{ "queue.export", control_queue_export },
	{ "queue.list",   control_queue_list   },
	{ "queue.show",   control_queue_show   },
	{ "route.wait",   run_route_wait       },
	{ "status",       control_status       },
	{ "trace",        control_trace        },
	{ NULL,           NULL                 },
	/* clang-format on */
};

/* ---- the door ---- */

static void on_letter(void *arg, struct letter *l)
{
	struct control *c = arg;
	struct call *call;

	switch ((enum ops_letter)l->kind) {
	case O_CALL:
		call = (struct call *)l;
		call->fn(call->arg);
		mem_free(call);
		break;
	case O_FETCHED:
		control_queue_fetched(c, (struct spool_fetch *)l);
		break;
	case O_CONTENT:
		control_content_fetched(c, (struct spool_fetch *)l);
		break;
	case O_WRITTEN:
		on_leg_written(c, (struct spool_op *)l);
		break;
	}
}

struct control *control_open(struct app *a, struct error *err)
{
	struct control *c = NEW(struct control);

	c->app = a;
	c->live = live_ref(a->live);
	list_init(&c->searching);
	mailbox_init(&c->box);
	mailbox_attach(&c->box, a->ops, on_letter, c);
	restore_legs(c);
	c->ctl = ctl_open(a->ops, a->live->conf->control.socket, commands, c,
	    err);
	if (c->ctl != NULL)
		return c;
	control_free(c);
	return NULL;
}

static void on_queue_live(void *arg)
{
	struct control *c = arg;

	settle_configure(c->app->settle, c->live->conf);
}

void control_configure(struct control *c, struct live *l)
{
	live_unref(c->live);
	c->live = live_ref(l);
	control_ask_queue(c, on_queue_live, c);
}

/* Their clients are gone, which each of them sees at its next step; the queue
 * is asked here, and the journal still answers. A search has a thread, which
 * must be over before what it uses is freed. */
void control_end(struct control *c)
{
	if (c == NULL)
		return;
	ctl_close(c->ctl);
	c->ctl = NULL;
	control_search_stop(c);
	for (int i = 0; !list_empty(&c->searching) ||
	     (c->busy != 0 && i < END_TURNS); i++) {
		loop_once(c->app->ops, LOOK_AGAIN_MS);
		settle_drain(c->app->settle);
	}
}

void control_free(struct control *c)
{
	if (c == NULL)
		return;
	ctl_close(c->ctl);
	mailbox_fini(&c->box);
	live_unref(c->live);
	mem_free(c);
}
