/* SPDX-License-Identifier: ISC
 *
 * Jobs for workers: what the queue wants to be sent or looked up. A reader of
 * the spool reads the message and brings both to the worker, so the worker is
 * not asked first. Queue thread.
 */
#include "relay/settle/queue_thread_int.h"

#include "relay/base/assert.h"

/* The journal may be behind: what a worker must know of the deliveries goes
 * along. */
struct worker_job *jobs_make(struct queue_thread *s, uint64_t id,
    const uint32_t *number, unsigned n)
{
	struct worker_job *j = mem_new(sizeof(*j) + n * sizeof(j->row[0]));

	j->id = id;
	for (unsigned i = 0; i < n; i++)
		if (queue_get(s->queue, id, number[i], &j->row[j->n].ref))
			j->n++;
	return j;
}

void jobs_send(struct queue_thread *s, int worker, struct worker_job *j)
{
	struct workers *w = s->shared->workers;
	struct spool_fetch *f;

	if (worker < 0)
		worker = (int)(s->turn++ % (unsigned)w->n);
	f = spool_fetch_new(j->id, w->door[worker].box, W_FETCHED);
	f->want_body = j->kind != JOB_RESOLVE;
	f->lane = (unsigned)worker;
	f->arg = j;
	spool_fetch_post(s->shared->spool, f);
}

void jobs_start(void *arg, int worker, const struct queue_job *job)
{
	struct queue_thread *s = arg;
	struct worker_job *j = jobs_make(s, job->id, job->number, job->n);

	PH_ASSERT(j->n == job->n && j->n > 0); /* the queue has what it gives */
	j->kind = job->late ? JOB_LATE
			    : job->expired ? JOB_EXPIRED : JOB_ATTEMPT;
	for (unsigned i = 0; job->late && i < j->n; i++)
		j->row[i].until_us = queue_gives_up_us(
		    s->queue, j->id, j->row[i].ref.number);
	j->leg = job->leg;
	j->role = job->role;
	j->change = job->change;
	j->slot = job->slot;
	j->permit = job->permit;
	j->trial = job->trial;
	jobs_send(s, worker, j);
}

void jobs_resolve(void *arg, uint64_t id)
{
	struct queue_thread *s = arg;
	struct worker_job *j = jobs_make(s, id, NULL, 0);

	j->kind = JOB_RESOLVE;
	jobs_send(s, -1, j);
}

void jobs_offer(void *arg, int leg)
{
	struct queue_thread *s = arg;

	workers_offer(s->shared->workers, leg);
}
