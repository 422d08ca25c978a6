/* SPDX-License-Identifier: ISC
 *
 * The commands of the control socket: status, legs, queue. The ops loop; a
 * call asks the queue thread for what it owns, and the answer comes back as
 * one.
 */
#ifndef RELAY_CONTROL_CONTROL_H
#define RELAY_CONTROL_CONTROL_H

#include "relay/base/loop.h"
#include "relay/post/conf_snapshot.h"
#include "relay/post/shared.h"

struct acceptor;
struct ask_cache;
struct certificates;
struct control;
struct observer;
struct oldtls;
struct preflights;
struct projector;
struct propagation_thread;
struct queue_thread;
struct replay;
struct table_follow;
struct watermarks;
struct wave_thread;
struct worker;

/* The handles that commands look at; they outlive the control. */
struct control_config {
	struct loop *ops;
	struct shared *shared;
	struct conf_snapshot *snapshot; /* counted */
	struct queue_thread *queue_thread;
	struct table_follow *follow;
	struct watermarks *watermarks;
	struct wave_thread *waves;
	struct observer *observer;
	struct preflights *preflights;
	struct propagation_thread *propagation;
	struct projector *projector;
	struct replay *replay;
	struct worker **worker; /* shared.workers.n of them */
	struct acceptor *acceptor;
	struct ask_cache *asked;
	struct oldtls *oldtls;
	struct certificates *certificates;
	int64_t started_us;
	const char *degraded; /* what the start found wrong; NULL: nothing */
	const char *missing;  /* generations of the journal; "": none */
};

struct control *control_open(const struct control_config *c,
    struct error *err);
void control_configure(struct control *c, struct conf_snapshot *l);
/* When no thread but the spool's runs any more: the socket is closed, and
 * what was asked comes to its end. NULL is fine, here and below. */
void control_end(struct control *c);
void control_free(struct control *c);

#endif
