/* SPDX-License-Identifier: ISC
 *
 * One connection: hosts are tried in turn until one is open, then the pump
 * walks the stages, for this request and for those that reuse the connection.
 * One worker's loop.
 *
 * Replies are counted against commands written before they came: a byte that
 * answers nothing ends the connection, which also closes the hole of a reply
 * sent ahead of a TLS handshake. What happens when a connection is dialog_lost
 * follows from how far it came: before MAIL the next host is tried; a kept
 * connection on which nothing was answered was closed by the leg while it was
 * idle, and a fresh one is opened; when the last byte of the content had been
 * handed to the system the outcome is uncertain (D8); else the mail waits.
 */
#include "relay/base/log.h"
#include "relay/base/assert.h"
#include "relay/base/mem.h"
#include "relay/client/client_int.h"

/* 421 means good-bye wherever it is said (RFC 5321 3.8). */
static enum stage on_goodbye(struct dialog *d)
{
	if (d->tx != NULL)
		transact_goodbye(d);
	return NEXT_LOST;
}

static void on_reply(struct dialog *d)
{
	enum stage next;
	char why[210];

	if (d->heard > 0) {
		PH_ASSERT(d->due >= d->heard);
		d->heard--;
		d->due--;
	}
	if (d->stage == STAGE_GREETING)
		hops_alive(d->hops);
	if (d->reply.code == 421 && d->stage == STAGE_STARTTLS &&
	    clear_may(d)) {
		snprintf(why, sizeof(why), "421 %.200s",
		    strbuf_cstr(&d->reply.text));
		dialog_tls_refused(d, why);
		return;
	}
	if (d->reply.code == 421) {
		next = on_goodbye(d);
	} else {
		d->answered = d->answered || d->stage >= STAGE_MAIL;
		next = stage_table[d->stage].reply(d);
	}
	reply_parser_reset(&d->reply);
	dialog_move(d, next);
}

static void nonsense(struct dialog *d, const char *what)
{
	if (d->tx != NULL)
		result_fault(d, CLASS_NETWORK, "4.5.0", "%s", what);
	dialog_lost(d);
}

/* Bytes between the answer to STARTTLS and the handshake may come from an
 * attacker (RFC 3207 4.2): none of them is read. */
static void early(struct dialog *d)
{
	static const char text[] = "it spoke between its answer to STARTTLS "
	    "and the handshake: somebody may have put that in";

	if (clear_may(d))
		dialog_fall_back(d, text);
	else
		nonsense(d, text);
}

static void unasked(struct dialog *d)
{
	if (d->tx != NULL && d->stage == STAGE_TLS)
		early(d);
	else
		nonsense(d, "it answered what it was not asked");
}

/* ---- the stream ---- */

/* Bytes that have arrived already answer no command that is written now. But a
 * leg may refuse the content while it is still on its way. */
static bool may_speak(const struct dialog *d)
{
	return d->heard > 0 ||
	       (d->stage == STAGE_BODY && d->feed.state == FEED_RUN);
}

static void on_line(struct dialog *d, struct slice line)
{
	switch (reply_parser_line(&d->reply, line)) {
	case REPLY_MORE:
		break;
	case REPLY_DONE:
		on_reply(d);
		break;
	case REPLY_BAD:
		nonsense(d, d->reply.why);
		break;
	}
}

static size_t on_input(void *arg, struct slice bytes)
{
	struct dialog *d = arg;
	struct stream *s = d->stream;
	struct slice rest = bytes, line;

	d->heard = d->due;
	/* A dialog outlives this call, its stream may not. */
	while (d->stream == s && rest.n > 0) {
		if (!may_speak(d))
			unasked(d);
		else if (wire_line(&rest, &line))
			on_line(d, line);
		else if (rest.n > REPLY_LINE)
			nonsense(d, "reply line too long");
		else
			break;
	}
	return bytes.n - rest.n;
}

static void on_ready(void *arg)
{
	struct dialog *d = arg;

	if (d->stage == STAGE_TLS) {
		d->secure = true;
		clear_note_tls(d);
		d->ehlo = (struct ehlo){.ext = 0}; /* RFC 3207 4.2 */
		d->tx->tls =
		    arena_strdup(d->tx->req->arena, stream_tls(d->stream));
		dialog_enter(d, STAGE_EHLO);
	} else if (hops_met_self(d->hops, d->stream)) {
		hops_self(d->hops);
		result_fault(
		    d, CLASS_CONFIGURATION, "4.4.6", "its address is our own");
		dialog_lost(d);
	} else {
		d->due++;
		dialog_enter(d, STAGE_GREETING);
	}
}

/* A leg that hangs up may have left out the end of its last reply. */
static bool ends_in_reply(struct dialog *d, enum stream_end why)
{
	if ((why != STREAM_EOF && why != STREAM_RESET) || !may_speak(d) ||
	    d->stage == STAGE_TLS)
		return false;
	return reply_parser_close(&d->reply, stream_kept(d->stream)) ==
	       REPLY_DONE;
}

static void on_ended(void *arg, enum stream_end why)
{
	struct dialog *d = arg;
	const char *error = stream_error(d->stream);

	if (d->stage == STAGE_CONNECT ||
	    (d->stage == STAGE_GREETING && why == STREAM_TIMEOUT))
		hops_dead(d->hops);
	if (d->tx == NULL) {
		dialog_close(d);
	} else if (d->stage == STAGE_STARTTLS && clear_may(d) &&
		   (why == STREAM_EOF || why == STREAM_RESET)) {
		dialog_tls_refused(d, *error != '\0' ? error :
		    "the connection was closed at STARTTLS");
	} else if (ends_in_reply(d, why)) {
		d->closed = true;
		d->end = why;
		on_reply(d);
	} else if (d->stage == STAGE_TLS && clear_may(d)) {
		dialog_fall_back(d, *error != '\0' ? error :
		    "the connection was closed in the handshake");
	} else {
		result_ended(d, why);
		dialog_lost(d);
	}
}

static void on_drained(void *arg)
{
	feed_drained(arg);
}

static const struct stream_ops stream_ops = {
    on_input, on_drained, on_ready, on_ended};

static SSL *tls_session(struct dialog *d)
{
	const struct client_config *c = &d->client->cfg;

	d->tls = c->tls(c->arg, d->tx->req->conf, dialog_leg(d));
	if (d->tls == NULL)
		return NULL;
	return tls_client_dane(d->tls, d->hop.host, &d->hop.dane, NULL);
}

static void start_tls(struct dialog *d)
{
	SSL *ssl = tls_session(d);

	if (ssl == NULL) {
		result_fault(d, CLASS_CONFIGURATION, "4.7.5",
		    "TLS cannot be set up on our side");
		dialog_lost(d);
	} else if (!stream_tls_connect(d->stream, ssl)) {
		early(d);
	}
}

static void on_later(void *arg)
{
	struct dialog *d = arg;

	if (d->stage == STAGE_TLS) {
		start_tls(d);
	} else if (d->feed.state == FEED_BROKEN) {
		result_fault(
		    d, CLASS_NONE, "4.3.0", "the content cannot be read here");
		d->fault.stage = STAGE_BODY;
		dialog_cut(d);
	} else {
		feed_pump(d);
	}
}

/* ---- from the outside ---- */

struct dialog *dialog_new(struct client *c, const struct client_request *r)
{
	struct dialog *d = NEW(struct dialog);

	d->client = c;
	d->ops = &stream_ops;
	d->leg = r->leg->id;
	d->domain = mem_strdup(r->domain);
	d->apart = r->apart;
	list_node_init(&d->idle);
	list_node_init(&d->parked);
	list_push_back(&c->dialogs, &d->node);
	c->connections[d->leg]++;
	defer_init(&d->later, on_later, d);
	reply_parser_init(&d->reply);
	return d;
}

void dialog_free(struct dialog *d)
{
	PH_ASSERT(d->over && d->hops == NULL);
	reply_parser_fini(&d->reply);
	mem_free(d->domain);
	mem_free(d->bound);
	mem_free(d->remote);
	mem_free(d->clear_why);
	mem_free(d);
}

void dialog_send(struct dialog *d, struct client_request *r)
{
	PH_ASSERT(d->tx == NULL && !d->over);
	d->tx = exchange_new(r);
	d->answered = false;
	d->introduced = false;
	d->fault_rank = -1;
	d->feed.state = FEED_NONE;
	if (d->stream != NULL) {
		d->reused = true;
		d->tx->remote = arena_strdup(r->arena, d->remote);
		d->tx->tls = arena_strdup(r->arena, stream_tls(d->stream));
		clear_describe(d);
		dialog_move(d, NEXT_READY);
	} else if (d->tx->open == 0) {
		dialog_finish(d);
		dialog_close(d);
	} else {
		dialog_begin(d);
	}
}

void dialog_abort(struct dialog *d)
{
	if (d->tx == NULL) {
		dialog_close(d);
		return;
	}
	if (d->feed.state == FEED_HANDED) {
		result_fault(
		    d, CLASS_NETWORK, "4.4.2", "we stopped before the answer");
		dialog_cut(d);
		return;
	}
	exchange_undo(d->tx);
	dialog_finish(d);
	dialog_close(d);
}
