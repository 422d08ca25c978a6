/* SPDX-License-Identifier: ISC
 *
 * The end of an attempt: the notice that is due is prepared, for which the
 * head of the message may have to be read, and the outcome is reported. A
 * worker's loop.
 */
#include "relay/delivery/attempt_end.h"

#include "relay/base/assert.h"
#include "relay/delivery/bounce.h"
#include "relay/delivery/outgoing.h"

static void post_outcome(struct attempt *at)
{
	struct outcome_letter *o = at->outcome;

	PH_ASSERT(o != NULL && at->arena != NULL && o->n == at->n);
	attempt_permit_end(at, PERMIT_UNUSED); /* there was no dialog */
	o->arena = at->arena;
	at->arena = NULL;
	mailbox_post_lazy(at->w->shared->queue_box, &o->letter);
	attempt_free(at);
}

/* Reads the head of the original for its DSN. False: the journal's reader
 * will call again. */
static bool read_head(struct attempt *at)
{
	struct slice chunk;

	if (at->mail->draft != NULL) {
		strbuf_addsl(&at->head,
		    slice_head(spool_draft_head(at->mail->draft),
			at->head.max));
		return true;
	}
	while (at->content != NULL) {
		switch (source_next(at->content, &chunk)) {
		case SOURCE_CHUNK:
			strbuf_addsl(&at->head,
			    slice_head(chunk, at->head.max - at->head.n));
			if (at->head.n == at->head.max)
				return true;
			break;
		case SOURCE_WAIT:
			return false;
		case SOURCE_END:
		case SOURCE_ERROR:
			return true;
		}
	}
	return true;
}

static void on_head(void *arg)
{
	struct attempt *at = arg;

	if (!read_head(at))
		return;
	bounce_prepare(at->w, at->mail, strbuf_view(&at->head), at->outcome);
	post_outcome(at);
}

void attempt_untold(struct attempt *at)
{
	bounce_forget(at->outcome);
	post_outcome(at);
}

void attempt_finish(struct attempt *at, struct outcome_letter *o)
{
	PH_ASSERT(at->outcome == NULL);
	at->outcome = o;
	if (o->role == ROLE_COPY ||
	    !bounce_due(at->snapshot->conf, at->mail, o)) {
		post_outcome(at);
		return;
	}
	if (at->content != NULL) {
		source_rewind(at->content);
		at->content->ready = on_head;
		at->content->ready_arg = at;
	}
	list_push_back(&at->w->outgoing->reading, &at->node);
	on_head(at);
}
