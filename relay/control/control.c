/* SPDX-License-Identifier: ISC
 *
 * The table of control commands, and the door to all of them. The ops loop.
 */
#include "relay/control/control_int.h"

#include "relay/cutover/propagation/propagation_thread.h"
#include "relay/cutover/table_follow.h"
#include "relay/cutover/preflight/preflights.h"
#include "relay/cutover/replay/replay.h"
#include "relay/cutover/verdict/observer.h"
#include "relay/cutover/watermark/watermarks.h"
#include "relay/cutover/wave/wave_thread.h"
#include "relay/post/call.h"

enum { END_TURNS = 500 };

static const struct ctl_command commands[] = {
	/* clang-format off */
	{ "audit.behind", control_audit_behind },
	{ "audit.count",  control_audit_count  },
	{ "audit.position", control_audit_position },
	{ "backup.hold",  control_backup_hold  },
	{ "leg.list",     control_leg_list     },
	{ "leg.probe",    control_leg_probe    },
	{ "leg.resume",   control_leg_resume    },
	{ "leg.suspend",  control_leg_suspend    },
	{ "preflight.start", control_preflight_start },
	{ "propagation.look", control_propagation_look },
	{ "queue.act",    control_queue_act    },
	{ "queue.export", control_queue_export },
	{ "queue.import", control_queue_import },
	{ "queue.list",   control_queue_list   },
	{ "queue.show",   control_queue_show   },
	{ "recipient.open", control_recipient_open },
	{ "replay.cancel", control_replay_cancel },
	{ "replay.list",  control_replay_list  },
	{ "replay.show",  control_replay_show  },
	{ "replay.start", control_replay_start },
	{ "route.wait",   control_route_wait    },
	{ "status",       control_status       },
	{ "trace",        control_trace        },
	{ "watermark.mark", control_watermark_mark },
	{ "verdict.observe", control_verdict_observe },
	{ "verdict.told", control_verdict_told },
	{ "wave.follow",  control_wave_follow  },
	{ "wave.order",   control_wave_order   },
	{ NULL,           NULL                 },
	/* clang-format on */
};

/* ---- the door ---- */

static void on_letter(void *arg, struct letter *l)
{
	struct control *c = arg;

	switch ((enum ops_letter)l->kind) {
	case O_CALL:
		call_run(l);
		break;
	case O_FETCHED:
		control_queue_fetched((struct spool_fetch *)l);
		break;
	case O_CONTENT:
		control_content_fetched((struct spool_fetch *)l);
		break;
	case O_WRITTEN:
		control_leg_written(c, (struct spool_op *)l);
		break;
	case O_IMPORT_FETCHED:
		control_import_fetched((struct spool_fetch *)l);
		break;
	case O_IMPORT_KNOWN:
		control_import_known((struct lookup *)l);
		break;
	case O_IMPORT_DRAFT:
		control_import_draft((struct spool_draft_letter *)l);
		break;
	}
}

struct control *control_open(const struct control_config *cfg,
    struct error *err)
{
	struct control *c = NEW(struct control);

	c->cfg = *cfg;
	c->snapshot = snapshot_ref(cfg->snapshot);
	list_init(&c->importing);
	list_init(&c->searching);
	mailbox_init(&c->box);
	mailbox_attach(&c->box, cfg->ops, on_letter, c);
	control_legs_restore(c);
	control_flow_begin(c);
	c->ctl = ctl_open(cfg->ops, cfg->snapshot->conf->control.socket,
	    commands, c, err);
	if (c->ctl != NULL)
		return c;
	control_free(c);
	return NULL;
}

static void on_queue_snapshot(void *arg)
{
	struct control *c = arg;

	queue_thread_configure(c->cfg.queue_thread, c->snapshot->conf);
}

void control_configure(struct control *c, struct conf_snapshot *l)
{
	snapshot_unref(c->snapshot);
	c->snapshot = snapshot_ref(l);
	control_ask_queue(c, on_queue_snapshot, c);
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
		loop_once(c->cfg.ops, LOOK_AGAIN_MS);
		queue_thread_drain(c->cfg.queue_thread);
		replay_drain(c->cfg.replay);
		watermarks_answer(c->cfg.watermarks);
		table_follow_answer(c->cfg.follow);
		wave_thread_answer(c->cfg.waves);
		propagation_thread_answer(c->cfg.propagation);
		observer_answer(c->cfg.observer);
		preflights_drain(c->cfg.preflights);
	}
}

void control_free(struct control *c)
{
	if (c == NULL)
		return;
	ctl_close(c->ctl);
	mailbox_fini(&c->box);
	snapshot_unref(c->snapshot);
	mem_free(c);
}
