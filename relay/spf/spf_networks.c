/* SPDX-License-Identifier: ISC
 *
 * The networks of a record: fetched record by record, read, kept.
 */
#include "relay/spf/spf_networks.h"

#include "relay/base/assert.h"
#include "relay/base/loop.h"
#include "relay/base/mem.h"
#include "relay/net/dns.h"
#include "relay/spf/term.h"

struct spf_networks {
	struct loop *loop;
	struct dns *dns;
	char *domain;
	struct spf_network_list list;
	bool known;
	int64_t until_ms, stale_ms; /* on the loop's clock */
	struct list waiting;	    /* struct spf_networks_wait */
	/* The walk that is under way. */
	struct spf_network_list fresh;
	struct dns_query *query;
	char *todo[SPF_NETWORKS_LOOKUPS]; /* names of records, in order */
	int todos, done;
	uint32_t ttl_s;
};

struct spf_networks *spf_networks_new(struct loop *l, struct dns *dns,
    const char *domain)
{
	struct spf_networks *n = NEW(struct spf_networks);

	n->loop = l;
	n->dns = dns;
	n->domain = mem_strdup(domain);
	list_init(&n->waiting);
	return n;
}

static void walk_end(struct spf_networks *n)
{
	for (int i = 0; i < n->todos; i++)
		mem_free(n->todo[i]);
	n->todos = n->done = 0;
}

void spf_networks_free(struct spf_networks *n)
{
	if (n == NULL)
		return;
	dns_cancel(n->query);
	walk_end(n);
	while (!list_empty(&n->waiting))
		list_remove(n->waiting.next);
	mem_free(n->domain);
	mem_free(n);
}

/* ---- a record ------------------------------------------------------------ */

static void add_net(struct spf_network_list *l, const struct spf_term *t)
{
	struct conf_net net = {.family = AF_INET, .bits = (int)t->cidr4};

	if (t->kind == TERM_IP6) {
		net.family = AF_INET6;
		net.bits = (int)t->cidr6;
	}
	if (l->n == SPF_NETWORKS_MAX) {
		l->cut = true;
		return;
	}
	memcpy(net.addr, t->addr, t->kind == TERM_IP6 ? 16 : 4);
	l->net[l->n++] = net;
}

/* Each name once, and no more than a check may ask. */
static void add_name(struct spf_networks *n, struct slice name)
{
	for (int i = 0; i < n->todos; i++)
		if (slice_case_eq(slice_str(n->todo[i]), name))
			return;
	if (n->todos == SPF_NETWORKS_LOOKUPS)
		n->fresh.cut = true;
	else
		n->todo[n->todos++] = mem_slicedup(name);
}

static void read_term(struct spf_networks *n, const struct spf_term *t)
{
	if (t->kind == TERM_IP4 || t->kind == TERM_IP6)
		add_net(&n->fresh, t);
	else if ((t->kind == TERM_INCLUDE || t->kind == TERM_REDIRECT) &&
		 t->letters == 0)
		add_name(n, t->target);
}

static void read_record(struct spf_networks *n, struct slice record)
{
	struct spf_terms *terms = NEW(struct spf_terms);
	struct slice wrong;
	const char *why;

	if (spf_terms_parse(record, terms, &why, &wrong) == 0) {
		for (int i = 0; i < terms->count; i++)
			if (terms->term[i].qualifier == '+')
				read_term(n, &terms->term[i]);
		if (terms->redirect.target.n != 0)
			read_term(n, &terms->redirect);
	}
	mem_free(terms);
}

/* ---- the walk ------------------------------------------------------------ */

/* A silent DNS takes nothing away that was known. */
static void keep(struct spf_networks *n)
{
	int64_t now = loop_now_ms(n->loop);
	int64_t ms = (int64_t)n->ttl_s * 1000;
	struct spf_network_list *l = &n->fresh;

	l->empty = !l->silent && l->n == 0;
	ms = ms < SPF_NETWORKS_MIN_MS ? SPF_NETWORKS_MIN_MS : ms;
	ms = ms > SPF_NETWORKS_MAX_MS ? SPF_NETWORKS_MAX_MS : ms;
	n->until_ms = now + (l->silent ? SPF_NETWORKS_ERROR_MS : ms);
	if (l->silent && n->known && !n->list.silent && now < n->stale_ms)
		return;
	if (!l->silent)
		n->stale_ms = now + SPF_NETWORKS_STALE_MS;
	n->list = *l;
	n->known = true;
}

static void tell(struct spf_networks *n)
{
	struct spf_networks_wait *w;

	while ((w = LIST_FIRST(&n->waiting, struct spf_networks_wait,
	    node)) != NULL) {
		list_remove(&w->node);
		w->done(w->arg);
	}
}

static void ask_next(struct spf_networks *n);

static void on_txt(void *arg, const struct dns_answer *a)
{
	struct spf_networks *n = arg;

	n->query = NULL;
	n->fresh.silent |= a->status == DNS_FAILED;
	if (a->ttl_s < n->ttl_s)
		n->ttl_s = a->ttl_s;
	for (int i = 0; a->status == DNS_OK && i < a->count; i++)
		if (spf_record_is(a->txt[i]))
			read_record(n, a->txt[i]);
	ask_next(n);
}

static void ask_next(struct spf_networks *n)
{
	if (n->done < n->todos && !n->fresh.silent) {
		n->query = dns_ask(n->dns, DNS_TXT, n->todo[n->done++],
		    on_txt, n);
		return;
	}
	keep(n);
	walk_end(n);
	tell(n);
}

static void walk(struct spf_networks *n)
{
	PH_ASSERT(n->todos == 0 && n->query == NULL);
	n->fresh = (struct spf_network_list){.n = 0};
	n->ttl_s = SPF_NETWORKS_MAX_MS / 1000;
	add_name(n, slice_str(n->domain));
	ask_next(n);
}

const struct spf_network_list *spf_networks_get(struct spf_networks *n,
    struct spf_networks_wait *wait)
{
	int64_t now = loop_now_ms(n->loop);

	if (n->todos == 0 && (!n->known || now >= n->until_ms))
		walk(n);
	if (n->known && now < (n->list.silent ? n->until_ms : n->stale_ms))
		return &n->list;
	list_push_back(&n->waiting, &wait->node);
	return NULL;
}

void spf_networks_cancel(struct spf_networks_wait *wait)
{
	list_remove(&wait->node);
}
