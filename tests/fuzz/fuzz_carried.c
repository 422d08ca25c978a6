/* SPDX-License-Identifier: ISC
 *
 * A carried message as JSON from anywhere: what is read is printed and read
 * again as the same, and what passes all checks makes a record that the spool
 * reads back, with times that can be added to.
 */
#include "relay/base/mem.h"
#include "relay/control/carried.h"
#include "relay/control/carried_check.h"
#include "relay/spool/format/record.h"
#include "tests/fuzz/fuzz.h"

enum { RCPTS = 64, DELIVERIES = 64 };
#define NOW_US INT64_C(1764000000000000)

struct mail {
	struct arena *arena;
	struct envelope env;
	struct envelope_rcpt rcpt[RCPTS];
	struct spool_delivery delivery[DELIVERIES];
	struct slice detail[DELIVERIES];
	const char *leg[DELIVERIES];
	unsigned deliveries;
};

static bool read_rcpts(struct mail *m, const json_t *list)
{
	size_t n = json_array_size(list);

	m->env.rcpt = m->rcpt;
	for (size_t i = 0; i < n && i < RCPTS; i++)
		if (carried_take_rcpt(json_array_get(list, i), m->arena,
			&m->env, &m->rcpt[m->env.rcpts++]) != NULL)
			return false;
	return true;
}

static bool read_deliveries(struct mail *m, const json_t *list)
{
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n && i < DELIVERIES; i++, m->deliveries++)
		if (carried_take_delivery(json_array_get(list, i), m->arena,
			&m->leg[i], &m->delivery[i], &m->detail[i]) != NULL)
			return false;
	return true;
}

static json_t *ended(struct jout *j, struct strbuf *b)
{
	json_t *o;

	jout_object_end(j);
	must(strbuf_ok(b));
	o = json_loadb(b->p, b->n, JSON_REJECT_DUPLICATES, NULL);
	must(o != NULL);
	strbuf_fini(b);
	return o;
}

static void begin(struct jout *j, struct strbuf *b)
{
	strbuf_init(b, 16 << 20);
	jout_init(j, b);
	jout_object(j, NULL);
}

static void check_envelope_again(const struct mail *m)
{
	struct strbuf b, was, is;
	struct envelope e, bare = m->env;
	struct jout j;
	json_t *o;

	begin(&j, &b);
	carried_print_envelope(&j, &m->env);
	o = ended(&j, &b);
	must(carried_take_envelope(o, m->arena, &e) == NULL);
	json_decref(o);
	bare.rcpts = bare.had_legs = 0;
	strbuf_init(&was, ENVELOPE_MAX);
	strbuf_init(&is, ENVELOPE_MAX);
	envelope_pack(&bare, &was);
	envelope_pack(&e, &is);
	must(slice_eq(strbuf_view(&was), strbuf_view(&is)));
	strbuf_fini(&was);
	strbuf_fini(&is);
}

static void check_delivery_again(struct mail *m, const struct names *names,
    unsigned i)
{
	struct spool_delivery d, want = m->delivery[i];
	struct slice detail;
	const char *leg;
	struct strbuf b;
	struct jout j;
	json_t *o;

	begin(&j, &b);
	carried_print_delivery(&j, names, &want, m->detail[i]);
	o = ended(&j, &b);
	must(carried_take_delivery(o, m->arena, &leg, &d, &detail) == NULL);
	json_decref(o);
	want.leg = 0;
	must(memcmp(&d, &want, sizeof(d)) == 0);
	must(strcmp(leg, m->leg[i]) == 0);
	must(slice_eq(detail, m->detail[i]));
}

static void check_record(const struct mail *m, struct names *names)
{
	struct rec_accept a = {.id = m->env.id, .accepted_us = NOW_US,
	    .envelope = SLICE("e"), .delivery = (void *)m->delivery,
	    .detail = (void *)m->detail, .deliveries = m->deliveries};
	struct record_head h = {.type = REC_ACCEPTED};
	int known = names_count(names);
	struct record r;
	struct strbuf b;

	strbuf_init(&b, 16 << 20);
	record_init(&r);
	record_put_accept(&b, &a, names);
	must(b.n <= record_accept_max(1, m->deliveries, b.n, 0));
	must(record_parse(&r, &h, strbuf_view(&b), FORMAT_VERSION, names) ==
	    0);
	must(r.accept.deliveries == m->deliveries);
	must(names_count(names) == known);
	record_fini(&r);
	strbuf_fini(&b);
}

static void check_times(const struct mail *m)
{
	int64_t sum, years = 100 * 366 * DAY_US;

	must(!__builtin_add_overflow(m->env.accepted_us, years, &sum));
	for (unsigned i = 0; i < m->deliveries; i++) {
		const struct spool_delivery *d = &m->delivery[i];

		must(d->created_us <= NOW_US + HOUR_US);
		must(!__builtin_add_overflow(d->due_us, years, &sum));
	}
}

static bool accepted(struct mail *m, struct names *names)
{
	return carried_check_id(m->env.id, NOW_US) == NULL &&
	    carried_check_rcpts(&m->env) == NULL &&
	    carried_check_deliveries(&m->env, m->delivery, m->deliveries) ==
		NULL &&
	    carried_check_times(&m->env, m->delivery, m->deliveries, NOW_US) ==
		NULL &&
	    carried_number_legs(names, m->leg, m->delivery, m->deliveries) ==
		NULL;
}

static void check_mail(struct mail *m)
{
	struct names *names = names_new();

	check_envelope_again(m);
	if (accepted(m, names)) {
		check_times(m);
		check_record(m, names);
		for (unsigned i = 0; i < m->deliveries; i++)
			check_delivery_again(m, names, i);
	} else {
		must(names_count(names) == 0);
	}
	names_free(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *o = json_loadb((const char *)data, size,
	    JSON_REJECT_DUPLICATES, NULL);
	struct mail *m = NEW(struct mail);

	m->arena = arena_new();
	if (o != NULL && carried_take_envelope(o, m->arena, &m->env) == NULL &&
	    read_rcpts(m, json_object_get(o, "recipients")) &&
	    read_deliveries(m, json_object_get(o, "deliveries")))
		check_mail(m);
	json_decref(o);
	arena_free(m->arena);
	mem_free(m);
	return 0;
}
