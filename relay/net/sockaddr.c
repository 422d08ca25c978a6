/* SPDX-License-Identifier: ISC
 *
 * Socket addresses as values and as text.
 */
#include "relay/net/sockaddr.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "relay/base/hash.h"

static void set_v4(struct netaddr *a, const void *ip, in_port_t port)
{
	*a = (struct netaddr){.len = sizeof(a->in)};
	a->in.sin_family = AF_INET;
	a->in.sin_port = port;
	memcpy(&a->in.sin_addr, ip, sizeof(a->in.sin_addr));
}

static void set_v6(struct netaddr *a, const struct sockaddr_in6 *sin6)
{
	if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
		set_v4(a, sin6->sin6_addr.s6_addr + 12, sin6->sin6_port);
		return;
	}
	*a = (struct netaddr){.len = sizeof(a->in6)};
	a->in6 = *sin6;
}

void netaddr_from(struct netaddr *a, const struct sockaddr *sa)
{
	const void *p = sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (sa->sa_family == AF_INET) {
		memcpy(&in, p, sizeof(in));
		set_v4(a, &in.sin_addr, in.sin_port);
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&in6, p, sizeof(in6));
		set_v6(a, &in6);
	} else {
		*a = (struct netaddr){.len = 0};
	}
}

int netaddr_parse(struct netaddr *a, struct slice ip, int port)
{
	char text[INET6_ADDRSTRLEN];
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct in_addr in;

	/* A NUL would hide what stands behind it from inet_pton(). */
	if (ip.n == 0 || ip.n >= sizeof(text) ||
	    memchr(ip.p, '\0', ip.n) != NULL || port < 0 || port > 65535)
		return -1;
	memcpy(text, ip.p, ip.n);
	text[ip.n] = '\0';
	if (inet_pton(AF_INET, text, &in) == 1) {
		set_v4(a, &in, htons((in_port_t)port));
		return 0;
	}
	if (inet_pton(AF_INET6, text, &in6.sin6_addr) != 1)
		return -1;
	in6.sin6_port = htons((in_port_t)port);
	set_v6(a, &in6);
	return 0;
}

void netaddr_ip(const struct netaddr *a, char out[NETADDR_TEXT])
{
	if (a->sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &a->in.sin_addr, out, NETADDR_TEXT);
	else if (a->sa.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &a->in6.sin6_addr, out, NETADDR_TEXT);
	else
		snprintf(out, NETADDR_TEXT, "unknown");
}

void netaddr_text(const struct netaddr *a, char out[NETADDR_TEXT])
{
	char ip[INET6_ADDRSTRLEN];

	if (a->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->in.sin_addr, ip, sizeof(ip));
		snprintf(out, NETADDR_TEXT, "%s:%d", ip, netaddr_port(a));
	} else if (a->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->in6.sin6_addr, ip, sizeof(ip));
		snprintf(out, NETADDR_TEXT, "[%s]:%d", ip, netaddr_port(a));
	} else {
		snprintf(out, NETADDR_TEXT, "unknown");
	}
}

int netaddr_port(const struct netaddr *a)
{
	if (a->sa.sa_family == AF_INET)
		return ntohs(a->in.sin_port);
	if (a->sa.sa_family == AF_INET6)
		return ntohs(a->in6.sin6_port);
	return 0;
}

bool netaddr_same_ip(const struct netaddr *a, const struct netaddr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	if (a->sa.sa_family == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(
		    &a->in6.sin6_addr, &b->in6.sin6_addr);
	return false;
}

uint64_t netaddr_client_key(const struct netaddr *a)
{
	unsigned char bytes[9] = {(unsigned char)a->sa.sa_family};

	if (a->sa.sa_family == AF_INET)
		memcpy(bytes + 1, &a->in.sin_addr, 4);
	else if (a->sa.sa_family == AF_INET6)
		memcpy(bytes + 1, &a->in6.sin6_addr, 8);
	return hash_bytes(bytes, sizeof(bytes));
}

static void from_system(struct netaddr *a, int fd,
    int (*ask)(int fd, struct sockaddr *sa, socklen_t *len))
{
	union {
		struct sockaddr sa;
		struct sockaddr_storage ss;
	} u = {.sa.sa_family = AF_UNSPEC};
	socklen_t len = sizeof(u);

	if (ask(fd, &u.sa, &len) < 0)
		u.sa.sa_family = AF_UNSPEC;
	netaddr_from(a, &u.sa);
}

static int ask_local(int fd, struct sockaddr *sa, socklen_t *len)
{
	return getsockname(fd, sa, len);
}

static int ask_peer(int fd, struct sockaddr *sa, socklen_t *len)
{
	return getpeername(fd, sa, len);
}

void netaddr_local(struct netaddr *a, int fd)
{
	from_system(a, fd, ask_local);
}

void netaddr_peer(struct netaddr *a, int fd)
{
	from_system(a, fd, ask_peer);
}
