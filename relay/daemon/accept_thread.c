/* SPDX-License-Identifier: ISC
 *
 * The acceptor's thread.
 */
#include "relay/daemon/accept_thread.h"

#include "relay/base/mem.h"
#include "relay/base/thread.h"
#include "relay/post/call.h"

enum { A_CALL = 1 };

static void on_accept_letter(void *arg, struct letter *l)
{
	(void)arg;
	call_run(l);
}

void accept_thread_init(struct accept_thread *a, const struct clock *clock)
{
	a->loop = loop_new(clock);
	mailbox_init(&a->box);
	mailbox_init(&a->back);
	mailbox_attach(&a->box, a->loop, on_accept_letter, a);
	a->acceptor = acceptor_new(a->loop);
}

/* A call on the acceptor's thread that is waited for. */
struct accept_call {
	struct accept_thread *thread;
	struct conf *conf; /* NULL: stop listening */
	struct error *err;
	int status;
	struct letter done;
};

static void do_accept_call(void *arg)
{
	struct accept_call *c = arg;

	if (c->conf == NULL)
		acceptor_stop(c->thread->acceptor);
	else
		c->status = acceptor_listen(c->thread->acceptor, c->conf,
		    c->err);
	mailbox_post(&c->thread->back, &c->done);
}

/* The box of the answer outlives the call: it may still be rung when the
 * letter was taken already. */
int accept_thread_call(struct accept_thread *a, struct conf *conf,
    struct error *err)
{
	struct accept_call c = {.thread = a, .conf = conf,
	    .err = err};

	call_post(&a->box, A_CALL, do_accept_call, &c);
	while (mailbox_take(&a->back) == NULL)
		mailbox_wait(&a->back, -1);
	return c.status;
}

static void *run_loop(void *arg)
{
	struct accept_thread *a = arg;

	thread_name("ph-accept");
	loop_run(a->loop);
	return NULL;
}

int accept_thread_start(struct accept_thread *a, struct error *err)
{
	int no = pthread_create(&a->thread, NULL, run_loop, a);

	if (no != 0)
		return error_sys(err, no, "starting the acceptor");
	a->running = true;
	return 0;
}

void accept_thread_stop(struct accept_thread *a)
{
	if (!a->running)
		return;
	loop_stop(a->loop);
	pthread_join(a->thread, NULL);
}

void accept_thread_free(struct accept_thread *a)
{
	acceptor_free(a->acceptor);
	if (a->loop == NULL)
		return;
	mailbox_fini(&a->box);
	mailbox_fini(&a->back);
	loop_free(a->loop);
}
