/* SPDX-License-Identifier: ISC
 *
 * The thread around projector_step(), and its end.
 */
#include "relay/audit/projector_int.h"
#include "relay/base/log.h"
#include "relay/base/thread.h"

/* Under load the journal syncs thousands of times a second; reading after
 * each would cost more than the records. */
enum { GATHER_MS = 10 };

/* A question waits so long for the records of before it, when there is no end
 * of them. */
enum { LOOKUP_WAIT_MS = 500 };

static void *run(void *arg)
{
	struct projector *p = arg;

	thread_name("ph-projector");
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

void projector_poke(struct projector *p)
{
	mailbox_wake(&p->box);
	mailbox_wake(&p->pause);
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

void projector_stop(struct projector *p, int64_t until_ms)
{
	int rc;

	if (p->running)
		join(p);
	if (!p->opened)
		return;
	rc = projector_flush(p, until_ms);
	if (rc < 0)
		log_warn("audit.unfinished");
	else if (rc > 0)
		log_info("audit.behind", kv_str("effect",
		    "the next start reads on"));
	p->in.close(p->in.arg);
	p->opened = false;
}

void projector_close(struct projector *p)
{
	if (p == NULL)
		return;
	projector_stop(p, INT64_MAX);
	projector_free(p);
}
