/* SPDX-License-Identifier: ISC
 *
 * AUTH decoded: PLAIN, LOGIN, and what is neither.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/attr.h"
#include "relay/mail/sasl.h"

static const struct {
	const char *arg, *response[2];
	enum sasl_next next; /* at last */
	const char *name, *password;
} cases[] = {
	/* NUL user NUL pass */
	{"PLAIN AHVzZXIAcGFzcw==", {NULL}, SASL_DONE, "user", "pass"},
	{"plain  AHVzZXIAcGFzcw==", {NULL}, SASL_DONE, "user", "pass"},
	{"PLAIN", {"AHVzZXIAcGFzcw=="}, SASL_DONE, "user", "pass"},
	/* user NUL user NUL pass, me NUL user NUL pass */
	{"PLAIN dXNlcgB1c2VyAHBhc3M=", {NULL}, SASL_DONE, "user", "pass"},
	{"PLAIN bWUAdXNlcgBwYXNz", {NULL}, SASL_MALFORMED, NULL, NULL},
	/* without a NUL, with one, with three */
	{"PLAIN dXNlcnBhc3M=", {NULL}, SASL_MALFORMED, NULL, NULL},
	{"PLAIN dXNlcgBwYXNz", {NULL}, SASL_MALFORMED, NULL, NULL},
	{"PLAIN AHVzZXIAcGEAc3M=", {NULL}, SASL_MALFORMED, NULL, NULL},
	/* an empty name, an empty password, nothing but NULs */
	{"PLAIN AABwYXNz", {NULL}, SASL_MALFORMED, NULL, NULL},
	{"PLAIN AHVzZXIA", {NULL}, SASL_MALFORMED, NULL, NULL},
	{"PLAIN AAAAAAA=", {NULL}, SASL_MALFORMED, NULL, NULL},
	{"PLAIN =", {NULL}, SASL_MALFORMED, NULL, NULL},
	{"PLAIN", {"="}, SASL_MALFORMED, NULL, NULL},
	{"PLAIN", {""}, SASL_MALFORMED, NULL, NULL},
	{"PLAIN", {"*"}, SASL_CANCELLED, NULL, NULL},
	{"PLAIN *", {NULL}, SASL_MALFORMED, NULL, NULL},
	{"PLAIN AHVzZXIAcGFzcw=", {NULL}, SASL_MALFORMED, NULL, NULL},
	{"PLAIN AHVzZXIAcGFzcw", {NULL}, SASL_MALFORMED, NULL, NULL},
	{"PLAIN AHVzZXIAcGFz=w==", {NULL}, SASL_MALFORMED, NULL, NULL},
	{"PLAIN AHVz ZXIA cGFz", {NULL}, SASL_MALFORMED, NULL, NULL},
	{"PLAIN AHVz===AcGFzcw==", {NULL}, SASL_MALFORMED, NULL, NULL},
	{"PLAIN A===", {NULL}, SASL_MALFORMED, NULL, NULL},
	{"PLAIN AHV-ZXIAcGFzcw==", {NULL}, SASL_MALFORMED, NULL, NULL},
	{"LOGIN", {"dXNlcg==", "cGFzcw=="}, SASL_DONE, "user", "pass"},
	{"LOGIN dXNlcg==", {"cGFzcw=="}, SASL_DONE, "user", "pass"},
	{"LOGIN =", {"cGFzcw=="}, SASL_MALFORMED, NULL, NULL},
	{"LOGIN", {"dXNlcg==", ""}, SASL_MALFORMED, NULL, NULL},
	{"LOGIN", {"dXNlcg==", "*"}, SASL_CANCELLED, NULL, NULL},
	{"LOGIN", {"dXNlcgA=", "cGFzcw=="}, SASL_MALFORMED, NULL, NULL},
	{"LOGIN", {"dXNlcg==", "cGEAc3M="}, SASL_MALFORMED, NULL, NULL},
	{"", {NULL}, SASL_UNKNOWN, NULL, NULL},
	{"CRAM-MD5", {NULL}, SASL_UNKNOWN, NULL, NULL},
	{"AHVzZXIAcGFzcw==", {NULL}, SASL_UNKNOWN, NULL, NULL},
	{"PLAINER", {NULL}, SASL_UNKNOWN, NULL, NULL},
};

static void a_login_is_decoded(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sasl *s = calloc(1, sizeof(*s));
		struct credentials c = {.name = {.n = 0}};
		const char *challenge = NULL;
		enum sasl_next next = sasl_begin(s, slice_str(cases[i].arg),
		    &challenge, &c);

		print_message("case %zu: %s\n", i, cases[i].arg);
		for (int k = 0; k < 2 && cases[i].response[k] != NULL; k++) {
			assert_int_equal(next, SASL_ASK);
			assert_non_null(challenge);
			next = sasl_respond(s,
			    slice_str(cases[i].response[k]), &challenge, &c);
		}
		assert_int_equal(next, cases[i].next);
		if (next == SASL_DONE) {
			assert_true(slice_eq(c.name,
			    slice_str(cases[i].name)));
			assert_true(slice_eq(c.password,
			    slice_str(cases[i].password)));
		}
		free(s);
	}
}

static void challenges_are_the_customary_words(void **state)
{
	struct sasl *s = calloc(1, sizeof(*s));
	const char *challenge;
	struct credentials c;

	(void)state;
	sasl_begin(s, SLICE("PLAIN"), &challenge, &c);
	assert_string_equal(challenge, "");
	sasl_begin(s, SLICE("LOGIN"), &challenge, &c);
	assert_string_equal(challenge, "VXNlcm5hbWU6");
	sasl_respond(s, SLICE("dXNlcg=="), &challenge, &c);
	assert_string_equal(challenge, "UGFzc3dvcmQ6");
	free(s);
}

static void any_length_is_answered(void **state)
{
	struct sasl *s = calloc(1, sizeof(*s));
	char arg[SASL_LINE_MAX + 16] = "PLAIN ";
	const char *challenge;
	struct credentials c;

	(void)state;
	memset(arg + 6, 'A', sizeof(arg) - 7);
	for (size_t n = 1; n < sizeof(arg) - 6; n++)
		assert_int_equal(sasl_begin(s, slice_of(arg, 6 + n),
		    &challenge, &c), SASL_MALFORMED);
	free(s);
}

static void nothing_is_left_of_it(void **state)
{
	struct sasl *s = calloc(1, sizeof(*s));
	const char *challenge;
	struct credentials c;

	(void)state;
	assert_int_equal(sasl_begin(s, SLICE("PLAIN AHVzZXIAcGFzcw=="),
	    &challenge, &c), SASL_DONE);
	sasl_fini(s);
	for (size_t i = 0; i < sizeof(s->text); i++)
		assert_int_equal(s->text[i], 0);
	free(s);
}

static void only_a_mechanism_is_put_on_record(void **state)
{
	(void)state;
	assert_string_equal(sasl_said(SLICE("plain AHVzZXIAcGFzcw==")),
	    "PLAIN");
	assert_string_equal(sasl_said(SLICE("LOGIN")), "LOGIN");
	assert_string_equal(sasl_said(SLICE("AHVzZXIAcGFzcw==")), "");
	assert_string_equal(sasl_said(SLICE("")), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_login_is_decoded),
		cmocka_unit_test(challenges_are_the_customary_words),
		cmocka_unit_test(any_length_is_answered),
		cmocka_unit_test(nothing_is_left_of_it),
		cmocka_unit_test(only_a_mechanism_is_put_on_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
