/* SPDX-License-Identifier: ISC
 *
 * Delivery status notifications: the words for people, the fields for
 * programs, and bytes that every server takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/mail/dsn.h"
#include "relay/mail/header.h"

#define S(lit) {(lit), sizeof(lit) - 1}
#define HEADER "Received: from x\r\n\tby y\r\nSubject: Lunch\r\n on Friday\r\n"

static const struct dsn_recipient failed = {
	.original = "ann+news@corp.example",
	.orcpt = "rfc822;ann+2Bnews@corp.example",
	.action = DSN_FAILED,
	.status = "5.1.1",
	.diagnostic = "550 5.1.1 No such user here",
	.remote = "mail.legacy.example",
	.last_attempt_us = INT64_C(1795324400000000),
};

static const struct dsn_recipient delayed = {
	.original = "eve@corp.example",
	.orcpt = "",
	.action = DSN_DELAYED,
	.status = "4.4.1",
	.diagnostic = "",
	.remote = "",
};

static struct dsn sample(const struct dsn_recipient *rcpt, unsigned n)
{
	return (struct dsn){
		.hostname = "relay.example.com",
		.id = "0DSN",
		.about = "0ABOUT",
		.now_us = INT64_C(1795324500000000),
		.arrival_us = INT64_C(1795324337000123),
		.to = "bob@example.org",
		.envid = "q+2B1",
		.rcpt = rcpt,
		.rcpts = n,
		.header = SLICE(HEADER),
		.boundary = "=_b0undary",
	};
}

/* Prints, and checks what holds for every report: CRLF only, no long line,
 * no byte that may not be there. */
static const char *print(const struct dsn *d, struct strbuf *out)
{
	struct slice rest, line;

	strbuf_reset(out);
	dsn_print(d, out);
	assert_true(strbuf_ok(out));
	rest = strbuf_view(out);
	while (slice_next(&rest, '\n', &line)) {
		assert_true(line.n <= 999);
		if (rest.p != NULL)
			assert_int_equal(slice_find(line, '\r'),
			    (long)line.n - 1);
		else
			assert_int_equal(line.n, 0);
	}
	for (size_t i = 0; i < out->n; i++)
		assert_true(d->utf8 || dsn_brings_all(d) ||
			    (unsigned char)out->p[i] < 127);
	assert_true(slice_find(strbuf_view(out), '\0') < 0);
	return strbuf_cstr(out);
}

static void has(const char *text, const char *piece)
{
	if (strstr(text, piece) == NULL)
		print_message("missing: %s\nin:\n%s\n", piece, text);
	assert_non_null(strstr(text, piece));
}

static void has_not(const char *text, const char *piece)
{
	if (strstr(text, piece) != NULL)
		print_message("unwanted: %s\nin:\n%s\n", piece, text);
	assert_null(strstr(text, piece));
}

static void a_failure_has_three_parts(void **state)
{
	struct dsn d = sample(&failed, 1);
	struct strbuf out;
	const char *text;

	(void)state;
	strbuf_init(&out, 100000);
	text = print(&d, &out);
	has(text, "From: Mail Delivery System <postmaster@relay.example.com>"
		  "\r\nTo: <bob@example.org>\r\n"
		  "Subject: Your message could not be delivered\r\n");
	has(text, "\r\nMessage-ID: <0DSN@relay.example.com>\r\n");
	has(text, "\r\nAuto-Submitted: auto-replied\r\n");
	has(text, "\r\nContent-Type: multipart/report;"
		  " report-type=delivery-status;\r\n"
		  "\tboundary=\"=_b0undary\"\r\n");
	has(text, "\r\n\r\n--=_b0undary\r\n"
		  "Content-Type: text/plain; charset=us-ascii\r\n"
		  "Content-Transfer-Encoding: 7bit\r\n\r\nHello,\r\n");
	has(text, "\r\n--=_b0undary\r\n"
		  "Content-Type: message/delivery-status\r\n"
		  "Content-Transfer-Encoding: 7bit\r\n\r\n"
		  "Reporting-MTA: dns; relay.example.com\r\n"
		  "Original-Envelope-Id: q+1\r\n"
		  "Arrival-Date: Sun, 22 Nov 2026 05:12:17 +0000\r\n\r\n"
		  "Original-Recipient: rfc822; ann+news@corp.example\r\n"
		  "Final-Recipient: rfc822; ann+news@corp.example\r\n"
		  "Action: failed\r\nStatus: 5.1.1\r\n"
		  "Remote-MTA: dns; mail.legacy.example\r\n"
		  "Diagnostic-Code: smtp; 550 5.1.1 No such user here\r\n"
		  "Last-Attempt-Date: Sun, 22 Nov 2026 05:13:20 +0000\r\n");
	has(text, "\r\n--=_b0undary\r\n"
		  "Content-Type: text/rfc822-headers\r\n"
		  "Content-Transfer-Encoding: 7bit\r\n\r\n" HEADER
		  "\r\n--=_b0undary--\r\n");
	strbuf_fini(&out);
}

static void people_read_what_happened_and_what_to_do(void **state)
{
	struct dsn_recipient both[] = {failed, delayed};
	struct dsn d = sample(both, 2);
	struct strbuf out;
	const char *text;

	(void)state;
	strbuf_init(&out, 100000);
	text = print(&d, &out);
	has(text, "Received by us: Sun, 22 Nov 2026 05:12:17 +0000\r\n");
	has(text, "Subject: Lunch on Friday\r\n");
	has(text, "NOT delivered to the following addresses");
	has(text, "  ann+news@corp.example\r\n"
		  "    The address is not known there.\r\n"
		  "    Check the address for typing mistakes"
		  " and send it again.\r\n"
		  "    The answer was:\r\n"
		  "      550 5.1.1 No such user here\r\n");
	has(text, "not yet been delivered");
	has(text, "  eve@corp.example\r\n\r\nIf you need help");
	has(text, "postmaster@relay.example.com\r\n"
		  "and mention the number 0ABOUT.\r\n");
	has_not(text, "passed on for");
	strbuf_fini(&out);
}

static void a_status_is_explained_by_its_nearest_words(void **state)
{
	/* clang-format off */
	static const struct { const char *status, *words; } cases[] = {
		{ "5.1.1",   "not known there"      },
		{ "5.1.10",  "not known there"      },
		{ "5.1.2",   "after the @"          },
		{ "5.1.20",  "not known there"      },
		{ "5.2.2",   "mailbox is full"      },
		{ "5.4.7",   "all the time we tried" },
		{ "4.4.7",   "all the time we tried" },
		{ "5.4.6",   "in a circle"          },
		{ "5.4.4",   "could not be reached" },
		{ "5.7.26",  "refused the message by its rules" },
		{ "5.6.7",   "international"        },
		{ "5.0.0",   "did not accept"       },
		{ "5",       "did not accept"       },
		{ "",        "did not accept"       },
	};
	/* clang-format on */
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 100000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dsn_recipient r = failed;
		struct dsn d = sample(&r, 1);

		print_message("case %zu: %s\n", i, cases[i].status);
		r.status = cases[i].status;
		has(print(&d, &out), cases[i].words);
	}
	strbuf_fini(&out);
}

static void only_what_is_known_is_said(void **state)
{
	struct dsn_recipient r = delayed;
	struct dsn d = sample(&r, 1);
	struct strbuf out;
	const char *text;

	(void)state;
	strbuf_init(&out, 100000);
	text = print(&d, &out);
	has(text, "\r\nSubject: Your message is delayed\r\n");
	has_not(text, "Diagnostic-Code");
	has_not(text, "Remote-MTA");
	has_not(text, "Original-Recipient");
	has_not(text, "Last-Attempt-Date");
	r.action = DSN_RELAYED;
	has(print(&d, &out), "\r\nSubject: Your message was passed on\r\n");
	strbuf_fini(&out);
}

static void international_mail_gets_the_forms_of_rfc6533(void **state)
{
	struct dsn_recipient r = failed;
	struct dsn d = sample(&r, 1);
	struct strbuf out;
	const char *text;

	(void)state;
	strbuf_init(&out, 100000);
	r.original = "\xc3\xa9+a@corp.example";
	r.orcpt = "utf-8;\xc3\xa9@corp.example";
	d.header = SLICE("Subject: caf\xc3\xa9\r\n");
	d.utf8 = true;
	text = print(&d, &out);
	has(text, "\r\n\r\n--=_b0undary\r\n"
		  "Content-Type: text/plain; charset=utf-8\r\n"
		  "Content-Transfer-Encoding: 8bit\r\n\r\nHello,\r\n");
	has(text, "\r\nContent-Type: message/global-delivery-status\r\n");
	has(text, "\r\nContent-Type: message/global-headers\r\n"
		  "Content-Transfer-Encoding: 8bit\r\n\r\n"
		  "Subject: caf\xc3\xa9\r\n");
	has(text, "\r\nFinal-Recipient: utf-8; \xc3\xa9+a@corp.example\r\n");
	has(text, "\r\nOriginal-Recipient: utf-8; \xc3\xa9@corp.example\r\n");
	d.utf8 = false;
	text = print(&d, &out);
	has(text, "\r\nFinal-Recipient: utf-8; \\x{E9}\\x{2B}a@corp.example");
	has(text, "\r\nOriginal-Recipient: utf-8; \\x{E9}@corp.example\r\n");
	has(text, "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
		  "Subject: caf=C3=A9\r\n");
	strbuf_fini(&out);
}

static void an_address_of_numbers_fits_on_a_line(void **state)
{
	struct dsn_recipient r = failed;
	struct dsn d = sample(&r, 1);
	char to[ADDR_MAX + 1], orcpt[500] = "utf-8;";
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 100000);
	for (size_t i = 0; i + 3 <= sizeof(to); i += 2)
		memcpy(to + i, "\xd0\x96", 3);
	for (size_t i = strlen(orcpt); i + 3 < sizeof(orcpt); i += 2)
		memcpy(orcpt + i, "\xd0\x96", 3);
	r.original = to;
	r.orcpt = orcpt;
	has(print(&d, &out), "\r\nFinal-Recipient: utf-8; \\x{416}\\x{416}");
	strbuf_fini(&out);
}

static void hostile_text_stays_in_its_field(void **state)
{
	struct dsn_recipient r = failed;
	struct dsn d = sample(&r, 1);
	struct strbuf out;
	const char *text;

	(void)state;
	strbuf_init(&out, 100000);
	r.diagnostic = "550 a\r\n\r\n--=_b0undary\r\nEvil: x";
	r.remote = "x\r\nEvil: y";
	r.original = "a\r\nEvil: z@b";
	r.orcpt = "rfc822;a\r\nEvil: w";
	d.to = "b\r\nEvil: v";
	d.envid = "a+0D+0AEvil: u";
	text = print(&d, &out);
	has_not(text, "\nEvil");
	has_not(text, "Original-Envelope-Id");
	strbuf_fini(&out);
}

static void a_broken_header_is_made_safe_by_quoting(void **state)
{
	/* clang-format off */
	static const struct { struct slice header; const char *want; } cases[] = {
		{ S("A: b\nC: d\n"),     "\r\n\r\nA: b\r\nC: d\r\n"   },
		{ S("A: b\rc\r\n"),       "\r\n\r\nA: b=0Dc\r\n"       },
		{ S("A: b\0c\r\n"),       "\r\n\r\nA: b=00c\r\n"       },
		{ S("A: \xff= \r\n"),     "\r\n\r\nA: =FF=3D=20\r\n"   },
		{ S("A: b"),              "\r\n\r\nA: b\r\n"           },
		{ {NULL, 0},                "7bit\r\n\r\n\r\n--=_b0und"  },
	};
	/* clang-format on */
	struct dsn d = sample(&failed, 1);
	static char longest[3000];
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 100000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("case %zu\n", i);
		d.header = cases[i].header;
		has(print(&d, &out), cases[i].want);
		d.utf8 = true;
		print(&d, &out);
		d.utf8 = false;
	}
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "A: ", 3);
	memcpy(longest + sizeof(longest) - 2, "\r\n", 2);
	d.header = slice_of(longest, sizeof(longest));
	has(print(&d, &out), "quoted-printable\r\n\r\nA: aaa");
	strbuf_fini(&out);
}

static void an_envelope_id_is_decoded_whole(void **state)
{
	struct dsn d = sample(&failed, 1);
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 100000);
	d.envid = "QQ314159";
	has(print(&d, &out), "\r\nOriginal-Envelope-Id: QQ314159\r\n");
	d.envid = "";
	has_not(print(&d, &out), "Original-Envelope-Id");
	strbuf_fini(&out);
}

static void an_encoded_subject_is_not_shown_to_people(void **state)
{
	struct dsn d = sample(&failed, 1);
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 100000);
	d.header = SLICE("Subject: =?utf-8?Q?caf=C3=A9?=\r\n");
	has_not(print(&d, &out), "    Subject:");
	d.header = SLICE("X: y\r\n");
	has_not(print(&d, &out), "    Subject:");
	strbuf_fini(&out);
}

/* The part for programs (RFC 3464 2.3) and the part for people, of each kind
 * of news; and what only one of them has. */
static void each_action_has_its_words_and_fields(void **state)
{
	/* clang-format off */
	static const struct {
		enum dsn_action action;
		const char *name, *status, *subject, *words;
		bool until, reply;
	} cases[] = {
		{ DSN_FAILED, "failed", "5.1.1", "could not be delivered",
		  "was NOT delivered", false, true },
		{ DSN_DELAYED, "delayed", "4.4.1", "is delayed",
		  "has not yet been delivered", true, true },
		{ DSN_RELAYED, "relayed", "2.0.0", "was passed on",
		  "does\r\nnot confirm delivery", false, false },
		{ DSN_DELIVERED, "delivered", "2.0.0", "was delivered",
		  "put into the mailboxes", false, false },
	};
	/* clang-format on */
	struct strbuf out;
	char field[64];

	(void)state;
	strbuf_init(&out, 100000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dsn_recipient r = failed;
		struct dsn d = sample(&r, 1);
		const char *text;

		print_message("case %zu: %s\n", i, cases[i].name);
		r.action = cases[i].action;
		r.status = cases[i].status;
		r.retry_until_us = INT64_C(1795756337000000);
		text = print(&d, &out);
		has(text, cases[i].subject);
		has(text, cases[i].words);
		snprintf(field, sizeof(field), "\r\nAction: %s\r\nStatus: %s",
		    cases[i].name, cases[i].status);
		has(text, field);
		assert_int_equal(strstr(text, "\r\nWill-Retry-Until: Fri, "
		    "27 Nov 2026 05:12:17 +0000\r\n") != NULL,
		    cases[i].until);
		assert_int_equal(strstr(text, "keep trying until: Fri") != NULL,
		    cases[i].until);
		assert_int_equal(strstr(text, "The answer was") != NULL,
		    cases[i].reply);
		for (size_t k = 0; k < ARRAY_LEN(cases); k++)
			if (k != i)
				has_not(text, cases[k].words);
	}
	strbuf_fini(&out);
}

static unsigned count(const char *text, const char *piece)
{
	unsigned n = 0;

	for (; (text = strstr(text, piece)) != NULL; text++)
		n++;
	return n;
}

/* A thousand recipients are one report, that a person can still read. */
static void of_many_people_read_some_and_programs_all(void **state)
{
	enum { MANY = 1000, SHOWN = 20 };
	struct dsn_recipient *row = NEW_ARRAY(struct dsn_recipient, MANY);
	struct dsn d = sample(row, MANY);
	struct strbuf out;
	const char *text;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		row[i] = failed;
	strbuf_init(&out, 1 << 20);
	text = print(&d, &out);
	assert_int_equal(count(text, "Final-Recipient: "), MANY);
	assert_int_equal(count(text, "Diagnostic-Code: "), MANY);
	assert_int_equal(count(text, "    The answer was:"), SHOWN);
	has(text, "  and 980 more; the next part of this report names all");
	has_not(text, "Last-Attempt-Date");
	strbuf_fini(&out);
	mem_free(row);
}

static void d_whole_is_exact(struct strbuf *out)
{
	struct dsn d = sample(&failed, 1);

	d.whole = SLICE(HEADER "\r\nfirst\r\n.\r\n\r\nlast\r\n");
	has(print(&d, out), "\r\n\r\n" HEADER "\r\nfirst\r\n.\r\n\r\nlast"
			    "\r\n\r\n--=_b0undary--\r\n");
}

/* RFC 3461 6.2, RFC 6533 4: which third part, and in which encoding. */
static void the_whole_message_comes_back_where_it_can(void **state)
{
	/* clang-format off */
	static const struct {
		enum dsn_action action;
		const char *whole;
		bool utf8;
		const char *type, *encoding;
	} cases[] = {
		{ DSN_FAILED,  HEADER "\r\ntext\r\n", false,
		  "message/rfc822", "7bit" },
		{ DSN_FAILED,  HEADER "\r\nt\xe9xt\r\n", false,
		  "message/rfc822", "8bit" },
		{ DSN_FAILED,  HEADER "\r\nt\xe9xt\r\n", true,
		  "message/global", "8bit" },
		{ DSN_FAILED,  "", false, "text/rfc822-headers", "7bit" },
		{ DSN_FAILED,  "", true, "message/global-headers", "8bit" },
		{ DSN_FAILED,  HEADER "\r\nbare\nline\r\n", false,
		  "text/rfc822-headers", "7bit" },
		{ DSN_FAILED,  HEADER "\r\nno end of line", false,
		  "text/rfc822-headers", "7bit" },
		{ DSN_DELAYED, HEADER "\r\ntext\r\n", false,
		  "text/rfc822-headers", "7bit" },
		{ DSN_RELAYED, HEADER "\r\ntext\r\n", false,
		  "text/rfc822-headers", "7bit" },
	};
	/* clang-format on */
	struct strbuf out;
	char part[200];

	(void)state;
	strbuf_init(&out, 100000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dsn_recipient r = failed;
		struct dsn d = sample(&r, 1);
		const char *text;

		print_message("case %zu\n", i);
		r.action = cases[i].action;
		d.utf8 = cases[i].utf8;
		d.whole = slice_str(cases[i].whole);
		text = print(&d, &out);
		snprintf(part, sizeof(part), "\r\n--=_b0undary\r\n"
		    "Content-Type: %s\r\nContent-Transfer-Encoding: %s"
		    "\r\n\r\nReceived: from x", cases[i].type,
		    cases[i].encoding);
		has(text, part);
		assert_int_equal(strstr(text, "Encoding: 8bit") != NULL,
		    strcmp(cases[i].encoding, "8bit") == 0);
	}
	d_whole_is_exact(&out);
	strbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_has_three_parts),
		cmocka_unit_test(people_read_what_happened_and_what_to_do),
		cmocka_unit_test(a_status_is_explained_by_its_nearest_words),
		cmocka_unit_test(only_what_is_known_is_said),
		cmocka_unit_test(international_mail_gets_the_forms_of_rfc6533),
		cmocka_unit_test(an_address_of_numbers_fits_on_a_line),
		cmocka_unit_test(hostile_text_stays_in_its_field),
		cmocka_unit_test(a_broken_header_is_made_safe_by_quoting),
		cmocka_unit_test(an_envelope_id_is_decoded_whole),
		cmocka_unit_test(an_encoded_subject_is_not_shown_to_people),
		cmocka_unit_test(each_action_has_its_words_and_fields),
		cmocka_unit_test(of_many_people_read_some_and_programs_all),
		cmocka_unit_test(the_whole_message_comes_back_where_it_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
