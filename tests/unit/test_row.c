/* SPDX-License-Identifier: ISC
 *
 * The values of a row: as people write and copy them, and as the table keeps
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/row.h"

#define NBSP "\xc2\xa0"
#define ZWSP "\xe2\x80\x8b"
#define BOM "\xef\xbb\xbf"
#define LRE "\xe2\x80\xaa"
#define PDF "\xe2\x80\xac"

static void is_text(struct slice got, const char *want)
{
	if (!slice_eq(got, slice_str(want)))
		fail_msg("'%.*s', not '%s'", (int)got.n, got.p, want);
}

/* ---- blanks ------------------------------------------------------------ */

static void blanks_go_from_both_ends_and_from_no_middle(void **state)
{
	static const struct {
		const char *text, *trimmed;
	} cases[] = {
	    {"", ""}, {" ", ""}, {"ann", "ann"}, {"\t ann \t", "ann"},
	    {NBSP "ann", "ann"}, {"ann" NBSP, "ann"}, {NBSP, ""},
	    {NBSP NBSP ZWSP, ""}, {BOM "ann" ZWSP, "ann"},
	    {" " NBSP " " BOM "ann" NBSP " " ZWSP " ", "ann"},
	    {"ann" NBSP ZWSP NBSP, "ann"}, {"ann" ZWSP NBSP ZWSP, "ann"},
	    {LRE "ann@example.com" PDF, "ann@example.com"},
	    {"\xe2\x80\x8e" "ann" "\xe2\x80\xaf", "ann"},
	    {"a" NBSP "b", "a" NBSP "b"}, {ZWSP "a b" ZWSP, "a b"},
	    /* others that begin alike are letters */
	    {"\xc2\xa1" "ann" "\xc2\xa1", "\xc2\xa1" "ann" "\xc2\xa1"},
	    {"\xe2\x80\xa6", "\xe2\x80\xa6"}, {"\xa0", "\xa0"},
	    {"b\xc3\xbc", "b\xc3\xbc"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		is_text(row_trim(slice_str(cases[i].text)), cases[i].trimmed);
}

/* ---- addresses --------------------------------------------------------- */

/* NULL: it is refused. */
static const struct {
	const char *text, *address;
} copied[] = {
    {"", ""}, {" " NBSP, ""}, {"ann@example.com", "ann@example.com"},
    {" ann@example.com" NBSP, "ann@example.com"},
    {"Ann Lee <ann@example.com>", "ann@example.com"},
    {"\"<Lee>\" < ann@example.com" NBSP ">", "ann@example.com"},
    {"<ann@example.com>", "ann@example.com"}, {"<>", ""}, {">", ">"},
    {"<ann@example.com> x", "<ann@example.com> x"},
    {"mailto:ann@example.com", "ann@example.com"},
    {"SMTP:ann@example.com", "ann@example.com"},
    {"Smtp: ann@example.com", "ann@example.com"},
    {"Ann <mailto:ann@example.com>", "ann@example.com"},
    {"\"a:b\"@example.com", "\"a:b\"@example.com"},
    {"mailto", "mailto"},
    {"X500:/o=x", NULL}, {"x400:c=de", NULL}, {"sip:ann@example.com", NULL},
    {"SPO:x", NULL}, {"eum:1", NULL}, {"notes:x", NULL}, {"ex:/o=x", NULL},
    {"Ann <sip:ann@example.com>", NULL},
};

static void an_address_is_taken_as_it_is_copied(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
		struct slice got;
		struct error err = {0};
		int rc = row_address(slice_str(copied[i].text), &got, &err);

		print_message("%s\n", copied[i].text);
		assert_int_equal(rc, copied[i].address == NULL ? -1 : 0);
		if (rc == 0)
			is_text(got, copied[i].address);
		else
			assert_non_null(strstr(err.text, "is no mail address; "
			    "leave it out"));
	}
}

/* ---- keys -------------------------------------------------------------- */

static const struct {
	const char *text, *key; /* NULL: refused, and `why` is a part of it */
	const char *why;
} keys[] = {
    {"Ann@Example.COM", "ann@example.com", NULL},
    {"Ann+News@example.com", "ann+news@example.com", NULL},
    {"@Example.COM", "@example.com", NULL},
    {" Ann <ann@example.com>", "ann@example.com", NULL},
    {"@b\xc3\xbc" "cher.example", "@xn--bcher-kva.example", NULL},
    {"@", NULL, "'@' is no domain"},
    {"@a..b", NULL, "'@a..b' is no domain"},
    {"*@example.com", NULL, "the row of a domain is written @example.com"},
    {"ann", NULL, "'ann' is no address: "},
    {"example.com", NULL, " (the row of a domain is @DOMAIN)"},
    {"sip:ann@example.com", NULL, "leave it out"},
};

static void a_key_is_an_address_or_a_domain(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct strbuf key;
		struct error err = {0};
		int rc;

		print_message("%s\n", keys[i].text);
		strbuf_init(&key, 1000);
		rc = row_key(slice_str(keys[i].text), &key, &err);
		assert_int_equal(rc, keys[i].key == NULL ? -1 : 0);
		if (rc == 0)
			is_text(strbuf_view(&key), keys[i].key);
		else if (strstr(err.text, keys[i].why) == NULL)
			fail_msg("'%s'", err.text);
		strbuf_fini(&key);
	}
}

/* Only one that might be a domain is told how a domain's row is written. */
static void a_name_alone_is_taken_for_no_domain(void **state)
{
	static const char *const texts[] = {"ann", ".ann", "a.b@", "a@b@c.d"};
	struct strbuf key;

	(void)state;
	strbuf_init(&key, 1000);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct error err = {0};

		assert_int_equal(row_key(slice_str(texts[i]), &key, &err), -1);
		assert_null(strstr(err.text, "@DOMAIN"));
	}
	strbuf_fini(&key);
	is_text(row_domain(SLICE("ann@example.com")), "example.com");
	is_text(row_domain(SLICE("\"a@b\"@example.com")), "example.com");
	is_text(row_domain(SLICE("@example.com")), "example.com");
}

/* ---- tags -------------------------------------------------------------- */

static void tags_are_sorted_each_once(void **state)
{
	static const struct {
		const char *in, *out, *why; /* out NULL: refused */
	} cases[] = {
	    {"", "", NULL}, {" ,\t ", "", NULL}, {"b a", "a b", NULL},
	    {"b,a,,b\ta", "a b", NULL}, {"ab a b abc", "a ab abc b", NULL},
	    {"c b a", "a b c", NULL}, {"x=2 x=1", "x=1 x=2", NULL},
	    {"a'b", NULL, "'a'b' is no tag (at most 64 characters"},
	    {"'a", NULL, "is no tag (at most"},
	    {"a \"b\"", NULL, "'\"b\"' is no tag (at most"},
	    {"a\x7f", NULL, "is no tag"}, {"a\x01", NULL, "is no tag"},
	    {"a;b", NULL, "a blank or a comma, 'a b'"},
	    {";a;;b;", NULL, "a blank or a comma, 'a b'"},
	    {"x a;;;b y", NULL, "'a;;;b' is no tag: tags are separated by a "
		"blank or a comma, 'a b'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out;
		struct error err = {0};
		int rc;

		print_message("%s\n", cases[i].in);
		strbuf_init(&out, ROW_TEXT_MAX);
		rc = row_tags(slice_str(cases[i].in), &out, &err);
		assert_int_equal(rc, cases[i].out == NULL ? -1 : 0);
		if (rc == 0)
			is_text(strbuf_view(&out), cases[i].out);
		else if (strstr(err.text, cases[i].why) == NULL)
			fail_msg("'%s'", err.text);
		strbuf_fini(&out);
	}
}

static void tags_have_a_length_and_a_number(void **state)
{
	char text[2 * 65 + 1];
	struct strbuf out;
	struct error err = {0};

	(void)state;
	memset(text, 'a', sizeof(text));
	strbuf_init(&out, ROW_TEXT_MAX);
	assert_int_equal(row_tags(slice_of(text, TAG_MAX), &out, &err), 0);
	assert_int_equal(out.n, TAG_MAX);
	assert_int_equal(row_tags(slice_of(text, TAG_MAX + 1), &out, &err),
	    -1);
	text[1] = ';';
	assert_int_equal(row_tags(slice_of(text, TAG_MAX), &out, &err), -1);
	assert_non_null(strstr(err.text, "a blank or a comma, 'a aaa"));
	/* Too long with a semicolon: there is nothing to show. */
	text[TAG_MAX] = ';';
	assert_int_equal(row_tags(slice_of(text, TAG_MAX + 1), &out, &err),
	    -1);
	assert_non_null(strstr(err.text, "at most 64 characters"));
	for (int i = 0; i < 65; i++)
		snprintf(text + 2 * i, 3, "%c ", '0' + i);
	text[2 * (';' - '0')] = '!';
	text[2 * ('E' - '0')] = '!'; /* again */
	strbuf_reset(&out);
	assert_int_equal(row_tags(slice_of(text, 128), &out, &err), 0);
	assert_int_equal(out.n, 2 * 63 - 1);
	assert_int_equal(row_tags(slice_of(text, 130), &out, &err), -1);
	assert_non_null(strstr(err.text, "more than 64 tags"));
	strbuf_fini(&out);
	strbuf_init(&out, 3);
	assert_int_equal(row_tags(SLICE("ab c"), &out, &err), -1);
	assert_non_null(strstr(err.text, "too long"));
	strbuf_fini(&out);
}

static void tags_are_added_and_dropped(void **state)
{
	static const struct {
		const char *tags, *add, *drop, *out;
	} cases[] = {
	    {"a b c", "", "", "a b c"}, {"a b c", "", "b", "a c"},
	    {"a b c", "", "a b c", ""}, {"a c", "b", "", "a b c"},
	    {"", "a b", "", "a b"}, {"a", "a", "a", "a"},
	    {"aa a", "", "a", "aa"}, {"a b", "c", "x", "a b c"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out;
		struct error err;

		strbuf_init(&out, ROW_TEXT_MAX);
		assert_int_equal(row_patch_tags(slice_str(cases[i].tags),
		    slice_str(cases[i].add), slice_str(cases[i].drop), &out,
		    &err), 0);
		is_text(strbuf_view(&out), cases[i].out);
		strbuf_fini(&out);
	}
	assert_true(row_has_tag(SLICE("a bc"), SLICE("bc")));
	assert_false(row_has_tag(SLICE("a bc"), SLICE("b")));
	assert_false(row_has_tag(SLICE(""), SLICE("")));
}

static void a_tag_may_be_a_key_and_a_value(void **state)
{
	static const struct {
		const char *tag, *key, *value;
	} cases[] = {{"client=apple", "client", "apple"}, {"vip", "", "vip"},
	    {"=vip", "", "=vip"}, {"a=", "a", ""}, {"a=b=c", "a", "b=c"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct slice key, value;

		row_tag_parts(slice_str(cases[i].tag), &key, &value);
		is_text(key, cases[i].key);
		is_text(value, cases[i].value);
	}
}

/* ---- addresses of legs, mailboxes -------------------------------------- */

static void addresses_are_put_over_those_that_are_there(void **state)
{
	static const struct {
		const char *old, *patch, *out;
	} cases[] = {
	    {"", "", ""}, {"b=x", "", "b=x"}, {"", "b=x\na=y", "a=y\nb=x"},
	    {"a=x\nb=y", "b=z", "a=x\nb=z"}, {"a=x\nb=y", "a=", "b=y"},
	    {"a=x\nb=y", "a=\nb=", ""}, {"a=x", "=z\nno", "a=x"},
	    {"a=x", "ab=1\na=2", "a=2\nab=1"}, {"a=x=y", "", "a=x=y"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out;

		strbuf_init(&out, ROW_TEXT_MAX);
		row_addresses(slice_str(cases[i].old),
		    slice_str(cases[i].patch), &out);
		is_text(strbuf_view(&out), cases[i].out);
		strbuf_fini(&out);
	}
}

static void a_mailbox_is_printable_without_blanks_at_its_ends(void **state)
{
	static const struct {
		const char *text, *why; /* NULL: it is one */
	} cases[] = {
	    {"", NULL}, {"Ann Lee/b\xc3\xbc", NULL},
	    {" ann", "is no mailbox name"}, {"ann ", "is no mailbox name"},
	    {"a\tb", "control character"}, {"a\x7f", "control character"},
	    {"a\x1f" "b", "control character"},
	};
	char text[MAILBOX_MAX + 1];
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int rc = row_mailbox(slice_str(cases[i].text), &err);

		assert_int_equal(rc, cases[i].why == NULL ? 0 : -1);
		assert_true(rc == 0 ||
			    strstr(err.text, cases[i].why) != NULL);
	}
	memset(text, 'm', sizeof(text));
	assert_int_equal(row_mailbox(slice_of(text, MAILBOX_MAX), &err), 0);
	assert_int_equal(row_mailbox(slice_of(text, MAILBOX_MAX + 1), &err),
	    -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blanks_go_from_both_ends_and_from_no_middle),
		cmocka_unit_test(an_address_is_taken_as_it_is_copied),
		cmocka_unit_test(a_key_is_an_address_or_a_domain),
		cmocka_unit_test(a_name_alone_is_taken_for_no_domain),
		cmocka_unit_test(tags_are_sorted_each_once),
		cmocka_unit_test(tags_have_a_length_and_a_number),
		cmocka_unit_test(tags_are_added_and_dropped),
		cmocka_unit_test(a_tag_may_be_a_key_and_a_value),
		cmocka_unit_test(addresses_are_put_over_those_that_are_there),
		cmocka_unit_test(
		    a_mailbox_is_printable_without_blanks_at_its_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
