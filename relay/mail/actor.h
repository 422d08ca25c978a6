/* SPDX-License-Identifier: ISC
 *
 * The actor and the reason of a move that was not caused by a reply: the
 * detail of a journal update beside struct result. Pure.
 */
#ifndef RELAY_MAIL_ACTOR_H
#define RELAY_MAIL_ACTOR_H

#include "relay/base/mem.h"
#include "relay/base/strbuf.h"

struct actor {
	const char *who;    /* user name, or "" when it was policy */
	const char *reason; /* one line, or ""                     */
};

void actor_pack(const struct actor *a, struct strbuf *out);
/* No bytes at all are an actor without name and reason. 0 or -1. */
int actor_unpack(struct slice bytes, struct arena *a,
    struct actor *actor_out) PH_CHECK;

#endif
