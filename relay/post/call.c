/* SPDX-License-Identifier: ISC
 *
 * Calls to another thread.
 */
#include "relay/post/call.h"

#include "relay/base/mem.h"

void call_post(struct mailbox *to, int kind, void (*fn)(void *arg), void *arg)
{
	struct call *c = NEW(struct call);

	c->letter.kind = kind;
	c->fn = fn;
	c->arg = arg;
	mailbox_post(to, &c->letter);
}

void call_run(struct letter *l)
{
	struct call *c = (struct call *)l;

	c->fn(c->arg);
	mem_free(c);
}
