/* SPDX-License-Identifier: ISC
 *
 * Refusals, aborted connections and what was repaired, aggregated for the
 * audit trail and the log. See refusals.h.
 */
#include "relay/daemon/refusals.h"

#include <stdio.h>

#include "relay/audit/note.h"
#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/base/map.h"
#include "relay/base/mem.h"
#include "relay/mail/addr.h"
#include "relay/mail/codec.h"

enum { FLUSH_MS = 1000, ROWS_MAX = 1024, WHY_BYTES = 200, SAID_BYTES = 257 };

static const char *const events[] = {
	[REFUSAL_REFUSED] = "refused",
	[REFUSAL_ABORTED] = "aborted",
	[REFUSAL_REPAIRED] = "repaired",
};

struct row {
	struct list node;
	uint64_t key;
	enum refusal_kind kind;
	int64_t time_us;
	uint64_t bytes;
	unsigned count;
	char client[NETADDR_TEXT];
	char listen[64], stage[16];
	char from[ADDR_MAX], to[ADDR_MAX];
	char said[SAID_BYTES];
	struct reply reply; /* of REFUSAL_REFUSED */
	char why[WHY_BYTES]; /* of the others */
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

	j = note_begin(&w, note, events[r->kind]);
	jout_str(j, "client", r->client);
	jout_str(j, "listen", r->listen);
	jout_str(j, "stage", r->stage);
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
	if (r->kind == REFUSAL_ABORTED)
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

/* `client` NULL: of anybody, whatever was said. */
static uint64_t key_of(const struct refusal *r, const char *client)
{
	uint64_t parts[4] = {0};
	char text[NETADDR_TEXT + 100];
	int n = snprintf(text, sizeof(text), "%d|%s|%s|%d", (int)r->kind,
	    client == NULL ? "*" : client, r->stage,
	    r->reply == NULL ? 0 : r->reply->code);

	parts[0] = hash_bytes(text, (size_t)n);
	if (client != NULL) {
		parts[1] = hash_slice(r->from);
		parts[2] = hash_slice(r->to);
		parts[3] = hash_slice(r->said);
	}
	return hash_bytes(parts, sizeof(parts)) | 1;
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
	copy(r->stage, sizeof(r->stage), slice_str(a->stage));
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
