/* SPDX-License-Identifier: ISC
 *
 * Refusals and aborted connections, aggregated for the audit trail and the
 * log. See refusals.h.
 */
#include "relay/daemon/refusals.h"

#include <stdio.h>

#include "relay/audit/note.h"
#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/base/map.h"
#include "relay/base/mem.h"
#include "relay/mail/addr.h"

enum { FLUSH_MS = 1000, ROWS_MAX = 1024, WHY_BYTES = 200 };

struct row {
	struct list node;
	uint64_t key;
	int64_t time_us;
	unsigned count;
	char client[NETADDR_TEXT];
	char listen[64], stage[16];
	char from[ADDR_MAX], to[ADDR_MAX];
	bool answered;
	struct reply reply; /* if answered */
	char why[WHY_BYTES]; /* if not     */
};

struct refusals {
	const struct clock *clock;
	struct spool *spool;
	struct map rows; /* key → struct row */
	struct list order;
	struct timer flush;
};

static void print_note(const struct row *r, struct strbuf *note)
{
	struct note_writer w;
	struct jout *j;

	j = note_begin(&w, note, r->answered ? "refused" : "aborted");
	jout_str(j, "client", r->client);
	jout_str(j, "listen", r->listen);
	jout_str(j, "stage", r->stage);
	jout_str(j, "from", r->from);
	jout_str(j, "to", r->to);
	if (r->answered) {
		jout_int(j, "code", r->reply.code);
		jout_str(j, "enhanced", r->reply.enh);
	}
	jout_str(j, "reason", r->answered ? r->reply.text : r->why);
	jout_int(j, "count", r->count);
	note_end(&w);
}

static void write_row(struct refusals *rs, const struct row *r)
{
	struct spool_op *op = spool_op_new();
	struct strbuf note;

	strbuf_init(&note, 8192);
	print_note(r, &note);
	spool_op_note(op, NOTE_REFUSED, r->time_us, strbuf_view(&note));
	strbuf_fini(&note);
	spool_post(rs->spool, op);
	if (!r->answered)
		log_info("session.aborted", kv_str("client", r->client),
		    kv_str("stage", r->stage), kv_str("error", r->why),
		    kv_int("count", r->count));
}

static void on_flush(void *arg)
{
	struct refusals *rs = arg;
	struct row *r;

	while ((r = LIST_FIRST(&rs->order, struct row, node)) != NULL) {
		write_row(rs, r);
		list_remove(&r->node);
		map_remove(&rs->rows, r->key);
		mem_free(r);
	}
}

/* `client` NULL: of anybody, to anybody. */
static uint64_t key_of(const struct refusal *r, const char *client)
{
	char text[NETADDR_TEXT + ADDR_MAX + 48];
	int to = client == NULL ? 0 : (int)slice_head(r->to, ADDR_MAX).n;
	int n = snprintf(text, sizeof(text), "%s|%s|%d|%.*s",
	    client == NULL ? "*" : client, r->stage,
	    r->reply == NULL ? 0 : r->reply->code, to, r->to.p);

	return hash_bytes(text, (size_t)n) | 1;
}

static struct row *find(struct refusals *rs, const struct refusal *a)
{
	bool flood = rs->rows.used >= ROWS_MAX;
	char client[NETADDR_TEXT];
	struct row *r;
	uint64_t key;

	netaddr_ip(a->client, client);
	key = key_of(a, client);
	r = map_get(&rs->rows, key);
	if (r == NULL && flood) {
		key = key_of(a, NULL);
		r = map_get(&rs->rows, key);
	}
	if (r != NULL)
		return r;
	r = NEW(struct row);
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
	snprintf(to, size, "%.*s", (int)slice_head(s, size - 1).n, s.p);
}

void refusals_add(struct refusals *rs, const struct refusal *a)
{
	struct row *r = find(rs, a);

	if (r->count++ != 0)
		return;
	r->time_us = clock_wall_us(rs->clock);
	copy(r->listen, sizeof(r->listen), slice_str(a->listen));
	copy(r->stage, sizeof(r->stage), slice_str(a->stage));
	copy(r->from, sizeof(r->from), a->from);
	copy(r->to, sizeof(r->to), a->to);
	r->answered = a->reply != NULL;
	if (r->answered)
		r->reply = *a->reply;
	else
		copy(r->why, sizeof(r->why), slice_str(a->why));
}

struct refusals *refusals_new(struct loop *l, const struct clock *clock,
    struct spool *spool)
{
	struct refusals *rs = NEW(struct refusals);

	rs->clock = clock;
	rs->spool = spool;
	map_init(&rs->rows);
	list_init(&rs->order);
	timer_init(&rs->flush, l, on_flush, rs);
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
