/* SPDX-License-Identifier: ISC
 *
 * The PROXY protocol header (HAProxy's specification of 2020), versions 1
 * and 2.
 *
 * A peer that may send one is trusted to name the client, so a header that is
 * odd in any way is refused: what it would be read as is not what its sender
 * meant. Pure; called again from the start with what has come so far.
 */
#include "relay/net/proxyhdr.h"

#include <arpa/inet.h>

enum { V1_MAX = 107, V2_HEAD = 16 };

static const struct slice v1_start = {"PROXY ", 6};
static const struct slice v2_start = {"\r\n\r\n\0\r\nQUIT\n", 12};

static enum proxy_state bad(const char **why_out, const char *why)
{
	*why_out = why;
	return PROXY_BAD;
}

/* "TCP4 SOURCE DESTINATION PORT PORT", one space between. */
static bool v1_address(struct slice ip, struct slice port, bool six,
    struct netaddr *a)
{
	uint64_t number;

	if (!slice_uint(port, 65535, &number) ||
	    (port.n > 1 && port.p[0] == '0'))
		return false;
	/* ::ffff:192.0.2.1 is told as TCP6 and is v4 to us. */
	return (slice_find(ip, ':') >= 0) == six &&
	       netaddr_parse(a, ip, (int)number) == 0;
}

static enum proxy_state v1_line(struct slice line,
    struct proxy_header *header_out, const char **why_out)
{
	struct slice word[6];
	int words = 0;
	bool six;

	header_out->kind = PROXY_V1;
	line = slice_from(line, v1_start.n);
	if (slice_eq(slice_head(line, 7), SLICE("UNKNOWN")) &&
	    (line.n == 7 || line.p[7] == ' ')) {
		header_out->kind = PROXY_UNKNOWN;
		return PROXY_DONE;
	}
	while (words < 6 && slice_next(&line, ' ', &word[words]))
		words++;
	if (words != 5)
		return bad(why_out, "not five words");
	six = slice_eq(word[0], SLICE("TCP6"));
	if (!six && !slice_eq(word[0], SLICE("TCP4")))
		return bad(why_out, "unknown protocol");
	if (!v1_address(word[1], word[3], six, &header_out->client) ||
	    !v1_address(word[2], word[4], six, &header_out->server))
		return bad(why_out, "not an address and a port");
	return PROXY_DONE;
}

static enum proxy_state v1_parse(struct slice in,
    struct proxy_header *header_out, size_t *taken_out, const char **why_out)
{
	struct slice line = slice_head(in, V1_MAX);
	long cr = slice_find(line, '\r'), lf = slice_find(line, '\n');

	if (lf >= 0 && lf != cr + 1)
		return bad(why_out, "bare LF");
	if (cr >= 0 && lf < 0 && (size_t)cr + 1 < line.n)
		return bad(why_out, "bare CR");
	if (lf < 0)
		return in.n >= V1_MAX ? bad(why_out, "line too long")
				      : PROXY_MORE;
	*taken_out = (size_t)lf + 1;
	return v1_line(slice_head(line, (size_t)cr), header_out, why_out);
}

static unsigned read16(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (unsigned)u[0] << 8 | u[1];
}

/* Type, length, value; they must fill what is left to the byte. */
static bool tlvs_fit(struct slice rest)
{
	while (rest.n >= 3) {
		size_t n = 3 + (size_t)read16(rest.p + 1);

		if (n > rest.n)
			return false;
		rest = slice_from(rest, n);
	}
	return rest.n == 0;
}

static void v2_address(struct netaddr *a, int family, const char *ip,
    const char *port)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_in in = {.sin_family = AF_INET};

	if (family == AF_INET) {
		memcpy(&in.sin_addr, ip, 4);
		memcpy(&in.sin_port, port, 2);
		netaddr_from(a, (const struct sockaddr *)&in);
	} else {
		memcpy(&in6.sin6_addr, ip, 16);
		memcpy(&in6.sin6_port, port, 2);
		netaddr_from(a, (const struct sockaddr *)&in6);
	}
}

/* `family` is the byte of family and transport. Only TCP carries mail; a
 * UNIX socket has no address that a policy could judge. */
static enum proxy_state v2_proxied(unsigned family, struct slice body,
    struct proxy_header *h, const char **why_out)
{
	size_t ip = family == 0x11 ? 4 : 16, addresses = 2 * ip + 4;
	int af = family == 0x11 ? AF_INET : AF_INET6;

	if (family == 0x00) {
		h->kind = PROXY_UNKNOWN;
		return PROXY_DONE;
	}
	if (family != 0x11 && family != 0x21)
		return bad(why_out, "neither TCP over IPv4 nor over IPv6");
	if (body.n < addresses)
		return bad(why_out, "shorter than its addresses");
	if (!tlvs_fit(slice_from(body, addresses)))
		return bad(why_out, "a TLV does not fit");
	h->kind = PROXY_V2;
	v2_address(&h->client, af, body.p, body.p + 2 * ip);
	v2_address(&h->server, af, body.p + ip, body.p + 2 * ip + 2);
	return PROXY_DONE;
}

static enum proxy_state v2_parse(struct slice in, struct proxy_header *h,
    size_t *taken_out, const char **why_out)
{
	unsigned version, family;
	size_t n;

	if (in.n < V2_HEAD)
		return PROXY_MORE;
	version = (unsigned char)in.p[12];
	family = (unsigned char)in.p[13];
	n = read16(in.p + 14);
	if (version >> 4 != 2 || (version & 15) > 1)
		return bad(why_out, "unknown version or command");
	if (n > PROXY_MAX - V2_HEAD)
		return bad(why_out, "header too long");
	if (in.n < V2_HEAD + n)
		return PROXY_MORE;
	*taken_out = V2_HEAD + n;
	if ((version & 15) == 0) {
		h->kind = PROXY_LOCAL; /* the rest is skipped */
		return PROXY_DONE;
	}
	return v2_proxied(family, slice_of(in.p + V2_HEAD, n), h, why_out);
}

static bool may_become(struct slice in, struct slice start)
{
	return slice_starts(start, slice_head(in, start.n));
}

enum proxy_state proxy_parse(struct slice in, struct proxy_header *header_out,
    size_t *taken_out, const char **why_out)
{
	*header_out = (struct proxy_header){.kind = PROXY_NONE};
	*taken_out = 0;
	if (may_become(in, v1_start))
		return in.n < v1_start.n
		    ? PROXY_MORE
		    : v1_parse(in, header_out, taken_out, why_out);
	if (may_become(in, v2_start))
		return v2_parse(in, header_out, taken_out, why_out);
	return bad(why_out, "no PROXY header");
}

bool proxy_names_client(enum proxy_kind kind)
{
	return kind != PROXY_LOCAL && kind != PROXY_UNKNOWN;
}

const char *proxy_kind_text(enum proxy_kind kind)
{
	static const char *const texts[] = {
		[PROXY_NONE] = "", [PROXY_V1] = "v1", [PROXY_V2] = "v2",
		[PROXY_LOCAL] = "local", [PROXY_UNKNOWN] = "unknown",
	};

	return texts[kind];
}
