/* SPDX-License-Identifier: ISC
 *
 * Messages between threads: a lock-free stack that the one taker reverses.
 */
#include "relay/base/mailbox.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

void mailbox_init(struct mailbox *m)
{
	atomic_init(&m->head, NULL);
	m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	m->io = (struct io){0};
	if (m->fd < 0)
		abort(); /* descriptors are counted at start */
}

void mailbox_fini(struct mailbox *m)
{
	io_fini(&m->io);
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}

void mailbox_wake(struct mailbox *m)
{
	uint64_t one = 1;

	if (write(m->fd, &one, sizeof(one)) < 0)
		return; /* full: it is readable already */
}

void mailbox_post(struct mailbox *m, struct letter *l)
{
	struct letter *head =
	    atomic_load_explicit(&m->head, memory_order_relaxed);

	do {
		l->next = head;
	} while (!atomic_compare_exchange_weak_explicit(&m->head, &head, l,
	    memory_order_release, memory_order_relaxed));
	if (head == NULL)
		mailbox_wake(m);
}

struct letter *mailbox_take(struct mailbox *m)
{
	struct letter *l, *next, *ordered = NULL;
	uint64_t n;

	/* The eventfd first: a letter posted after it rings again. */
	if (read(m->fd, &n, sizeof(n)) < 0)
		n = 0;
	l = atomic_exchange_explicit(&m->head, NULL, memory_order_acquire);
	for (; l != NULL; l = next) {
		next = l->next;
		l->next = ordered;
		ordered = l;
	}
	return ordered;
}

void mailbox_wait(struct mailbox *m, int timeout_ms)
{
	struct pollfd p = {.fd = m->fd, .events = POLLIN};

	poll(&p, 1, timeout_ms);
}

static void on_letters(void *arg, int what)
{
	struct mailbox *m = arg;
	struct letter *l, *next;

	(void)what;
	for (l = mailbox_take(m); l != NULL; l = next) {
		next = l->next;
		m->fn(m->arg, l);
	}
}

void mailbox_attach(struct mailbox *m, struct loop *l,
    void (*fn)(void *arg, struct letter *l), void *arg)
{
	m->fn = fn;
	m->arg = arg;
	io_init(&m->io, l, m->fd, on_letters, m);
	io_want(&m->io, IO_READ);
}
