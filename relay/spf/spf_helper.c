/* SPDX-License-Identifier: ISC
 *
 * Gives the requests to the process one at a time, and starts another process
 * when it dies, hangs or talks nonsense. The state changes in the functions
 * that begin with `process_`, close_process() and on_reply() alone; callbacks
 * come last in an event, when it is whole again.
 */
#include "relay/spf/spf_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/spf/spf_blame.h"
#include "relay/spf/spf_wire.h"

enum state {
	NO_PROCESS, /* the timer says when the next one is tried */
	COMING,	    /* asked the question of our own             */
	IDLE,
	BUSY,
};

enum {
	START_MS = 5000, /* for the first answer: a busy machine is no fault */
	AGAIN_MS = 50,	 /* between processes that do not come up … */
	TRIES = 3,	 /* … of which so many are no chance */
	DOUBLINGS = 6,	 /* of SPF_HELPER_BACK_OFF_MS */
	SPACE_MS = 20, /* between the starts of two */
	READ_BYTES = 16384,
	IN_BYTES = SPF_FRAME_MAX + READ_BYTES,
};

struct spf_ask {
	struct list node; /* of `waiting` or `refused`; in none: at the head */
	bool waits;	  /* in `waiting` */
	struct spf_helper *h;
	struct strbuf frame;
	char domain[SPF_NAME_MAX + 1];
	void (*fn)(void *arg, const struct slice *reply);
	void *arg;
};

struct spf_helper {
	struct spf_helper_config c;
	struct spf_helper_counts counts;
	struct list waiting, refused; /* `refused`: their callback is due */
	unsigned waiting_n;
	size_t waiting_bytes;
	struct defer refuse;

	enum state state;
	int fd, handle;
	struct io io;
	struct timer timer; /* silence; NO_PROCESS: the next try */
	struct spf_ask *head; /* BUSY: NULL when it was cancelled */
	char domain[SPF_NAME_MAX + 1]; /* … and the one that is blamed */
	struct strbuf out, in;
	size_t sent; /* of `out` */
	int64_t started_ms;
	unsigned failed; /* processes in a row that did not come up */
	char why[400]; /* … and why the last one did not */
};

static void process_start(struct spf_helper *h);

/* ---- requests ---- */

static void ask_free(struct spf_ask *a)
{
	strbuf_fini(&a->frame);
	mem_free(a);
}

static void answer(struct spf_ask *a, const struct slice *reply)
{
	void (*fn)(void *arg, const struct slice *reply) = a->fn;
	void *arg = a->arg;

	ask_free(a);
	fn(arg, reply);
}

static void unqueue(struct spf_ask *a)
{
	list_remove(&a->node);
	a->waits = false;
	a->h->waiting_n--;
	a->h->waiting_bytes -= a->frame.n;
}

static void refuse(struct spf_ask *a)
{
	struct spf_helper *h = a->h;

	atomic_fetch_add(&h->counts.unasked, 1);
	list_push_back(&h->refused, &a->node);
	loop_defer(h->c.loop, &h->refuse);
}

static void refuse_waiting(struct spf_helper *h)
{
	struct spf_ask *a;

	while ((a = LIST_FIRST(&h->waiting, struct spf_ask, node)) != NULL) {
		unqueue(a);
		refuse(a);
	}
}

/* A callback may ask again: that one is due in the next turn. */
static void on_refuse(void *arg)
{
	struct spf_helper *h = arg;
	struct list last;

	list_node_init(&last);
	list_push_back(&h->refused, &last);
	while (h->refused.next != &last) {
		struct spf_ask *a = LIST_FIRST(&h->refused, struct spf_ask,
		    node);

		list_remove(&a->node);
		answer(a, NULL);
	}
	list_remove(&last);
}

static bool barred(const struct spf_helper *h, const char *domain)
{
	return h->c.blame != NULL && spf_blame_barred(h->c.blame, domain);
}

/* ---- the process ---- */

/* The next read finds it too when the socket is broken. */
static void flush(struct spf_helper *h)
{
	ssize_t n = 1;
	bool more;

	while (n > 0 && h->sent < h->out.n) {
		n = send(h->fd, h->out.p + h->sent, h->out.n - h->sent,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			h->sent += (size_t)n;
	}
	more = h->sent < h->out.n && (errno == EAGAIN || errno == EINTR);
	io_want(&h->io, more ? IO_READ | IO_WRITE : IO_READ);
}

static void say(struct spf_helper *h, struct slice frame, int64_t silence_ms)
{
	strbuf_reset(&h->out);
	strbuf_reset(&h->in);
	strbuf_addsl(&h->out, frame);
	h->sent = 0;
	timer_set(&h->timer, silence_ms);
	flush(h);
}

/* The next request that may be asked, if the process is free. */
static void process_next(struct spf_helper *h)
{
	struct spf_ask *a;

	while (h->state == IDLE &&
	       (a = LIST_FIRST(&h->waiting, struct spf_ask, node)) != NULL) {
		unqueue(a);
		if (barred(h, a->domain)) {
			refuse(a);
			continue;
		}
		h->state = BUSY;
		h->head = a;
		memcpy(h->domain, a->domain, sizeof(h->domain));
		atomic_fetch_add(&h->counts.asked, 1);
		say(h, strbuf_view(&a->frame), SPF_HELPER_SILENCE_MS);
		strbuf_fini(&a->frame);
	}
}

static void close_process(struct spf_helper *h)
{
	io_fini(&h->io);
	close(h->fd);
	h->c.starter->end(h->c.starter, h->handle);
	timer_del(&h->timer);
	h->fd = -1;
	h->state = NO_PROCESS;
	atomic_store(&h->counts.up, 0);
}

static void tell_absent(struct spf_helper *h)
{
	log_error("spf.helper.absent", kv_str("why", h->why));
	if (h->c.absent != NULL)
		h->c.absent(h->c.arg, h->why);
}

/* It never came up: the next one is tried soon, or, after TRIES, later and
 * later, and then nothing waits. */
static void process_failed(struct spf_helper *h)
{
	unsigned beyond;

	h->failed++;
	if (h->failed < TRIES) {
		timer_set(&h->timer, AGAIN_MS);
		return;
	}
	if (h->failed == TRIES)
		tell_absent(h);
	refuse_waiting(h);
	beyond = h->failed - TRIES;
	timer_set(&h->timer, (int64_t)SPF_HELPER_BACK_OFF_MS
		<< (beyond < DOUBLINGS ? beyond : DOUBLINGS));
}

/* At once, unless the last one was started just now: a stranger that found a
 * way to kill it gets no storm of processes. */
static void process_again(struct spf_helper *h)
{
	int64_t ms = h->started_ms + SPACE_MS - loop_now_ms(h->c.loop);

	if (ms > 0)
		timer_set(&h->timer, ms);
	else
		process_start(h);
}

static void blame(struct spf_helper *h)
{
	if (h->c.blame == NULL || !spf_blame_add(h->c.blame, h->domain))
		return;
	log_warn("spf.helper.blamed", kv_str("domain", h->domain));
	if (h->c.blamed != NULL)
		h->c.blamed(h->c.arg, h->domain);
}

/* It died, was silent, or said what it may not: the request at the head has
 * no answer. */
static void process_lost(struct spf_helper *h, _Atomic uint64_t *count,
    const char *why)
{
	enum state was = h->state;
	struct spf_ask *head = h->head;

	h->head = NULL;
	atomic_fetch_add(count, 1);
	close_process(h);
	log_warn("spf.helper.lost", kv_str("why", why),
	    kv_str("domain", was == BUSY ? h->domain : ""));
	if (was == BUSY)
		blame(h);
	if (was == COMING) {
		snprintf(h->why, sizeof(h->why), "it %s before it was ready",
		    why);
		process_failed(h);
	} else {
		process_again(h);
	}
	if (head != NULL)
		answer(head, NULL);
}

/* A whole frame is there. Its bytes stay where they are while the next request
 * is sent: only take() writes there. */
static void on_reply(struct spf_helper *h)
{
	struct slice body = spf_frame_body(strbuf_view(&h->in));
	struct spf_ask *head = h->head;

	timer_del(&h->timer);
	if (h->state == COMING) {
		h->failed = 0;
		atomic_store(&h->counts.up, 1);
	}
	h->head = NULL;
	h->state = IDLE;
	process_next(h);
	if (head != NULL)
		answer(head, &body);
}

/* Reads once. False, and `state_out` 0: nothing is there, -1: it is gone. */
static bool take(struct spf_helper *h, int *state_out)
{
	char *at = strbuf_reserve(&h->in, READ_BYTES);
	ssize_t n;

	PH_ASSERT(at != NULL); /* a frame that is too long was refused */
	n = recv(h->fd, at, READ_BYTES, MSG_DONTWAIT);
	if (n > 0) {
		strbuf_used(&h->in, (size_t)n);
		return true;
	}
	*state_out = n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	return false;
}

/* True: something came of it, and what happens next is another event. */
static bool look(struct spf_helper *h)
{
	int state;

	while (take(h, &state)) {
		long want = spf_frame_bytes(strbuf_view(&h->in));

		if (h->state == IDLE || want < 0 ||
		    (want > 0 && h->in.n > (size_t)want)) {
			process_lost(h, &h->counts.deaths, "talked nonsense");
			return true;
		}
		if (want > 0 && h->in.n == (size_t)want) {
			on_reply(h);
			return true;
		}
	}
	if (state < 0)
		process_lost(h, &h->counts.deaths, "died");
	return state < 0;
}

static void on_io(void *arg, int what)
{
	struct spf_helper *h = arg;

	if ((what & IO_READ) != 0 && look(h))
		return;
	if ((what & IO_WRITE) != 0)
		flush(h);
}

/* The answer may have come while this process was held up itself. */
static void on_timer(void *arg)
{
	struct spf_helper *h = arg;

	if (h->state == NO_PROCESS) {
		if (h->c.starter == NULL)
			tell_absent(h);
		else
			process_start(h);
		return;
	}
	if (!look(h))
		process_lost(h, &h->counts.timeouts, "was silent");
}

/* 127.0.0.1 is answered before a record is asked for. */
static void say_first(struct spf_helper *h)
{
	static const char loopback[4] = {127, 0, 0, 1};
	struct spf_request r = {.client = slice_of(loopback, 4),
	    .helo = SLICE("localhost"), .local = SLICE("postmaster"),
	    .domain = SLICE("localhost")};
	struct strbuf frame, answers;

	strbuf_init(&frame, SPF_FRAME_MAX);
	strbuf_init(&answers, SPF_FRAME_MAX);
	spf_request_pack(&frame, &r, &answers);
	say(h, strbuf_view(&frame), START_MS);
	strbuf_fini(&frame);
	strbuf_fini(&answers);
}

static void process_start(struct spf_helper *h)
{
	int fds[2];
	struct error err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		snprintf(h->why, sizeof(h->why), "socketpair: %m");
		process_failed(h);
		return;
	}
	h->handle = h->c.starter->start(h->c.starter, fds[1], &err);
	close(fds[1]);
	if (h->handle < 0) {
		close(fds[0]);
		snprintf(h->why, sizeof(h->why), "%s", err.text);
		process_failed(h);
		return;
	}
	h->fd = fds[0];
	h->state = COMING;
	h->started_ms = loop_now_ms(h->c.loop);
	atomic_fetch_add(&h->counts.started, 1);
	io_init(&h->io, h->c.loop, h->fd, on_io, h);
	say_first(h);
}

/* ---- the door ---- */

struct spf_helper *spf_helper_new(const struct spf_helper_config *c)
{
	struct spf_helper *h = NEW(struct spf_helper);

	h->c = *c;
	h->fd = -1;
	list_init(&h->waiting);
	list_init(&h->refused);
	strbuf_init(&h->out, SPF_FRAME_MAX);
	strbuf_init(&h->in, IN_BYTES);
	defer_init(&h->refuse, on_refuse, h);
	timer_init(&h->timer, c->loop, on_timer, h);
	if (c->starter != NULL) {
		process_start(h);
	} else {
		snprintf(h->why, sizeof(h->why), "the program posthouse-spf "
		    "is neither beside this one nor in %s", PH_LIBEXECDIR);
		timer_set(&h->timer, 0);
	}
	return h;
}

static void free_list(struct list *l)
{
	list_each_safe(n, l) {
		list_remove(n);
		ask_free(LIST_ENTRY(n, struct spf_ask, node));
	}
}

void spf_helper_free(struct spf_helper *h)
{
	if (h == NULL)
		return;
	if (h->fd >= 0)
		close_process(h);
	defer_cancel(&h->refuse);
	timer_fini(&h->timer);
	if (h->head != NULL)
		ask_free(h->head);
	free_list(&h->waiting);
	free_list(&h->refused);
	strbuf_fini(&h->out);
	strbuf_fini(&h->in);
	mem_free(h);
}

const struct spf_helper_counts *spf_helper_counts(const struct spf_helper *h)
{
	return &h->counts;
}

static bool hopeless(const struct spf_helper *h, const struct spf_ask *a)
{
	return h->c.starter == NULL || h->failed >= TRIES ||
	       h->waiting_n >= SPF_HELPER_WAITING_MAX ||
	       h->waiting_bytes + a->frame.n > SPF_HELPER_WAITING_BYTES ||
	       spf_frame_bytes(strbuf_view(&a->frame)) != (long)a->frame.n ||
	       barred(h, a->domain);
}

struct spf_ask *spf_helper_ask(struct spf_helper *h, struct slice frame,
    const char *domain, void (*fn)(void *arg, const struct slice *reply),
    void *arg)
{
	struct spf_ask *a = NEW(struct spf_ask);

	a->h = h;
	a->fn = fn;
	a->arg = arg;
	list_node_init(&a->node);
	strbuf_init(&a->frame, SPF_FRAME_MAX);
	strbuf_addsl(&a->frame, frame);
	snprintf(a->domain, sizeof(a->domain), "%s", domain);
	if (!strbuf_ok(&a->frame) || hopeless(h, a)) {
		refuse(a);
		return a;
	}
	list_push_back(&h->waiting, &a->node);
	a->waits = true;
	h->waiting_n++;
	h->waiting_bytes += a->frame.n;
	process_next(h);
	return a;
}

void spf_helper_cancel(struct spf_ask **ask)
{
	struct spf_ask *a = *ask;

	*ask = NULL;
	if (a == NULL)
		return;
	if (a->h->head == a)
		a->h->head = NULL; /* its answer is awaited all the same */
	else if (a->waits)
		unqueue(a);
	else
		list_remove(&a->node);
	ask_free(a);
}
