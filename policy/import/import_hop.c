/* SPDX-License-Identifier: ISC
 *
 * Next hops of a transport map, looked for among the hosts of the legs.
 */
#include "policy/import/import_hop.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "policy/import/map_line.h"

enum { SMTP_PORT = 25, SUBMISSION_PORT = 587, LMTP_PORT = 24 };

struct import_hop {
	struct slice host;
	uint64_t port; /* 0: none is said */
	bool by_mx;    /* no brackets: its MX is looked up */
};

/* "25", "smtp". */
static uint64_t port_of(struct slice text)
{
	static const struct {
		const char *name;
		uint64_t port;
	} services[] = {{"smtp", SMTP_PORT}, {"submission", SUBMISSION_PORT},
	    {"lmtp", LMTP_PORT}};
	uint64_t port = 0;

	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		if (slice_case_eq(text, slice_str(services[i].name)))
			return services[i].port;
	return slice_uint(text, 65535, &port) ? port : 0;
}

/* "[host]:port", "host:port", "[2001:db8::1]", "inet:host:port". */
static struct import_hop cut_hop(struct slice s)
{
	struct import_hop h = {.by_mx = true};
	long end;

	if (slice_case_starts(s, SLICE("inet:")))
		s = slice_from(s, 5);
	h.by_mx = s.n == 0 || s.p[0] != '[';
	end = h.by_mx ? slice_find(s, ':') : slice_find(s, ']');
	h.host = end < 0 ? s : slice_head(s, (size_t)end);
	if (!h.by_mx)
		h.host = slice_from(h.host, 1);
	if (slice_case_starts(h.host, SLICE("ipv6:")))
		h.host = slice_from(h.host, 5);
	if (end >= 0) {
		s = slice_from(s, (size_t)end + (h.by_mx ? 0 : 1));
		h.port = port_of(slice_from(s, 1));
	}
	if (h.host.n > 0 && h.host.p[h.host.n - 1] == '.')
		h.host.n--;
	return h;
}

static bool same_address(struct slice a, const char *b)
{
	unsigned char x[16], y[16];
	char text[64];

	snprintf(text, sizeof(text), "%.*s", (int)a.n, a.p);
	return inet_pton(AF_INET6, text, x) == 1 &&
	       inet_pton(AF_INET6, b, y) == 1 && memcmp(x, y, 16) == 0;
}

static bool is_host(const struct import_hop *h, const char *host)
{
	return slice_case_eq(h->host, slice_str(host)) ||
	       same_address(h->host, host);
}

/* How well a leg fits: 3 host and port, 2 host, 0 not. */
static int fit(const struct import_hop *h, const struct conf_leg *leg)
{
	int best = h->by_mx && slice_case_eq(h->host, slice_str(leg->mx))
		       ? 3 : 0;

	for (int i = 0; i < leg->hosts; i++) {
		uint64_t port = h->port == 0 ? SMTP_PORT : h->port;
		int found = !is_host(h, leg->host[i].host)		? 0
			    : (uint64_t)leg->host[i].port == port ? 3
								    : 2;

		best = found > best ? found : best;
	}
	return best;
}

/* The one leg that fits best; NULL: none, or several as well, which is
 * noted. */
static const struct conf_leg *find_leg(const struct conf *c,
    const struct import_hop *h, bool *several)
{
	const struct conf_leg *best = NULL;
	int most = 0;

	for (int i = 0; h->host.n > 0 && i < c->legs; i++) {
		int found = c->leg[i].egress ? 0 : fit(h, &c->leg[i]);

		if (found > 0 && found == most)
			best = NULL;
		if (found > most)
			best = &c->leg[i];
		most = found > most ? found : most;
	}
	*several = *several || (most > 0 && best == NULL);
	return best;
}

/* error(8), retry(8): the nexthop is the text, with or without a code. */
static const char *answer_of(struct slice transport, struct slice text)
{
	if (slice_case_eq(transport, SLICE("error")))
		return slice_starts(slice_trim(text), SLICE("5.1.6"))
			   ? "gone" : "reject";
	if (slice_case_eq(transport, SLICE("retry")) ||
	    slice_case_eq(transport, SLICE("defer")))
		return "defer";
	return NULL;
}

/* Postfix 3.5 and later take a list of hosts. */
static const char *first_leg(const struct conf *c, struct slice hops,
    bool *several)
{
	struct slice one;

	while (map_next_target(&hops, &one)) {
		struct import_hop h = cut_hop(one);
		const struct conf_leg *leg = find_leg(c, &h, several);

		if (leg != NULL)
			return leg->name;
	}
	return NULL;
}

/* Why `value`, whose next hop is `hop`, stands for no route. */
static void no_leg(struct slice value, struct slice hop, bool several,
    struct error *err)
{
	error_set(err, slice_trim(hop).n == 0
	    ? "'%.*s' names no host, so it is the server that reads the map: "
	      "say by --route which route that is"
	    : several
	    ? "several legs have the host of '%.*s': write its port, or say "
	      "by --route which route that is"
	    : "no leg of the configuration has the host of '%.*s': name it in "
	      "the hosts of a leg, or say by --route which route that is",
	    (int)slice_head(value, 100).n, value.p);
}

const char *import_hop_route(const struct conf *c, struct slice value,
    struct error *err)
{
	long colon = slice_find(value, ':');
	bool several = false;
	struct slice hop;
	const char *route;

	if (colon < 0) {
		error_set(err, "'%.*s' is no next hop: one is written "
		    "transport:nexthop, such as smtp:[mail.example.com]",
		    (int)slice_head(value, 100).n, value.p);
		return NULL;
	}
	hop = slice_from(value, (size_t)colon + 1);
	route = answer_of(slice_head(value, (size_t)colon), hop);
	if (route == NULL)
		route = first_leg(c, hop, &several);
	if (route != NULL)
		return route;
	no_leg(value, hop, several, err);
	return "";
}
