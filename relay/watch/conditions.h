/* SPDX-License-Identifier: ISC
 *
 * Raises alarms for conditions that need an administrator. It looks once a
 * second: at the journal's health, the table and the audit index (ops loop),
 * and at legs that have been down for alarm.interval (queue thread).
 */
#ifndef RELAY_WATCH_CONDITIONS_H
#define RELAY_WATCH_CONDITIONS_H

#include "relay/base/loop.h"
#include "relay/post/conf_snapshot.h"
#include "relay/post/shared.h"

struct alarms;
struct conditions;
struct projector;

struct conditions_config {
	struct loop *loop; /* the ops loop */
	struct shared *shared;
	struct alarms *alarms;
	struct projector *projector;
	struct queue *queue; /* touched on the queue thread alone */
	/* The snapshot of now; called on the ops loop. */
	const struct conf_snapshot *(*snapshot)(void *arg);
	void *arg;
};

struct conditions *conditions_new(const struct conditions_config *c);
/* No more looks begin; NULL is fine, here and below. */
void conditions_stop(struct conditions *w);
void conditions_free(struct conditions *w);

#endif
