/* SPDX-License-Identifier: ISC
 *
 * Service extensions, read and said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/mail/ehlo.h"

/* clang-format off */
static const struct {
	const char *text; unsigned ext; uint64_t size; int rcpt, mail;
} peers[] = {
	{ "",                             0, 0, 0, 0 },
	{ "SIZE",                         0, 0, 0, 0 }, /* a host's name */
	{ "h\nPIPELINING\nDSN",           EXT_PIPELINING | EXT_DSN, 0, 0, 0 },
	{ "h\nsize 100\n8bitmime",        EXT_SIZE | EXT_8BITMIME, 100, 0, 0 },
	{ "h\nSIZE",                      EXT_SIZE, 0, 0, 0 },
	{ "h\nSIZE -5",                   EXT_SIZE, 0, 0, 0 },
	{ "h\nSIZE 99999999999999999999", EXT_SIZE, 0, 0, 0 },
	{ "h\nSIZEX 5\nX-EXPS GSSAPI",    0, 0, 0, 0 },
	{ "h\nAUTH=LOGIN\nAUTH PLAIN",    EXT_AUTH, 0, 0, 0 },
	{ "h\nENHANCEDSTATUSCODES\nCHUNKING\nBINARYMIME\nSMTPUTF8\nSTARTTLS ",
	  EXT_ENHANCED | EXT_CHUNKING | EXT_BINARYMIME | EXT_SMTPUTF8 |
	  EXT_STARTTLS, 0, 0, 0 },
	{ "h\nLIMITS RCPTMAX=20 X=1 MAILMAX=5", EXT_LIMITS, 0, 20, 5 },
	{ "h\nLIMITS RCPTMAX=-1 MAILMAX=99999999999 RCPTMAX",
	  EXT_LIMITS, 0, 0, 0 },
	{ "h\n\n\n DSN",                  EXT_DSN, 0, 0, 0 },
};

static const struct { const char *text; unsigned ext, auth; } logins[] = {
	{ "h\nAUTH=LOGIN\nAUTH PLAIN",    EXT_AUTH, AUTH_PLAIN | AUTH_LOGIN },
	{ "h\nAUTH NTLM login XOAUTH2",   EXT_AUTH, AUTH_LOGIN },
	{ "h\nAUTH PLAINER CRAM-MD5",     EXT_AUTH, 0 },
	{ "h\nAUTH",                      EXT_AUTH, 0 },
	{ "h\nXAUTH PLAIN",               0,        0 },
};
/* clang-format on */

static void attributes_of_xclient_are_read(void **state)
{
	static const struct { const char *text; unsigned ext, xclient; } t[] = {
	    {"h\nXCLIENT NAME ADDR PROTO HELO LOGIN", EXT_XCLIENT,
		XCLIENT_NAME | XCLIENT_ADDR | XCLIENT_PROTO | XCLIENT_HELO},
	    {"h\nxclient addr", EXT_XCLIENT, XCLIENT_ADDR},
	    {"h\nXCLIENT ADDRESS NAMES", EXT_XCLIENT, 0},
	    {"h\nXCLIENT", EXT_XCLIENT, 0},
	    {"h\nXCLIENTS ADDR", 0, 0},
	};
	struct ehlo e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		print_message("case %zu: %s\n", i, t[i].text);
		ehlo_parse(slice_str(t[i].text), &e);
		assert_int_equal(e.ext, t[i].ext);
		assert_int_equal(e.xclient, t[i].xclient);
	}
}

static void extensions_of_a_peer_are_read(void **state)
{
	struct ehlo e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
		print_message("case %zu: %s\n", i, peers[i].text);
		ehlo_parse(slice_str(peers[i].text), &e);
		assert_int_equal(e.ext, peers[i].ext);
		assert_true(e.size == peers[i].size);
		assert_int_equal(e.limit_rcpt, peers[i].rcpt);
		assert_int_equal(e.limit_mail, peers[i].mail);
	}
}

static void mechanisms_of_a_login_are_read(void **state)
{
	struct ehlo e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(logins); i++) {
		print_message("case %zu: %s\n", i, logins[i].text);
		ehlo_parse(slice_str(logins[i].text), &e);
		assert_int_equal(e.ext, logins[i].ext);
		assert_int_equal(e.auth, logins[i].auth);
	}
}

static void domains_of_a_session_may_be_limited(void **state)
{
	struct ehlo e;

	(void)state;
	ehlo_parse(SLICE("h\nLIMITS RCPTMAX=20 rcptdomainmax=1"), &e);
	assert_int_equal(e.limit_domain, 1);
	assert_int_equal(e.limit_rcpt, 20);
	ehlo_parse(SLICE("h\nLIMITS RCPTDOMAINMAX=1,"), &e);
	assert_int_equal(e.limit_domain, 0);
}

static void what_is_printed_is_read_the_same(void **state)
{
	struct ehlo e = {.ext = (1 << 11) - 1, .size = 52428800,
		.limit_rcpt = 1000}, back;
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 1000);
	ehlo_print(&e, "relay.example.com", &out);
	assert_string_equal(strbuf_cstr(&out),
	    "relay.example.com\nPIPELINING\nSIZE 52428800\n8BITMIME\nSMTPUTF8\n"
	    "ENHANCEDSTATUSCODES\nDSN\nCHUNKING\nBINARYMIME\nSTARTTLS\n"
	    "LIMITS RCPTMAX=1000");
	ehlo_parse(strbuf_view(&out), &back);
	assert_int_equal(back.ext, e.ext & ~(unsigned)EXT_AUTH);
	assert_true(back.size == e.size);
	strbuf_reset(&out);
	e = (struct ehlo){.ext = EXT_SIZE | EXT_LIMITS | EXT_XCLIENT};
	ehlo_print(&e, "h", &out);
	assert_string_equal(strbuf_cstr(&out), "h\nSIZE");
	strbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extensions_of_a_peer_are_read),
		cmocka_unit_test(attributes_of_xclient_are_read),
		cmocka_unit_test(mechanisms_of_a_login_are_read),
		cmocka_unit_test(domains_of_a_session_may_be_limited),
		cmocka_unit_test(what_is_printed_is_read_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
