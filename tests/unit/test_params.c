/* SPDX-License-Identifier: ISC
 *
 * MAIL and RCPT: addresses with parameters, and the codes of refusals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "relay/mail/cmd.h"

#define E "\xc3\xa9"

/* clang-format off */
static const struct { const char *arg; int code; const char *enh; } mails[] = {
	{ "FROM:<a@b>",                         0,   NULL    },
	{ "from:<a@b>",                         0,   NULL    },
	{ "FROM: <a@b>",                        0,   NULL    },
	{ "FROM:<>",                            0,   NULL    },
	{ "FROM:<> SIZE=0",                     0,   NULL    },
	{ "FROM:<a@b> size=10 body=8bitmime",   0,   NULL    },
	{ "FROM:<a@b> BODY=BINARYMIME",         0,   NULL    },
	{ "FROM:<a@b> BODY=7BIT RET=HDRS ENVID=x+2By", 0, NULL },
	{ "FROM:<a@b> AUTH=<>",                 0,   NULL    },
	{ "FROM:<a@b> AUTH=e+3Dm@x",            0,   NULL    },
	{ "FROM:<" E "@b> SMTPUTF8",            0,   NULL    },
	{ "FROM:<a@b> SIZE=9223372036854775807", 0,  NULL    },
	{ "FROM:<a@b> SIZE=9223372036854775808", 552, "5.3.4" },
	{ "FROM:<a@b> SIZE=99999999999999999999", 552, "5.3.4" },
	{ "FROM:<a@b> SIZE=100000000000000000000", 501, "5.5.4" },
	{ "FROM:<a@b> SIZE=-1",                 501, "5.5.4" },
	{ "FROM:<a@b> SIZE=1k",                 501, "5.5.4" },
	{ "FROM:<a@b> SIZE=",                   501, "5.5.4" },
	{ "FROM:<a@b> SIZE",                    501, "5.5.4" },
	{ "FROM:<a@b> SIZE=1 SIZE=1", 0, NULL },
	{ "FROM:<a@b> SIZE=1 size=2", 0, NULL },
	{ "FROM:<a@b> BODY=16BIT",              501, "5.5.4" },
	{ "FROM:<a@b> SMTPUTF8=1",              501, "5.5.4" },
	{ "FROM:<a@b> RET=SOME",                501, "5.5.4" },
	{ "FROM:<a@b> ENVID=a+0D+0Ab", 0, NULL },
	{ "FROM:<a@b> ENVID=a+C3+A9", 0, NULL },
	{ "FROM:<a@b> ENVID=a+", 0, NULL },
	{ "FROM:<a@b> ENVID=a=b", 0, NULL },
	{ "FROM:<a@b> AUTH=a=b", 0, NULL },
	{ "FROM:<a@b> XYZ",                     555, "5.5.4" },
	{ "FROM:<a@b> NOTIFY=NEVER",            555, "5.5.4" },
	{ "FROM:<a@b> =x",                      501, "5.5.4" },
	{ "FROM:<a@b> -x",                      501, "5.5.4" },
	{ "FROM:<a@b> X/Y=1",                   501, "5.5.4" },
	{ "FROM:<a@b>  SIZE=1", 0, NULL },
	{ "FROM:<a@b>SIZE=1",                   501, "5.5.4" },
	{ "FROM:<a@b>>", 0, NULL },
	{ "FROM:\t<a@b>\tSIZE=1",               0,   NULL    },
	{ "FROM : a@b BODY=7BIT BODY=8BITMIME", 0,   NULL    },
	{ "FROM:<a@b> AUTH=",                   0,   NULL    },
	{ "FROM:<a@b> ENVID AUTH",              0,   NULL    },
	{ "FROM:<a@b> RET=FULL RET=FULL",       0,   NULL    },
	{ "FROM:<a@b> RET=FULL RET=HDRS",       501, "5.5.4" },
	{ "FROM:<a@b> RET=",                    501, "5.5.4" },
	{ "FROM:<a@b> BODY=",                   501, "5.5.4" },
	{ "FROM <a@b>",                         501, "5.5.4" },
	{ "<a@b>",                              501, "5.5.4" },
	{ "",                                   501, "5.5.4" },
	{ "FROM:a@b", 0, NULL },
	{ "FROM:",                              501, "5.1.7" },
	{ "FROM:<a@>",                          501, "5.1.7" },
	{ "FROM:<a>", 0, NULL },
	{ "FROM:<a b@c>",                       501, "5.1.7" },
	{ "FROM:<a@b",                          501, "5.1.7" },
	{ "FROM:<" E "@b>",                     553, "5.6.7" },
	{ "FROM:<a@" E ".example>",             553, "5.6.7" },
	{ "FROM:<\xff@b> SMTPUTF8",             501, "5.1.7" },
	{ "FROM:<a@b> X" E "=1 SMTPUTF8",       501, "5.5.4" },
};

static const struct {
	const char *arg; bool utf8; int code; const char *enh; unsigned notify;
} rcpts[] = {
	{ "TO:<a@b>",                           false, 0, NULL, 0 },
	{ "to: <a@b>",                          false, 0, NULL, 0 },
	{ "TO:<Postmaster>",                    false, 0, NULL, 0 },
	{ "TO:<@x:a@b> NOTIFY=NEVER",           false, 0, NULL, NOTIFY_NEVER },
	{ "TO:<a@b> NOTIFY=success,Delay",      false, 0, NULL,
	  NOTIFY_SUCCESS | NOTIFY_DELAY },
	{ "TO:<a@b> NOTIFY=FAILURE",            false, 0, NULL, NOTIFY_FAILURE },
	{ "TO:<a@b> ORCPT=rfc822;c+2Bd@e",      false, 0, NULL, 0 },
	{ "TO:<a@b> ORCPT=utf-8;c\\x{E9}@e",    false, 0, NULL, 0 },
	{ "TO:<a@b> ORCPT=utf-8;" E "@e",       true,  0, NULL, 0 },
	{ "TO:<" E "@b>",                       true,  0, NULL, 0 },
	{ "TO:<" E "@b>",                       false, 553, "5.6.7", 0 },
	{ "TO:<a@b> ORCPT=utf-8;" E "@e",       false, 0, NULL, 0 },
	{ "TO:<a@b> ORCPT=utf-8;c\\x{D}@e",     true, 0, NULL, 0 },
	{ "TO:<a@b> ORCPT=utf-8;c\\x{110000}",  true, 0, NULL, 0 },
	{ "TO:<a@b> ORCPT=utf-8;c\\x{E9",       true, 0, NULL, 0 },
	{ "TO:<a@b> ORCPT=utf-8;c+2B",          true, 0, NULL, 0 },
	{ "TO:<a@b> ORCPT=rfc822;",             false, 0, NULL, 0 },
	{ "TO:<a@b> ORCPT=;c@d",                false, 0, NULL, 0 },
	{ "TO:<a@b> ORCPT=c@d",                 false, 0, NULL, 0 },
	{ "TO:<a@b> ORCPT=rfc822;c+0D+0Ad",     false, 0, NULL, 0 },
	{ "TO:<a@b> ORCPT=rfc822;c+d",          false, 0, NULL, 0 },
	{ "TO:<a@b> ORCPT=r/2;c@d",             false, 0, NULL, 0 },
	{ "TO:<a@b> NOTIFY=NEVER,DELAY", false, 0, NULL, 0 },
	{ "TO:<a@b> NOTIFY=", false, 0, NULL, 0 },
	{ "TO:<a@b> NOTIFY=SUCCESS,", false, 0, NULL, NOTIFY_SUCCESS },
	{ "TO:<a@b> NOTIFY=,FAILURE,,DELAY", false, 0, NULL,
	  NOTIFY_FAILURE | NOTIFY_DELAY },
	{ "TO:<a@b> NOTIFY", false, 0, NULL, 0 },
	{ "TO:<a@b> NOTIFY=DELAY,SOON", false, 0, NULL, 0 },
	{ "TO:<a@b> NOTIFY=DELAY NOTIFY=NEVER", false, 0, NULL, NOTIFY_DELAY },
	{ "TO:<a@b> NOTIFY=SOMETIMES",          false, 501, "5.5.4", 0 },
	{ "TO:<a@b> NOTIFY=NEVER NOTIFY=NEVER", false, 0, NULL, NOTIFY_NEVER },
	{ "TO:<a@b> SIZE=1",                    false, 555, "5.5.4", 0 },
	{ "TO:<>",                              false, 501, "5.1.3", 0 },
	{ "TO:<a>",                             false, 501, "5.1.3", 0 },
	{ "TO:<u@ext@local>", false, 0, NULL, 0 },
	{ "TO:a@b", false, 0, NULL, 0 },
	{ "TO :	a@b	NOTIFY=NEVER", false, 0, NULL, NOTIFY_NEVER },
	{ "FROM:<a@b>",                         false, 501, "5.5.4", 0 },
	{ "",                                   false, 501, "5.5.4", 0 },
};
/* clang-format on */

static void refusal_is(const struct smtp_refusal *no, int code, const char *enh)
{
	assert_int_equal(no->code, code);
	assert_string_equal(no->enh, enh);
	assert_non_null(no->text);
}

static void mail_is_taken_or_refused_with_its_code(void **state)
{
	struct mail_from mail;
	struct smtp_refusal no;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mails); i++) {
		int code = mails[i].code;

		print_message("case %zu: %s\n", i, mails[i].arg);
		assert_int_equal(
		    mail_from_parse(slice_str(mails[i].arg), &mail, &no),
		    code == 0 ? 0 : -1);
		if (code != 0)
			refusal_is(&no, code, mails[i].enh);
	}
}

static void mail_fills_what_was_said(void **state)
{
	struct mail_from mail;
	struct smtp_refusal no;

	(void)state;
	assert_int_equal(mail_from_parse(SLICE("FROM:<a@b> SIZE=17 "
		"BODY=BINARYMIME SMTPUTF8 RET=FULL ENVID=q+2B AUTH=<>"),
		&mail, &no), 0);
	assert_true(slice_eq(mail.from.text, SLICE("a@b")));
	assert_true(mail.size_given && mail.size == 17 && mail.utf8);
	assert_int_equal(mail.body, BODY_BINARYMIME);
	assert_int_equal(mail.ret, RET_FULL);
	assert_true(slice_eq(mail.envid, SLICE("q+2B")));
	assert_int_equal(mail_from_parse(SLICE("FROM:<>"), &mail, &no), 0);
	assert_true(!mail.size_given && !mail.utf8 && mail.envid.n == 0);
	assert_int_equal(mail.body, BODY_7BIT);
	assert_int_equal(mail.ret, RET_NONE);
}

static void rcpt_is_taken_or_refused_with_its_code(void **state)
{
	struct rcpt_to rcpt;
	struct smtp_refusal no;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rcpts); i++) {
		int code = rcpts[i].code;

		print_message("case %zu: %s\n", i, rcpts[i].arg);
		assert_int_equal(rcpt_to_parse(slice_str(rcpts[i].arg),
				     rcpts[i].utf8, &rcpt, &no),
		    code == 0 ? 0 : -1);
		if (code != 0)
			refusal_is(&no, code, rcpts[i].enh);
		else
			assert_int_equal(rcpt.notify, rcpts[i].notify);
	}
}

/* One that is none is dropped, and the recipient taken (RFC 3461 4.2). */
static void an_original_recipient_is_kept_as_it_was_said(void **state)
{
	static const struct {
		const char *orcpt;
		bool kept;
	} cases[] = {
	    {"rfc822;c+2Bd@e", true}, {"rfc822;c+0D+0Ad", false},
	    {"rfc822;c+0d", false}, {"rfc822;c+7F", false},
	    {"rfc822;", false}, {";c@d", false}, {"c@d", false},
	    {"x400;c@d", true}, {"r_c;c@d", false},
	    {"utf-8;c\\x{E9}@e", true}, {"utf-8;\\x{20}", true},
	    {"utf-8;\\x{1F}", false}, {"utf-8;\\x{7E}", true},
	    {"utf-8;\\x{7F}", false}, {"utf-8;\\x{80}", true},
	    {"utf-8;\\x{10FFFF}", true}, {"utf-8;\\x{110000}", false},
	    {"utf-8;\\x{0010FF}", true}, {"utf-8;\\x{00010FF}", false},
	    {"utf-8;\\x{e9}", false}, {"utf-8;\\x{}", false},
	    {"utf-8;\\x{E9", false}, {"utf-8;\\y{E9}", false},
	    {"utf-8;\\", false}, {"utf-8;c+2B", false}, {"utf-8;c=d", false},
	    {"utf-8;", false}};
	struct rcpt_to rcpt;
	struct smtp_refusal no;
	char arg[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(arg, sizeof(arg), "TO:<a@b> ORCPT=%s",
		    cases[i].orcpt);
		print_message("%s\n", arg);
		assert_int_equal(rcpt_to_parse(slice_str(arg), true, &rcpt,
				     &no), 0);
		assert_true(slice_eq(rcpt.orcpt,
		    slice_str(cases[i].kept ? cases[i].orcpt : "")));
	}
}

static void long_parameters_have_their_limits(void **state)
{
	char arg[700] = "TO:<a@b> ORCPT=rfc822;";
	size_t head = strlen(arg), value = strlen("rfc822;");
	struct rcpt_to rcpt;
	struct smtp_refusal no;

	(void)state;
	memset(arg + head, 'x', sizeof(arg) - head);
	assert_int_equal(rcpt_to_parse(slice_of(arg, head + 500 - value), false,
			     &rcpt, &no), 0);
	assert_int_equal(rcpt.orcpt.n, 500);
	assert_int_equal(rcpt_to_parse(slice_of(arg, head + 501 - value), false,
			     &rcpt, &no), 0);
	assert_int_equal(rcpt.orcpt.n, 0);
	assert_int_equal(rcpt.dropped.n, 1);
}

/* clang-format off */
static const struct { const char *arg, *envid, *why, *why2; } mail_drops[] = {
	{ "FROM:<a@b> ENVID=q+2B",       "q+2B",     NULL, NULL },
	{ "FROM:<a@b> ENVID=q+2b AUTH=<>", "q+2B",   NULL, NULL },
	{ "FROM:<a@b> ENVID=q ENVID=q",  "q",        NULL, NULL },
	{ "FROM:<a@b> ENVID=QUI=",       "", "ENVID is no xtext", NULL },
	{ "FROM:<a@b> ENVID",            "", "ENVID is no xtext", NULL },
	{ "FROM:<a@b> ENVID=q+0Ab",      "", "ENVID is no xtext", NULL },
	{ "FROM:<a@b> ENVID=q ENVID=r",  "q", "ENVID said twice", NULL },
	{ "FROM:<a@b> AUTH= ENVID=+",    "", "AUTH is no xtext",
	  "ENVID is no xtext" },
};
static const struct { const char *arg, *orcpt, *why, *why2; } rcpt_drops[] = {
	{ "TO:<a@b> ORCPT=rfc822;a+2Bb@c", "rfc822;a+2Bb@c", NULL, NULL },
	{ "TO:<a@b> ORCPT=RFC822;a+2bb@c", "RFC822;a+2Bb@c", NULL, NULL },
	{ "TO:<a@b> ORCPT=rfc822;a=b@c", "", "ORCPT is no type;xtext", NULL },
	{ "TO:<a@b> ORCPT=x_400;a",      "", "ORCPT is no type;xtext", NULL },
	{ "TO:<a@b> ORCPT",              "", "ORCPT is no type;xtext", NULL },
	{ "TO:<a@b> ORCPT=utf-8;" E,     "", "8-bit ORCPT without SMTPUTF8",
	  NULL },
	{ "TO:<a@b> ORCPT=; NOTIFY=,",   "", "ORCPT is no type;xtext",
	  "NOTIFY says nothing" },
	{ "TO:<a@b> NOTIFY=NEVER,DELAY", "", "NOTIFY=NEVER stands alone",
	  NULL },
};
/* clang-format on */

static void dropped_are(
    const struct smtp_dropped *d, const char *why, const char *why2)
{
	assert_int_equal(d->n, (why != NULL) + (why2 != NULL));
	if (why != NULL)
		assert_string_equal(d->why[0], why);
	if (why2 != NULL)
		assert_string_equal(d->why[1], why2);
}

static void a_bad_word_about_notices_is_left_out(void **state)
{
	struct mail_from mail;
	struct rcpt_to rcpt;
	struct smtp_refusal no;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mail_drops); i++) {
		print_message("%s\n", mail_drops[i].arg);
		assert_int_equal(mail_from_parse(
		    slice_str(mail_drops[i].arg), &mail, &no), 0);
		assert_true(slice_eq(
		    mail.envid, slice_str(mail_drops[i].envid)));
		dropped_are(&mail.dropped, mail_drops[i].why,
		    mail_drops[i].why2);
	}
	for (size_t i = 0; i < ARRAY_LEN(rcpt_drops); i++) {
		print_message("%s\n", rcpt_drops[i].arg);
		assert_int_equal(rcpt_to_parse(slice_str(rcpt_drops[i].arg),
				     false, &rcpt, &no), 0);
		assert_true(slice_eq(
		    rcpt.orcpt, slice_str(rcpt_drops[i].orcpt)));
		dropped_are(&rcpt.dropped, rcpt_drops[i].why,
		    rcpt_drops[i].why2);
	}
}

static void a_refused_address_is_still_told(void **state)
{
	static const struct {
		const char *arg, *text;
	} cases[] = {
		{"FROM:<a b@c>", "a b@c"},
		{"FROM:<a@b> XFOO=1", "a@b"},
		{"FROM:<" E "@b>", E "@b"},
		{"FROM:<a@b", "<a@b"},
		{"FROM a@b", "FROM a@b"},
		{"FROM: a@-b SIZE=1", "a@-b"},
	};
	struct mail_from mail;
	struct smtp_refusal no;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].arg);
		assert_int_equal(mail_from_parse(
		    slice_str(cases[i].arg), &mail, &no), -1);
		assert_true(slice_eq(
		    mail.from.text, slice_str(cases[i].text)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_is_taken_or_refused_with_its_code),
		cmocka_unit_test(mail_fills_what_was_said),
		cmocka_unit_test(rcpt_is_taken_or_refused_with_its_code),
		cmocka_unit_test(
		    an_original_recipient_is_kept_as_it_was_said),
		cmocka_unit_test(long_parameters_have_their_limits),
		cmocka_unit_test(a_bad_word_about_notices_is_left_out),
		cmocka_unit_test(a_refused_address_is_still_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
