/* SPDX-License-Identifier: ISC
 *
 * Inside of the control commands. control_common.c is below all of them: what
 * they share. control.c is above: the table of commands and the socket.
 */
#ifndef RELAY_CONTROL_CONTROL_INT_H
#define RELAY_CONTROL_CONTROL_INT_H

#include "relay/control/control.h"
#include "relay/settle/queue_thread.h"
#include "relay/ops/ctl.h"

enum ops_letter {
	O_CALL = 1, /* struct call                                     */
	O_FETCHED,  /* struct spool_fetch; arg is a struct select      */
	O_CONTENT,  /* struct spool_fetch; arg is a struct content     */
	O_WRITTEN,  /* struct spool_op                                 */
	O_IMPORT_FETCHED, /* struct spool_fetch; arg: struct carried    */
	O_IMPORT_KNOWN,	  /* struct lookup; the same                    */
	O_IMPORT_DRAFT,	  /* struct spool_draft_letter; the same        */
};

enum {
	SEARCHES_MAX = 2,
	LOOK_AGAIN_MS = 20, /* at what is not so yet, and no letter tells */
};

struct lookup;
struct searching;

struct control {
	struct control_config cfg;
	/* The flows of both when nothing moved yet. */
	struct {
		struct live_flow journal, queue;
	} flow0[NAMES_MAX];
	struct ctl *ctl;
	struct mailbox box; /* of the ops loop */
	struct conf_snapshot *snapshot;
	unsigned busy; /* requests that are answered later */
	struct list importing;
	struct list searching; /* of those, with a thread each */
	struct searching *place[SEARCHES_MAX]; /* of those; NULL: free */
};

/* ---- control_common.c ---- */

/* A string argument, "" when it is not there or no string. */
const char *control_arg(const json_t *args, const char *key);
/* Why, for the audit trail; NULL: too long or not one line, and that is
 * answered. */
const char *control_reason(struct ctl_request *r, const json_t *args);
/* fn(arg) on the queue thread / back on the ops loop. */
void control_ask_queue(struct control *c, void (*fn)(void *arg), void *arg);
void control_come_back(struct control *c, void (*fn)(void *arg), void *arg);

/* ---- the commands ---- */

void control_backup_hold(void *arg, struct ctl_request *r,
    const json_t *args);
void control_leg_resume(void *arg, struct ctl_request *r, const json_t *args);
void control_leg_suspend(void *arg, struct ctl_request *r,
    const json_t *args);
/* A letter of O_WRITTEN: the decision about a leg is in the journal. */
void control_leg_written(struct control *c, struct spool_op *op);
/* Suspends the legs that were suspended before the restart. Before the queue
 * runs. */
void control_legs_restore(struct control *c);
void control_recipient_open(void *arg, struct ctl_request *r,
    const json_t *args);
void control_wave_follow(void *arg, struct ctl_request *r,
    const json_t *args);
void control_wave_order(void *arg, struct ctl_request *r, const json_t *args);
void control_route_wait(void *arg, struct ctl_request *r, const json_t *args);
/* control_node.c: what status says that is not of a leg. */
void control_rows_node(const struct control *c, struct ctl_request *r,
    const struct spool_stats *s, const struct queue_counts *q);
void control_row_spf(const struct control *c, struct ctl_request *r);
/* Before the threads run. */
void control_flow_begin(struct control *c);
void control_status(void *arg, struct ctl_request *r, const json_t *args);
void control_leg_list(void *arg, struct ctl_request *r, const json_t *args);
void control_audit_count(void *arg, struct ctl_request *r,
    const json_t *args);
void control_audit_behind(void *arg, struct ctl_request *r,
    const json_t *args);
void control_audit_position(void *arg, struct ctl_request *r,
    const json_t *args);
/* No client waits any more: their threads end soon. */
void control_search_stop(struct control *c);
void control_verdict_told(void *arg, struct ctl_request *r,
    const json_t *args);
void control_verdict_observe(void *arg, struct ctl_request *r,
    const json_t *args);
void control_watermark_mark(void *arg, struct ctl_request *r,
    const json_t *args);
void control_trace(void *arg, struct ctl_request *r, const json_t *args);
void control_leg_probe(void *arg, struct ctl_request *r, const json_t *args);
void control_queue_fetched(struct spool_fetch *f);
void control_queue_list(void *arg, struct ctl_request *r, const json_t *args);
void control_queue_show(void *arg, struct ctl_request *r, const json_t *args);
void control_propagation_look(void *arg, struct ctl_request *r,
    const json_t *args);
void control_queue_act(void *arg, struct ctl_request *r, const json_t *args);
void control_replay_cancel(void *arg, struct ctl_request *r,
    const json_t *args);
void control_preflight_start(void *arg, struct ctl_request *r,
    const json_t *args);
void control_replay_start(void *arg, struct ctl_request *r,
    const json_t *args);
void control_replay_list(void *arg, struct ctl_request *r,
    const json_t *args);
void control_replay_show(void *arg, struct ctl_request *r,
    const json_t *args);
/* The content as rows, then the end of `r`. */
/* The rows of `queue show` for a fetched message, which is taken. False: its
 * envelope cannot be read. */
bool control_print_kept(struct control *c, struct ctl_request *r,
    struct spool_fetch *f);
/* KEPT: its rows, should it be over and kept still; KEPT_BODY: and its body. */
enum content_for {
	CONTENT_SHOW, CONTENT_EXPORT, CONTENT_CARRY, CONTENT_KEPT,
	CONTENT_KEPT_BODY,
};
void control_content(struct control *c, struct ctl_request *r, uint64_t id,
    enum content_for what);
void control_content_fetched(struct spool_fetch *f);
void control_queue_export(void *arg, struct ctl_request *r,
    const json_t *args);
/* Letters of O_IMPORT_…: control_import.c. */
void control_import_fetched(struct spool_fetch *f);
void control_import_known(struct lookup *l);
void control_import_draft(struct spool_draft_letter *l);
void control_queue_import(void *arg, struct ctl_request *r,
    const json_t *args);

#endif
