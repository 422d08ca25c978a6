/* SPDX-License-Identifier: ISC
 *
 * The words of a reply that are the leg's own, and phrases in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/mail/reply_words.h"

/* clang-format off */
static const struct { const char *text, *words; } texts[] = {
	{ "",                                    " " },
	{ "User Unknown",                        " user unknown " },
	{ "Relay access denied.",                " relay access denied . " },
	{ "<ann@example.com>: User unknown",     " user unknown " },
	{ "<\"a> b\"@example.com> no",           " no " },
	{ "\"a b\"@example.com no",              " no " },
	{ "\"a \\\" b\" no",                     " no " },
	{ "the 'a b' no",                        " the no " },
	{ "it doesn't; the user's it isn't",     " it doesn't . the user's it isn't " },
	{ "ann@example.com, bob@[192.0.2.7] no", " no " },
	{ "mx.example.com said 5.1.1 no",        " said no " },
	{ "[TSS04] no",                          " no " },
	{ "(no) {yes}: <",                       " no yes " },
	{ "see https://x.example/a?b=c;d e",     " see e " },
	{ "see http://x.example/?ip=192.0.2.7",  " see . [ip] " },
	{ "from 192.0.2.7: no",                  " from no . [ip] " },
	{ "from [192.0.2.7] no",                 " from no . [ip] " },
	{ "from [IPv6:2001:db8::7] no",          " from no . [ip] " },
	{ "from 2001:db8::7, no",                " from no . [ip] " },
	{ "from [::1] no",                       " from no . [ip] " },
	{ "from [::] no",                        " from no " },
	{ "@[192.0.2.7] no",                     " no " },
	{ "<a@[192.0.2.7]> no",                  " no " },
	{ "at 10:20:30 version 1.2.3 no",        " at 10 20 30 version no " },
	{ "300.1.1.1 1.2.3.4.5 no",              " no " },
	{ "denied...7d39.aa or so",              " denied . or so " },
	{ "a/b relay-team x!y no",               " a/b relay-team x!y no " },
	{ "\"All of it is said\"",               " all of it is said " },
	{ "\"some\" of \"it\"",                  " of " },
	{ "\xc3\x9c" "ber a",                     " \xc3\x9c" "ber a " },
	{ "<a \" b> c",                          " a b c " },
};

static const struct { const char *phrase, *text; bool there; } phrases[] = {
	{ "user unknown",       "the User unknown here",          true },
	{ "user unknown",       "User <x@y.example> unknown",     true },
	{ "user unknown",       "the user is unknown",            false },
	{ "user unknown",       "superuser unknown",              false },
	{ "user unknown",       "user. Unknown",                  false },
	{ "user ... unknown",   "user is not unknown",            true },
	{ "user ... unknown",   "user unknown",                   true },
	{ "user ... unknown",   "user 1 2 3 4 5 6 unknown",       true },
	{ "user ... unknown",   "user 1 2 3 4 5 6 7 unknown",     false },
	{ "user ... unknown",   "user; this is unknown",          false },
	{ "user ... unknown",   "user user 2 3 4 5 6 7 unknown",  true },
	{ "a ... b ... c",      "a b x c",                        true },
	{ "a ... b ... c",      "a c b",                          false },
	{ "block*",             "it is Blocking",                 true },
	{ "block*",             "it is unblocked",                false },
	{ "block* list",        "a block list",                   true },
	{ "relay",              "relay@x.example relay.x.example", false },
	{ REPLY_ADDRESS,        "not from 192.0.2.7",             true },
	{ REPLY_ADDRESS,        "not from <a@192.0.2.7>",         false },
};

static const struct { const char *in, *out; } forms[] = {
	{ "User  Unknown", "user unknown" }, { " a ", "a" },
	{ "Block* ... LIST", "block* ... list" }, { REPLY_ADDRESS, REPLY_ADDRESS },
	{ "helo/ehlo", "helo/ehlo" }, { "isn't", "isn't" },
	{ "a ... b ... c ... d", "a ... b ... c ... d" },
	{ "", NULL }, { " ", NULL }, { "*", NULL }, { "... a", NULL }, { "a ...", NULL },
	{ "a ... ... b", NULL }, { "a ... b ... c ... d ... e", NULL },
	{ "a.b", NULL }, { "a@b", NULL }, { "a:", NULL }, { "(a)", NULL }, { "a*b", NULL },
	{ "\"a\"", NULL }, { "-a", NULL },
};
/* clang-format on */

static void what_is_quoted_is_cut_out(void **state)
{
	struct reply_words w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		print_message("%s\n", texts[i].text);
		reply_words_read(slice_str(texts[i].text), &w);
		assert_string_equal(w.text, texts[i].words);
	}
}

static void a_phrase_is_whole_words_of_one_sentence(void **state)
{
	struct reply_words w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(phrases); i++) {
		print_message("%s in %s\n", phrases[i].phrase,
		    phrases[i].text);
		reply_words_read(slice_str(phrases[i].text), &w);
		assert_int_equal(reply_words_have(&w, phrases[i].phrase),
		    phrases[i].there);
	}
}

static void a_phrase_that_nothing_matches_is_refused(void **state)
{
	struct strbuf out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		print_message("\"%s\"\n", forms[i].in);
		strbuf_init(&out, 200);
		assert_int_equal(phrase_read(slice_str(forms[i].in), &out),
		    forms[i].out != NULL);
		if (forms[i].out != NULL)
			assert_string_equal(strbuf_cstr(&out), forms[i].out);
		strbuf_fini(&out);
	}
}

/* The address at the end always has room. */
static void a_long_text_is_cut(void **state)
{
	char text[4 * REPLY_WORDS_MAX];
	struct reply_words w;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 == 0 ? 'a' : ' ';
	memcpy(text + sizeof(text) - 11, " 192.0.2.7", 11);
	reply_words_read(slice_str(text), &w);
	assert_true(strlen(w.text) < REPLY_WORDS_MAX);
	assert_true(reply_words_have(&w, "a a a"));
	assert_true(reply_words_have(&w, REPLY_ADDRESS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_quoted_is_cut_out),
	    cmocka_unit_test(a_phrase_is_whole_words_of_one_sentence),
	    cmocka_unit_test(a_phrase_that_nothing_matches_is_refused),
	    cmocka_unit_test(a_long_text_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
