/* SPDX-License-Identifier: ISC
 *
 * One connection: hosts are tried in turn until one is open, then the pump
 * walks the stages, for this request and for those that reuse the connection.
 * One worker's loop.
 *
 * Replies are counted against commands written before they came: a byte that
 * answers nothing ends the connection, which also closes the hole of a reply
 * sent ahead of a TLS handshake. What happens when a connection is lost
 * follows from how far it came: before MAIL the next host is tried; a kept
 * connection on which nothing was answered was closed by the leg while it was
 * idle, and a fresh one is opened; when the last byte of the content had been
 * handed to the system nobody knows (D8); else the mail waits.
 */
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/client/client_int.h"

enum {
	FAREWELL_MS = 5000, /* for the answer to a last RSET or QUIT */
	KEEP_MAX = REPLY_LINE + 2,
};

static void next_hop(struct dialog *d);
static void connect_hop(struct dialog *d);
static void begin_fresh(struct dialog *d);

/* ---- ends ---- */

static void hang_up(struct dialog *d)
{
	stream_free(d->stream);
	d->stream = NULL;
	tls_client_unref(d->tls);
	d->tls = NULL;
	d->due = d->heard = 0;
	d->closed = false;
	d->secure = false;
	d->ehlo = (struct ehlo){.ext = 0};
	reply_parser_reset(&d->reply);
	defer_cancel(&d->later);
}

static void close_dialog(struct dialog *d)
{
	hang_up(d);
	hops_free(d->hops);
	d->hops = NULL;
	pool_remove(d);
	list_remove(&d->parked);
	client_dead(d->client, d);
}

static void finish(struct dialog *d)
{
	struct client_request *r = d->tx->req;

	feed_stop(d);
	exchange_finish(d->tx);
	d->tx = NULL;
	client_finished(d->client, r);
}

/* The transaction under way gets the fault; what was not begun is untried. */
static void cut(struct dialog *d)
{
	d->fault.uncertain = d->fault.code == 0 && d->feed.state == FEED_HANDED;
	exchange_settle_all(
	    d->tx, STATE_BIT(RCPT_SENT) | STATE_BIT(RCPT_ACCEPTED), &d->fault);
	finish(d);
	close_dialog(d);
}

/* No host is left. */
static void give_up(struct dialog *d)
{
	const struct hops_fault *f = hops_fault(d->hops);

	if (d->fault_rank < 0) {
		result_fault(d, f->class, f->enh, "%s", f->text);
		d->fault.outcome = f->outcome;
	}
	exchange_settle_all(d->tx, STATE_BIT(RCPT_OPEN), &d->fault);
	finish(d);
	close_dialog(d);
}

static bool closed_while_idle(const struct dialog *d)
{
	return d->reused && !d->answered &&
	       (d->feed.state != FEED_HANDED || d->fault.code != 0);
}

static void start_over(struct dialog *d)
{
	feed_stop(d);
	exchange_undo(d->tx);
	hang_up(d);
	begin_fresh(d);
}

static void lost(struct dialog *d)
{
	if (d->tx == NULL) {
		close_dialog(d);
	} else if (d->stage < STAGE_MAIL) {
		hang_up(d);
		next_hop(d);
	} else if (closed_while_idle(d)) {
		start_over(d);
	} else {
		cut(d);
	}
}

/* ---- the walk ---- */

static int64_t timeout_of(const struct dialog *d)
{
	if (d->tx == NULL)
		return d->stage == STAGE_IDLE ? 0 : FAREWELL_MS;
	return *(const int64_t *)(const void *)((const char *)dialog_leg(d) +
						stage_table[d->stage].timeout);
}

static void enter(struct dialog *d, enum stage stage)
{
	d->stage = stage;
	if (stage_table[stage].send != NULL)
		stage_table[stage].send(d);
	stream_flush(d->stream);
	if (stage == STAGE_BODY)
		feed_drained(d);
	else
		stream_deadline(d->stream, timeout_of(d));
}

static void rest(struct dialog *d)
{
	if (!pool_takes(d)) {
		enter(d, STAGE_QUIT);
	} else if (d->needs_rset) {
		enter(d, STAGE_RSET);
	} else {
		enter(d, STAGE_IDLE);
		pool_put(d);
		client_parked(d->client, d);
	}
}

/* How long a connection may be kept is the leg's word at its last request. */
static void note_limits(struct dialog *d)
{
	const struct conf_leg *leg = dialog_leg(d);
	int64_t now = loop_now_ms(d->client->cfg.loop);

	d->idle_until_ms = now + leg->idle_ms;
	d->old_at_ms = d->opened_ms + leg->max_age_ms;
	d->messages_max = leg->max_messages;
	if (d->ehlo.limit_mail > 0 && d->ehlo.limit_mail < d->messages_max)
		d->messages_max = d->ehlo.limit_mail; /* RFC 9422 */
}

/* What this session must not be asked for goes to a new one. Nothing is open
 * in it: it is left without waiting for the last word. */
static void leave_for_another(struct dialog *d)
{
	strbuf_adds(stream_out(d->stream), "QUIT\r\n");
	stream_flush(d->stream);
	hang_up(d);
	begin_fresh(d);
}

static bool may_go_on(const struct dialog *d)
{
	return d->messages == 0 || (!pool_spent(d) && transact_fits(d));
}

static void ready(struct dialog *d)
{
	hops_free(d->hops);
	d->hops = NULL;
	if (d->tx != NULL) {
		note_limits(d);
		if (d->tx->open > 0)
			transact_admit(d);
		if (d->tx->open > 0 && !may_go_on(d)) {
			leave_for_another(d);
			return;
		}
		if (d->tx->open > 0) {
			enter(d, d->needs_rset ? STAGE_RSET : STAGE_MAIL);
			return;
		}
		finish(d);
	}
	rest(d);
}

/* What was said last is settled, and nothing more can be said here. A leg
 * that closes ahead of MAIL would do so again. */
static void move_closed(struct dialog *d, enum stage next)
{
	if (next != NEXT_READY || d->stage < STAGE_MAIL) {
		d->stage = next == NEXT_READY ? d->stage : next;
		result_ended(d, d->end);
		lost(d);
	} else if (d->tx->open > 0) {
		hang_up(d);
		begin_fresh(d);
	} else {
		finish(d);
		close_dialog(d);
	}
}

void dialog_move(struct dialog *d, enum stage next)
{
	if (next == NEXT_LOST)
		lost(d);
	else if (d->closed)
		move_closed(d, next);
	else if (next == NEXT_READY)
		ready(d);
	else
		enter(d, next);
}

/* tls = may: rather in the clear than not at all, on a new connection. */
static void fall_back(struct dialog *d, const char *why)
{
	clear_go(d, why);
	hang_up(d);
	connect_hop(d);
}

/* It hangs up rather than to begin a handshake, and would do so again. */
static void tls_refused(struct dialog *d, const char *why)
{
	clear_remember(d);
	fall_back(d, why);
}

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
		d->heard--;
		d->due--;
	}
	if (d->stage == STAGE_GREETING)
		hops_alive(d->hops);
	if (d->reply.code == 421 && d->stage == STAGE_STARTTLS &&
	    clear_may(d)) {
		snprintf(why, sizeof(why), "421 %.200s",
		    strbuf_cstr(&d->reply.text));
		tls_refused(d, why);
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
	lost(d);
}

/* What stands between the answer to STARTTLS and the handshake may be another
 * one's (RFC 3207 4.2): nothing of it is read. */
static void early(struct dialog *d)
{
	static const char text[] = "it spoke between its answer to STARTTLS "
	    "and the handshake: somebody may have put that in";

	if (clear_may(d))
		fall_back(d, text);
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

/* What is in our hands already answers no command that we write now. But a
 * leg may refuse the content while it is still on its way. */
static bool may_speak(const struct dialog *d)
{
	return d->heard > 0 ||
	       (d->stage == STAGE_BODY && d->feed.state == FEED_RUN);
}

static bool next_line(struct slice *rest, struct slice *line_out)
{
	long lf = slice_find(*rest, '\n');

	if (lf < 0)
		return false;
	*line_out = slice_head(*rest, (size_t)lf);
	if (lf > 0 && line_out->p[lf - 1] == '\r')
		line_out->n--;
	*rest = slice_from(*rest, (size_t)lf + 1);
	return true;
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
		else if (next_line(&rest, &line))
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
		enter(d, STAGE_EHLO);
	} else if (hops_met_self(d->hops, d->stream)) {
		hops_self(d->hops);
		result_fault(
		    d, CLASS_CONFIGURATION, "4.4.6", "its address is our own");
		lost(d);
	} else {
		d->due++;
		enter(d, STAGE_GREETING);
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
		close_dialog(d);
	} else if (d->stage == STAGE_STARTTLS && clear_may(d) &&
		   (why == STREAM_EOF || why == STREAM_RESET)) {
		tls_refused(d, *error != '\0' ? error : "the connection was "
		    "closed at STARTTLS");
	} else if (ends_in_reply(d, why)) {
		d->closed = true;
		d->end = why;
		on_reply(d);
	} else if (d->stage == STAGE_TLS && clear_may(d)) {
		fall_back(d, *error != '\0' ? error : "the connection was "
		    "closed in the handshake");
	} else {
		result_ended(d, why);
		lost(d);
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
		lost(d);
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
		d->fault.stage = stage_table[STAGE_BODY].name;
		cut(d);
	} else {
		feed_pump(d);
	}
}

/* ---- hosts ---- */

static void name_remote(struct dialog *d)
{
	char addr[NETADDR_TEXT];
	struct strbuf b;

	netaddr_ip(&d->hop.addr, addr);
	strbuf_init(&b, 512);
	if (strcmp(addr, d->hop.host) != 0)
		strbuf_addf(&b, "%s ", d->hop.host);
	strbuf_addf(&b, "[%s]:%d", addr, netaddr_port(&d->hop.addr));
	mem_free(d->remote);
	d->remote = mem_strdup(strbuf_cstr(&b));
	strbuf_fini(&b);
	d->tx->remote = arena_strdup(d->tx->req->arena, d->remote);
}

static void connect_hop(struct dialog *d)
{
	const struct client_config *c = &d->client->cfg;
	const struct stream_config sc = {.loop = c->loop,
	    .scratch = c->scratch,
	    .sock = c->sock,
	    .ops = &stream_ops,
	    .arg = d,
	    .keep_max = KEEP_MAX};
	struct netaddr source;
	bool bound =
	    dialog_leg(d)->source[0] != '\0' &&
	    netaddr_parse(&source, slice_str(dialog_leg(d)->source), 0) == 0;

	name_remote(d);
	d->stage = STAGE_CONNECT;
	d->stream = stream_connect(&sc, &d->hop.addr, bound ? &source : NULL);
	d->opened_ms = loop_now_ms(c->loop);
	stream_deadline(d->stream, timeout_of(d));
}

static void next_hop(struct dialog *d)
{
	d->stage = STAGE_CONNECT;
	d->tx->tls = "";
	switch (hops_next(d->hops, &d->hop)) {
	case HOPS_READY:
		clear_begin(d);
		connect_hop(d);
		break;
	case HOPS_WAIT:
		break;
	case HOPS_END:
		give_up(d);
		break;
	}
}

static void on_hops(void *arg)
{
	next_hop(arg);
}

static void begin_fresh(struct dialog *d)
{
	d->reused = false;
	d->messages = 0;
	d->rcpt_limit = 0;
	mem_free(d->bound);
	d->bound = NULL;
	d->needs_rset = false;
	d->generation = d->client->generation;
	d->fault_rank = -1;
	d->hops = hops_new(d->client, d->tx->req, on_hops, d);
	next_hop(d);
}

/* ---- from the outside ---- */

struct dialog *dialog_new(struct client *c, const struct client_request *r)
{
	struct dialog *d = NEW(struct dialog);

	d->client = c;
	d->leg = r->leg->id;
	d->domain = mem_strdup(r->domain);
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
	reply_parser_fini(&d->reply);
	mem_free(d->domain);
	mem_free(d->bound);
	mem_free(d->remote);
	mem_free(d->clear_why);
	mem_free(d);
}

void dialog_send(struct dialog *d, struct client_request *r)
{
	d->tx = exchange_new(r);
	d->answered = false;
	d->fault_rank = -1;
	d->feed.state = FEED_NONE;
	if (d->stream != NULL) {
		d->reused = true;
		d->tx->remote = arena_strdup(r->arena, d->remote);
		d->tx->tls = arena_strdup(r->arena, stream_tls(d->stream));
		clear_describe(d);
		dialog_move(d, NEXT_READY);
	} else if (d->tx->open == 0) {
		finish(d);
		close_dialog(d);
	} else {
		begin_fresh(d);
	}
}

void dialog_quit(struct dialog *d)
{
	pool_remove(d);
	list_remove(&d->parked);
	enter(d, STAGE_QUIT);
}

void dialog_abort(struct dialog *d)
{
	if (d->tx == NULL) {
		close_dialog(d);
		return;
	}
	if (d->feed.state == FEED_HANDED) {
		result_fault(
		    d, CLASS_NETWORK, "4.4.2", "we stopped before the answer");
		cut(d);
		return;
	}
	exchange_undo(d->tx);
	finish(d);
	close_dialog(d);
}
