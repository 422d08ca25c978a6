/* SPDX-License-Identifier: ISC
 *
 * relay/net/dns.h with a handful of names: linked instead of dns_ask.c. The
 * resolver may be out of order for a while; dns_direct.h, without any.
 */
#include "relay/net/dns.h"
#include "relay/net/dns_direct.h"

#include "relay/base/mem.h"
#include "tests/sim/sim_task.h"
#include "tests/sim/sim_world.h"

enum { ANSWER_MS = 20, TIMEOUT_MS = 5000 };

struct dns {
	struct loop *loop;
};

struct dns_query {
	struct timer timer;
	enum dns_type type;
	char *name;
	dns_fn fn;
	void *arg;
};

static bool resolver_fails;

static const struct {
	const char *name, *address;
} names[] = {
	{"legacy.sim", SIM_LEGACY_IP},
	{"cloud.sim", SIM_CLOUD_IP},
	{"outside.sim", SIM_OUTSIDE_IP},
};

void sim_dns_fails(bool fails)
{
	resolver_fails = fails;
}

struct dns *dns_new(struct loop *l, const struct conf *c, struct error *err)
{
	struct dns *d = NEW(struct dns);

	(void)c;
	(void)err;
	d->loop = l;
	return d;
}

int dns_configure(struct dns *d, const struct conf *c, struct error *err)
{
	(void)d;
	(void)c;
	(void)err;
	return 0;
}

void dns_free(struct dns *d)
{
	mem_free(d);
}

static void answer(struct dns_query *q, struct dns_answer *a,
    struct netaddr *addr)
{
	a->status = resolver_fails ? DNS_FAILED : DNS_NXDOMAIN;
	a->why = resolver_fails ? "no answer" : NULL;
	for (size_t i = 0; i < ARRAY_LEN(names) && !resolver_fails; i++) {
		if (strcmp(names[i].name, q->name) != 0)
			continue;
		a->status = DNS_NODATA;
		if (q->type != DNS_A)
			continue;
		netaddr_parse(addr, slice_str(names[i].address), 0);
		a->status = DNS_OK;
		a->count = 1;
		a->addr = addr;
		a->ttl_s = 60;
	}
}

static void query_free(struct dns_query *q)
{
	timer_fini(&q->timer);
	mem_free(q->name);
	mem_free(q);
}

static void on_answer(void *arg)
{
	struct dns_query *q = arg;
	struct dns_answer a = {.type = q->type};
	struct netaddr addr;

	answer(q, &a, &addr);
	q->fn(q->arg, &a);
	query_free(q);
}

struct dns_query *dns_ask(struct dns *d, enum dns_type type, const char *name,
    dns_fn fn, void *arg)
{
	struct dns_query *q = NEW(struct dns_query);

	q->type = type;
	q->name = mem_strdup(name);
	q->fn = fn;
	q->arg = arg;
	timer_init(&q->timer, d->loop, on_answer, q);
	timer_set(&q->timer, resolver_fails ? TIMEOUT_MS
	    : (int64_t)sim_below(ANSWER_MS));
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
	if (q != NULL)
		query_free(q);
}

/* No server of a name is there to be asked. */
void dns_direct_run(struct loop *l, struct dns_direct *q, size_t n,
    const _Atomic bool *stop)
{
	(void)l;
	(void)stop;
	for (size_t i = 0; i < n; i++)
		q[i].why = "it is not simulated";
}

void dns_direct_fini(struct dns_direct *q, size_t n)
{
	(void)q;
	(void)n;
}
