/* SPDX-License-Identifier: ISC
 *
 * A resolver for tests.
 */
#include "tests/unit/testdns.h"

#include <stdio.h>
#include <stdlib.h>

#include "relay/base/mem.h"

enum { ANSWERS_MAX = 32 };

struct dns {
	struct loop *loop;
	const struct testdns_row *rows;
	struct list pending;
};

struct dns_query {
	struct list node;
	struct dns *dns;
	struct defer later;
	enum dns_type type;
	char *name;
	dns_fn fn;
	void *arg;
};

struct dns *testdns_new(struct loop *l, const struct testdns_row *rows)
{
	struct dns *d = NEW(struct dns);

	d->loop = l;
	d->rows = rows;
	list_init(&d->pending);
	return d;
}

void testdns_free(struct dns *d)
{
	while (!list_empty(&d->pending))
		dns_cancel(LIST_FIRST(&d->pending, struct dns_query, node));
	mem_free(d);
}

int testdns_pending(const struct dns *d)
{
	int n = 0;

	list_each(node, &d->pending)
		n++;
	return n;
}

static const char *lookup(const struct dns_query *q)
{
	for (const struct testdns_row *r = q->dns->rows; r->name != NULL; r++)
		if (r->type == q->type &&
		    slice_case_eq(slice_str(r->name), slice_str(q->name)))
			return r->answer;
	return "NXDOMAIN";
}

static void fill_tlsa(struct dns_answer *a, struct slice records)
{
	struct slice record;

	while (slice_next(&records, ',', &record)) {
		struct dns_tlsa *t = &a->tlsa[a->count++];
		unsigned char *data = mem_new(record.n);
		unsigned head[3], v;
		const char *p = record.p;
		int at;

		if (sscanf(p, "%u %u %u %n", &head[0], &head[1], &head[2],
			&at) != 3)
			abort();
		*t = (struct dns_tlsa){(uint8_t)head[0], (uint8_t)head[1],
		    (uint8_t)head[2], slice_of(data, 0)};
		for (p += at; sscanf(p, "%2x", &v) == 1; p += 2)
			data[t->data.n++] = (unsigned char)v;
	}
}

static void fill_mx(struct dns_answer *a, struct slice words)
{
	struct slice word;
	uint64_t preference;

	while (slice_next(&words, ' ', &word)) {
		if (!slice_uint(word, 65535, &preference) ||
		    !slice_next(&words, ' ', &word))
			abort();
		if (slice_eq(word, SLICE(".")))
			word.n = 0;
		a->mx[a->count].preference = (int)preference;
		a->mx[a->count++].host = mem_slicedup(word);
	}
}

static void fill_addresses(struct dns_answer *a, struct slice words)
{
	struct slice word;

	while (slice_next(&words, ' ', &word))
		if (netaddr_parse(&a->addr[a->count++], word, 0) != 0)
			abort();
}

static void fill(struct dns_answer *a, struct slice text)
{
	a->addr = mem_new(ANSWERS_MAX * sizeof(struct netaddr));
	if (a->type == DNS_MX)
		fill_mx(a, text);
	else if (a->type == DNS_TLSA)
		fill_tlsa(a, text);
	else
		fill_addresses(a, text);
}

static void answer(void *arg)
{
	static const char *const words[] = {[DNS_NODATA] = "NODATA",
	    [DNS_NXDOMAIN] = "NXDOMAIN",
	    [DNS_FAILED] = "FAILED"};
	struct dns_query *q = arg;
	struct slice text = slice_str(lookup(q));
	struct dns_answer a = {.status = DNS_OK, .type = q->type, .why = ""};
	dns_fn fn = q->fn;
	void *fn_arg = q->arg;

	a.secure = slice_starts(text, SLICE("AD "));
	if (a.secure)
		text = slice_from(text, 3);
	if (slice_starts(text, SLICE("ALIAS "))) {
		struct slice word;

		slice_next(&text, ' ', &word);
		slice_next(&text, ' ', &word);
		a.alias_of = mem_slicedup(word);
	}
	for (int s = DNS_NODATA; s <= DNS_FAILED; s++)
		if (slice_eq(text, slice_str(words[s])))
			a.status = (enum dns_status)s;
	if (a.status == DNS_OK)
		fill(&a, text);
	else if (a.status == DNS_FAILED)
		a.why = "SERVFAIL";
	dns_cancel(q);
	fn(fn_arg, &a);
	dns_answer_fini(&a);
}

struct dns_query *dns_ask(
    struct dns *d, enum dns_type type, const char *name, dns_fn fn, void *arg)
{
	struct dns_query *q = NEW(struct dns_query);

	q->dns = d;
	q->type = type;
	q->name = mem_strdup(name);
	q->fn = fn;
	q->arg = arg;
	list_push_back(&d->pending, &q->node);
	defer_init(&q->later, answer, q);
	loop_defer(d->loop, &q->later);
	return q;
}

bool dns_known(const struct dns *d, enum dns_type type, const char *name)
{
	(void)d;
	(void)type;
	(void)name;
	return false;
}

int64_t dns_left_ms(const struct dns *d, enum dns_type type,
    const char *name)
{
	(void)d;
	(void)type;
	(void)name;
	return 0;
}

void dns_cancel(struct dns_query *q)
{
	if (q == NULL)
		return;
	defer_cancel(&q->later);
	list_remove(&q->node);
	mem_free(q->name);
	mem_free(q);
}
