/* SPDX-License-Identifier: ISC
 *
 * BDAT (RFC 3030). Octets follow the command whatever we say to it, so a
 * refused chunk is read and thrown away, octet for octet, in every state;
 * else its content would be our next commands. Where the number cannot be
 * read, or is beyond what we throw away, the connection ends.
 *
 * A refusal ends the transaction; chunks that were pipelined behind it meet
 * no transaction, and are refused and thrown away for that.
 */
#include "relay/server/session_int.h"

static enum next begun(struct session *s, const struct reply *r)
{
	if (r->code >= 400)
		tx_refuse(s, r);
	return bdat_resume(s);
}

/* Checks what can be said against this chunk before a byte of it is read. */
static void judge(struct session *s, uint64_t size)
{
	uint64_t limit = s->conf->limits.message_bytes;

	if (!s->tx->owned)
		tx_refuse_text(s, 503, "5.5.1", "MAIL first");
	else if (s->tx->rcpts == 0)
		tx_refuse_text(s, 554, "5.5.1", "No valid recipients");
	else if (size > limit || s->tx->bytes > limit - size)
		tx_refuse_text(s, 552, "5.3.4", "Message is too big");
}

enum next cmd_bdat(struct session *s, const struct smtp_cmd *cmd)
{
	struct tx *tx;
	uint64_t size;
	bool last, first;

	if (bdat_parse(cmd->arg, &size, &last) != 0) {
		session_refuse(s, 501, "5.5.4", "BDAT SIZE [LAST]");
		return NEXT_CLOSE;
	}
	if (size == 0 && !last && session_idles(s))
		return session_bye(s, 421, "4.7.0", "Too many empty chunks");
	tx = s->tx != NULL ? s->tx : tx_begin(s, slice_of("", 0));
	first = !tx->bdat;
	tx->bdat = true;
	tx->last = last;
	tx->chunk = tx->chunk_left = size;
	judge(s, size);
	if (size > content_ceiling(s)) {
		content_refused(s);
		return NEXT_CLOSE;
	}
	if (first)
		return content_begin(s, tx->size != 0 ? tx->size : size,
		    begun);
	return bdat_resume(s);
}

enum next bdat_input(struct session *s, struct slice *rest)
{
	struct tx *tx = s->tx;
	struct slice run = slice_head(*rest,
	    tx->chunk_left < rest->n ? (size_t)tx->chunk_left : rest->n);
	bool bare = tx->watch.bare;
	enum next next;

	*rest = slice_from(*rest, run.n);
	tx->chunk_left -= run.n;
	content_watch_add(&tx->watch, run);
	if (!bare && tx->watch.bare)
		content_bare(s);
	next = content_add(s, run);
	return next == NEXT_STAY ? bdat_resume(s) : next;
}

enum next bdat_resume(struct session *s)
{
	struct tx *tx = s->tx;
	struct reply r;

	if (tx->chunk_left > 0)
		return content_too_slow(s) ? content_slow(s) : NEXT_CHUNK;
	if (tx->refusal != NULL)
		return content_refused(s);
	if (tx->last)
		return content_end(s);
	reply_set(&r, 250, "2.0.0", "%llu octets received",
	    (unsigned long long)tx->chunk);
	return session_say(s, &r);
}
