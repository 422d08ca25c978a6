/* SPDX-License-Identifier: ISC
 *
 * The filter of forged Authentication-Results: what goes, that all else stays,
 * and that it does not matter how the bytes come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/mail/auth_results.h"

#define US "relay.example.com"
#define AR "Authentication-Results"
#define TEXT "From: a@example.org\r\n"
#define BODY "\r\nhello\r\n" AR ": " US "; spf=pass\r\n"

enum { ROOM = 1 << 20 };

/* A message is `before`, `field`, `after`: the field goes where `goes`. */
/* clang-format off */
static const struct {
	const char *what, *before, *field, *after;
	bool goes;
} fields[] = {
	{ "ours", TEXT, AR ": " US "; spf=pass\r\n", BODY, true },
	{ "first of all", "", AR ": " US "; spf=pass\r\n", TEXT BODY, true },
	{ "the last one", TEXT, AR ": " US "; spf=pass\r\n", BODY, true },
	{ "of another", TEXT, AR ": mx.example.net; spf=pass\r\n", BODY, false },
	{ "of one below us", TEXT, AR ": a." US "; spf=pass\r\n", BODY, false },
	{ "of one above us", TEXT, AR ": example.com; spf=pass\r\n", BODY, false },
	{ "one that begins like us", TEXT, AR ": " US ".au; spf=pass\r\n", BODY, false },
	{ "no space", TEXT, AR ":" US ";spf=pass\r\n", BODY, true },
	{ "a blank before the colon", TEXT, AR " : " US "; spf=pass\r\n", BODY, true },
	{ "blanks before it", TEXT, AR "\t  : " US "; none\r\n", BODY, true },
	{ "a fold before it", TEXT, AR "\r\n : " US "; none\r\n", BODY, true },
	{ "mixed case", TEXT, "aUTHENTICATION-rESULTS: Relay.EXAMPLE.com; none\r\n", BODY, true },
	{ "a final dot", TEXT, AR ": " US ".; none\r\n", BODY, true },
	{ "a version", TEXT, AR ": " US " 1; spf=pass\r\n", BODY, true },
	{ "a version in a fold", TEXT, AR ": " US "\r\n\t1\r\n\t; spf=pass\r\n", BODY, true },
	{ "a slash", TEXT, AR ": " US "/1; spf=pass\r\n", BODY, true },
	{ "quoted", TEXT, AR ": \"" US "\"; spf=pass\r\n", BODY, true },
	{ "quoted pairs", TEXT, AR ": \"rela\\y.\\example.com\"; none\r\n", BODY, true },
	{ "folded in quotes", TEXT, AR ": \"relay.\r\n example.com\"; none\r\n", BODY, true },
	{ "of another, quoted", TEXT, AR ": \"a \\\" b\"; none\r\n", BODY, false },
	{ "a comment", TEXT, AR ": (hi) " US "; none\r\n", BODY, true },
	{ "nested comments", TEXT, AR ": (a(b\\)(c))d)(e) " US "; none\r\n", BODY, true },
	{ "a folded comment", TEXT, AR ":\r\n (a\r\n\tb)\r\n " US "\r\n ; none\r\n", BODY, true },
	{ "a comment behind", TEXT, AR ": " US "(x); none\r\n", BODY, true },
	{ "our name in a comment", TEXT, AR ": (" US ") mx.example.net; none\r\n", BODY, false },
	{ "a comment without end", TEXT, AR ": (" US "; spf=pass\r\n", BODY, true },
	{ "another's without end", TEXT, AR ": (x; spf=pass\r\n", BODY, false },
	{ "quotes without end", TEXT, AR ": \"" US "; spf=pass\r\n", BODY, true },
	{ "folded at once", TEXT, AR ":\r\n " US "\r\n ; spf=pass\r\n", BODY, true },
	{ "folds of blanks", TEXT, AR ": \r\n  \r\n\t" US "; none\r\n \r\n", BODY, true },
	{ "many lines", TEXT, AR ": " US ";\r\n spf=pass\r\n\tx=y\r\n  (y)\r\n", BODY, true },
	{ "controls before the id", TEXT, AR ": \x01\x7f" US "; none\r\n", BODY, true },
	{ "bare LF", "From: a\n", AR ": " US "; spf=pass\n", "\nx", true },
	{ "bare LF, folded", "From: a\n", AR ":\n " US "\n ; spf=pass\n", "To: x\n\nx", true },
	{ "LF among CRLF", "From: a\n", AR ": " US ";\n\tspf=pass\r\n", "To: x\r\n\nx", true },
	{ "no id", TEXT, AR ": ; spf=pass\r\n", BODY, false },
	{ "nothing", TEXT, AR ":\r\n", BODY, false },
	{ "no value", TEXT, AR ": spf=pass smtp.mailfrom=" US "\r\n", BODY, false },
	{ "no colon", TEXT, AR " " US "; spf=pass\r\n", BODY, false },
	{ "a longer name", TEXT, AR "-X: " US "; spf=pass\r\n", BODY, false },
	{ "a shorter name", TEXT, "Authentication-Result: " US "; spf=pass\r\n", BODY, false },
	{ "another name", TEXT, "X-" AR ": " US "; spf=pass\r\n", BODY, false },
	{ "a name of one letter", TEXT, "A\r\n", BODY, false },
	{ "in a fold of another", TEXT, "Subject: x\r\n " AR ": " US "; none\r\n", BODY, false },
	{ "behind a bare CR", TEXT, "\rTo: x\r\n", BODY, false },
	{ "below no field", "From me on\r\n" TEXT, AR ": " US "; none\r\n", BODY, true },
	{ "without a body", TEXT, AR ": " US "; none\r\n", "", true },
	{ "cut off in the value", TEXT, AR ": " US "; no", "", true },
	{ "cut off in the id", TEXT, AR ": relay.exam", "", false },
	{ "cut off behind the id", TEXT, AR ": " US, "", true },
	{ "cut off in a comment", TEXT, AR ": (" US, "", true },
	{ "cut off in the name", TEXT, "Authent", "", false },
	{ "in the body", TEXT "\r\n", AR ": " US "; spf=pass\r\n", "", false },
	{ "in a body behind LF", "From: a\n\n", AR ": " US "; none\r\n", "", false },
	{ "in the body of no header", "\r\n", AR ": " US "; spf=pass\r\n", "", false },
	{ "no message", "", "", "", false },
};
/* clang-format on */

/* Runs it through in pieces that end at `a` and `b` (and each `step` bytes
 * behind that, if it is not 0). Returns the fields that went. */
static unsigned run(struct slice in, size_t a, size_t b, size_t step,
    struct strbuf *got)
{
	struct auth_results f;
	struct strbuf out;
	size_t at = 0, end = a;
	unsigned stripped;

	strbuf_reset(got);
	strbuf_init(&out, ROOM);
	auth_results_init(&f, US);
	for (;;) {
		struct slice piece = slice_head(slice_from(in, at), end - at);

		strbuf_reset(&out);
		strbuf_addsl(got, auth_results_next(&f, piece, &out));
		assert_true(f.held.n <= AUTH_RESULTS_HELD);
		at = end;
		if (at >= in.n)
			break;
		end = at < b ? b : step != 0 ? at + step : in.n;
		if (end > in.n)
			end = in.n;
	}
	strbuf_reset(&out);
	strbuf_addsl(got, auth_results_end(&f, &out));
	assert_true(strbuf_ok(got) && strbuf_ok(&out));
	stripped = f.stripped;
	auth_results_fini(&f);
	strbuf_fini(&out);
	return stripped;
}

static void check(struct slice in, struct slice want, unsigned went, size_t a,
    size_t b, size_t step)
{
	struct strbuf got;

	strbuf_init(&got, ROOM);
	assert_int_equal(run(in, a, b, step, &got), went);
	if (!slice_eq(strbuf_view(&got), want))
		fail_msg("in pieces up to %zu and %zu: \"%.*s\"", a, b,
		    (int)got.n, got.p);
	strbuf_fini(&got);
}

static void check_splits(struct slice in, struct slice want, unsigned went)
{
	check(in, want, went, in.n, in.n, 0);
	check(in, want, went, 0, 1, 1);
	for (size_t a = 0; a <= in.n; a++)
		for (size_t b = a; b <= in.n; b++)
			check(in, want, went, a, b, 0);
}

static void a_forged_field_goes_and_all_else_stays(void **state)
{
	struct strbuf in, want;

	(void)state;
	strbuf_init(&in, ROOM);
	strbuf_init(&want, ROOM);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		print_message("%s\n", fields[i].what);
		strbuf_reset(&in);
		strbuf_reset(&want);
		strbuf_addf(&in, "%s%s%s", fields[i].before, fields[i].field,
		    fields[i].after);
		strbuf_addf(&want, "%s%s%s", fields[i].before,
		    fields[i].goes ? "" : fields[i].field, fields[i].after);
		check_splits(strbuf_view(&in), strbuf_view(&want),
		    fields[i].goes);
	}
	strbuf_fini(&in);
	strbuf_fini(&want);
}

static void each_of_several_goes(void **state)
{
	static const char in[] = AR ": " US "; a\r\n" AR ": x; b\r\n"
	    AR ": " US "; c\r\n" AR ":\r\n\t" US "; d\r\n" TEXT
	    AR ": " US "\r\n" BODY;

	(void)state;
	check_splits(SLICE(in), SLICE(AR ": x; b\r\n" TEXT BODY), 4);
}

/* `times` copies of `part` between `head` and `tail`. */
static void build(struct strbuf *b, const char *head, const char *part,
    size_t times, const char *tail)
{
	strbuf_reset(b);
	strbuf_adds(b, head);
	while (times-- > 0)
		strbuf_adds(b, part);
	strbuf_adds(b, tail);
	assert_true(strbuf_ok(b));
}

static void check_sizes(const struct strbuf *in, struct slice want,
    unsigned went)
{
	static const size_t sizes[] = {1, 7, 4096, 65536};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		check(strbuf_view(in), want, went, sizes[i], 0, sizes[i]);
}

/* A field that keeps its id back goes when 8 KiB of it are there, whosever it
 * is, and its rest with it. */
static void a_field_that_hides_its_id_goes(void **state)
{
	enum { FITS = AUTH_RESULTS_HELD - sizeof(AR ": mx") + 1 };
	struct strbuf in;

	(void)state;
	strbuf_init(&in, ROOM);
	build(&in, TEXT AR ": ", " ", FITS, "mx; none\r\n" BODY);
	check_sizes(&in, strbuf_view(&in), 0);
	build(&in, TEXT AR ": ", " ", FITS + 1, "mx; none\r\n" BODY);
	check_sizes(&in, SLICE(TEXT BODY), 1);
	build(&in, TEXT AR ": ", "(x)\r\n ", 30000, US "; none\r\n" BODY);
	check_sizes(&in, SLICE(TEXT BODY), 1);
	strbuf_fini(&in);
}

static void the_header_may_be_of_any_length(void **state)
{
	struct strbuf in, want;

	(void)state;
	strbuf_init(&in, ROOM);
	strbuf_init(&want, ROOM);
	build(&in, "", "To: a@example.org\r\n", 9000, AR ": " US "\r\n" BODY);
	build(&want, "", "To: a@example.org\r\n", 9000, BODY);
	check_sizes(&in, strbuf_view(&want), 1);
	/* It has no end, and so has the field. */
	build(&in, TEXT AR ": " US ";", "\r\n spf=pass", 20000, "");
	check_sizes(&in, SLICE(TEXT), 1);
	strbuf_fini(&in);
	strbuf_fini(&want);
}

static void an_id_is_equal_as_a_domain(void **state)
{
	struct auth_results f;
	struct strbuf out;
	static const char field[] = AR ": b\xc3\xbc" "cher.example; none\r\n";

	(void)state;
	strbuf_init(&out, ROOM);
	auth_results_init(&f, "xn--bcher-kva.example");
	assert_int_equal(auth_results_next(&f, SLICE(field), &out).n, 0);
	auth_results_fini(&f);
	strbuf_fini(&out);
}

/* Bytes of which none goes are not copied. */
static void what_stays_is_not_copied(void **state)
{
	static const char in[] = TEXT AR ": x; none\r\n" BODY;
	struct auth_results f;
	struct strbuf out;

	(void)state;
	strbuf_init(&out, ROOM);
	auth_results_init(&f, US);
	assert_ptr_equal(auth_results_next(&f, SLICE(in), &out).p, in);
	assert_int_equal(out.n, 0);
	auth_results_fini(&f);
	strbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_forged_field_goes_and_all_else_stays),
		cmocka_unit_test(each_of_several_goes),
		cmocka_unit_test(a_field_that_hides_its_id_goes),
		cmocka_unit_test(the_header_may_be_of_any_length),
		cmocka_unit_test(an_id_is_equal_as_a_domain),
		cmocka_unit_test(what_stays_is_not_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
