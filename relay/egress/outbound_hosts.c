/* SPDX-License-Identifier: ISC
 *
 * See outbound_hosts.h.
 */
#include "relay/egress/outbound_hosts.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "relay/base/mem.h"
#include "relay/net/dns.h"
#include "relay/spf/client_names.h"

enum {
	LINE_MAX_BYTES = 2048,
	HOSTS_MAX = 20, /* of an MX that are looked at */
	WAIT_MS = 3 * CLIENT_NAME_MS,
	TURN_MS = 50,
};

struct outbound_hosts {
	struct outbound_hosts_config c;
	struct defer over;
	/* An MX: its hosts; none: the domain itself (RFC 5321 5.1). */
	struct dns_query *query;
	char *domain;
	char *host[HOSTS_MAX];
	int hosts, at;
	enum dns_type asked; /* of host[at] */
	/* An egress: the address of that network. */
	struct client_names *names;
	const struct conf_leg *egress;
	int net;
	struct netaddr address;
	struct timer again;
	int64_t end_ms;
};

static void say(const struct outbound_hosts *h, const char *fmt, ...)
    PH_PRINTF(2, 3);

static void say(const struct outbound_hosts *h, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	h->c.warn(h->c.arg, line);
}

static void on_over(void *arg)
{
	struct outbound_hosts *h = arg;

	h->c.done(h->c.arg);
}

static void end(struct outbound_hosts *h)
{
	loop_defer(h->c.loop, &h->over);
}

/* ---- the MX -------------------------------------------------------------- */

static bool is_ours(const struct conf *c, const struct netaddr *a)
{
	struct netaddr own;

	if (conf_nets_have(&c->public_address, &a->sa))
		return true;
	for (int i = 0; i < c->listens; i++)
		for (int j = 0; j < c->listen[i].addresses; j++)
			if (netaddr_parse(&own, slice_str(
				c->listen[i].address[j].host), 0) == 0 &&
			    netaddr_same_ip(&own, a))
				return true;
	return false;
}

static const char *host_at(const struct outbound_hosts *h)
{
	return h->hosts == 0 ? h->domain : h->host[h->at];
}

static void say_host(const struct outbound_hosts *h)
{
	const char *ours = h->c.conf->hostname;

	if (h->hosts == 0)
		say(h, "%s has no MX, so no bounce comes back; add MX 10 %s",
		    h->domain, ours);
	else
		say(h, "the MX of %s is %s, which is no address of ours "
		    "(public_address, listen.address): bounces go there; add "
		    "MX 10 %s in its place", h->domain,
		    host_at(h)[0] == '\0' ? "." : host_at(h), ours);
}

static void on_address(void *arg, const struct dns_answer *a);

static void next_host(struct outbound_hosts *h)
{
	int last = h->hosts == 0 ? 1 : h->hosts;

	while (h->at < last && strcmp(host_at(h), h->c.conf->hostname) == 0)
		h->at++;
	if (h->at == last) {
		end(h);
		return;
	}
	h->asked = DNS_A;
	h->query = dns_ask(h->c.dns, DNS_A, host_at(h), on_address, h);
}

static void on_address(void *arg, const struct dns_answer *a)
{
	struct outbound_hosts *h = arg;
	bool ours = false;

	h->query = NULL;
	for (int i = 0; a->status == DNS_OK && i < a->count; i++)
		ours |= is_ours(h->c.conf, &a->addr[i]);
	if (!ours && h->asked == DNS_A) {
		h->asked = DNS_AAAA;
		h->query = dns_ask(h->c.dns, DNS_AAAA, host_at(h), on_address,
		    h);
		return;
	}
	if (!ours)
		say_host(h);
	h->at++;
	next_host(h);
}

static void forget_hosts(struct outbound_hosts *h)
{
	while (h->hosts > 0)
		mem_free(h->host[--h->hosts]);
	h->at = 0;
}

static void on_mx(void *arg, const struct dns_answer *a)
{
	struct outbound_hosts *h = arg;

	h->query = NULL;
	if (a->status == DNS_FAILED) {
		say(h, "the MX of %s cannot be read now; check again when the "
		    "DNS answers", h->domain);
		end(h);
		return;
	}
	for (int i = 0; a->status == DNS_OK && i < a->count &&
			h->hosts < HOSTS_MAX; i++)
		h->host[h->hosts++] = mem_strdup(a->mx[i].host);
	next_host(h);
}

void outbound_hosts_mx(struct outbound_hosts *h, const char *domain)
{
	forget_hosts(h);
	mem_free(h->domain);
	h->domain = mem_strdup(domain);
	h->query = dns_ask(h->c.dns, DNS_MX, domain, on_mx, h);
}

/* ---- the name of an egress ----------------------------------------------- */

static bool is_one_address(const struct conf_net *net, struct netaddr *out)
{
	char text[INET6_ADDRSTRLEN];

	return net->bits == (net->family == AF_INET6 ? 128 : 32) &&
	       inet_ntop(net->family, net->addr, text, sizeof(text)) != NULL &&
	       netaddr_parse(out, slice_str(text), 0) == 0;
}

/* `name`: that leads back to the address; "": none; NULL: it is not known. */
static void compare(const struct outbound_hosts *h, const char *name)
{
	const struct conf_leg *egress = h->egress;
	const char *says = egress->helo[0] != '\0' ? egress->helo :
						     h->c.conf->hostname;
	char ip[NETADDR_TEXT];

	netaddr_ip(&h->address, ip);
	if (name == NULL)
		say(h, "the name (PTR) of %s, egress \"%s\", cannot be read "
		    "now; check again when the DNS answers", ip, egress->name);
	else if (name[0] == '\0')
		say(h, "%s, egress \"%s\", has no name that leads back to it; "
		    "add PTR %s for it, and its address to that name", ip,
		    egress->name, says);
	else if (strcasecmp(name, says) != 0)
		say(h, "egress \"%s\" says EHLO %s, and the name (PTR) of %s "
		    "is %s; set helo = \"%s\", or add PTR %s", egress->name,
		    says, ip, name, name, says);
}

/* The first address from h->net on. False: there is none. */
static bool next_address(struct outbound_hosts *h)
{
	const struct conf_nets *seen = &h->egress->seen;

	while (h->net < seen->count &&
	       !is_one_address(&seen->net[h->net], &h->address))
		h->net++;
	if (h->net == seen->count)
		return false;
	client_names_want(h->names, &h->address);
	h->end_ms = loop_now_ms(h->c.loop) + WAIT_MS;
	return true;
}

/* No call comes when a name is found, so it is looked for again. */
static void look(void *arg)
{
	struct outbound_hosts *h = arg;
	const char *name;
	bool known;

	while ((known = client_names_get(h->names, &h->address, &name)) ||
	       loop_now_ms(h->c.loop) >= h->end_ms) {
		compare(h, known ? name : NULL);
		h->net++;
		if (!next_address(h)) {
			end(h);
			return;
		}
	}
	timer_set(&h->again, TURN_MS);
}

void outbound_hosts_name(struct outbound_hosts *h,
    const struct conf_leg *egress)
{
	h->egress = egress;
	h->net = 0;
	if (egress->direct && next_address(h))
		look(h);
	else
		end(h);
}

/* ---- from beginning to end ----------------------------------------------- */

struct outbound_hosts *outbound_hosts_new(
    const struct outbound_hosts_config *config)
{
	struct outbound_hosts *h = NEW(struct outbound_hosts);

	h->c = *config;
	defer_init(&h->over, on_over, h);
	timer_init(&h->again, h->c.loop, look, h);
	h->names = client_names_new(h->c.loop, h->c.dns);
	return h;
}

void outbound_hosts_free(struct outbound_hosts *h)
{
	dns_cancel(h->query);
	defer_cancel(&h->over);
	timer_fini(&h->again);
	client_names_free(h->names);
	forget_hosts(h);
	mem_free(h->domain);
	mem_free(h);
}
