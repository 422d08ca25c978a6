/* SPDX-License-Identifier: ISC
 *
 * The content of a message onto the connection: dots doubled for DATA, as it
 * is for BDAT (RFC 5321 4.5.2, RFC 3030). One worker's loop.
 *
 * At most STREAM_OUT_HIGH bytes wait for the peer; then we wait for it. A peer
 * that takes everything at once does not keep the loop to itself: after
 * TURN_BYTES the others have their turn.
 *
 * A content that has begun must end well: when the source cannot give what was
 * promised, neither the final dot nor the rest of the chunk is made up, the
 * connection is dropped, and the leg discards what it has.
 */
#include "relay/client/client_int.h"

enum {
	TURN_BYTES = 1024 * 1024,
	SLACK = 4096, /* of an output buffer: commands before, dots within */
};

static void feed_ready(void *arg)
{
	struct dialog *d = arg;

	d->feed.waits = false;
	feed_pump(d);
}

static void nobody_ready(void *arg)
{
	(void)arg;
}

void feed_stop(struct dialog *d)
{
	if (d->feed.state == FEED_NONE || d->tx == NULL)
		return;
	d->tx->req->content->ready = nobody_ready;
	d->feed.state = FEED_NONE;
}

static unsigned answers(const struct dialog *d)
{
	return dialog_lmtp(d) ? d->tx->accepted : 1;
}

void feed_begin(struct dialog *d, bool chunked)
{
	struct source *s = d->tx->req->content;
	struct strbuf *out = stream_out(d->stream);

	d->feed = (struct feed){
	    .state = FEED_RUN, .chunked = chunked, .left = s->size};
	data_writer_init(&d->feed.dots);
	s->ready = feed_ready;
	s->ready_arg = d;
	source_rewind(s);
	/* One growth of the buffer and not one per doubling. */
	strbuf_reserve(out,
	    (s->size < STREAM_OUT_HIGH ? s->size : STREAM_OUT_HIGH) + SLACK);
	if (chunked) {
		strbuf_adds(out, "BDAT ");
		strbuf_addu(out, s->size);
		strbuf_adds(out, " LAST\r\n");
		d->due += answers(d);
	}
	feed_pump(d);
}

void feed_nothing(struct dialog *d)
{
	d->feed = (struct feed){.state = FEED_DONE};
	strbuf_adds(stream_out(d->stream), ".\r\n");
	d->due++;
}

/* The loop calls back: nothing may end inside feed_begin(). */
static void broken(struct dialog *d)
{
	d->feed.state = FEED_BROKEN;
	loop_defer(d->client->cfg.loop, &d->later);
}

static void end_of_content(struct dialog *d)
{
	struct feed *f = &d->feed;

	if (f->chunked && f->left > 0) {
		broken(d);
		return;
	}
	f->state = FEED_DONE;
	if (f->chunked)
		return;
	data_writer_end(&f->dots, stream_out(d->stream));
	d->due += answers(d);
}

static void next_chunk(struct dialog *d)
{
	struct feed *f = &d->feed;

	switch (source_next(d->tx->req->content, &f->chunk)) {
	case SOURCE_CHUNK:
		if (f->chunked && f->chunk.n > f->left)
			broken(d);
		break;
	case SOURCE_END:
		end_of_content(d);
		break;
	case SOURCE_WAIT:
		f->waits = true;
		break;
	case SOURCE_ERROR:
		broken(d);
		break;
	}
}

static void write_chunk(struct dialog *d, size_t room)
{
	struct feed *f = &d->feed;
	struct strbuf *out = stream_out(d->stream);
	struct slice head;

	if (!f->chunked) {
		data_writer_add(&f->dots, &f->chunk, room, out);
		return;
	}
	head = slice_head(f->chunk, room);
	strbuf_addsl(out, head);
	f->chunk = slice_from(f->chunk, head.n);
	f->left -= head.n;
}

/* Up to the window; bytes added. */
static size_t fill(struct dialog *d)
{
	struct feed *f = &d->feed;
	size_t before = stream_pending(d->stream), now = before;

	while (f->state == FEED_RUN && !f->waits && now < STREAM_OUT_HIGH) {
		if (f->chunk.n == 0)
			next_chunk(d);
		else
			write_chunk(d, STREAM_OUT_HIGH - now);
		now = stream_pending(d->stream);
	}
	return now - before;
}

/* A send that failed has no output left either; the stream says so. */
static bool all_sent(const struct dialog *d)
{
	return stream_pending(d->stream) == 0 &&
	       stream_error(d->stream)[0] == '\0';
}

static void feed_settle(struct dialog *d)
{
	if (d->feed.state == FEED_DONE && all_sent(d))
		d->feed.state = FEED_HANDED;
	if (d->stage == STAGE_BODY)
		stream_deadline(d->stream, feed_timeout(d));
}

void feed_pump(struct dialog *d)
{
	size_t turn = 0;

	while (d->feed.state == FEED_RUN && !d->feed.waits) {
		turn += fill(d);
		stream_flush(d->stream);
		if (stream_pending(d->stream) > 0 || !all_sent(d))
			break;
		if (turn >= TURN_BYTES && d->feed.state == FEED_RUN) {
			loop_defer(d->client->cfg.loop, &d->later);
			break;
		}
	}
	feed_settle(d);
}

void feed_drained(struct dialog *d)
{
	if (d->feed.state == FEED_RUN)
		feed_pump(d);
	else
		feed_settle(d);
}

/* RFC 5321 4.5.3.2.5 and .6: a block to be taken, and the last answer. While
 * our own source is slow the peer is not to blame. */
int64_t feed_timeout(const struct dialog *d)
{
	const struct conf_leg *leg = dialog_leg(d);

	if (d->feed.state == FEED_HANDED)
		return leg->data_done_timeout_ms;
	if (d->feed.waits && stream_pending(d->stream) == 0)
		return 0;
	return leg->data_block_timeout_ms;
}
