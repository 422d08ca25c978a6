/* SPDX-License-Identifier: ISC
 *
 * Common to DATA and BDAT: the limits on size and speed, the owner that takes
 * the bytes, and refused content, which is read to its end so that the client
 * gets the reason.
 */
#include "relay/server/session_int.h"

enum { READ_ON = 2 /* times limits.message */ };

uint64_t content_ceiling(const struct session *s)
{
	return READ_ON * s->conf->limits.message_bytes;
}

enum next content_begin(struct session *s, uint64_t expect, answer_fn then)
{
	const struct server_config *c = &s->server->c;
	struct reply r = {.code = 0};

	s->tx->content = true;
	s->tx->begun_ms = loop_now_ms(c->loop);
	if (s->tx->refusal != NULL)
		return then(s, s->tx->refusal);
	return session_ask(
	    s, c->ops->body_begin(c->arg, s, expect, &r), &r, then);
}

enum next content_add(struct session *s, struct slice run)
{
	const struct server_config *c = &s->server->c;
	struct tx *tx = s->tx;
	struct reply r = {.code = 0};
	enum take take;

	tx->bytes += run.n;
	if (tx->bytes > s->conf->limits.message_bytes)
		tx_refuse_text(s, 552, "5.3.4", "Message is too big");
	if (tx->bytes > content_ceiling(s)) {
		content_refused(s);
		return NEXT_CLOSE;
	}
	if (tx->refusal != NULL)
		return NEXT_STAY;
	take = c->ops->body(c->arg, s, run, &r);
	if (take == TAKE_REFUSED)
		tx_refuse(s, &r);
	return take == TAKE_WAIT ? NEXT_HOLD : NEXT_STAY;
}

void content_bare(struct session *s)
{
	const struct server_config *c = &s->server->c;
	struct reply r = {.code = 0};

	if (s->tx->refusal == NULL && !c->ops->bare(c->arg, s, &r))
		tx_refuse(s, &r);
}

/* A CR may be the last byte of all. */
static void end_watch(struct session *s)
{
	bool before = s->tx->watch.bare;

	content_watch_end(&s->tx->watch);
	if (!before && s->tx->watch.bare)
		content_bare(s);
}

enum next content_refused(struct session *s)
{
	bool closes = s->tx->refusal_closes;
	enum next next = session_say(s, s->tx->refusal);

	tx_end(s);
	return closes ? NEXT_CLOSE : next;
}

static enum next answered(struct session *s, const struct reply *r)
{
	enum next next = session_say(s, r);

	/* A client that brings mail may go on for days: its unknown
	 * recipients of a week do not add up. */
	if (r->code < 300)
		s->errors = s->idle_commands = 0;
	tx_end(s);
	return next;
}

enum next content_end(struct session *s)
{
	const struct server_config *c = &s->server->c;
	struct tx *tx = s->tx;
	struct reply r = {.code = 0};
	struct body_facts facts = {.bytes = tx->bytes, .bdat = tx->bdat};

	end_watch(s);
	if (tx->refusal != NULL)
		return content_refused(s);
	if (s->repaired || tx->reader.repaired)
		session_repaired(s, "Bare CR or LF was made CR LF");
	s->repaired = false;
	facts.bare_lf = tx->watch.bare;
	facts.eight_bit = tx->reader.eight_bit || tx->watch.eight_bit;
	return session_ask(
	    s, c->ops->body_end(c->arg, s, &facts, &r), &r, answered);
}

/* ---- speed -------------------------------------------------------------
 *
 * A content may take the grace, or as long as its bytes so far take at the
 * lowest rate, whichever is longer. Our own waiting does not count. */

static int64_t time_left_ms(const struct session *s)
{
	uint64_t rate = s->conf->limits.min_rate;
	int64_t grace = s->conf->limits.min_rate_grace_ms, earned;
	int64_t spent = loop_now_ms(s->server->c.loop) - s->tx->begun_ms;

	if (rate == 0)
		return INT64_MAX;
	earned = (int64_t)(s->tx->bytes * 1000 / rate);
	return (earned > grace ? earned : grace) - spent;
}

bool content_too_slow(const struct session *s)
{
	return time_left_ms(s) < 0;
}

int64_t content_deadline_ms(const struct session *s)
{
	int64_t silence = s->conf->limits.data_timeout_ms;
	int64_t left = time_left_ms(s);

	if (left > silence)
		return silence;
	return left > 0 ? left : 1; /* 0 would be for ever */
}

enum next content_slow(struct session *s)
{
	return session_bye(s, 421, "4.4.2", "Too slow, try again later");
}
