/* SPDX-License-Identifier: ISC
 *
 * Which hosts there are: the leg's list, or the MX of a domain, their
 * addresses, without our own (RFC 5321 5.1, RFC 7505), and for tls = dane
 * their TLSA records (RFC 7672). All names are asked for at once. Opens
 * nothing. One worker's loop.
 *
 * A leg's name that does not exist is a fault of the configuration and waits;
 * only the domain of a direct recipient can fail for good, and only because
 * its name or that of every host of it does not exist, or by a null MX.
 */
#include <limits.h>
#include <stdio.h>

#include "relay/base/mem.h"
#include "relay/client/hops_int.h"

enum { SMTP_PORT = 25, DNS_OWNER_MAX = 320 };

static void set_port(struct netaddr *a, int port)
{
	if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons((uint16_t)port);
	else
		a->in.sin_port = htons((uint16_t)port);
}

/* ---- ourselves ---- */

static bool is_wildcard(const struct netaddr *a)
{
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

enum listens { LISTENS_NOT, LISTENS_WILDCARD, LISTENS_HERE };

/* Two listeners of one machine are told apart by their ports: a leg beside us
 * on the same address is no loop. */
static enum listens listens(
    const struct conf_hostport *hp, const struct netaddr *a)
{
	struct netaddr own;

	if (hp->port != netaddr_port(a) ||
	    netaddr_parse(&own, slice_str(hp->host), hp->port) != 0)
		return LISTENS_NOT;
	if (is_wildcard(&own))
		return LISTENS_WILDCARD;
	return netaddr_same_ip(&own, a) ? LISTENS_HERE : LISTENS_NOT;
}

static enum listens we_listen(const struct conf *c, const struct netaddr *a)
{
	enum listens best = LISTENS_NOT;

	for (int i = 0; i < c->listens; i++)
		for (int j = 0; j < c->listen[i].addresses; j++) {
			enum listens is = listens(&c->listen[i].address[j], a);

			best = is > best ? is : best;
		}
	return best;
}

/* A public address leads to us on the ports that we serve; the gateway that
 * owns it may lead other ports elsewhere. */
bool client_is_self(const struct conf *c, const struct netaddr *a)
{
	enum listens is = we_listen(c, a);

	if (is == LISTENS_HERE)
		return true;
	return (is == LISTENS_WILDCARD || netaddr_port(a) == SMTP_PORT) &&
	       conf_nets_have(&c->public_address, &a->sa);
}

bool hops_met_self(const struct hops *h, const struct stream *s)
{
	const struct netaddr *to = stream_peer(s);

	/* A connection to one of our own addresses comes from that address. */
	return netaddr_same_ip(to, stream_local(s)) &&
	       we_listen(h->req->conf, to) != LISTENS_NOT;
}

static void drop_self(struct hops *h, struct host *t)
{
	h->self = t->self = true;
	if (h->mx && t->preference < h->self_from)
		h->self_from = t->preference;
}

void hops_self(struct hops *h)
{
	if (h->last != NULL)
		drop_self(h, h->last);
}

/* ---- addresses ---- */

static void wake(struct hops *h)
{
	if (!h->waiting)
		return;
	h->waiting = false;
	h->ready(h->arg);
}

enum family hops_second_family(const struct hops *h)
{
	enum leg_family f = h->req->leg->family;

	return f == FAMILY_V4_FIRST || f == FAMILY_V4_ONLY ? FAMILY_V6 :
							     FAMILY_V4;
}

bool hops_one_family(const struct hops *h)
{
	return h->req->leg->family == FAMILY_V6_ONLY ||
	       h->req->leg->family == FAMILY_V4_ONLY;
}

/* A family that the leg is not to use, or that cannot reach from the source
 * address that it is to use. */
static bool is_unfit(const struct hops *h, enum family f)
{
	if (hops_one_family(h))
		return f == hops_second_family(h);
	return h->bound &&
	       (f == FAMILY_V6) != (h->source.sa.sa_family == AF_INET6);
}

static void add_address(struct host *t, const struct netaddr *from)
{
	struct hops *h = t->hops;
	struct netaddr a = *from;
	enum family f = a.sa.sa_family == AF_INET6 ? FAMILY_V6 : FAMILY_V4;

	set_port(&a, t->port);
	if (client_is_self(h->req->conf, &a))
		drop_self(h, t);
	else if (is_unfit(h, f))
		h->unfit = t->unfit = true;
	else if (t->addrs[f] < ADDRS_MAX)
		t->addr[f][t->addrs[f]++].addr = a;
}

static void note_failure(
    struct hops *h, const char *what, const struct dns_answer *a)
{
	if (a->status != DNS_FAILED)
		return;
	h->unknown = true;
	snprintf(h->why, sizeof(h->why), "%s%s", what,
	    a->why == NULL ? "" : a->why);
}

/* ---- which certificate (RFC 7672) ---- */

static void ask_tlsa_of(struct host *t, const char *name);

static void take_tlsa(struct host *t, const struct dns_answer *a)
{
	for (int i = 0; i < a->count && i < TLSA_MAX; i++) {
		t->tlsa[t->tlsas] = a->tlsa[i];
		t->tlsa[t->tlsas++].data.p =
		    mem_dup(a->tlsa[i].data.p, a->tlsa[i].data.n);
	}
}

static void on_tlsa(void *arg, const struct dns_answer *a)
{
	struct host *t = arg;

	t->tlsa_query = NULL;
	note_failure(t->hops, "TLSA records: ", a);
	/* An attacker that can make a lookup fail must not get the mail
	 * without the check (RFC 7672 2.1.1). */
	t->unsafe = a->status == DNS_FAILED;
	if (a->status == DNS_OK && a->secure) {
		take_tlsa(t, a);
	} else if (t->by_alias && !t->unsafe) {
		t->by_alias = false;
		ask_tlsa_of(t, t->name);
	}
	wake(t->hops);
}

static void ask_tlsa_of(struct host *t, const char *name)
{
	char owner[DNS_OWNER_MAX];

	snprintf(owner, sizeof(owner), "_%d._tcp.%s", t->port, name);
	t->tlsa_query =
	    dns_ask(t->hops->client->cfg.dns, DNS_TLSA, owner, on_tlsa, t);
}

/* Only when all that led here is signed: a zone that is not has none, and
 * its servers may not even know the question (RFC 7672 2.2.2). Of an alias
 * the name behind it is asked first (2.2.3). */
static void ask_tlsa(struct host *t)
{
	struct hops *h = t->hops;

	if (h->req->leg->tls != TLS_DANE || t->insecure || h->mx_insecure ||
	    t->addrs[FAMILY_V6] + t->addrs[FAMILY_V4] == 0)
		return;
	t->by_alias = t->alias_of != NULL;
	ask_tlsa_of(t, t->by_alias ? t->alias_of : t->name);
}

/* ---- names ---- */

bool hops_asked_for(const struct host *t)
{
	return t->query[FAMILY_V6] != NULL || t->query[FAMILY_V4] != NULL ||
	       t->tlsa_query != NULL;
}

static void on_addresses(
    struct host *t, enum family f, const struct dns_answer *a)
{
	struct hops *h = t->hops;

	t->query[f] = NULL;
	note_failure(h, "", a);
	if (a->status == DNS_FAILED)
		t->failed = a->why == NULL ? "" : a->why;
	t->exists = t->exists || a->status != DNS_NXDOMAIN;
	h->exists = h->exists || t->exists;
	t->insecure = t->insecure || (a->status == DNS_OK && !a->secure);
	for (int i = 0; a->status == DNS_OK && i < a->count; i++)
		add_address(t, &a->addr[i]);
	if (t->alias_of == NULL)
		t->alias_of = mem_strdup(a->alias_of);
	if (!hops_asked_for(t))
		ask_tlsa(t);
	wake(h);
}

static void on_v4(void *arg, const struct dns_answer *a)
{
	on_addresses(arg, FAMILY_V4, a);
}

static void on_v6(void *arg, const struct dns_answer *a)
{
	on_addresses(arg, FAMILY_V6, a);
}

static void add_host(struct hops *h, const char *name, int port, int preference)
{
	struct dns *dns = h->client->cfg.dns;
	struct netaddr literal;
	struct host *t;

	if (h->hosts == HOSTS_MAX)
		return;
	t = &h->host[h->hosts++];
	t->hops = h;
	t->name = mem_strdup(name);
	t->port = port;
	t->preference = preference;
	if (netaddr_parse(&literal, slice_str(name), port) == 0) {
		t->literal = true;
		add_address(t, &literal);
		return;
	}
	if (h->req->leg->family != FAMILY_V4_ONLY)
		t->query[FAMILY_V6] = dns_ask(dns, DNS_AAAA, name, on_v6, t);
	if (h->req->leg->family != FAMILY_V6_ONLY)
		t->query[FAMILY_V4] = dns_ask(dns, DNS_A, name, on_v4, t);
}

/* ---- MX ---- */

const char *hops_domain(const struct hops *h)
{
	return h->req->domain != NULL ? h->req->domain : h->req->leg->mx;
}

void hops_conclude(
    struct hops *h, bool for_good, const char *enh, const char *text)
{
	const char *name =
	    h->mx || h->req->domain != NULL ? hops_domain(h) :
					      h->req->leg->name;

	h->concluded = true;
	h->fault.enh = enh;
	h->fault.outcome = OUT_DEFERRED;
	h->fault.class = CLASS_CONFIGURATION;
	if (h->req->domain != NULL) { /* nothing is wrong with the egress */
		h->fault.outcome = for_good ? OUT_FAILED : OUT_DEFERRED;
		h->fault.class = CLASS_RECIPIENT;
	}
	snprintf(h->fault.text, sizeof(h->fault.text), "%s: %s", name, text);
}

void hops_conclude_unknown(struct hops *h)
{
	hops_conclude(h, false, "4.4.3", "its name cannot be looked up now");
	h->fault.class = CLASS_NETWORK;
	if (h->why[0] != '\0') {
		size_t n = strlen(h->fault.text);

		snprintf(h->fault.text + n, sizeof(h->fault.text) - n, " (%s)",
		    h->why);
	}
}

static void use_mx(struct hops *h, const struct dns_answer *a)
{
	bool null = false;

	for (int i = 0; i < a->count; i++) {
		null |= a->mx[i].host[0] == '\0';
		if (a->mx[i].host[0] != '\0' && dns_is_host(a->mx[i].host))
			add_host(
			    h, a->mx[i].host, SMTP_PORT, a->mx[i].preference);
	}
	if (h->hosts == 0)
		hops_conclude(h, true,
		    h->req->domain == NULL ? "4.3.5"
			: null ? "5.1.10" : "5.4.4",
		    null ? "the domain takes no mail (null MX)"
			 : "its MX names no host that can be called");
}

static void on_mx(void *arg, const struct dns_answer *a)
{
	struct hops *h = arg;

	h->mx_query = NULL;
	h->mx_insecure = !a->secure;
	note_failure(h, "", a);
	switch (a->status) {
	case DNS_OK:
		use_mx(h, a);
		break;
	case DNS_NODATA: /* the domain is its own MX (RFC 5321 5.1) */
		add_host(h, hops_domain(h), SMTP_PORT, 0);
		break;
	case DNS_NXDOMAIN:
		hops_conclude(h, true,
		    h->req->domain != NULL ? "5.1.2" : "4.3.5",
		    "the domain does not exist");
		break;
	case DNS_FAILED:
		hops_conclude_unknown(h);
		break;
	}
	wake(h);
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 4.1.3) */
static bool add_literal(struct hops *h, struct slice domain)
{
	struct slice ip;
	char *text;

	if (domain.n < 3 || domain.p[0] != '[' || domain.p[domain.n - 1] != ']')
		return false;
	ip = slice_of(domain.p + 1, domain.n - 2);
	if (slice_case_starts(ip, SLICE("IPv6:")))
		ip = slice_from(ip, 5);
	text = mem_slicedup(ip);
	add_host(h, text, SMTP_PORT, 0);
	mem_free(text);
	return true;
}

static void begin(struct hops *h)
{
	const struct conf_leg *leg = h->req->leg;

	if (h->req->domain != NULL && add_literal(h, slice_str(h->req->domain)))
		return;
	if (h->req->domain != NULL || leg->mx[0] != '\0') {
		h->mx = true;
		h->mx_query = dns_ask(h->client->cfg.dns, DNS_MX,
		    hops_domain(h), on_mx, h);
		return;
	}
	for (int i = 0; i < leg->hosts; i++)
		add_host(h, leg->host[i].host, leg->host[i].port, 0);
}

struct hops *hops_new(struct client *c, const struct client_request *r,
    void (*ready)(void *arg), void *arg)
{
	struct hops *h = NEW(struct hops);
	const char *source = request_source(r);

	h->client = c;
	h->req = r;
	h->ready = ready;
	h->arg = arg;
	h->self_from = INT_MAX;
	h->bound = source[0] != '\0' &&
		   netaddr_parse(&h->source, slice_str(source), 0) == 0;
	begin(h);
	return h;
}

void hops_free(struct hops *h)
{
	if (h == NULL)
		return;
	dns_cancel(h->mx_query);
	for (int i = 0; i < h->hosts; i++) {
		for (int f = 0; f < FAMILIES; f++)
			dns_cancel(h->host[i].query[f]);
		dns_cancel(h->host[i].tlsa_query);
		for (int k = 0; k < h->host[i].tlsas; k++)
			mem_free((char *)(uintptr_t)h->host[i].tlsa[k].data.p);
		mem_free(h->host[i].alias_of);
		mem_free(h->host[i].name);
	}
	mem_free(h);
}
