/* SPDX-License-Identifier: ISC
 *
 * PROXY headers: the two versions, and what must not pass for one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/attr.h"
#include "relay/base/mem.h"
#include "relay/net/proxyhdr.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define IP4 "\300\0\2\1" "\300\0\2\2" "\1\2" "\0\31"
#define IP6 "\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1" \
	"\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\2" "\1\2" "\0\31"
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\377\377\300\0\2\1" \
	"\0\0\0\0\0\0\0\0\0\0\377\377\300\0\2\2" "\1\2" "\0\31"

#define BAD(why) NULL, NULL, why

/* clang-format off */
static const struct {
	const char *title;
	struct slice in;
	const char *client, *server; /* "" : local; NULL: refused, `why` */
	const char *why;
} headers[] = {
	{ "v1 TCP4",      SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 258 25\r\n"),
	  "192.0.2.1:258", "192.0.2.2:25", NULL },
	{ "v1 TCP6",      SLICE("PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n"),
	  "[2001:db8::1]:65535", "[2001:db8::2]:0", NULL },
	{ "v1 longest",   SLICE("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", NULL },
	{ "v1 mapped",    SLICE("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"),
	  "192.0.2.1:1", "[::1]:2", NULL },
	{ "v1 UNKNOWN",   SLICE("PROXY UNKNOWN\r\n"), "", "", NULL },
	{ "v1 UNKNOWN, longest", SLICE("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"), "", "", NULL },
	{ "v2 TCP4",      SLICE(SIG "\x21\x11\0\14" IP4), "192.0.2.1:258", "192.0.2.2:25", NULL },
	{ "v2 TCP6",      SLICE(SIG "\x21\x21\0\44" IP6),
	  "[2001:db8::1]:258", "[2001:db8::2]:25", NULL },
	{ "v2 mapped",    SLICE(SIG "\x21\x21\0\44" MAPPED),
	  "192.0.2.1:258", "192.0.2.2:25", NULL },
	{ "v2 TLVs",      SLICE(SIG "\x21\x11\0\23" IP4 "\1\0\1x" "\4\0\0"),
	  "192.0.2.1:258", "192.0.2.2:25", NULL },
	{ "v2 LOCAL",     SLICE(SIG "\x20\0\0\0"), "", "", NULL },
	{ "v2 LOCAL with a body", SLICE(SIG "\x20\x11\0\4junk"), "", "", NULL },
	{ "v2 UNSPEC",    SLICE(SIG "\x21\0\0\0"), "", "", NULL },

	{ "a command",    SLICE("EHLO x\r\n"), BAD("no PROXY header") },
	{ "a TLS hello",  SLICE("\x16\3\1\0\xa5"), BAD("no PROXY header") },
	{ "lower case",   SLICE("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), BAD("no PROXY header") },
	{ "v1 bare LF",   SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"), BAD("bare LF") },
	{ "v1 LF inside", SLICE("PROXY TCP4 192.0.2.1\n192.0.2.2 1 2\r\n"), BAD("bare LF") },
	{ "v1 bare CR",   SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rx"), BAD("bare CR") },
	{ "v1 two spaces", SLICE("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n"),
	  BAD("not five words") },
	{ "v1 four words", SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), BAD("not five words") },
	{ "v1 six words", SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"),
	  BAD("not five words") },
	{ "v1 trailing space", SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"),
	  BAD("not five words") },
	{ "v1 nothing",   SLICE("PROXY \r\n"), BAD("not five words") },
	{ "v1 UNKNOWNS",  SLICE("PROXY UNKNOWNS\r\n"), BAD("not five words") },
	{ "v1 UDP",       SLICE("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"),
	  BAD("unknown protocol") },
	{ "v1 family lie", SLICE("PROXY TCP4 2001:db8::1 ::1 1 2\r\n"),
	  BAD("not an address and a port") },
	{ "v1 family lie 6", SLICE("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"),
	  BAD("not an address and a port") },
	{ "v1 octal",     SLICE("PROXY TCP4 010.0.0.1 192.0.2.2 1 2\r\n"),
	  BAD("not an address and a port") },
	{ "v1 NUL",       SLICE("PROXY TCP4 10.0.0.1\0.9 192.0.2.2 1 2\r\n"),
	  BAD("not an address and a port") },
	{ "v1 port",      SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n"),
	  BAD("not an address and a port") },
	{ "v1 port sign", SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n"),
	  BAD("not an address and a port") },
	{ "v1 port zero", SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"),
	  BAD("not an address and a port") },
	{ "v1 too long",  SLICE("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 655351\r\n"), BAD("line too long") },
	{ "v2 version 1", SLICE(SIG "\x11\x11\0\14" IP4), BAD("unknown version or command") },
	{ "v2 command 2", SLICE(SIG "\x22\x11\0\14" IP4), BAD("unknown version or command") },
	{ "v2 UDP",       SLICE(SIG "\x21\x12\0\14" IP4),
	  BAD("neither TCP over IPv4 nor over IPv6") },
	{ "v2 AF_UNIX",   SLICE(SIG "\x21\x31\0\0"), BAD("neither TCP over IPv4 nor over IPv6") },
	{ "v2 family 4",  SLICE(SIG "\x21\x41\0\14" IP4),
	  BAD("neither TCP over IPv4 nor over IPv6") },
	{ "v2 length 0",  SLICE(SIG "\x21\x11\0\0"), BAD("shorter than its addresses") },
	{ "v2 length 11", SLICE(SIG "\x21\x11\0\13" IP4), BAD("shorter than its addresses") },
	{ "v2 TCP6 with v4 length", SLICE(SIG "\x21\x21\0\14" IP4),
	  BAD("shorter than its addresses") },
	{ "v2 length 65535", SLICE(SIG "\x21\x11\377\377"), BAD("header too long") },
	{ "v2 length 2049", SLICE(SIG "\x21\x11\10\1"), BAD("header too long") },
	{ "v2 TLV cut",   SLICE(SIG "\x21\x11\0\16" IP4 "\1\0"), BAD("a TLV does not fit") },
	{ "v2 TLV lie",   SLICE(SIG "\x21\x11\0\20" IP4 "\1\0\2x"), BAD("a TLV does not fit") },
	{ "v2 TLV 65535", SLICE(SIG "\x21\x11\0\20" IP4 "\1\377\377x"), BAD("a TLV does not fit") },
};
/* clang-format on */

static void check(size_t i, const struct proxy_header *h)
{
	char client[NETADDR_TEXT], server[NETADDR_TEXT];

	assert_int_equal(proxy_names_client(h->kind),
	    headers[i].client[0] != '\0');
	/* The title begins with the version, or ends with the reason. */
	assert_non_null(strcasestr(headers[i].title, h->kind == PROXY_UNKNOWN &&
		headers[i].in.p[0] == '\r' ? "UNSPEC" :
		proxy_kind_text(h->kind)));
	if (!proxy_names_client(h->kind))
		return;
	netaddr_text(&h->client, client);
	netaddr_text(&h->server, server);
	assert_string_equal(client, headers[i].client);
	assert_string_equal(server, headers[i].server);
}

static void headers_are_read_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		const char *why = NULL;
		struct proxy_header h;
		size_t taken;
		enum proxy_state got =
		    proxy_parse(headers[i].in, &h, &taken, &why);

		print_message("%s\n", headers[i].title);
		if (headers[i].client == NULL) {
			assert_int_equal(got, PROXY_BAD);
			assert_string_equal(why, headers[i].why);
			continue;
		}
		assert_int_equal(got, PROXY_DONE);
		assert_int_equal(taken, headers[i].in.n);
		check(i, &h);
	}
}

/* The bytes stand alone in memory, so that a read past them is found. */
static void a_header_that_comes_byte_by_byte_is_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		enum proxy_state got = PROXY_MORE;
		struct slice in = headers[i].in;
		struct proxy_header h;
		const char *why;
		size_t n, taken;

		print_message("%s\n", headers[i].title);
		for (n = 0; n <= in.n && got == PROXY_MORE; n++) {
			char *part = mem_dup(in.p, n);

			got = proxy_parse(slice_of(part, n), &h, &taken, &why);
			mem_free(part);
		}
		if (headers[i].client == NULL) {
			assert_int_equal(got, PROXY_BAD);
			continue;
		}
		assert_int_equal(got, PROXY_DONE);
		assert_int_equal(n - 1, in.n);
		check(i, &h);
	}
}

/* clang-format off */
static const struct slice followed[] = {
	SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 258 25\r\nPROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n"),
	SLICE("PROXY UNKNOWN\r\n\r\n"),
	SLICE(SIG "\x21\x11\0\14" IP4 SIG "\x21\x11\0\14" IP4),
	SLICE(SIG "\x20\0\0\0" "EHLO x\r\n"),
};
/* clang-format on */

static void a_header_ends_where_it_says(void **state)
{
	static const size_t want[] = {39, 15, 28, 16};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(followed); i++) {
		struct proxy_header h;
		const char *why;
		size_t taken;

		assert_int_equal(
		    proxy_parse(followed[i], &h, &taken, &why), PROXY_DONE);
		assert_int_equal(taken, want[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_read_or_refused),
		cmocka_unit_test(a_header_that_comes_byte_by_byte_is_the_same),
		cmocka_unit_test(a_header_ends_where_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
