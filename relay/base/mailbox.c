/* SPDX-License-Identifier: ISC
 *
 * Messages between threads: a lock-free stack that the one taker reverses.
 */
#include "relay/base/mailbox.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "relay/base/assert.h"

void mailbox_init(struct mailbox *m)
{
	atomic_init(&m->head, NULL);
	atomic_init(&m->rung, false);
	atomic_init(&m->warm, false);
	m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	m->io = (struct io){0};
	m->fn = NULL;
	if (m->fd < 0)
		loop_no_descriptor(errno);
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

static void push(struct mailbox *m, struct letter *l)
{
	struct letter *head =
	    atomic_load_explicit(&m->head, memory_order_relaxed);

	PH_ASSERT(!l->posted);
	l->posted = true;
	do {
		l->next = head;
	} while (!atomic_compare_exchange_weak(&m->head, &head, l));
}

/* The flag goes up after the letter is there, and comes down before letters
 * are taken: a poster that finds it up knows that its letter will be seen. */
void mailbox_post(struct mailbox *m, struct letter *l)
{
	push(m, l);
	if (!atomic_exchange(&m->rung, true))
		mailbox_wake(m);
}

void mailbox_post_lazy(struct mailbox *m, struct letter *l)
{
	push(m, l);
	if (!atomic_exchange(&m->warm, true))
		mailbox_wake(m);
}

struct letter *mailbox_take(struct mailbox *m)
{
	struct letter *l, *next, *ordered = NULL;

	atomic_store(&m->rung, false);
	l = atomic_exchange(&m->head, NULL);
	for (; l != NULL; l = next) {
		next = l->next;
		PH_ASSERT(l->posted);
		l->posted = false;
		l->next = ordered;
		ordered = l;
	}
	return ordered;
}

/* Only after the bell was heard, and before the take: a letter that comes
 * between rings again. */
static void silence(struct mailbox *m)
{
	uint64_t n;

	if (read(m->fd, &n, sizeof(n)) < 0)
		return; /* silent already */
}

static bool bell(struct mailbox *m, int timeout_ms)
{
	struct pollfd p = {.fd = m->fd, .events = POLLIN};

	if (poll(&p, 1, timeout_ms) <= 0)
		return false;
	silence(m);
	return true;
}

void mailbox_wait(struct mailbox *m, int timeout_ms)
{
	bool longer = timeout_ms < 0 || timeout_ms > MAILBOX_LAZY_MS;

	if (longer && atomic_load(&m->warm)) {
		if (bell(m, MAILBOX_LAZY_MS) || atomic_load(&m->head) != NULL)
			return;
		/* Nothing for a while: who posts from now on has to ring. */
		atomic_store(&m->warm, false);
		if (atomic_load(&m->head) != NULL)
			return;
		if (timeout_ms > 0)
			timeout_ms -= MAILBOX_LAZY_MS;
	}
	bell(m, timeout_ms);
}

static void on_letters(void *arg, int what)
{
	struct mailbox *m = arg;
	struct letter *l, *next;

	(void)what;
	silence(m);
	for (l = mailbox_take(m); l != NULL; l = next) {
		next = l->next;
		m->fn(m->arg, l);
	}
}

void mailbox_attach(struct mailbox *m, struct loop *l,
    void (*fn)(void *arg, struct letter *l), void *arg)
{
	PH_ASSERT(m->fn == NULL); /* one taker */
	m->fn = fn;
	m->arg = arg;
	io_init(&m->io, l, m->fd, on_letters, m);
	io_want(&m->io, IO_READ);
}
