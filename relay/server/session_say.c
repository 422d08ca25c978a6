/* SPDX-License-Identifier: ISC
 *
 * Sends replies to a client, counts them and puts them on record. A worker's
 * loop.
 */
#include "relay/base/assert.h"
#include "relay/server/session_int.h"

static void report(struct session *s, struct server_report *r)
{
	const struct server_config *c = &s->server->c;

	r->from = session_from(s);
	r->bytes = s->tx == NULL ? 0 : s->tx->bytes;
	if (r->what != REPORT_ABORTED) {
		r->stage = s->stage;
		/* Of a content: the recipient that was named last. */
		r->to = s->to.n > 0 || s->tx == NULL || !s->tx->content
			    ? s->to : slice_of(s->tx->to, s->tx->to_n);
		r->said = slice_of(s->said, s->said_n);
	}
	c->ops->report(c->arg, s, r);
}

void session_said(struct session *s, struct slice said)
{
	s->to = slice_of("", 0);
	said = slice_head(said, SAID_MAX);
	if (said.n > 0)
		memcpy(s->said, said.p, said.n);
	s->said_n = said.n;
}

void session_repaired(struct session *s, const char *why)
{
	report(s, &(struct server_report){
	    .what = REPORT_REPAIRED, .why = why});
}

void session_aborted(struct session *s, enum stage stage, const char *why)
{
	report(s, &(struct server_report){.what = REPORT_ABORTED,
	    .stage = stage, .why = why,
	    .to = s->tx == NULL ? slice_of("", 0)
				: slice_of(s->tx->to, s->tx->to_n)});
}

enum next session_say(struct session *s, const struct reply *r)
{
	reply_print(r, stream_out(s->stream));
	s->replies++;
	if (r->code < 400)
		return NEXT_REPLIED;
	report(s, &(struct server_report){
	    .what = REPORT_REFUSED, .reply = r});
	if (r->code == 421 || r->code == 521)
		return NEXT_CLOSE;
	/* A 4xx is our trouble, not the client's error. */
	if (r->code >= 500 && ++s->errors >= s->conf->limits.errors)
		return session_bye(s, 421, "4.7.0", "Too many errors");
	return NEXT_REPLIED;
}

enum next session_refuse(struct session *s, int code, const char *enh,
    const char *text)
{
	struct reply r;

	reply_set(&r, code, enh, "%s", text);
	return session_say(s, &r);
}

enum next session_bye(struct session *s, int code, const char *enh,
    const char *text)
{
	session_refuse(s, code, enh, text);
	return NEXT_CLOSE;
}

bool session_idles(struct session *s)
{
	return ++s->idle_commands > s->conf->limits.commands;
}

enum next session_ask(struct session *s, enum answer a, const struct reply *r,
    answer_fn then)
{
	if (a == ANSWER_NOW)
		return then(s, r);
	PH_ASSERT(s->answered == NULL); /* one answer is owed at a time */
	s->answered = then;
	return NEXT_WAIT;
}
