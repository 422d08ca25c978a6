/* SPDX-License-Identifier: ISC
 *
 * c-ares on a loop. Sockets are watched by ARES_OPT_SOCK_STATE_CB: ares_fds(3)
 * stops at FD_SETSIZE.
 */
#include "relay/net/dns_channel.h"

#include <arpa/inet.h>

#include "relay/base/mem.h"
#include "relay/net/dns_int.h"

enum { TRIES = 2, DNS_PORT = 53 };

struct watched_sock {
	struct list node;
	struct io io;
	struct dns_channel *channel;
};

void dns_channel_arm(struct dns_channel *c)
{
	struct timeval tv, *left = ares_timeout(c->ares, NULL, &tv);

	if (left == NULL)
		timer_del(&c->timer);
	else /* a little late, never early: early would spin */
		timer_set(&c->timer,
		    (int64_t)left->tv_sec * 1000 + left->tv_usec / 1000 + 1);
}

static void on_timer(void *arg)
{
	struct dns_channel *c = arg;

	ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	dns_channel_arm(c);
}

static void on_sock(void *arg, int what)
{
	struct watched_sock *s = arg;
	struct dns_channel *c = s->channel; /* s may be gone after the call */
	int fd = s->io.fd;

	ares_process_fd(c->ares, what & IO_READ ? fd : ARES_SOCKET_BAD,
	    what & IO_WRITE ? fd : ARES_SOCKET_BAD);
	dns_channel_arm(c);
}

static struct watched_sock *sock_find(struct dns_channel *c, int fd)
{
	list_each(n, &c->socks) {
		struct watched_sock *s =
		    LIST_ENTRY(n, struct watched_sock, node);

		if (s->io.fd == fd)
			return s;
	}
	return NULL;
}

static void sock_drop(struct watched_sock *s)
{
	list_remove(&s->node);
	io_fini(&s->io);
	mem_free(s);
}

static void on_sock_state(void *arg, ares_socket_t fd, int readable,
    int writable)
{
	struct dns_channel *c = arg;
	struct watched_sock *s = sock_find(c, fd);

	if (!readable && !writable) {
		if (s != NULL)
			sock_drop(s);
		return;
	}
	if (s == NULL) {
		s = NEW(struct watched_sock);
		s->channel = c;
		io_init(&s->io, c->loop, fd, on_sock, s);
		list_push_back(&c->socks, &s->node);
	}
	io_want(&s->io, (readable ? IO_READ : 0) | (writable ? IO_WRITE : 0));
}

static int set_servers(struct dns_channel *c, const struct conf *conf,
    struct error *err)
{
	struct strbuf list;
	int rc = ARES_SUCCESS;

	strbuf_init(&list, 64 * 1024);
	for (int i = 0; i < conf->resolver.servers; i++) {
		const struct conf_hostport *h = &conf->resolver.server[i];
		bool six = strchr(h->host, ':') != NULL;

		strbuf_addf(&list, six ? "%s[%s]:%d" : "%s%s:%d",
		    i > 0 ? "," : "", h->host, h->port);
	}
	if (conf->resolver.servers > 0)
		rc = ares_set_servers_ports_csv(c->ares, strbuf_cstr(&list));
	if (rc != ARES_SUCCESS)
		error_set(err, "resolver.servers: %s: %s", strbuf_cstr(&list),
		    ares_strerror(rc));
	strbuf_fini(&list);
	return rc == ARES_SUCCESS ? 0 : -1;
}

/* The first server of each round waits this long, and the second round twice
 * as long, so that a question takes resolver.timeout in all. */
static int try_ms(struct dns_channel *c, const struct conf *conf)
{
	struct ares_addr_port_node *servers = NULL, *s;
	int64_t count = 0, ms;

	if (ares_get_servers_ports(c->ares, &servers) == ARES_SUCCESS) {
		for (s = servers; s != NULL; s = s->next)
			count++;
		ares_free_data(servers);
	}
	ms = conf->resolver.timeout_ms / (3 * (count > 0 ? count : 1));
	return ms < 10 ? 10 : ms > 60000 ? 60000 : (int)ms;
}

/* Without NOCHECKRESP in `flags` a server that refuses or fails is passed over
 * and the next one is asked at once. */
static int open_channel(struct dns_channel *c, int flags, int timeout_ms,
    struct error *err)
{
	char lookups[] = "b";
	struct ares_options o = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
			 ARES_FLAG_EDNS | flags,
		.timeout = timeout_ms,
		.tries = TRIES,
		.lookups = lookups,
		.ednspsz = DNS_EDNS_BYTES,
		.sock_state_cb = on_sock_state,
		.sock_state_cb_data = c,
	};
	int rc = ares_init_options(&c->ares, &o,
	    ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
		ARES_OPT_LOOKUPS | ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB);

	if (rc == ARES_SUCCESS)
		return 0;
	c->ares = NULL;
	return error_set(err, "resolver: %s", ares_strerror(rc));
}

/* How many servers there are decides how long one may take, and only a channel
 * can say; so it is opened twice. */
int dns_channel_open(struct dns_channel *c, const struct conf *conf,
    struct error *err)
{
	int timeout_ms;

	if (open_channel(c, 0, 1000, err) < 0 || set_servers(c, conf, err) < 0)
		return -1;
	timeout_ms = try_ms(c, conf);
	ares_destroy(c->ares);
	if (open_channel(c, 0, timeout_ms, err) < 0)
		return -1;
	return set_servers(c, conf, err);
}

int dns_channel_open_at(struct dns_channel *c, const struct dns_channel_at *at,
    struct error *err)
{
	char text[NETADDR_TEXT];

	netaddr_text(&at->server, text);
	if (open_channel(c, ARES_FLAG_NOCHECKRESP |
		(at->recurse ? 0 : ARES_FLAG_NORECURSE),
		at->timeout_ms / (1 + TRIES), err) < 0)
		return -1;
	if (ares_set_servers_ports_csv(c->ares, text) == ARES_SUCCESS)
		return 0;
	return error_set(err, "%s is no address of a DNS server", text);
}

size_t dns_channel_servers(struct dns_channel *c, struct netaddr *out,
    size_t max)
{
	struct ares_addr_port_node *servers = NULL;
	size_t n = 0;

	if (ares_get_servers_ports(c->ares, &servers) != ARES_SUCCESS)
		return 0;
	for (struct ares_addr_port_node *s = servers; s != NULL && n < max;
	     s = s->next) {
		int port = s->udp_port == 0 ? DNS_PORT : s->udp_port;
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
		    .sin6_port = htons((uint16_t)port)};
		struct sockaddr_in in = {.sin_family = AF_INET,
		    .sin_port = htons((uint16_t)port)};

		memcpy(&in6.sin6_addr, &s->addr, sizeof(in6.sin6_addr));
		memcpy(&in.sin_addr, &s->addr, sizeof(in.sin_addr));
		netaddr_from(&out[n++], s->family == AF_INET6
			? (const struct sockaddr *)&in6
			: (const struct sockaddr *)&in);
	}
	ares_free_data(servers);
	return n;
}

void dns_channel_init(struct dns_channel *c, struct loop *l)
{
	c->loop = l;
	c->ares = NULL;
	timer_init(&c->timer, l, on_timer, c);
	list_init(&c->socks);
}

void dns_channel_fini(struct dns_channel *c)
{
	if (c->ares != NULL)
		ares_destroy(c->ares);
	while (!list_empty(&c->socks))
		sock_drop(
		    LIST_ENTRY(c->socks.next, struct watched_sock, node));
	timer_fini(&c->timer);
}
