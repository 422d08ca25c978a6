/* SPDX-License-Identifier: ISC
 *
 * The acceptor's thread: its loop, and calls on it that are waited for. The
 * main thread calls these.
 */
#ifndef RELAY_DAEMON_ACCEPT_THREAD_H
#define RELAY_DAEMON_ACCEPT_THREAD_H

#include <pthread.h>

#include "relay/base/mailbox.h"
#include "relay/net/listen.h"

struct accept_thread {
	struct loop *loop;
	struct acceptor *acceptor;
	pthread_t thread;
	bool running;
	struct mailbox box, back;
};

/* Makes the loop, and the acceptor on it. */
void accept_thread_init(struct accept_thread *a, const struct clock *clock);
int accept_thread_start(struct accept_thread *a, struct error *err) PH_CHECK;
/* Listens by `conf`, or no more (NULL); acceptor_listen(). */
int accept_thread_call(struct accept_thread *a, struct conf *conf,
    struct error *err);
void accept_thread_stop(struct accept_thread *a);
/* The acceptor too; one that was never made is fine. */
void accept_thread_free(struct accept_thread *a);

#endif
