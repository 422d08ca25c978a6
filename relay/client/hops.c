/* SPDX-License-Identifier: ISC
 *
 * Which hosts, in which order: the leg's list, or the MX of a domain, their
 * addresses, without our own (RFC 5321 5.1, RFC 7505). Of a host the family
 * that the leg prefers goes first; what lately could not be reached goes last
 * of all. For tls = dane the TLSA records come along. Asks the DNS; opens
 * nothing. One worker's loop.
 *
 * All names are asked for at once, and a host is used as soon as it is known
 * that nobody of its preference or a better one is ourselves; a list has no
 * preferences, so there each host waits for its own addresses alone.
 *
 * A leg's name that does not exist is a fault of the configuration and waits;
 * only the domain of a direct recipient can fail for good, and only because
 * its name or that of every host of it does not exist, or by a null MX.
 */
#include <limits.h>
#include <stdio.h>

#include "conf/profile.h"
#include "relay/base/mem.h"
#include "relay/client/client_int.h"

enum {
	HOSTS_MAX = 16,
	ADDRS_MAX = 8,	/* of a family and host */
	TLSA_MAX = 16,	/* of a host */
	TRIES_MAX = 10, /* connections for one attempt */
	SMTP_PORT = 25,
};

enum family { FAMILY_V6, FAMILY_V4, FAMILIES };

struct address {
	struct netaddr addr;
	bool tried;
};

struct host {
	struct hops *hops;
	char *name;
	int port;
	int preference; /* of an MX; else 0 */
	struct dns_query *query[FAMILIES];
	struct address addr[FAMILIES][ADDRS_MAX];
	int addrs[FAMILIES];
	/* tls = dane */
	bool insecure; /* an answer that led here was not signed */
	bool unsafe;   /* what its certificate must be cannot be known now */
	struct dns_query *tlsa_query;
	struct dns_tlsa tlsa[TLSA_MAX];
	int tlsas;
};

struct hops {
	struct client *client;
	const struct client_request *req;
	void (*ready)(void *arg);
	void *arg;
	struct dns_query *mx_query;
	bool mx;	/* hosts have preferences */
	bool mx_insecure; /* … which were not signed */
	bool waiting;	/* HOPS_WAIT was said     */
	bool self;	/* we were among them     */
	bool unfit;	/* there may be addresses of the other family */
	bool exists;	/* … or none at all, of a name that is there  */
	bool unknown;	/* a question found no answer, now */
	bool concluded; /* `fault` says why there is no host at all */
	int self_from;	/* from this preference on hosts are dropped */
	int tries;
	struct host host[HOSTS_MAX];
	int hosts;
	const struct host *last; /* whose address was given out … */
	const struct netaddr *last_addr; /* … and which */
	struct netaddr source;
	bool bound; /* to a source address */
	char why[128];
	struct hops_fault fault;
};

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
static bool is_self(const struct conf *c, const struct netaddr *a)
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

	/* Who connects to one of his own addresses comes from it. */
	return netaddr_same_ip(to, stream_local(s)) &&
	       we_listen(h->req->conf, to) != LISTENS_NOT;
}

static void drop_self(struct hops *h, const struct host *t)
{
	h->self = true;
	if (h->mx && t->preference < h->self_from)
		h->self_from = t->preference;
}

void hops_self(struct hops *h)
{
	if (h->last != NULL)
		drop_self(h, h->last);
}

/* ---- who did not answer ---- */

/* A platform behind a handful of addresses drops connections as it likes:
 * its profile says that this is no reason to avoid one. */
static bool remembers(const struct hops *h)
{
	const struct conf_leg *leg = h->req->leg;

	return leg->dead_host_ms > 0 &&
	       (leg->replies == NULL || !leg->replies->no_dead_hosts);
}

void hops_dead(struct hops *h)
{
	struct client *c = h->client;

	if (h->last_addr != NULL && remembers(h))
		marks_set(&c->unreached, h->req->leg->id, h->last_addr,
		    loop_now_ms(c->cfg.loop) + h->req->leg->dead_host_ms);
}

void hops_alive(struct hops *h)
{
	if (h->last_addr != NULL)
		marks_clear(&h->client->unreached, h->req->leg->id, h->last_addr);
}

static bool is_dead(const struct hops *h, const struct netaddr *a)
{
	const struct client *c = h->client;

	return remembers(h) && marks_has(&c->unreached, h->req->leg->id, a,
				   loop_now_ms(c->cfg.loop));
}

/* ---- addresses ---- */

static void wake(struct hops *h)
{
	if (!h->waiting)
		return;
	h->waiting = false;
	h->ready(h->arg);
}

static enum family second_family(const struct hops *h)
{
	enum leg_family f = h->req->leg->family;

	return f == FAMILY_V4_FIRST || f == FAMILY_V4_ONLY ? FAMILY_V6 :
							     FAMILY_V4;
}

static bool one_family(const struct hops *h)
{
	return h->req->leg->family == FAMILY_V6_ONLY ||
	       h->req->leg->family == FAMILY_V4_ONLY;
}

/* A family that the leg is not to use, or that cannot reach from the source
 * address that it is to use. */
static bool is_unfit(const struct hops *h, enum family f)
{
	if (one_family(h))
		return f == second_family(h);
	return h->bound &&
	       (f == FAMILY_V6) != (h->source.sa.sa_family == AF_INET6);
}

static void add_address(struct host *t, const struct netaddr *from)
{
	struct hops *h = t->hops;
	struct netaddr a = *from;
	enum family f = a.sa.sa_family == AF_INET6 ? FAMILY_V6 : FAMILY_V4;

	set_port(&a, t->port);
	if (is_self(h->req->conf, &a))
		drop_self(h, t);
	else if (is_unfit(h, f))
		h->unfit = true;
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

static void on_tlsa(void *arg, const struct dns_answer *a)
{
	struct host *t = arg;

	t->tlsa_query = NULL;
	note_failure(t->hops, "TLSA records: ", a);
	/* Who can make a lookup fail must not get the mail without the check
	 * (RFC 7672 2.1.1). */
	t->unsafe = a->status == DNS_FAILED;
	if (a->status == DNS_OK && a->secure)
		for (int i = 0; i < a->count && i < TLSA_MAX; i++) {
			t->tlsa[t->tlsas] = a->tlsa[i];
			t->tlsa[t->tlsas++].data.p =
			    mem_dup(a->tlsa[i].data.p, a->tlsa[i].data.n);
		}
	wake(t->hops);
}

/* Only when all that led here is signed: a zone that is not has none, and
 * its servers may not even know the question (RFC 7672 2.2.2). */
static void ask_tlsa(struct host *t)
{
	struct hops *h = t->hops;
	char name[320];

	if (h->req->leg->tls != TLS_DANE || t->insecure || h->mx_insecure ||
	    t->addrs[FAMILY_V6] + t->addrs[FAMILY_V4] == 0)
		return;
	snprintf(name, sizeof(name), "_%d._tcp.%s", t->port, t->name);
	t->tlsa_query =
	    dns_ask(h->client->cfg.dns, DNS_TLSA, name, on_tlsa, t);
}

/* ---- names ---- */

static bool asked_for(const struct host *t)
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
	h->exists = h->exists || a->status != DNS_NXDOMAIN;
	t->insecure = t->insecure || (a->status == DNS_OK && !a->secure);
	for (int i = 0; a->status == DNS_OK && i < a->count; i++)
		add_address(t, &a->addr[i]);
	if (!asked_for(t))
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
		add_address(t, &literal);
		return;
	}
	if (h->req->leg->family != FAMILY_V4_ONLY)
		t->query[FAMILY_V6] = dns_ask(dns, DNS_AAAA, name, on_v6, t);
	if (h->req->leg->family != FAMILY_V6_ONLY)
		t->query[FAMILY_V4] = dns_ask(dns, DNS_A, name, on_v4, t);
}

/* ---- MX ---- */

static const char *mx_domain(const struct hops *h)
{
	return h->req->domain != NULL ? h->req->domain : h->req->leg->mx;
}

static void conclude(
    struct hops *h, bool for_good, const char *enh, const char *text)
{
	const char *name =
	    h->mx || h->req->domain != NULL ? mx_domain(h) : h->req->leg->name;

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

static void conclude_unknown(struct hops *h)
{
	conclude(h, false, "4.4.3", "its name cannot be looked up now");
	h->fault.class = CLASS_NETWORK;
	if (h->why[0] != '\0') {
		size_t n = strlen(h->fault.text);

		snprintf(h->fault.text + n, sizeof(h->fault.text) - n, " (%s)",
		    h->why);
	}
}

static void use_mx(struct hops *h, const struct dns_answer *a)
{
	for (int i = 0; i < a->count; i++)
		if (a->mx[i].host[0] != '\0')
			add_host(
			    h, a->mx[i].host, SMTP_PORT, a->mx[i].preference);
	if (h->hosts == 0)
		conclude(h, true, h->req->domain != NULL ? "5.1.10" : "4.3.5",
		    "the domain takes no mail (null MX)");
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
		add_host(h, mx_domain(h), SMTP_PORT, 0);
		break;
	case DNS_NXDOMAIN:
		conclude(h, true, h->req->domain != NULL ? "5.4.4" : "4.3.5",
		    "the domain does not exist");
		break;
	case DNS_FAILED:
		conclude_unknown(h);
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
		h->mx_query =
		    dns_ask(h->client->cfg.dns, DNS_MX, mx_domain(h), on_mx, h);
		return;
	}
	for (int i = 0; i < leg->hosts; i++)
		add_host(h, leg->host[i].host, leg->host[i].port, 0);
}

struct hops *hops_new(struct client *c, const struct client_request *r,
    void (*ready)(void *arg), void *arg)
{
	struct hops *h = NEW(struct hops);

	h->client = c;
	h->req = r;
	h->ready = ready;
	h->arg = arg;
	h->self_from = INT_MAX;
	h->bound = r->leg->source[0] != '\0' &&
		   netaddr_parse(&h->source, slice_str(r->leg->source), 0) == 0;
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
		mem_free(h->host[i].name);
	}
	mem_free(h);
}

/* ---- in order ---- */

/* May `t` be used: is it certain that we are not among its equals or
 * betters? */
static bool is_known(const struct hops *h, const struct host *t)
{
	if (asked_for(t))
		return false;
	for (int i = 0; h->mx && i < h->hosts; i++)
		if (h->host[i].preference <= t->preference &&
		    asked_for(&h->host[i]))
			return false;
	return true;
}

static struct address *next_of_family(struct host *t, enum family f, bool dead)
{
	for (int i = 0; i < t->addrs[f]; i++) {
		struct address *a = &t->addr[f][i];

		if (!a->tried && (dead || !is_dead(t->hops, &a->addr)))
			return a;
	}
	return NULL;
}

/* With `dead`, those too that lately could not be reached. */
static bool next_address(struct host *t, bool dead, struct hop *hop_out)
{
	enum family second = second_family(t->hops);
	enum family first = second == FAMILY_V4 ? FAMILY_V6 : FAMILY_V4;
	struct address *a = next_of_family(t, first, dead);

	if (a == NULL)
		a = next_of_family(t, second, dead);
	if (a == NULL)
		return false;
	a->tried = true;
	t->hops->tries++;
	t->hops->last = t;
	t->hops->last_addr = &a->addr;
	*hop_out = (struct hop){.host = t->name,
	    .addr = a->addr,
	    .domain = t->hops->mx ? mx_domain(t->hops) : NULL,
	    .tlsa = t->tlsa,
	    .tlsas = t->tlsas};
	return true;
}

static void conclude_unfit(struct hops *h)
{
	static const char *const only[] = {
	    [FAMILY_V6_ONLY] = "no host has an IPv6 address, and family = "
			       "\"ipv6\" allows no other",
	    [FAMILY_V4_ONLY] = "no host has an IPv4 address, and family = "
			       "\"ipv4\" allows no other",
	};

	conclude(h, false, "4.3.5",
	    one_family(h)
		? only[h->req->leg->family]
		: "no host has an address of the source address's family");
	h->fault.class = CLASS_CONFIGURATION;
}

static enum hops_state end(struct hops *h)
{
	bool direct = h->req->domain != NULL;

	if (h->concluded)
		return HOPS_END;
	if (h->self)
		conclude(h, false, "4.4.6", "its host is ourselves");
	else if (h->unknown)
		conclude_unknown(h);
	else if (h->unfit || (h->exists && one_family(h)))
		conclude_unfit(h);
	else if (h->exists)
		conclude(h, false, direct ? "4.4.4" : "4.3.5",
		    "no host of it has an address");
	else
		conclude(h, true, direct ? "5.4.4" : "4.3.5",
		    "no host of it exists");
	return HOPS_END;
}

static enum hops_state next_host(
    struct hops *h, bool dead, struct hop *hop_out)
{
	for (int i = 0; i < h->hosts; i++) {
		struct host *t = &h->host[i];

		if (t->preference >= h->self_from)
			continue;
		if (!is_known(h, t))
			return HOPS_WAIT;
		if (!t->unsafe && next_address(t, dead, hop_out))
			return HOPS_READY;
	}
	return HOPS_END;
}

enum hops_state hops_next(struct hops *h, struct hop *hop_out)
{
	enum hops_state s = HOPS_WAIT;

	if (h->mx_query == NULL && h->tries < TRIES_MAX) {
		s = next_host(h, false, hop_out);
		if (s == HOPS_END)
			s = next_host(h, true, hop_out);
	} else if (h->mx_query == NULL) {
		s = HOPS_END;
	}
	h->waiting = s == HOPS_WAIT;
	return s == HOPS_END ? end(h) : s;
}

const struct hops_fault *hops_fault(const struct hops *h)
{
	return &h->fault;
}
