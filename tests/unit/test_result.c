/* SPDX-License-Identifier: ISC
 *
 * Results to bytes and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/mail/result.h"

static const struct result sample = {
	.outcome = OUT_FAILED,
	.class = CLASS_RECIPIENT,
	.code = 550,
	.enh = "5.1.1",
	.stage = STAGE_RCPT,
	.remote = "mx1.example.net [192.0.2.7]:25",
	.text = "No such user",
	.tls = "TLSv1.3",
	.tls_failed = "it hung up",
	.address = "ann@tenant.example",
	.uncertain = true,
};

static void a_result_survives_a_round_trip(void **state)
{
	struct arena *a = arena_new();
	struct result back;
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 1000);
	result_pack(&sample, &out);
	assert_int_equal(result_unpack(strbuf_view(&out), a, &back), 0);
	assert_int_equal(back.outcome, OUT_FAILED);
	assert_int_equal(back.class, CLASS_RECIPIENT);
	assert_int_equal(back.code, 550);
	assert_string_equal(back.enh, "5.1.1");
	assert_int_equal(back.stage, STAGE_RCPT);
	assert_string_equal(back.remote, sample.remote);
	assert_string_equal(back.text, sample.text);
	assert_string_equal(back.tls, sample.tls);
	assert_string_equal(back.tls_failed, sample.tls_failed);
	assert_string_equal(back.address, sample.address);
	assert_true(back.uncertain);
	for (size_t n = 0; n < out.n; n++)
		assert_int_equal(
		    result_unpack(slice_of(out.p, n), a, &back), -1);
	strbuf_addc(&out, 'x');
	assert_int_equal(result_unpack(strbuf_view(&out), a, &back), -1);
	strbuf_fini(&out);
	arena_free(a);
}

/* Version 1 ended with the address. */
static void a_result_of_before_is_read(void **state)
{
	struct arena *a = arena_new();
	struct result said = sample, back;
	struct strbuf out;

	(void)state;
	said.tls_failed = NULL;
	strbuf_init(&out, 1000);
	result_pack(&said, &out);
	assert_int_equal(result_unpack(strbuf_view(&out), a, &back), 0);
	assert_string_equal(back.tls_failed, "");
	out.p[0] = 1;
	assert_int_equal(result_unpack(strbuf_view(&out), a, &back), -1);
	out.n -= 4; /* the length of "" */
	assert_int_equal(result_unpack(strbuf_view(&out), a, &back), 0);
	assert_string_equal(back.address, sample.address);
	assert_string_equal(back.tls_failed, "");
	strbuf_fini(&out);
	arena_free(a);
}

/* A later release may know more of them. */
static void a_stage_that_is_not_known_is_none(void **state)
{
	struct arena *a = arena_new();
	struct result back;
	struct strbuf out;
	char *stage;

	(void)state;
	strbuf_init(&out, 1000);
	result_pack(&sample, &out);
	stage = memmem(out.p, out.n, "rcpt", 4);
	assert_non_null(stage);
	memcpy(stage, "etrn", 4);
	assert_int_equal(result_unpack(strbuf_view(&out), a, &back), 0);
	assert_int_equal(back.stage, STAGE_NONE);
	assert_string_equal(back.text, sample.text);
	strbuf_fini(&out);
	arena_free(a);
}

static void impossible_values_are_refused(void **state)
{
	/* clang-format off */
	static const struct { size_t at; char value; } damage[] = {
		{ 0, 9 }, { 1, OUT_PARKED + 1 }, { 2, CLASSES }, { 4, 3 },
		{ 5, 2 }, { 6, 12 }, { 10, '\0' }, { 9, 1 },
	};
	/* clang-format on */
	struct arena *a = arena_new();
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(damage); i++) {
		struct result back;

		print_message("case %zu\n", i);
		strbuf_reset(&out);
		result_pack(&sample, &out);
		out.p[damage[i].at] = damage[i].value;
		assert_int_equal(
		    result_unpack(strbuf_view(&out), a, &back), -1);
	}
	strbuf_fini(&out);
	arena_free(a);
}

static void every_class_has_a_name(void **state)
{
	(void)state;
	for (int c = 0; c < CLASSES; c++)
		assert_true(
		    strlen(reply_class_text((enum reply_class)c)) > 1);
	assert_string_equal(reply_class_text(CLASSES), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_result_survives_a_round_trip),
		cmocka_unit_test(a_result_of_before_is_read),
		cmocka_unit_test(a_stage_that_is_not_known_is_none),
		cmocka_unit_test(impossible_values_are_refused),
		cmocka_unit_test(every_class_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
