/* SPDX-License-Identifier: ISC
 *
 * When each leg was down, in the journal, by the time that does not jump.
 * Queue thread; at the start the main thread.
 */
#include "relay/settle/downtime.h"

#include <inttypes.h>
#include <stdio.h>

#include "relay/base/mem.h"

enum { VALUE_BYTES = 1000 };
#define MS_MAX ((uint64_t)INT64_MAX / 1000)

void downtime_print(const struct queue_span *spans, unsigned n,
    struct strbuf *out)
{
	for (unsigned i = 0; i < n; i++) {
		const struct queue_span *s = &spans[i];

		strbuf_addf(out, "%" PRId64 "+", s->from_us / 1000);
		if (s->to_us != INT64_MAX)
			strbuf_addf(out, "%" PRId64 ":%" PRId64,
			    (s->to_us - s->from_us) / 1000,
			    s->counts_us / 1000);
		strbuf_addc(out, ' ');
	}
}

static bool parse_span(struct slice text, struct queue_span *out)
{
	struct slice rest = text, part;
	uint64_t from, length, counts;

	if (!slice_next(&rest, '+', &part) ||
	    !slice_uint(part, MS_MAX / 2, &from))
		return false;
	*out = (struct queue_span){(int64_t)from * 1000, INT64_MAX, 0};
	if (rest.n == 0)
		return true;
	if (!slice_next(&rest, ':', &part) ||
	    !slice_uint(part, MS_MAX / 2, &length) ||
	    !slice_uint(rest, length, &counts))
		return false;
	out->to_us = out->from_us + (int64_t)length * 1000;
	out->counts_us = (int64_t)counts * 1000;
	return true;
}

unsigned downtime_parse(struct slice text, struct queue_span out[QUEUE_SPANS])
{
	struct slice part;
	unsigned n = 0;

	while (n < QUEUE_SPANS && slice_next(&text, ' ', &part))
		if (parse_span(part, &out[n]))
			n++;
	return n;
}

static const char *key_of(char key[NAME_BYTES + 8], const char *leg)
{
	snprintf(key, NAME_BYTES + 8, "down.%s", leg);
	return key;
}

static void move_spans(struct queue_span *spans, unsigned n, int64_t by_us)
{
	for (unsigned i = 0; i < n; i++) {
		spans[i].from_us += by_us;
		if (spans[i].to_us != INT64_MAX)
			spans[i].to_us += by_us;
	}
}

void downtime_write(struct shared *sh, struct queue *q, int leg)
{
	struct queue_span spans[QUEUE_SPANS];
	unsigned n = queue_leg_downs(q, leg, spans);
	struct spool_op *op = spool_op_new();
	char key[NAME_BYTES + 8];
	struct strbuf value;

	strbuf_init(&value, VALUE_BYTES);
	move_spans(spans, n, spool_ahead_us(sh->spool));
	downtime_print(spans, n, &value);
	spool_op_fact(op, key_of(key, names_text(sh->names, leg)),
	    strbuf_view(&value));
	spool_post(sh->spool, op);
	strbuf_fini(&value);
}

void downtime_restore(struct shared *sh, struct queue *q,
    const struct conf *c)
{
	struct queue_span spans[QUEUE_SPANS];
	char key[NAME_BYTES + 8];
	struct strbuf value;
	unsigned n;

	strbuf_init(&value, 1024);
	for (int i = 0; i < c->legs; i++) {
		strbuf_reset(&value);
		if (!spool_fact(sh->spool, key_of(key, c->leg[i].name), &value))
			continue;
		n = downtime_parse(strbuf_view(&value), spans);
		move_spans(spans, n, -spool_ahead_us(sh->spool));
		queue_leg_downs_restore(q, c->leg[i].id,
		    spans, n);
	}
	strbuf_fini(&value);
}
