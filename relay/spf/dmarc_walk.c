/* SPDX-License-Identifier: ISC
 *
 * The walk up the tree: _dmarc below the name, then below each that has a
 * label less. A name of eight labels or more is followed by its last seven, so
 * that no sender makes us ask more. Each name of the walk is an end of the
 * first one, so places in that text stand for them.
 */
#include "relay/spf/dmarc_walk.h"

#include "relay/base/assert.h"
#include "relay/base/hashtable.h"
#include "relay/base/loop.h"
#include "relay/base/strbuf.h"
#include "relay/net/dns.h"

enum { NAME_MAX_BYTES = 255 };

/* A name of the walk that has one record. */
struct walk_hit {
	const char *name; /* in dmarc_domain.name */
	struct dmarc_record record;
};

struct dmarc_walk {
	struct dns_query *query;
	const char *at; /* in dmarc_domain.name */
	struct walk_hit hit[DMARC_QUERIES];
	int hits, asked;
};

struct dmarc_domain {
	UT_hash_handle hh;
	struct list node; /* of dmarc.used */
	struct dmarc *d;
	struct dmarc_walk *walk; /* NULL: `found` holds */
	struct list waiting;	 /* struct dmarc_wait */
	bool telling;
	int64_t until_ms;
	struct dmarc_found found;
	char name[];
};

struct dmarc {
	struct loop *loop;
	struct dns *dns;
	struct dmarc_domain *table;
	struct list used; /* most recently used first */
	unsigned domains, walks;
};

struct dmarc *dmarc_new(struct loop *l, struct dns *dns)
{
	struct dmarc *d = NEW(struct dmarc);

	d->loop = l;
	d->dns = dns;
	list_init(&d->used);
	return d;
}

static void walk_end(struct dmarc_domain *m)
{
	dns_cancel(m->walk->query);
	mem_free(m->walk);
	m->walk = NULL;
	m->d->walks--;
}

static void drop(struct dmarc_domain *m)
{
	struct dmarc *d = m->d;

	HASH_DEL(d->table, m);
	list_remove(&m->node);
	d->domains--;
	if (m->walk != NULL)
		walk_end(m);
	while (!list_empty(&m->waiting))
		list_remove(m->waiting.next);
	mem_free(m);
}

void dmarc_free(struct dmarc *d)
{
	if (d == NULL)
		return;
	while (!list_empty(&d->used))
		drop(LIST_ENTRY(d->used.next, struct dmarc_domain, node));
	mem_free(d);
}

/* ---- names --------------------------------------------------------------- */

static int labels(const char *name)
{
	int n = 1;

	for (; *name != '\0'; name++)
		n += *name == '.';
	return n;
}

/* The name without its first label; NULL: it has one alone. */
static const char *parent(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot == NULL ? NULL : dot + 1;
}

/* 4.10, steps 4 to 7. */
static const char *next_name(const char *name)
{
	int n = labels(name);

	do
		name = parent(name);
	while (name != NULL && --n >= DMARC_QUERIES);
	return name;
}

/* ---- the end ------------------------------------------------------------- */

static const struct walk_hit *hit_at(const struct dmarc_walk *w,
    const char *name)
{
	for (int i = 0; i < w->hits; i++)
		if (w->hit[i].name == name)
			return &w->hit[i];
	return NULL;
}

/* The name one label longer than `above`, on the way to `name`. */
static const char *one_below(const char *name, const char *above)
{
	while (parent(name) != above)
		name = parent(name);
	return name;
}

/* 4.10.2. A walk ends at the first psd=y or psd=n. */
static const char *org_of(const struct dmarc_domain *m)
{
	const struct dmarc_walk *w = m->walk;
	const struct walk_hit *last;

	if (w->hits == 0)
		return m->name;
	last = &w->hit[w->hits - 1];
	if (last->record.psd == DMARC_PSD_YES && last->name != m->name)
		return one_below(m->name, last->name);
	return last->name;
}

/* 4.10.1: the record at the name, else at its organization, else at the domain
 * below which that is registered. */
static const struct walk_hit *policy_of(const struct dmarc_domain *m)
{
	const struct dmarc_walk *w = m->walk;
	const struct walk_hit *h = hit_at(w, m->name);

	if (h == NULL)
		h = hit_at(w, org_of(m));
	if (h == NULL && w->hits > 0 &&
	    w->hit[w->hits - 1].record.psd == DMARC_PSD_YES)
		h = &w->hit[w->hits - 1];
	return h;
}

static void tell(struct dmarc_domain *m)
{
	struct dmarc_wait *w;

	m->telling = true;
	while ((w = LIST_FIRST(&m->waiting, struct dmarc_wait, node)) != NULL) {
		list_remove(&w->node);
		w->done(w->arg);
	}
	m->telling = false;
}

static void finish(struct dmarc_domain *m, enum dmarc_place place, bool silent)
{
	const struct walk_hit *h = policy_of(m);
	struct dmarc_found *f = &m->found;

	*f = (struct dmarc_found){.silent = silent, .org = m->name};
	if (!silent) {
		f->has_record = h != NULL;
		f->org = org_of(m);
	}
	if (f->has_record) {
		f->policy = dmarc_record_policy(&h->record, place);
		f->strict_dkim = h->record.strict_dkim;
		f->strict_spf = h->record.strict_spf;
	}
	m->until_ms = loop_now_ms(m->d->loop) +
		      (silent ? DMARC_ERROR_MS : DMARC_KEEP_MS);
	walk_end(m);
	tell(m);
}

/* ---- the walk ------------------------------------------------------------ */

static void on_name(void *arg, const struct dns_answer *a)
{
	struct dmarc_domain *m = arg;

	m->walk->query = NULL;
	finish(m, a->status == DNS_NXDOMAIN ? DMARC_NO_NAME : DMARC_BELOW,
	    a->status == DNS_FAILED);
}

/* Whether the name exists is asked where it decides. */
static void walked(struct dmarc_domain *m)
{
	const struct walk_hit *h = policy_of(m);

	if (h != NULL && h->name != m->name && h->record.np != h->record.sp &&
	    m->walk->asked < DMARC_QUERIES) {
		m->walk->asked++;
		m->walk->query = dns_ask(m->d->dns, DNS_A, m->name, on_name,
		    m);
		return;
	}
	finish(m, h != NULL && h->name == m->name ? DMARC_SELF : DMARC_BELOW,
	    false);
}

/* Of several records none counts. */
static bool one_record(const struct dns_answer *a, struct dmarc_record *out)
{
	struct dmarc_record r;
	int n = 0;

	for (int i = 0; a->status == DNS_OK && i < a->count; i++) {
		if (dmarc_record_parse(a->txt[i], &r) < 0)
			continue;
		*out = r;
		n++;
	}
	return n == 1;
}

static void ask(struct dmarc_domain *m);

static void on_txt(void *arg, const struct dns_answer *a)
{
	struct dmarc_domain *m = arg;
	struct dmarc_walk *w = m->walk;
	struct dmarc_record r = {.psd = DMARC_PSD_UNSAID};

	w->query = NULL;
	if (a->status == DNS_FAILED) {
		finish(m, DMARC_SELF, true);
		return;
	}
	if (one_record(a, &r))
		w->hit[w->hits++] = (struct walk_hit){w->at, r};
	w->at = next_name(w->at);
	if (r.psd != DMARC_PSD_UNSAID || w->at == NULL)
		walked(m);
	else
		ask(m);
}

static void ask(struct dmarc_domain *m)
{
	struct dmarc_walk *w = m->walk;
	struct strbuf name;

	PH_ASSERT(w->asked < DMARC_QUERIES);
	w->asked++;
	strbuf_init(&name, NAME_MAX_BYTES + sizeof("_dmarc."));
	strbuf_addf(&name, "_dmarc.%s", w->at);
	w->query = dns_ask(m->d->dns, DNS_TXT, strbuf_cstr(&name), on_txt, m);
	strbuf_fini(&name);
}

static void walk(struct dmarc_domain *m)
{
	PH_ASSERT(m->walk == NULL);
	m->d->walks++;
	m->walk = NEW(struct dmarc_walk);
	m->walk->at = m->name;
	ask(m);
}

/* ---- what is kept -------------------------------------------------------- */

/* The longest unused that no one waits for. */
static void make_room(struct dmarc *d)
{
	struct list *node = d->used.prev;

	while (d->domains >= DMARC_DOMAINS && node != &d->used) {
		struct dmarc_domain *m =
		    LIST_ENTRY(node, struct dmarc_domain, node);

		node = node->prev;
		if (m->walk == NULL && !m->telling)
			drop(m);
	}
}

static struct dmarc_domain *domain_new(struct dmarc *d, const char *name)
{
	size_t n = strlen(name);
	struct dmarc_domain *m = mem_new(sizeof(*m) + n + 1);

	make_room(d);
	m->d = d;
	list_init(&m->waiting);
	memcpy(m->name, name, n + 1);
	HASH_ADD_KEYPTR(hh, d->table, m->name, n, m);
	list_push_front(&d->used, &m->node);
	d->domains++;
	return m;
}

const struct dmarc_found *dmarc_find(struct dmarc *d, const char *domain,
    struct dmarc_wait *wait)
{
	static const struct dmarc_found nothing = {.silent = true, .org = ""};
	size_t n = strlen(domain);
	struct dmarc_domain *m;

	HASH_FIND(hh, d->table, domain, n, m);
	if (m != NULL) {
		list_remove(&m->node);
		list_push_front(&d->used, &m->node);
	}
	if (m != NULL && m->walk == NULL &&
	    (m->telling || loop_now_ms(d->loop) < m->until_ms))
		return &m->found;
	if (m == NULL || m->walk == NULL) {
		if (d->walks == DMARC_WALKS || n > NAME_MAX_BYTES)
			return &nothing;
		if (m == NULL)
			m = domain_new(d, domain);
		walk(m);
	}
	list_push_back(&m->waiting, &wait->node);
	return NULL;
}

void dmarc_cancel(struct dmarc_wait *wait)
{
	list_remove(&wait->node);
}
