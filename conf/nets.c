/* SPDX-License-Identifier: ISC
 *
 * Networks: read, compare. Trust by address is decided here, so there is one
 * form: IPv4 inside IPv6 is IPv4, "010.0.0.1" is nothing, and bits beyond the
 * prefix are an error, not a guess. Pure; any thread.
 */
#include "conf/conf.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum { MAPPED_BITS = 96 };

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
    0xff};

/* The first `bits` bits of both are the same. */
static bool same_bits(const unsigned char *a, const unsigned char *b, int bits)
{
	int bytes = bits / 8, rest = bits % 8;

	if (memcmp(a, b, (size_t)bytes) != 0)
		return false;
	return rest == 0 || ((a[bytes] ^ b[bytes]) >> (8 - rest)) == 0;
}

static void unmap(struct conf_net *n)
{
	if (n->family != AF_INET6 || n->bits < MAPPED_BITS ||
	    memcmp(n->addr, mapped, sizeof(mapped)) != 0)
		return;
	n->family = AF_INET;
	n->bits -= MAPPED_BITS;
	memmove(n->addr, n->addr + sizeof(mapped), 4);
	memset(n->addr + 4, 0, 12);
}

static bool parse_address(struct slice s, struct conf_net *n)
{
	char text[INET6_ADDRSTRLEN];

	*n = (struct conf_net){0};
	if (s.n == 0 || s.n >= sizeof(text) || slice_find(s, '\0') >= 0)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	n->family = slice_find(s, ':') >= 0 ? AF_INET6 : AF_INET;
	n->bits = n->family == AF_INET6 ? 128 : 32;
	return inet_pton(n->family, text, n->addr) == 1;
}

int conf_net_parse(struct slice s, struct conf_net *net_out,
    const char **why_out)
{
	static const unsigned char zero[16];
	unsigned char host[16];
	long slash = slice_find(s, '/');
	uint64_t bits;
	int max;

	if (!parse_address(slash < 0 ? s : slice_head(s, (size_t)slash),
		net_out)) {
		*why_out = "is not an address or a network";
		return -1;
	}
	max = net_out->bits;
	if (slash >= 0) {
		if (!slice_uint(slice_from(s, (size_t)slash + 1),
			(uint64_t)max, &bits)) {
			*why_out = max == 32 ?
			    "has a prefix length that is not 0 to 32" :
			    "has a prefix length that is not 0 to 128";
			return -1;
		}
		net_out->bits = (int)bits;
	}
	memcpy(host, net_out->addr, sizeof(host));
	for (int i = 0; i < net_out->bits; i++)
		host[i / 8] &= (unsigned char)~(0x80 >> (i % 8));
	if (memcmp(host, zero, sizeof(host)) != 0) {
		*why_out = "has bits set beyond its prefix length";
		return -1;
	}
	unmap(net_out);
	return 0;
}

static bool net_of(const struct sockaddr *sa, struct conf_net *n)
{
	*n = (struct conf_net){.family = sa->sa_family};
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		memcpy(n->addr, &in->sin_addr, 4);
		n->bits = 32;
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		memcpy(n->addr, &in6->sin6_addr, 16);
		n->bits = 128;
		unmap(n);
		return true;
	}
	return false;
}

bool conf_nets_have(const struct conf_nets *n, const struct sockaddr *sa)
{
	struct conf_net a;

	if (!net_of(sa, &a))
		return false;
	for (int i = 0; i < n->count; i++)
		if (n->net[i].family == a.family &&
		    same_bits(n->net[i].addr, a.addr, n->net[i].bits))
			return true;
	return false;
}

bool conf_nets_overlap(const struct conf_nets *a, const struct conf_nets *b)
{
	for (int i = 0; i < a->count; i++)
		for (int j = 0; j < b->count; j++) {
			const struct conf_net *x = &a->net[i], *y = &b->net[j];
			int bits = x->bits < y->bits ? x->bits : y->bits;

			if (x->family == y->family &&
			    same_bits(x->addr, y->addr, bits))
				return true;
		}
	return false;
}

const struct conf_nets *conf_private(void)
{
	static struct conf_net net[] = {
		{AF_INET, {10}, 8},
		{AF_INET, {172, 16}, 12},
		{AF_INET, {192, 168}, 16},
		{AF_INET, {169, 254}, 16},
		{AF_INET6, {0xfc}, 7},
		{AF_INET6, {0xfe, 0x80}, 10},
	};
	static const struct conf_nets nets = {net, ARRAY_LEN(net)};

	return &nets;
}
