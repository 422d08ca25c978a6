/* SPDX-License-Identifier: ISC
 *
 * DATA (RFC 5321 4.1.1.4), and what comes after it, up to CRLF.CRLF and to
 * nothing else (T6): see data_reader.
 *
 * A bare CR, LF or NUL refuses the message, but only at its end: what an
 * attacker meant to be the next command is read as content, and the
 * connection ends behind it.
 */
#include "relay/server/session_int.h"

static enum next begun(struct session *s, const struct reply *r)
{
	struct reply go;

	if (r->code >= 400) {
		enum next next = session_say(s, r);

		tx_end(s);
		return next;
	}
	data_reader_init(&s->tx->reader, s->normalize);
	reply_set(&go, 354, "", "End data with <CR><LF>.<CR><LF>");
	session_say(s, &go);
	return NEXT_DATA;
}

enum next cmd_data(struct session *s, const struct smtp_cmd *cmd)
{
	if (cmd->arg.n > 0)
		return session_refuse(s, 501, "5.5.4", "DATA stands alone");
	if (s->tx->rcpts == 0)
		return session_refuse(s, 554, "5.5.1", "No valid recipients");
	return content_begin(s, s->tx->size, begun);
}

static void refuse_bare(struct session *s)
{
	if (s->tx->refusal != NULL)
		return;
	tx_refuse_text(s, 550, "5.6.11", "Bare CR, LF or NUL in the message");
	s->tx->refusal_closes = true;
}

enum next data_input(struct session *s, struct slice *rest)
{
	struct tx *tx = s->tx;
	enum next next = NEXT_STAY;

	while (next == NEXT_STAY && rest->n > 0 && !tx->ended) {
		struct slice run;

		tx->ended = data_reader_next(&tx->reader, rest, &run);
		if (tx->reader.bare)
			refuse_bare(s);
		if (run.n > 0)
			next = content_add(s, run);
	}
	return next == NEXT_STAY ? data_resume(s) : next;
}

enum next data_resume(struct session *s)
{
	if (s->tx->ended)
		return content_end(s);
	return content_too_slow(s) ? content_slow(s) : NEXT_DATA;
}
