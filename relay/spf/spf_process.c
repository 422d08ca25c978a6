/* SPDX-License-Identifier: ISC
 *
 * The process of a helper: one request at a time, and another process when it
 * dies, hangs or talks nonsense. Callbacks come last in an event, when the
 * state is whole again.
 */
#include "relay/spf/spf_helper_int.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/spf/spf_blame.h"

enum {
	START_MS = 5000, /* for the first answer: a busy machine is no fault */
	AGAIN_MS = 50,	 /* between processes that do not come up … */
	DOUBLINGS = 6,	 /* of SPF_HELPER_BACK_OFF_MS */
	SPACE_MS = 20,	 /* between the starts of two */
	READ_BYTES = 16384,
	IN_BYTES = SPF_FRAME_MAX + READ_BYTES,
};

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

void spf_process_next(struct spf_helper *h)
{
	struct spf_ask *a = h->state == IDLE ? spf_ask_next(h) : NULL;

	if (a == NULL)
		return;
	h->state = BUSY;
	h->head = a;
	memcpy(h->domain, a->domain, sizeof(h->domain));
	atomic_fetch_add(&h->counts.asked, 1);
	say(h, strbuf_view(&a->frame), SPF_HELPER_SILENCE_MS);
	strbuf_fini(&a->frame);
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

/* It never came up: the next one is tried soon, or, after SPF_HELPER_TRIES,
 * later and later, and then nothing waits. */
static void process_failed(struct spf_helper *h)
{
	unsigned beyond;

	h->failed++;
	if (h->failed < SPF_HELPER_TRIES) {
		timer_set(&h->timer, AGAIN_MS);
		return;
	}
	if (h->failed == SPF_HELPER_TRIES)
		tell_absent(h);
	spf_ask_refuse_waiting(h);
	beyond = h->failed - SPF_HELPER_TRIES;
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
		spf_process_start(h);
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
	enum spf_process was = h->state;
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
		spf_ask_answer(head, NULL);
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
	spf_process_next(h);
	if (head != NULL)
		spf_ask_answer(head, &body);
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
			spf_process_start(h);
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

void spf_process_start(struct spf_helper *h)
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

void spf_process_init(struct spf_helper *h)
{
	h->fd = -1;
	strbuf_init(&h->out, SPF_FRAME_MAX);
	strbuf_init(&h->in, IN_BYTES);
	timer_init(&h->timer, h->c.loop, on_timer, h);
}

void spf_process_fini(struct spf_helper *h)
{
	if (h->fd >= 0)
		close_process(h);
	timer_fini(&h->timer);
	strbuf_fini(&h->out);
	strbuf_fini(&h->in);
}
