/* SPDX-License-Identifier: ISC
 *
 * The thread around projector_step(), and its end.
 */
#include "relay/audit/projector_int.h"
#include "relay/base/log.h"

/* Under load the journal syncs thousands of times a second; reading after
 * each would cost more than the records. */
enum { GATHER_MS = 10 };

/* A question waits so long for the records of before it, when there is no end
 * of them. */
enum { LOOKUP_WAIT_MS = 500 };

static void *run(void *arg)
{
	struct projector *p = arg;

	while (!atomic_load(&p->stop)) {
		uint64_t before = atomic_load(&p->records) + p->batch;
		int64_t now = clock_mono_ms(p->clock);
		int wait;

		lookup_take(p, now); /* else only the bell is used */
		wait = projector_step(p, now);
		lookup_answer(p, wait == 0 ? now - LOOKUP_WAIT_MS : now);
		if (wait == 0)
			continue;
		if (atomic_load(&p->records) + p->batch != before)
			mailbox_wait(&p->pause, GATHER_MS);
		mailbox_wait(&p->box, wait);
	}
	return NULL;
}

int projector_run(struct projector *p, struct error *err)
{
	int rc = pthread_create(&p->thread, NULL, run, p);

	if (rc != 0)
		return error_sys(err, rc, "the projector's thread");
	p->running = true;
	return 0;
}

static void join(struct projector *p)
{
	atomic_store(&p->stop, true);
	mailbox_wake(&p->pause);
	mailbox_wake(&p->box);
	pthread_join(p->thread, NULL);
	p->running = false;
}

void projector_stop(struct projector *p)
{
	if (p->running)
		join(p);
	if (!p->opened)
		return;
	if (projector_flush(p) != 0)
		log_warn("audit.unfinished");
	p->in.close(p->in.arg);
	p->opened = false;
}

void projector_close(struct projector *p)
{
	if (p == NULL)
		return;
	projector_stop(p);
	projector_free(p);
}
