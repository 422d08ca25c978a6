/* SPDX-License-Identifier: ISC
 *
 * Every refusal that a sender saw goes to the audit trail (A3). Under flood
 * the same refusal (client, stage, code) is written once a second with a
 * count, and the table of them is bounded: past it only stage and code are
 * told apart. A worker's loop.
 */
#include "relay/daemon/intake.h"

#include <stdio.h>

#include "relay/audit/note.h"
#include "relay/base/hash.h"
#include "relay/base/map.h"

enum { FLUSH_MS = 1000, ROWS_MAX = 1024 };

struct refusal {
	struct list node;
	uint64_t key;
	int64_t time_us;
	unsigned count;
	char client[NETADDR_TEXT];
	char listen[64], stage[16];
	char from[ADDR_MAX], to[ADDR_MAX];
	struct reply reply;
};

struct refusals {
	struct worker *w;
	struct map rows; /* key → struct refusal */
	struct list order;
	struct timer flush;
};

static void write_note(struct refusals *rs, const struct refusal *r)
{
	struct spool_op *op = spool_op_new();
	struct note_writer w;
	struct strbuf note;
	struct jout *j;

	strbuf_init(&note, 8192);
	j = note_begin(&w, &note, "refused");
	jout_str(j, "client", r->client);
	jout_str(j, "listen", r->listen);
	jout_str(j, "stage", r->stage);
	jout_str(j, "from", r->from);
	jout_str(j, "to", r->to);
	jout_int(j, "code", r->reply.code);
	jout_str(j, "enhanced", r->reply.enh);
	jout_str(j, "reason", r->reply.text);
	jout_int(j, "count", r->count);
	note_end(&w);
	spool_op_note(op, NOTE_REFUSED, r->time_us, strbuf_view(&note));
	strbuf_fini(&note);
	spool_post(rs->w->app->spool, op);
}

static void on_flush(void *arg)
{
	struct refusals *rs = arg;
	struct refusal *r;

	while ((r = LIST_FIRST(&rs->order, struct refusal, node)) != NULL) {
		write_note(rs, r);
		list_remove(&r->node);
		map_remove(&rs->rows, r->key);
		mem_free(r);
	}
}

static uint64_t key_of(const char *client, const char *stage, int code,
    struct slice to)
{
	char text[NETADDR_TEXT + ADDR_MAX + 48];
	int n = snprintf(text, sizeof(text), "%s|%s|%d|%.*s", client, stage,
	    code, (int)(to.n < ADDR_MAX ? to.n : ADDR_MAX), to.p);

	return hash_bytes(text, (size_t)n) | 1;
}

static struct refusal *find(struct refusals *rs, struct session *s,
    const char *stage, struct slice to, int code)
{
	bool flood = rs->rows.used >= ROWS_MAX;
	char client[NETADDR_TEXT];
	struct refusal *r;
	uint64_t key;

	netaddr_ip(session_client(s), client);
	key = flood ? key_of("*", stage, code, slice_of("", 0))
		    : key_of(client, stage, code, to);
	r = map_get(&rs->rows, key);
	if (r != NULL)
		return r;
	r = NEW(struct refusal);
	r->key = key;
	snprintf(r->client, sizeof(r->client), "%s", flood ? "*" : client);
	map_put(&rs->rows, key, r);
	if (list_empty(&rs->order))
		timer_set(&rs->flush, FLUSH_MS);
	list_push_back(&rs->order, &r->node);
	return r;
}

static void copy(char *to, size_t size, struct slice s)
{
	snprintf(to, size, "%.*s", (int)(s.n < size ? s.n : size - 1), s.p);
}

void refusals_add(void *worker, struct session *s, const char *stage,
    struct slice to, const struct reply *reply)
{
	struct worker *w = worker;
	struct refusal *r = find(w->refusals, s, stage, to, reply->code);

	if (r->count++ != 0)
		return;
	r->time_us = clock_wall_us(w->app->clock);
	copy(r->listen, sizeof(r->listen), slice_str(session_listen(s)->name));
	copy(r->stage, sizeof(r->stage), slice_str(stage));
	copy(r->from, sizeof(r->from), session_from(s));
	copy(r->to, sizeof(r->to), to);
	r->reply = *reply;
}

struct refusals *refusals_new(struct worker *w)
{
	struct refusals *rs = NEW(struct refusals);

	rs->w = w;
	map_init(&rs->rows);
	list_init(&rs->order);
	timer_init(&rs->flush, w->loop, on_flush, rs);
	return rs;
}

void refusals_free(struct refusals *rs)
{
	if (rs == NULL)
		return;
	on_flush(rs);
	timer_fini(&rs->flush);
	map_fini(&rs->rows);
	mem_free(rs);
}
