/* SPDX-License-Identifier: ISC
 *
 * The queue thread: what workers, the table's follower and administrators
 * report becomes a state in the queue and a record in the journal. The only
 * place where the state of a delivery changes.
 */
#ifndef RELAY_SETTLE_QUEUE_THREAD_H
#define RELAY_SETTLE_QUEUE_THREAD_H

#include "conf/conf.h"
#include "relay/post/queue_letters.h"
#include "relay/post/shared.h"

struct alarms;
struct loophints;
struct queue_thread;

struct queue_thread_config {
	struct shared *shared; /* its queue_box and queue are set here */
	struct conf *conf;     /* counted */
	struct alarms *alarms;
	struct loophints *hints;
};

struct queue_thread *queue_thread_new(const struct queue_thread_config *c);
/* On its thread only. */
struct queue *queue_thread_queue(struct queue_thread *s);
/* During recovery, before the thread runs. */
void queue_thread_recovered(void *arg, const struct spool_told *m);
/* The lowest change a recovered delivery was resolved at; UINT64_MAX: none. */
uint64_t queue_thread_oldest_change(const struct queue_thread *s);
int queue_thread_run(struct queue_thread *s, struct error *err);
/* Joins the thread; NULL is fine. */
void queue_thread_stop(struct queue_thread *s);
/* When no thread runs any more: takes what was posted and starts nothing. */
void queue_thread_drain(struct queue_thread *s);
/* One turn: what was posted, then what is due. Ms until the next. Its thread,
 * or a test. */
int queue_thread_step(struct queue_thread *s);
void queue_thread_free(struct queue_thread *s);
/* Its thread. */
void queue_thread_configure(struct queue_thread *s, struct conf *c);

#endif
