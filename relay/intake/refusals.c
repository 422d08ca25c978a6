/* SPDX-License-Identifier: ISC
 *
 * Refusals, aborted connections and what was repaired, aggregated for the
 * audit trail and the log. See refusals.h.
 */
#include "relay/intake/refusals.h"

#include <stdio.h>

#include "relay/audit/note_post.h"
#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/base/map.h"
#include "relay/base/mem.h"
#include "relay/mail/addr.h"
#include "relay/mail/codec.h"

enum {
	FLUSH_MS = 1000,
	ROWS_MAX = 1024,
	CLIENT_MAX = 64, /* rows of one client: it may not use up the table */
	WHY_BYTES = 200,
	SAID_BYTES = 257,
};

static const enum event_id events[] = {
	[REFUSAL_REFUSED] = EVENT_REFUSED,
	[REFUSAL_ABORTED] = EVENT_ABORTED,
	[REFUSAL_REPAIRED] = EVENT_REPAIRED,
};

struct row {
	struct list node;
	uint64_t key;
	enum refusal_kind kind;
	int64_t time_us;
	uint64_t bytes;
	unsigned count;
	char client[NETADDR_TEXT];
	char listen[64];
	enum stage stage;
	char from[ADDR_MAX], to[ADDR_MAX];
	char said[SAID_BYTES];
	struct reply reply; /* of REFUSAL_REFUSED */
	char why[WHY_BYTES]; /* of the others */
};

struct refusals {
	const struct clock *clock;
	struct spool *spool;
	struct map rows; /* key → struct row */
	struct map clients; /* hash → rows that it has in there */
	struct list order;
	struct timer flush;
};

static void print_note(const struct row *r, struct jout *j)
{
	jout_str(j, "client", r->client);
	jout_str(j, "listen", r->listen);
	jout_str(j, "stage", stage_text(r->stage));
	jout_str(j, "from", r->from);
	jout_str(j, "to", r->to);
	if (r->kind == REFUSAL_REFUSED) {
		jout_int(j, "code", r->reply.code);
		jout_str(j, "enhanced", r->reply.enh);
	}
	if (r->kind == REFUSAL_ABORTED)
		jout_int(j, "bytes", (int64_t)r->bytes);
	else
		jout_str(j, "said", r->said);
	jout_str(j, "reason",
	    r->kind == REFUSAL_REFUSED ? r->reply.text : r->why);
	jout_int(j, "count", r->count);
}

static void write_row(struct refusals *rs, const struct row *r)
{
	struct note_draft n;

	print_note(r, note_open(&n, events[r->kind]));
	note_post(&n, rs->spool, NOTE_REFUSED, r->time_us);
	if (r->kind == REFUSAL_ABORTED)
		log_info("session.aborted", kv_str("client", r->client),
		    kv_str("stage", stage_text(r->stage)),
		    kv_str("error", r->why), kv_int("count", r->count));
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
	map_fini(&rs->clients);
	map_init(&rs->clients);
}

/* How much is told apart. */
enum detail { ANYBODY, CLIENT, ALL };

static uint64_t key_of(const struct refusal *r, const char *client,
    enum detail detail)
{
	uint64_t parts[4] = {0};
	char text[NETADDR_TEXT + 100];
	int n = snprintf(text, sizeof(text), "%d|%s|%d|%d", (int)r->kind,
	    detail == ANYBODY ? "*" : client, (int)r->stage,
	    r->reply == NULL ? 0 : r->reply->code);

	parts[0] = hash_bytes(text, (size_t)n);
	if (detail == ALL) {
		parts[1] = hash_slice(r->from);
		parts[2] = hash_slice(r->to);
		parts[3] = hash_slice(r->said);
	}
	return hash_bytes(parts, sizeof(parts)) | 1;
}

static uint64_t client_key(const char *client)
{
	return hash_slice(slice_str(client)) | 1;
}

/* Is there room for one more of that client? */
static enum detail detail_for(const struct refusals *rs, const char *client)
{
	if (rs->rows.used >= ROWS_MAX)
		return ANYBODY;
	return (intptr_t)map_get(&rs->clients, client_key(client)) <
		       CLIENT_MAX ? ALL : CLIENT;
}

static struct row *row_new(struct refusals *rs, uint64_t key,
    const char *client)
{
	struct row *r = NEW(struct row);
	uint64_t of = client_key(client);
	intptr_t n = (intptr_t)map_get(&rs->clients, of) + 1;

	r->key = key;
	snprintf(r->client, sizeof(r->client), "%s", client);
	map_put(&rs->rows, key, r);
	map_put(&rs->clients, of, (void *)n);
	if (list_empty(&rs->order))
		timer_set(&rs->flush, FLUSH_MS);
	list_push_back(&rs->order, &r->node);
	return r;
}

static struct row *find(struct refusals *rs, const struct refusal *a)
{
	char client[NETADDR_TEXT];
	enum detail detail = ALL;
	struct row *r;
	uint64_t key;

	netaddr_ip(a->client, client);
	key = key_of(a, client, ALL);
	r = map_get(&rs->rows, key);
	if (r == NULL)
		detail = detail_for(rs, client);
	if (detail != ALL) {
		key = key_of(a, client, detail);
		r = map_get(&rs->rows, key);
	}
	return r != NULL ? r
			 : row_new(rs, key, detail == ANYBODY ? "*" : client);
}

static void copy(char *to, size_t size, struct slice s)
{
	snprintf(to, size, "%.*s", (int)slice_head(s, size - 1).n, s.p);
}

static void copy_clean(char to[SAID_BYTES], struct slice said)
{
	struct strbuf clean;

	strbuf_init(&clean, SAID_BYTES);
	text_clean(said, true, SAID_BYTES - 1, &clean);
	copy(to, SAID_BYTES, strbuf_view(&clean));
	strbuf_fini(&clean);
}

void refusals_add(struct refusals *rs, const struct refusal *a)
{
	struct row *r = find(rs, a);

	if (r->count++ != 0)
		return;
	r->time_us = clock_wall_us(rs->clock);
	copy(r->listen, sizeof(r->listen), slice_str(a->listen));
	r->stage = a->stage;
	copy(r->from, sizeof(r->from), a->from);
	copy(r->to, sizeof(r->to), a->to);
	copy_clean(r->said, a->said);
	r->kind = a->kind;
	r->bytes = a->bytes;
	if (a->kind == REFUSAL_REFUSED)
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
	map_init(&rs->clients);
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
	map_fini(&rs->clients);
	mem_free(rs);
}
