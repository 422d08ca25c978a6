/* SPDX-License-Identifier: ISC
 *
 * A leg that brings mail back: it does not have the mailbox any more, or yet,
 * and its way for the domain leads to the relay (D6).
 */
#include <stdio.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "tests/sim/sim_peer.h"
#include "tests/sim/sim_sender.h"
#include "tests/sim/sim_trace.h"
#include "tests/sim/sim_witness.h"

enum { RCPTS = 40, BODY_MAX = 8 << 20 };

struct returned {
	const char *ip;
	char from[60];
	char rcpt[RCPTS][60];
	unsigned rcpts;
	struct strbuf content;
	struct peer peer;
};

static int reply(struct returned *r)
{
	char line[PEER_LINE];

	while (peer_line(&r->peer, line))
		if (strlen(line) < 4 || line[3] != '-')
			return atoi(line);
	return 0;
}

static int content(struct returned *r)
{
	struct slice rest = strbuf_view(&r->content), line;
	struct strbuf out;

	strbuf_init(&out, 2 * BODY_MAX);
	while (rest.n > 0 && slice_next(&rest, '\n', &line)) {
		if (line.n > 0 && line.p[0] == '.')
			strbuf_addc(&out, '.');
		strbuf_addsl(&out, line);
		strbuf_addc(&out, '\n');
	}
	strbuf_adds(&out, ".\r\n");
	peer_say(&r->peer, strbuf_view(&out));
	strbuf_fini(&out);
	return reply(r);
}

static void transaction(struct returned *r)
{
	unsigned taken = 0;
	int code;

	peer_sayf(&r->peer, "MAIL FROM:<%s>\r\n", r->from);
	code = reply(r);
	for (unsigned i = 0; code == 250 && i < r->rcpts; i++) {
		peer_sayf(&r->peer, "RCPT TO:<%s>\r\n", r->rcpt[i]);
		taken += reply(r) == 250;
	}
	if (taken == 0)
		return;
	peer_say(&r->peer, SLICE("DATA\r\n"));
	if (reply(r) == 354)
		code = content(r);
	trace_line("%s brings it back for %u: %d", r->ip, taken, code);
}

static void *bring(void *arg)
{
	struct returned *r = arg;

	if (peer_connect(&r->peer, r->ip, SIM_RELAY_IP)) {
		if (reply(r) == 220 &&
		    peer_say(&r->peer, SLICE("EHLO leg.sim\r\n")) &&
		    reply(r) == 250)
			transaction(r);
		peer_close(&r->peer, false);
	}
	strbuf_fini(&r->content);
	mem_free(r);
	return NULL;
}

void sender_returns(const char *ip, const struct leg_took *t)
{
	struct returned *r = NEW(struct returned);

	r->ip = ip;
	snprintf(r->from, sizeof(r->from), "%s", t->from);
	for (; r->rcpts < t->rcpts && r->rcpts < RCPTS; r->rcpts++)
		memcpy(r->rcpt[r->rcpts], t->rcpt[r->rcpts], 60);
	strbuf_init(&r->content, BODY_MAX);
	strbuf_addsl(&r->content, t->content);
	task_new(SIDE_WORLD, "return", bring, r);
}
