/* SPDX-License-Identifier: ISC
 *
 * The life of a connection: which state reads its bytes, how long it may
 * take, what is said, and how it ends. A worker's loop. RFC 5321 3, 4.5.3.2.
 *
 * Nothing here is called from inside a call of the owner's, and a session is
 * freed by the loop, never under the feet of a handler.
 */
#include "relay/server/session_int.h"

#include "relay/base/assert.h"
#include "relay/base/log.h"
#include "relay/net/proxyhdr.h"

/* Replies that a client leaves unread, before we read no more. */
enum { UNREAD_MAX = 16384 };
_Static_assert((int)KEEP_MAX > (int)CMD_LINE_MAX + 2 &&
	(int)KEEP_MAX > (int)PROXY_MAX, "a line and a header fit");

static enum next discard(struct session *s, struct slice *rest)
{
	(void)s;
	*rest = slice_from(*rest, rest->n);
	return NEXT_STAY;
}

/* The reader of incoming bytes for each state; NULL: they wait. */
static enum next (*const readers[STATES])(struct session *, struct slice *) = {
	[ST_CONNECT] = greet_early,
	[ST_PROXY] = greet_proxy,
	[ST_HELLO] = commands_input,
	[ST_READY] = commands_input,
	[ST_MAIL] = commands_input,
	[ST_RCPT] = commands_input,
	[ST_BDAT] = commands_input,
	[ST_AUTH] = auth_input,
	[ST_DATA] = data_input,
	[ST_CHUNK] = bdat_input,
	[ST_CLOSING] = discard,
	[ST_OVER] = discard,
};

/* ---- time ---- */

static int64_t allowed_ms(const struct session *s)
{
	switch (s->state) {
	case ST_PROXY:
		return s->conf->limits.proxy_timeout_ms;
	case ST_TLS:
		return s->conf->limits.tls_timeout_ms;
	case ST_DATA:
	case ST_CHUNK:
	case ST_BDAT:
		return content_deadline_ms(s);
	case ST_CONNECT: /* on_timer() greets */
	case ST_ASKED:	 /* it is the owner's turn */
	case ST_HELD:
	case ST_OVER:
		return 0;
	default:
		return s->conf->limits.command_timeout_ms;
	}
}

/* The timer is only moved to be earlier; when it fires too early it is set
 * again. So a command costs a stamp, not a timer. */
static void arm(struct session *s, int64_t ms)
{
	s->deadline_ms = ms == 0 ? 0 : loop_now_ms(s->server->c.loop) + ms;
	if (ms == 0 || (s->timer.set && s->fires_ms <= s->deadline_ms))
		return;
	s->fires_ms = s->deadline_ms;
	timer_set(&s->timer, ms);
}

/* ---- states ---- */

/* Between commands the state follows from what is known. */
static enum state resting(const struct session *s)
{
	if (s->tx == NULL)
		return s->helo == NULL ? ST_HELLO : ST_READY;
	if (s->tx->bdat)
		return ST_BDAT;
	return s->tx->rcpts > 0 ? ST_RCPT : ST_MAIL;
}

static bool waits(const struct session *s)
{
	return s->state == ST_ASKED || s->state == ST_HELD;
}

/* The only place that changes the state. */
static void session_enter(struct session *s, enum state to)
{
	if (s->state == ST_OVER)
		return;
	PH_ASSERT((to == ST_ASKED) == (s->answered != NULL));
	PH_ASSERT(s->tx != NULL || (to != ST_DATA && to != ST_CHUNK &&
	    to != ST_HELD && to != ST_MAIL && to != ST_RCPT));
	s->state = to;
	if (waits(s))
		s->held_ms = loop_now_ms(s->server->c.loop);
	arm(s, allowed_ms(s));
	if (to == ST_CLOSING)
		tx_end(s);
	else if (to == ST_HELD)
		stream_pause(s->stream);
	else if (to == ST_OVER)
		loop_defer(s->server->c.loop, &s->free);
}

void session_proceed(struct session *s, enum next next)
{
	static const enum state leads_to[] = {
		[NEXT_WAIT] = ST_ASKED, [NEXT_AUTH] = ST_AUTH,
		[NEXT_DATA] = ST_DATA,
		[NEXT_CHUNK] = ST_CHUNK, [NEXT_HOLD] = ST_HELD,
		[NEXT_TLS] = ST_TLS, [NEXT_CLOSE] = ST_CLOSING,
	};

	if (next == NEXT_STAY)
		return;
	if (next == NEXT_REPLIED && s->tx == NULL && s->server->draining)
		next = session_bye(s, 421, "4.3.2", "Shutting down");
	session_enter(
	    s, next == NEXT_REPLIED ? resting(s) : leads_to[next]);
}

static void flush(struct session *s)
{
	stream_flush(s->stream);
	s->choked = stream_pending(s->stream) > UNREAD_MAX;
	if (s->state == ST_CLOSING && stream_pending(s->stream) == 0)
		session_enter(s, ST_OVER);
}

void session_go_on(struct session *s, enum next next)
{
	session_proceed(s, next);
	if (s->left == 0)
		flush(s); /* else on_input() does */
	if (!waits(s))
		stream_again(s->stream);
}

/* ---- the owner goes on ---- */

/* How far a transaction had come. */
static enum stage tx_stage(const struct tx *tx)
{
	if (tx->bdat)
		return STAGE_BDAT;
	if (tx->content)
		return STAGE_DATA;
	return tx->to_n > 0 ? STAGE_RCPT : STAGE_MAIL;
}

/* That the owner took its time must not make the client slow. */
static void waited(struct session *s)
{
	if (s->tx != NULL)
		s->tx->begun_ms +=
		    loop_now_ms(s->server->c.loop) - s->held_ms;
}

void session_answer(struct session *s, const struct reply *r)
{
	answer_fn then = s->answered;

	if (s->state != ST_ASKED)
		return;
	PH_ASSERT(then != NULL);
	s->answered = NULL; /* once */
	waited(s);
	session_go_on(s, then(s, r));
}

void session_resume(struct session *s)
{
	if (s->state != ST_HELD)
		return;
	waited(s);
	session_go_on(s, s->tx->bdat ? bdat_resume(s) : data_resume(s));
}

/* 421 that answers nothing. */
static void hang_up(struct session *s, const char *enh, const char *text)
{
	if (IN(s->state) & ANY)
		s->stage = STAGE_COMMAND;
	session_said(s, slice_of("", 0));
	session_go_on(s, session_bye(s, 421, enh, text));
}

void session_drain(struct session *s)
{
	if (s->state == ST_PROXY)
		session_go_on(s, NEXT_CLOSE);
	else if (IN(s->state) & (IN(ST_CONNECT) | IN(ST_HELLO) | IN(ST_READY) |
	    IN(ST_AUTH)))
		hang_up(s, "4.3.2", "Shutting down");
}

/* ---- the stream's and the timer's callbacks ---- */

static size_t on_input(void *arg, struct slice in)
{
	struct session *s = arg;
	struct slice rest = in;

	while (rest.n > 0 && readers[s->state] != NULL && !s->choked) {
		size_t before = rest.n;
		enum next next = readers[s->state](s, &rest);

		session_proceed(s, next);
		if (next == NEXT_STAY && rest.n == before)
			break;
		if (stream_pending(s->stream) > UNREAD_MAX)
			flush(s);
	}
	s->left = rest.n;
	if (s->state != ST_ASKED || s->left == 0)
		flush(s);
	else
		/* Not read on: the end of a client that closed its side must
		 * not overtake what it sent before. */
		stream_pause(s->stream);
	return in.n - rest.n;
}

static void on_drained(void *arg)
{
	struct session *s = arg;
	bool choked = s->choked;

	flush(s);
	if (choked && !waits(s))
		stream_again(s->stream);
}

/* The TLS handshake is done. */
static void on_ready(void *arg)
{
	struct session *s = arg;

	starttls_done(s);
	session_go_on(s, s->greeted ? NEXT_REPLIED : greet_now(s));
}

static void on_ended(void *arg, enum stream_end why)
{
	struct session *s = arg;

	if (why == STREAM_TLS)
		session_aborted(s, STAGE_TLS, stream_error(s->stream));
	s->lost = why == STREAM_EOF ? "The client closed the connection"
				    : stream_error(s->stream);
	session_free(s);
}

static void timed_out(struct session *s)
{
	if (s->state == ST_CLOSING || s->state == ST_TLS ||
	    s->state == ST_PROXY)
		session_enter(s, ST_OVER);
	else
		hang_up(s, "4.4.2", "You took too long");
}

static void on_timer(void *arg)
{
	struct session *s = arg;
	int64_t left = s->deadline_ms - loop_now_ms(s->server->c.loop);

	if (s->state == ST_CONNECT)
		session_go_on(s, greet_now(s));
	else if (s->deadline_ms != 0 && left > 0)
		arm(s, left);
	else if (s->deadline_ms != 0)
		timed_out(s);
}

/* ---- birth and death ---- */

static const struct stream_ops stream_callbacks = {
	.input = on_input,
	.drained = on_drained,
	.ready = on_ready,
	.ended = on_ended,
};

static void on_free(void *arg)
{
	session_free(arg);
}

void session_begin(struct server *sv, const struct accepted *a)
{
	struct session *s = NEW(struct session);
	struct stream_config c = {
		.loop = sv->c.loop, .scratch = sv->c.scratch,
		.sock = sv->c.sock, .ops = &stream_callbacks, .arg = s,
		.keep_max = KEEP_MAX,
	};

	s->server = sv;
	s->conf = a->conf;
	s->listen = a->listen;
	s->client = s->counted = a->peer;
	s->tls = sv->c.ops->tls(sv->c.arg, s->conf, s->listen);
	s->stage = STAGE_CONNECT;
	list_push_back(&sv->sessions, &s->node);
	sv->count++;
	defer_init(&s->free, on_free, s);
	timer_init(&s->timer, sv->c.loop, on_timer, s);
	s->stream = stream_accept(&c, a->fd);
	session_enter(s, greet_state(s));
	if (s->state == ST_TLS)
		session_proceed(s, starttls_at_once(s));
	else if (s->state == ST_CONNECT)
		timer_set(&s->timer, 0);
}

void session_free(struct session *s)
{
	const struct server_config *c = &s->server->c;

	/* After a last reply there is no transaction. */
	if (s->tx != NULL && s->tx->offered)
		session_aborted(s, tx_stage(s->tx),
		    s->lost == NULL ? "The service stopped" : s->lost);
	tx_end(s);
	PH_ASSERT(s->tx == NULL && s->server->count > 0);
	list_remove(&s->node);
	s->server->count--;
	c->ops->closed(c->arg, s);
	c->left(c->arg, &s->counted);
	stream_free(s->stream);
	timer_fini(&s->timer);
	defer_cancel(&s->free);
	tls_server_unref(s->tls);
	conf_unref(s->conf);
	auth_drop(s);
	mem_free(s->login_asked);
	mem_free(s->certificate);
	mem_free(s->helo);
	mem_free(s);
}
