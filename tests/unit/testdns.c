/* SPDX-License-Identifier: ISC
 *
 * A resolver for tests.
 */
#include "tests/unit/testdns.h"

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

static void fill(struct dns_answer *a, struct slice words)
{
	struct slice word;
	uint64_t preference;

	while (slice_next(&words, ' ', &word)) {
		if (a->type != DNS_MX) {
			if (netaddr_parse(&a->addr[a->count++], word, 0) != 0)
				abort();
			continue;
		}
		if (!slice_uint(word, 65535, &preference) ||
		    !slice_next(&words, ' ', &word))
			abort();
		if (slice_eq(word, SLICE(".")))
			word.n = 0;
		a->mx[a->count].preference = (int)preference;
		a->mx[a->count++].host = mem_slicedup(word);
	}
}

static void answer(void *arg)
{
	static const char *const words[] = {[DNS_NODATA] = "NODATA",
	    [DNS_NXDOMAIN] = "NXDOMAIN",
	    [DNS_FAILED] = "FAILED"};
	struct dns_query *q = arg;
	const char *text = lookup(q);
	struct netaddr addr[ANSWERS_MAX];
	struct dns_mx mx[ANSWERS_MAX];
	struct dns_answer a = {.status = DNS_OK, .type = q->type, .why = ""};
	dns_fn fn = q->fn;
	void *fn_arg = q->arg;

	if (q->type == DNS_MX)
		a.mx = mx;
	else
		a.addr = addr;
	for (int s = DNS_NODATA; s <= DNS_FAILED; s++)
		if (strcmp(text, words[s]) == 0)
			a.status = (enum dns_status)s;
	if (a.status == DNS_OK)
		fill(&a, slice_str(text));
	else if (a.status == DNS_FAILED)
		a.why = "SERVFAIL";
	dns_cancel(q);
	fn(fn_arg, &a);
	for (int i = 0; a.type == DNS_MX && i < a.count; i++)
		mem_free(mx[i].host);
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

void dns_cancel(struct dns_query *q)
{
	if (q == NULL)
		return;
	defer_cancel(&q->later);
	list_remove(&q->node);
	mem_free(q->name);
	mem_free(q);
}
