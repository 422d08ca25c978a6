/* SPDX-License-Identifier: ISC
 *
 * The sender of a copy, where its leg cannot be told to send no DSN.
 */
#include "relay/delivery/copy_sender.h"

#include "conf/profile.h"
#include "policy/return_addr.h"
#include "relay/client/client.h"

static bool is_deaf(const struct conf_leg *leg)
{
	return leg->copy_return == RETURN_TOKEN ||
	       (leg->replies != NULL && leg->replies->ignores_notify);
}

/* A leg whose bounces we want, or cannot forbid, is not told NOTIFY=NEVER:
 * they are how we hear of it. Their headers are enough. */
static void say(struct client_request *q, const char *address)
{
	q->from = address;
	q->ret = RET_HDRS;
	for (unsigned i = 0; i < q->rcpts; i++)
		q->rcpt[i].notify = 0;
}

void copy_sender_set(struct attempt *at)
{
	struct client_request *q = &at->req;
	int64_t now_us = steady_wall_us(at->w->shared);
	struct strbuf address;
	const char *text;

	/* A null sender hears of nothing, and must stay null. */
	if (at->role != ROLE_COPY || q->leg == NULL || q->from[0] == '\0')
		return;
	strbuf_init(&address, ADDR_MAX);
	if (return_addr_make(q->conf, q->id, q->leg->name, now_us, &address)) {
		text = arena_slicedup(at->arena, strbuf_view(&address));
		if (is_deaf(q->leg))
			say(q, text);
		else
			q->from_without_dsn = text;
	}
	strbuf_fini(&address);
}
