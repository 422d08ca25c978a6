/* SPDX-License-Identifier: ISC
 *
 * See outbound_hosts.h.
 */
#include "relay/egress/outbound_hosts.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "relay/base/loop.h"
#include "relay/base/mem.h"
#include "relay/net/dns.h"
#include "relay/spf/client_names.h"

enum {
	LINE_MAX_BYTES = 2048,
	HOSTS_MAX = 20, /* of an MX that are looked at */
	WAIT_MS = 3 * CLIENT_NAME_MS,
	TURN_MS = 100,
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
	h->warn(h->arg, line);
}

/* ---- the MX -------------------------------------------------------------- */

struct asked {
	const struct outbound_hosts *h;
	bool done;
	enum dns_status status;
	int hosts;
	char *host[HOSTS_MAX];
	bool ours; /* an address is */
};

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

static void on_mx(void *arg, const struct dns_answer *a)
{
	struct asked *q = arg;

	q->done = true;
	q->status = a->status;
	for (int i = 0; a->status == DNS_OK && i < a->count &&
			q->hosts < HOSTS_MAX; i++)
		q->host[q->hosts++] = mem_strdup(a->mx[i].host);
}

static void on_address(void *arg, const struct dns_answer *a)
{
	struct asked *q = arg;

	q->done = true;
	q->status = a->status;
	for (int i = 0; a->status == DNS_OK && i < a->count; i++)
		q->ours |= is_ours(q->h->c, &a->addr[i]);
}

static void ask(struct asked *q, enum dns_type type, const char *name,
    dns_fn fn)
{
	q->done = false;
	dns_ask(spf_alone_dns(q->h->o), type, name, fn, q);
	spf_alone_wait(q->h->o, &q->done);
}

static bool leads_here(struct asked *q, const char *host)
{
	q->ours = strcmp(host, q->h->c->hostname) == 0;
	if (!q->ours)
		ask(q, DNS_A, host, on_address);
	if (!q->ours)
		ask(q, DNS_AAAA, host, on_address);
	return q->ours;
}

void outbound_hosts_mx(const struct outbound_hosts *h, const char *domain)
{
	struct asked q = {.h = h};

	ask(&q, DNS_MX, domain, on_mx);
	if (q.status == DNS_FAILED) {
		say(h, "the MX of %s cannot be read now; check again when the "
		    "DNS answers", domain);
		return;
	}
	/* Without a record the domain's own address counts (RFC 5321 5.1). */
	if (q.hosts == 0 && !leads_here(&q, domain))
		say(h, "%s has no MX, so no bounce comes back; add MX 10 %s",
		    domain, h->c->hostname);
	for (int i = 0; i < q.hosts; i++) {
		if (!leads_here(&q, q.host[i]))
			say(h, "the MX of %s is %s, which is no address of "
			    "ours (public_address, listen.address): bounces go "
			    "there; add MX 10 %s in its place", domain,
			    q.host[i][0] == '\0' ? "." : q.host[i],
			    h->c->hostname);
		mem_free(q.host[i]);
	}
}

/* ---- the name of an egress ----------------------------------------------- */

static bool is_one_address(const struct conf_net *net, struct netaddr *out)
{
	char text[INET6_ADDRSTRLEN];

	return net->bits == (net->family == AF_INET6 ? 128 : 32) &&
	       inet_ntop(net->family, net->addr, text, sizeof(text)) != NULL &&
	       netaddr_parse(out, slice_str(text), 0) == 0;
}

static void compare(const struct outbound_hosts *h, struct client_names *names,
    const struct conf_leg *egress, const struct netaddr *address)
{
	const char *says = egress->helo[0] != '\0' ? egress->helo :
						     h->c->hostname;
	struct loop *loop = spf_alone_loop(h->o);
	char ip[NETADDR_TEXT];
	const char *name = NULL;
	int64_t end_ms = loop_now_ms(loop) + WAIT_MS;

	netaddr_ip(address, ip);
	client_names_want(names, address);
	while (!client_names_get(names, address, &name) &&
	       loop_now_ms(loop) < end_ms)
		loop_once(loop, TURN_MS);
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

void outbound_hosts_name(const struct outbound_hosts *h,
    const struct conf_leg *egress)
{
	struct client_names *names;
	struct netaddr address;

	if (!egress->direct)
		return;
	names = client_names_new(spf_alone_loop(h->o), spf_alone_dns(h->o));
	for (int i = 0; i < egress->seen.count; i++)
		if (is_one_address(&egress->seen.net[i], &address))
			compare(h, names, egress, &address);
	client_names_free(names);
}
