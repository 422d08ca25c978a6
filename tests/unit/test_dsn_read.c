/* SPDX-License-Identifier: ISC
 *
 * Reports of others: what real servers write, what none should, and our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/mail/dsn.h"
#include "relay/mail/dsn_read.h"

#define TOP "From: MAILER-DAEMON\r\nMIME-Version: 1.0\r\n"
#define TYPE TOP "Content-Type: multipart/report; report-type=" \
	"delivery-status;\r\n\tboundary=\"b/1.2\"\r\n\r\npreamble\r\n"
#define TEXT "--b/1.2\r\nContent-Type: text/plain\r\n\r\nAction: delayed\r\n"
#define PART "\r\n--b/1.2\r\nContent-Description: x\r\n" \
	"Content-Type: message/delivery-status\r\n\r\n"
#define MTA "Reporting-MTA: dns; mx.example\r\nStatus: 4.4.4\r\n\r\n"
#define END "\r\n--b/1.2--\r\n"

/* clang-format off */
static const struct {
	const char *what, *text;
	bool report;
	const char *action, *status, *address;
} cases[] = {
	{ "a failure", TYPE TEXT PART MTA
	  "Final-Recipient: rfc822; ann@x.example\r\n"
	  "Original-Recipient: rfc822;Ann@Example.com\r\n"
	  "Action: failed\r\nStatus: 5.1.1\r\n"
	  "Diagnostic-Code: smtp; 550 5.1.1 no\r\n" END,
	  true, "failed", "5.1.1", "Ann@Example.com" },
	{ "the first of two", TYPE PART MTA
	  "Final-Recipient: rfc822; a@x\r\naction: FAILED (really)\r\n"
	  "Status: 5.2.2 (full)\r\n\r\n"
	  "Final-Recipient: rfc822; b@x\r\nAction: relayed\r\n" END,
	  true, "failed", "5.2.2", "a@x" },
	{ "folded", TYPE PART MTA
	  "Final-Recipient:\r\n rfc822;\r\n a@x\r\nAction:\r\n\tdelayed\r\n" END,
	  true, "delayed", "", "a@x" },
	{ "in UTF-8", TOP "Content-Type: multipart/report; boundary=g\r\n\r\n"
	  "--g\r\nContent-Type: message/global-delivery-status\r\n\r\n" MTA
	  "Final-Recipient: utf-8; j\xc3\xbcrgen@x\r\nAction: failed\r\n"
	  "Status: 5.1.1\r\n--g--\r\n",
	  true, "failed", "5.1.1", "j\xc3\xbcrgen@x" },
	{ "bare line ends", TOP
	  "Content-Type: multipart/report; boundary=g\n\n--g\n"
	  "Content-Type: message/delivery-status\n\nReporting-MTA: a\n\n"
	  "Action: failed\nStatus: 5.0.0\n--g--\n",
	  true, "failed", "5.0.0", "" },
	{ "cut off", TYPE PART MTA "Action: failed\r\nStat",
	  true, "failed", "", "" },
	{ "no recipient", TYPE PART "Reporting-MTA: dns; x\r\n" END,
	  true, "", "", "" },
	{ "words of its own", TYPE PART MTA
	  "Action: exploded\r\nStatus: bad\r\nFinal-Recipient: a\r\n" END,
	  true, "", "", "a" },
	{ "no such part", TYPE TEXT END, false, "", "", "" },
	{ "no boundary", TOP "Content-Type: multipart/report\r\n\r\n" PART
	  MTA "Action: failed\r\n" END, false, "", "", "" },
	{ "an answer of a person", TOP "\r\nI am away.\r\nAction: failed\r\n",
	  false, "", "", "" },
	{ "another multipart", TOP
	  "Content-Type: multipart/mixed; boundary=\"b/1.2\"\r\n\r\n" PART
	  MTA "Action: failed\r\n" END, false, "", "", "" },
	{ "nothing", "", false, "", "", "" },
};
/* clang-format on */

static void reports_of_others_are_understood(void **state)
{
	struct dsn_said said;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].what);
		assert_int_equal(dsn_read(slice_str(cases[i].text), &said),
		    cases[i].report);
		assert_string_equal(said.action, cases[i].action);
		assert_string_equal(said.status, cases[i].status);
		assert_string_equal(said.address, cases[i].address);
	}
}

static void what_is_hostile_stays_in_its_bounds(void **state)
{
	static char text[4000] = TYPE PART MTA;
	struct dsn_said said;
	size_t n = strlen(text);

	(void)state;
	n += (size_t)snprintf(text + n, sizeof(text) - n,
	    "Final-Recipient: rfc822; \x01\x02");
	memset(text + n, 'a', 900);
	n += 900;
	snprintf(text + n, sizeof(text) - n, "\r\nStatus: "
	    "5.111111111111111111111111.1\r\nAction: failedfailed\r\n");
	assert_true(dsn_read(slice_str(text), &said));
	assert_int_equal(strlen(said.address), DSN_ADDRESS - 1);
	assert_true(said.address[0] == '?');
	assert_true(strlen(said.status) < DSN_STATUS);
	assert_string_equal(said.action, "failed");
}

static void our_own_is_read_back(void **state)
{
	struct dsn_recipient r = {.original = "ann@corp.example",
	    .orcpt = "rfc822;Ann+2BX@corp.example", .action = DSN_FAILED,
	    .status = "5.1.1", .diagnostic = "550 no", .remote = ""};
	struct dsn d = {.hostname = "relay.example.com", .id = "0DSN",
	    .about = "0ABOUT", .to = "b@x", .envid = "", .rcpt = &r,
	    .rcpts = 1, .boundary = "=_b0", .header = SLICE("A: b\r\n")};
	struct dsn_said said;
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 100000);
	for (int utf8 = 0; utf8 < 2; utf8++) {
		strbuf_reset(&out);
		d.utf8 = utf8 != 0;
		dsn_print(&d, &out);
		assert_true(dsn_read(strbuf_view(&out), &said));
		assert_string_equal(said.action, "failed");
		assert_string_equal(said.status, "5.1.1");
		assert_string_equal(said.address, "Ann+X@corp.example");
	}
	strbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_of_others_are_understood),
		cmocka_unit_test(what_is_hostile_stays_in_its_bounds),
		cmocka_unit_test(our_own_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
