/* SPDX-License-Identifier: ISC
 *
 * leg.suspend, leg.resume: an administrator's decision about a leg. The ops
 * loop.
 */
#include "relay/control/control_int.h"

#include <stdio.h>

#include "relay/settle/leg_health.h"

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

	leg_decided(la->c->cfg.queue_thread, la->leg, slice_str(la->fact));
	control_come_back(la->c, on_leg_done, la);
}

void control_leg_written(struct control *c, struct spool_op *op)
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
	    conf_leg_by_name(c->snapshot->conf, slice_str(name));
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
	leg_note(c->cfg.shared, &(struct leg_event){.leg = leg->name,
	    .state = suspend ? "suspended" : "resumed", .class = "none",
	    .reason = reason, .who = ctl_who(r)});
	op = spool_op_new();
	spool_op_fact(op, key, slice_str(la->fact));
	op->flags |= OP_SYNC;
	op->to = &c->box;
	op->kind = O_WRITTEN;
	op->arg = la;
	spool_post(c->cfg.shared->spool, op);
}

void control_leg_suspend(void *arg, struct ctl_request *r,
    const json_t *args)
{
	leg_decide(arg, r, args, true);
}

void control_leg_resume(void *arg, struct ctl_request *r,
    const json_t *args)
{
	leg_decide(arg, r, args, false);
}

/* A leg that was suspended before the restart still is; one that was only down
 * begins as if it were not. Before the queue runs. */
void control_legs_restore(struct control *c)
{
	const struct conf *conf = c->snapshot->conf;
	struct strbuf value;
	char key[NAME_BYTES + 8];

	strbuf_init(&value, 1024);
	for (int i = 0; i < conf->legs; i++) {
		snprintf(key, sizeof(key), "leg.%s", conf->leg[i].name);
		strbuf_reset(&value);
		if (!spool_fact(c->cfg.shared->spool, key, &value))
			strbuf_reset(&value);
		leg_restore(c->cfg.queue_thread, conf->leg[i].id,
		    strbuf_view(&value));
	}
	strbuf_fini(&value);
}
