/* SPDX-License-Identifier: ISC
 *
 * Requests and replies of `posthouse-spf` as bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/spf/spf_wire.h"

#define ODD "a b\\c\0d\xff\"%"

static void add_answer(struct strbuf *to, enum spf_type type,
    struct slice name, struct slice record)
{
	struct strbuf records;
	struct spf_answer a = {.type = type, .name = name};

	strbuf_init(&records, SPF_FRAME_MAX);
	pack_bytes(&records, record);
	pack_bytes(&records, record);
	a.records = strbuf_view(&records);
	spf_answer_pack(to, &a);
	strbuf_fini(&records);
}

static void sample(struct strbuf *frame, struct slice txt)
{
	struct spf_request r = {.client = SLICE("\xc0\0\x02\x01"),
	    .helo = SLICE(ODD), .local = SLICE("x@y"), .domain = SLICE("d.e"),
	    .others = 1, .other = {SLICE("\xcb\0\x71\a")}, .answers = 3};
	struct spf_answer none = {.type = SPF_TYPE_MX,
	    .status = SPF_ANSWER_NXDOMAIN, .name = SLICE("no.such")};
	struct strbuf answers;

	strbuf_init(&answers, SPF_FRAME_MAX);
	add_answer(&answers, SPF_TYPE_TXT, SLICE(ODD), txt);
	add_answer(&answers, SPF_TYPE_A, SLICE("d.e"), SLICE("\x01\0\0\0"));
	spf_answer_pack(&answers, &none);
	spf_request_pack(frame, &r, &answers);
	strbuf_fini(&answers);
}

static void a_request_comes_back_with_every_octet(void **state)
{
	struct strbuf frame;
	struct spf_request r;
	struct slice rest, record;
	const char *why;

	(void)state;
	strbuf_init(&frame, SPF_FRAME_MAX);
	sample(&frame, SLICE(ODD));
	assert_true(strbuf_ok(&frame));
	assert_int_equal(spf_frame_bytes(strbuf_view(&frame)), frame.n);
	assert_int_equal(spf_request_unpack(
	    spf_frame_body(strbuf_view(&frame)), &r, &why), 0);
	assert_true(slice_eq(r.helo, SLICE(ODD)));
	assert_true(slice_eq(r.local, SLICE("x@y")));
	assert_true(slice_eq(r.domain, SLICE("d.e")));
	assert_true(slice_eq(r.client, SLICE("\xc0\0\x02\x01")));
	assert_int_equal(r.others, 1);
	assert_true(slice_eq(r.other[0], SLICE("\xcb\0\x71\a")));
	assert_int_equal(r.answers, 3);
	assert_true(slice_eq(r.answer[0].name, SLICE(ODD)));
	rest = r.answer[0].records;
	for (int i = 0; i < 2; i++) {
		assert_true(spf_record_next(&rest, &record));
		assert_true(slice_eq(record, SLICE(ODD)));
	}
	assert_false(spf_record_next(&rest, &record));
	assert_int_equal(r.answer[1].type, SPF_TYPE_A);
	assert_int_equal(r.answer[2].status, SPF_ANSWER_NXDOMAIN);
	strbuf_fini(&frame);
}

static void a_request_over_the_ceiling_overflows(void **state)
{
	static char big[SPF_FRAME_MAX / 2 - 8];
	struct strbuf frame;

	(void)state;
	strbuf_init(&frame, SPF_FRAME_MAX);
	sample(&frame, slice_of(big, sizeof(big)));
	assert_false(strbuf_ok(&frame));
	strbuf_fini(&frame);
}

static void reply_sample(struct strbuf *frame)
{
	struct spf_reply r = {.questions = 2, .used = SPF_USED_LOCAL,
	    .reads = 1, .others = 2, .other = {{.known = false},
	    {.known = true, .verdict = {.result = SPF_FAIL,
	    .mechanism = SLICE("-all")}}},
	    .question = {{SPF_TYPE_TXT, SLICE("d.e")},
	    {SPF_TYPE_A, SLICE(ODD)}}, .read = {SLICE("d.e")},
	    .verdict = {.result = SPF_SOFTFAIL, .mechanism = SLICE("~all"),
	    .domain = SLICE("d.e"), .lookups = 3, .voids = 1,
	    .explanation = SLICE("go away"), .problem = SLICE("")}};

	spf_reply_pack(frame, &r);
}

static void a_reply_comes_back(void **state)
{
	struct strbuf frame;
	struct spf_reply r;
	const char *why;

	(void)state;
	strbuf_init(&frame, SPF_FRAME_MAX);
	reply_sample(&frame);
	assert_int_equal(spf_reply_unpack(
	    spf_frame_body(strbuf_view(&frame)), &r, &why), 0);
	assert_int_equal(r.verdict.result, SPF_SOFTFAIL);
	assert_true(slice_eq(r.verdict.mechanism, SLICE("~all")));
	assert_true(slice_eq(r.verdict.explanation, SLICE("go away")));
	assert_int_equal(r.verdict.lookups, 3);
	assert_int_equal(r.verdict.voids, 1);
	assert_int_equal(r.used, SPF_USED_LOCAL);
	assert_int_equal(r.questions, 2);
	assert_int_equal(r.question[0].type, SPF_TYPE_TXT);
	assert_true(slice_eq(r.question[1].name, SLICE(ODD)));
	assert_int_equal(r.reads, 1);
	assert_true(slice_eq(r.read[0], SLICE("d.e")));
	assert_int_equal(r.others, 2);
	assert_false(r.other[0].known);
	assert_true(r.other[1].known);
	assert_int_equal(r.other[1].verdict.result, SPF_FAIL);
	assert_true(slice_eq(r.other[1].verdict.mechanism, SLICE("-all")));
	strbuf_fini(&frame);
}

static void a_frame_that_is_cut_or_longer_is_refused(void **state)
{
	struct strbuf ask, answer;
	struct spf_request request;
	struct spf_reply reply;
	struct slice body;
	const char *why;

	(void)state;
	strbuf_init(&ask, SPF_FRAME_MAX);
	strbuf_init(&answer, SPF_FRAME_MAX);
	sample(&ask, SLICE("v=spf1 -all"));
	strbuf_addc(&ask, '\0');
	body = slice_from(strbuf_view(&ask), 4);
	for (size_t n = 0; n <= body.n; n++)
		assert_int_equal(spf_request_unpack(slice_head(body, n),
		    &request, &why), n == body.n - 1 ? 0 : -1);
	reply_sample(&answer);
	strbuf_addc(&answer, '\0');
	body = slice_from(strbuf_view(&answer), 4);
	for (size_t n = 0; n <= body.n; n++)
		assert_int_equal(spf_reply_unpack(slice_head(body, n), &reply,
		    &why), n == body.n - 1 ? 0 : -1);
	strbuf_fini(&ask);
	strbuf_fini(&answer);
}

typedef const char *(*why_fn)(struct slice body);

/* NULL: it is a request. */
static const char *request_why(struct slice body)
{
	struct spf_request r;
	const char *why;

	return spf_request_unpack(body, &r, &why) == 0 ? NULL : why;
}

static const char *reply_why(struct slice body)
{
	struct spf_reply r;
	const char *why;

	return spf_reply_unpack(body, &r, &why) == 0 ? NULL : why;
}

/* Cut at each byte, it says each text of `texts` in turn, then that it is
 * whole, then the last. With `more` instead of the number of what the text at
 * `many` is about, it says that one. */
static void expect_texts(struct strbuf *frame, why_fn why,
    const char *const *texts, int many, char more)
{
	struct slice body;
	size_t count = 0;
	int at = 0;

	strbuf_addc(frame, '\0');
	body = slice_from(strbuf_view(frame), 4);
	for (size_t n = 0; n < body.n - 1; n++) {
		const char *said = why(slice_head(body, n));

		assert_non_null(said);
		if (strcmp(said, texts[at]) != 0)
			at++;
		assert_non_null(texts[at]);
		assert_string_equal(said, texts[at]);
		if (at == many && count == 0)
			count = n;
	}
	assert_null(why(slice_head(body, body.n - 1)));
	assert_string_equal(why(body), texts[at + 1]);
	assert_null(texts[at + 2]);
	frame->p[count + 4] = more;
	assert_string_equal(why(body), texts[many]);
	strbuf_fini(frame);
}

static void a_refusal_names_what_is_wrong(void **state)
{
	static const char *const request[] = {
		"a request is cut, or of another version",
		"other addresses are cut, too many, or neither IPv4 nor IPv6",
		"answers are cut, too many, or one is none",
		"a request goes on behind its end", NULL
	}, *const reply[] = {
		"a reply is cut, or of another version",
		"names of a reply are cut, too many, or one is none",
		"other verdicts are cut, too many, or one is none",
		"a reply goes on behind its end", NULL
	};
	struct strbuf frame;

	(void)state;
	strbuf_init(&frame, SPF_FRAME_MAX);
	sample(&frame, SLICE("v=spf1 -all"));
	expect_texts(&frame, request_why, request, 1, SPF_OTHERS_MAX + 1);
	strbuf_init(&frame, SPF_FRAME_MAX);
	reply_sample(&frame);
	expect_texts(&frame, reply_why, reply, 2, SPF_OTHERS_MAX + 1);
}

static void a_text_of_a_reply_is_printable(void **state)
{
	static const char *const texts[] = {"a\r\nb", "\x1b[2J", "\x7f",
	    "caf\xc3\xa9"};
	struct spf_reply r = {0};
	struct strbuf frame;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct spf_reply back;

		strbuf_init(&frame, SPF_FRAME_MAX);
		r.verdict.explanation = slice_str(texts[i]);
		spf_reply_pack(&frame, &r);
		assert_int_equal(spf_reply_unpack(
		    spf_frame_body(strbuf_view(&frame)), &back, &why), -1);
		strbuf_fini(&frame);
	}
}

static void an_address_has_its_size(void **state)
{
	static const struct { enum spf_type type; size_t n; int want; } c[] = {
		{ SPF_TYPE_A, 4, 0 }, { SPF_TYPE_A, 16, -1 },
		{ SPF_TYPE_AAAA, 16, 0 }, { SPF_TYPE_AAAA, 4, -1 },
		{ SPF_TYPE_MX, 255, 0 }, { SPF_TYPE_MX, 256, -1 },
		{ SPF_TYPE_TXT, 256, 0 },
	};
	static const char bytes[256];

	(void)state;
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		struct spf_request r = {.client = slice_of(bytes, 4),
		    .helo = SLICE("h"), .local = SLICE("l"),
		    .domain = SLICE("d"), .answers = 1};
		struct spf_request back;
		struct strbuf frame, answers;
		const char *why;

		strbuf_init(&frame, SPF_FRAME_MAX);
		strbuf_init(&answers, SPF_FRAME_MAX);
		add_answer(&answers, c[i].type, SLICE("n"),
		    slice_of(bytes, c[i].n));
		spf_request_pack(&frame, &r, &answers);
		assert_int_equal(spf_request_unpack(
		    spf_frame_body(strbuf_view(&frame)), &back, &why),
		    c[i].want);
		strbuf_fini(&frame);
		strbuf_fini(&answers);
	}
}

static void a_length_is_bounded(void **state)
{
	(void)state;
	assert_int_equal(spf_frame_bytes(SLICE("\x01\0\0")), 0);
	assert_int_equal(spf_frame_bytes(SLICE("\x01\0\0\0")), 5);
	assert_int_equal(spf_frame_bytes(SLICE("\0\0\0\0")), -1);
	assert_int_equal(spf_frame_bytes(SLICE("\xfc\xff\x01\0")),
	    SPF_FRAME_MAX);
	assert_int_equal(spf_frame_bytes(SLICE("\xfd\xff\x01\0")), -1);
	assert_int_equal(spf_frame_bytes(SLICE("\xff\xff\xff\xff")), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_comes_back_with_every_octet),
		cmocka_unit_test(a_request_over_the_ceiling_overflows),
		cmocka_unit_test(a_reply_comes_back),
		cmocka_unit_test(a_frame_that_is_cut_or_longer_is_refused),
		cmocka_unit_test(a_refusal_names_what_is_wrong),
		cmocka_unit_test(a_text_of_a_reply_is_printable),
		cmocka_unit_test(an_address_has_its_size),
		cmocka_unit_test(a_length_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
