/* SPDX-License-Identifier: ISC
 *
 * Puts our trace block before the content (RFC 5321 4.4). It is the first of
 * the message, and its mark depends on the header (token.h): what comes is
 * kept back until the header has ended. A worker's loop.
 */
#include "relay/intake/intake_int.h"
#include "relay/mail/trace_block.h"

/* A header that is longer is bound by what of it is there. */
enum { FRONT_MAX = 32 << 10, FRONT_TIGHT = 8 << 10 };

void intake_trace_begin(struct intake *in)
{
	auth_results_init(&in->results,
	    session_conf(in->session)->spf.authserv_id);
	strbuf_init(&in->front, FRONT_MAX);
	loophint_body_init(&in->body);
}

/* Bytes of ours, and those that were kept back. */
static void print_trace(struct intake *in, struct strbuf *out)
{
	const struct envelope *e = &in->mail->env;
	const struct conf *c = session_conf(in->session);
	char id[ID_TEXT], mark[KEYED_TEXT];

	id_text(e->id, id);
	token_mark(in->w->intake->c.tokens, intake_conf(in), e,
	    strbuf_view(&in->front), mark);
	trace_print(e, &(struct trace_names){.hostname = c->hostname,
	    .authserv_id = c->spf.authserv_id, .id = id, .token = mark}, out);
	in->trace_n = out->n;
	strbuf_addsl(out, strbuf_view(&in->front));
}

static void drop_front(struct intake *in)
{
	spool_memory_held(in->w->shared->spool, -(int64_t)in->front.n);
	strbuf_fini(&in->front);
}

void intake_trace_drop(struct intake *in)
{
	drop_front(in);
	spool_memory_held(in->w->shared->spool,
	    -(int64_t)in->results.held.n);
	auth_results_fini(&in->results);
}

static enum spool_add flush(struct intake *in, int wait_kind)
{
	struct strbuf out;
	enum spool_add add;

	strbuf_init(&out, TRACE_MAX + FRONT_MAX);
	print_trace(in, &out);
	in->traced = true;
	drop_front(in);
	add = spool_draft_add(in->mail->draft, strbuf_view(&out), wait_kind);
	strbuf_fini(&out);
	return add;
}

/* Does an empty line stand at or behind `from`? The line before it may have
 * ended in what was there already, so the look begins three bytes earlier. */
static bool header_ended(struct slice s, size_t from)
{
	enum { BEFORE = 3 };
	struct slice rest = slice_from(s, from < BEFORE ? 0 : from - BEFORE);
	long lf;

	if (from < BEFORE && slice_starts(s, SLICE("\r\n")))
		return true;
	while ((lf = slice_find(rest, '\n')) >= 0) {
		rest = slice_from(rest, (size_t)lf + 1);
		if (slice_starts(rest, SLICE("\n")) ||
		    slice_starts(rest, SLICE("\r\n")))
			return true;
	}
	return false;
}

/* Content that begins with a blank has no header (RFC 5322 2.2.3), and must not
 * become the last line of ours. */
static void part_from_trace(struct intake *in, struct slice bytes)
{
	if (in->front.n == 0 && bytes.n > 0 &&
	    (bytes.p[0] == ' ' || bytes.p[0] == '\t'))
		strbuf_adds(&in->front, "\r\n");
}

/* Bytes that have passed the filter. */
static enum spool_add add_filtered(struct intake *in, struct slice bytes,
    int wait_kind)
{
	struct spool *s = in->w->shared->spool;
	size_t max = spool_memory_tight(s) ? FRONT_TIGHT : FRONT_MAX;
	size_t before = in->front.n, room;
	struct slice rest;
	enum spool_add add;

	if (bytes.n == 0)
		return ADD_OK;
	if (in->traced)
		return spool_draft_add(in->mail->draft, bytes, wait_kind);
	part_from_trace(in, bytes);
	room = in->front.n < max ? max - in->front.n : 0;
	rest = slice_from(bytes, room);
	strbuf_addsl(&in->front, slice_head(bytes, room));
	spool_memory_held(s, (int64_t)(in->front.n - before));
	if (in->front.n < max &&
	    !header_ended(strbuf_view(&in->front), before))
		return ADD_OK;
	add = flush(in, rest.n == 0 ? wait_kind : 0);
	return add != ADD_OK || rest.n == 0
		   ? add : spool_draft_add(in->mail->draft, rest, wait_kind);
}

enum spool_add intake_trace_add(struct intake *in, struct slice bytes)
{
	size_t held = in->results.held.n;
	struct strbuf out;
	enum spool_add add;

	strbuf_init(&out, bytes.n + AUTH_RESULTS_HELD);
	add = add_filtered(in, auth_results_next(&in->results, bytes, &out),
	    W_ROOM);
	strbuf_fini(&out);
	spool_memory_held(in->w->shared->spool,
	    (int64_t)in->results.held.n - (int64_t)held);
	return add;
}

static void count_stripped(struct intake *in)
{
	struct strbuf n;

	if (in->results.stripped == 0)
		return;
	strbuf_init(&n, 20);
	strbuf_addu(&n, in->results.stripped);
	in->mail->env.stripped =
	    arena_slicedup(in->mail->arena, strbuf_view(&n));
	strbuf_fini(&n);
}

enum spool_add intake_trace_end(struct intake *in)
{
	struct strbuf out;
	enum spool_add add;

	strbuf_init(&out, AUTH_RESULTS_HELD);
	spool_memory_held(in->w->shared->spool,
	    -(int64_t)in->results.held.n);
	add = add_filtered(in, auth_results_end(&in->results, &out), 0);
	strbuf_fini(&out);
	count_stripped(in);
	return add != ADD_OK || in->traced ? add : flush(in, 0);
}
