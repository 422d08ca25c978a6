/* SPDX-License-Identifier: ISC
 *
 * The domain in From, and the domains of signatures that may be aligned.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/mail/author.h"

/* clang-format off */
static const struct {
	const char *header;
	const char *domain; /* NULL: unclear */
} froms[] = {
	{ "From: ann@corp.example\r\n", "corp.example" },
	{ "From: <ann@Corp.EXAMPLE>\r\n", "corp.example" },
	{ "from : Ann <ann@corp.example>\r\n", "corp.example" },
	{ "From: \"Ann, \\\"x\\\" <no@wrong.example>\" <ann@corp.example>\r\n", "corp.example" },
	{ "From: Ann (of, <a@b>:; (x\\)) y) <ann@corp.example> (c)\r\n", "corp.example" },
	{ "From: ann@corp.example (Ann, of <Corp>)\r\n", "corp.example" },
	{ "From:\r\n Ann\r\n\t<ann@corp.example>\r\n", "corp.example" },
	{ "From: \"a b,<@x\"@corp.example\r\n", "corp.example" },
	{ "From: < ann@corp.example >\r\n", "corp.example" },
	{ "From: =?utf-8?q?=C3=84nn?= <ann@corp.example>\n", "corp.example" },
	{ "From: ann@b\xc3\xbc" "cher.example\r\n", "xn--bcher-kva.example" },
	{ "X: 1\r\nSender: x@y.example\r\nFrom: a@b.example\r\nTo: q@z\r\n", "b.example" },
	/* none, several, or no syntax */
	{ "", NULL },
	{ "Sender: ann@corp.example\r\n", NULL },
	{ "From:\r\n", NULL },
	{ "From: <>\r\n", NULL },
	{ "From: a@b.example\r\nFROM: a@b.example\r\n", NULL },
	{ "From: a@b.example, c@b.example\r\n", NULL },
	{ "From: Doe, Ann <ann@corp.example>\r\n", NULL },
	{ "From: people: ann@corp.example;\r\n", NULL },
	{ "From: <@via.example:ann@corp.example>\r\n", NULL },
	{ "From: <a@b.example> <c@d.example>\r\n", NULL },
	{ "From: <a@b.example> Ann\r\n", NULL },
	{ "From: <a@b.example> \"Ann\"\r\n", NULL },
	{ "From: <a@b.example\r\n", NULL },
	{ "From: <<a@b.example>\r\n", NULL },
	{ "From: <a@b.example>>\r\n", NULL },
	{ "From: a@b.example>\r\n", NULL },
	{ "From: a@b.example Ann\r\n", NULL },
	{ "From: Ann a@b.example\r\n", NULL },
	{ "From: \"Ann <a@b.example>\r\n", NULL },
	{ "From: (Ann <a@b.example>\r\n", NULL },
	{ "From: Ann) <a@b.example>\r\n", NULL },
	{ "From: ann@[192.0.2.1]\r\n", NULL },
	{ "From: ann\r\n", NULL },
	{ "From: ann@\r\n", NULL },
	{ "From: ann@-x.example\r\n", NULL },
	{ "\r\nFrom: ann@corp.example\r\n", NULL },
};

#define S(d) "DKIM-Signature: v=1; a=rsa-sha256; d=" d "; s=x; b=\r\n"
static const struct { const char *header, *from, *signers; } signatures[] = {
	{ "From: a@corp.example\r\n", "corp.example", "" },
	{ S("corp.example"), "corp.example", "corp.example" },
	{ S("Corp.Example"), "corp.example", "corp.example" },
	{ S("example.org"), "corp.example", "" },
	{ S("mail.corp.example"), "corp.example", "mail.corp.example" },
	{ S("corp.example"), "news.corp.example", "corp.example" },
	{ S("a.corp.example"), "b.corp.example", "a.corp.example" },
	{ S("notcorp.example"), "corp.example", "" },
	{ S("other.example"), "corp.example", "" },
	{ S("example"), "corp.example", "example" },
	{ S("corp"), "corp", "corp" },
	{ S("x.corp"), "corp", "x.corp" },
	{ S("x") S("y"), "z", "" },
	{ S("a.corp.example") S("a.corp.example") S("b.corp.example"), "corp.example",
	  "a.corp.example b.corp.example" },
	{ S("a.corp.example") S("corp.example") S("b.corp.example"), "corp.example",
	  "corp.example" },
	{ S("1.c.x") S("2.c.x") S("3.c.x") S("4.c.x") S("5.c.x"), "c.x",
	  "1.c.x 2.c.x 3.c.x 4.c.x" },
	{ S("1.c.x") S("2.c.x") S("3.c.x") S("4.c.x") S("5.c.x") S("c.x"), "c.x", "c.x" },
	{ "dkim-signature : d\r\n = corp .\r\n\texample\r\n;b=", "corp.example",
	  "corp.example" },
	{ S("corp.\r\n example"), "corp.example", "corp.example" },
	{ S("Corp.example\r\n\t"), "corp.example", "corp.example" },
	{ "DKIM-Signature: bd=corp.example; b=;\r\n", "corp.example", "" },
	{ "DKIM-Signature: d=corp.example; d=corp.example\r\n", "corp.example", "" },
	{ "DKIM-Signature: d=; d=corp.example\r\n", "corp.example", "" },
	{ "DKIM-Signature: d=\r\n", "corp.example", "" },
	{ "DKIM-Signature: d; =\r\n", "corp.example", "" },
	{ "X-DKIM-Signature: d=corp.example\r\n", "corp.example", "" },
	{ "\r\nDKIM-Signature: d=corp.example\r\n", "corp.example", "" },
};
/* clang-format on */

static bool domain_in(struct slice header, struct strbuf *out)
{
	struct author_fields f;

	author_read(header, &f);
	return author_domain(&f, out);
}

static void signers_in(struct slice header, struct slice from,
    struct strbuf *out)
{
	struct author_fields f;

	author_read(header, &f);
	author_signers(&f, from, out);
}

static void the_domain_in_from(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(froms); i++) {
		bool is;

		print_message("%s\n", froms[i].header);
		strbuf_reset(&out);
		is = domain_in(slice_str(froms[i].header), &out);
		assert_int_equal(is, froms[i].domain != NULL);
		assert_string_equal(strbuf_cstr(&out),
		    is ? froms[i].domain : "");
	}
	strbuf_fini(&out);
}

static void domains_that_signed(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 3000);
	for (size_t i = 0; i < ARRAY_LEN(signatures); i++) {
		print_message("%s\n", signatures[i].header);
		strbuf_reset(&out);
		signers_in(slice_str(signatures[i].header),
		    slice_str(signatures[i].from), &out);
		assert_string_equal(strbuf_cstr(&out), signatures[i].signers);
	}
	strbuf_fini(&out);
}

static void what_stands_behind_the_header(void **state)
{
	struct author_fields f;

	(void)state;
	author_read(SLICE("From: a@b.example\r\n\r\nFrom: c\r\n"), &f);
	assert_int_equal(f.froms, 1);
	assert_true(slice_eq(f.rest, SLICE("\r\nFrom: c\r\n")));
	author_read(SLICE("From: a@b.example\r\nDKIM-Sig"), &f);
	assert_true(slice_eq(f.rest, SLICE("DKIM-Sig")));
	author_read(SLICE("From: a@b.example\r\n"), &f);
	assert_int_equal(f.rest.n, 0);
}

static void a_field_that_is_too_long_is_not_read(void **state)
{
	static char name[AUTHOR_FIELD_MAX + 1];
	struct strbuf header, out;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	strbuf_init(&header, 2 * AUTHOR_FIELD_MAX);
	strbuf_init(&out, 1000);
	strbuf_addf(&header, "From: %s <a@b.example>\r\n", name);
	assert_false(domain_in(strbuf_view(&header), &out));
	strbuf_reset(&header);
	strbuf_addf(&header, "DKIM-Signature: d=b.example; b=%s\r\n", name);
	signers_in(strbuf_view(&header), SLICE("b.example"), &out);
	assert_int_equal(out.n, 0);
	strbuf_fini(&header);
	strbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_domain_in_from),
		cmocka_unit_test(domains_that_signed),
		cmocka_unit_test(what_stands_behind_the_header),
		cmocka_unit_test(a_field_that_is_too_long_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
