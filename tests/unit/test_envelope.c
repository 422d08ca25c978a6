/* SPDX-License-Identifier: ISC
 *
 * Envelopes to bytes and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/mail/envelope.h"

static struct envelope_rcpt two_rcpts[] = {
	{"ann@corp.example", NOTIFY_SUCCESS | NOTIFY_DELAY, "rfc822;a+2Bb@x",
	    0},
	{"\"a b\"@corp.example", NOTIFY_NEVER, "", 0},
};

static struct envelope full(void)
{
	return (struct envelope){
		.id = UINT64_C(0x123456789abcdef0),
		.accepted_us = INT64_C(1795324337000123),
		.client = "2001:db8::1",
		.client_name = "mail.example.org",
		.listen = "old-mx",
		.helo = "mail.example.org",
		.esmtp = true,
		.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384",
		.from = "bob@example.org",
		.body = BODY_8BITMIME,
		.utf8 = true,
		.ret = RET_HDRS,
		.envid = "q+2B",
		.message_id = "<x@example.org>",
		.spf = "pass",
		.size = UINT64_C(5000000000),
		.bare_lf = false,
		.eight_bit = true,
		.rcpt = two_rcpts,
		.rcpts = 2,
	};
}

/* A text that ends early would be another than the one that was checked. */
static void a_nul_in_a_text_is_damage(void **state)
{
	static const char *const texts[] = {"mail.example.org", "old-mx",
	    "bob@example.org", "q+2B", "ann@corp.example", "rfc822;a+2Bb@x"};
	struct envelope e = full(), back;
	struct arena *a = arena_new();
	struct strbuf b;

	(void)state;
	strbuf_init(&b, ENVELOPE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		char *at;

		strbuf_reset(&b);
		envelope_pack(&e, &b);
		assert_int_equal(
		    envelope_unpack(strbuf_view(&b), a, &back), 0);
		at = memmem(b.p, b.n, texts[i], strlen(texts[i]));
		assert_non_null(at);
		at[1] = '\0';
		assert_int_equal(
		    envelope_unpack(strbuf_view(&b), a, &back), -1);
	}
	strbuf_fini(&b);
	arena_free(a);
}

static void an_envelope_survives_a_round_trip(void **state)
{
	struct envelope e = full(), back;
	struct arena *a = arena_new();
	struct strbuf first, second;

	(void)state;
	strbuf_init(&first, ENVELOPE_MAX);
	strbuf_init(&second, ENVELOPE_MAX);
	envelope_pack(&e, &first);
	assert_int_equal(envelope_unpack(strbuf_view(&first), a, &back), 0);
	assert_true(back.id == e.id && back.accepted_us == e.accepted_us);
	assert_true(back.esmtp && back.utf8 && back.eight_bit);
	assert_false(back.bare_lf);
	assert_int_equal(back.body, BODY_8BITMIME);
	assert_int_equal(back.ret, RET_HDRS);
	assert_string_equal(back.client, e.client);
	assert_string_equal(back.from, e.from);
	assert_string_equal(back.spf, "pass");
	assert_int_equal(back.rcpts, 2);
	assert_string_equal(back.rcpt[0].orcpt, "rfc822;a+2Bb@x");
	assert_int_equal(back.rcpt[1].notify, NOTIFY_NEVER);
	envelope_pack(&back, &second);
	assert_true(slice_eq(strbuf_view(&first), strbuf_view(&second)));
	strbuf_fini(&first);
	strbuf_fini(&second);
	arena_free(a);
}

static void a_proxy_is_not_the_client(void **state)
{
	static const struct { const char *proxy; bool named; } cases[] = {
		{NULL, true}, {"", true}, {"v1", true}, {"v2", true},
		{"local", false}, {"unknown", false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_true(envelope_names_client(&(struct envelope){
		    .proxy = cases[i].proxy}) == cases[i].named);
}

static void what_came_back_says_so(void **state)
{
	struct envelope e = full(), back;
	struct arena *a = arena_new();
	struct strbuf first, second;

	(void)state;
	strbuf_init(&first, ENVELOPE_MAX);
	strbuf_init(&second, ENVELOPE_MAX);
	e.came_from = "cloud";
	e.parent = 77;
	e.rcpt[0].had = envelope_had(&e, a, "cloud");
	e.rcpt[1].had = envelope_had(&e, a, "cloud") |
			envelope_had(&e, a, "legacy");
	envelope_pack(&e, &first);
	assert_int_equal(envelope_unpack(strbuf_view(&first), a, &back), 0);
	assert_string_equal(back.came_from, "cloud");
	assert_int_equal(back.parent, 77);
	assert_true(envelope_loops(&back, 0, "cloud"));
	assert_false(envelope_loops(&back, 0, "legacy"));
	assert_true(envelope_loops(&back, 1, "legacy"));
	assert_false(envelope_loops(&back, 1, "third"));
	assert_false(envelope_loops(&back, 2, "cloud"));
	envelope_pack(&back, &second);
	assert_true(slice_eq(strbuf_view(&first), strbuf_view(&second)));
	for (size_t n = 0; n < first.n; n++)
		assert_int_equal(
		    envelope_unpack(slice_of(first.p, n), a, &back), -1);
	/* A bit of a leg that is not there. */
	first.p[first.n - 1] = 1;
	assert_int_equal(envelope_unpack(strbuf_view(&first), a, &back), -1);
	two_rcpts[0].had = two_rcpts[1].had = 0;
	strbuf_fini(&first);
	strbuf_fini(&second);
	arena_free(a);
}

/* As it was written before the origin of mail was recorded. */
static void an_older_envelope_is_read(void **state)
{
	struct envelope e = full(), back;
	struct arena *a = arena_new();
	struct strbuf out;

	(void)state;
	strbuf_init(&out, ENVELOPE_MAX);
	envelope_pack(&e, &out);
	assert_int_equal(out.p[0], 1);
	assert_int_equal(envelope_unpack(strbuf_view(&out), a, &back), 0);
	assert_string_equal(back.came_from, "");
	assert_int_equal(back.parent, 0);
	assert_int_equal(back.had_legs, 0);
	strbuf_fini(&out);
	arena_free(a);
}

static void more_legs_than_there_is_room_for_are_left_out(void **state)
{
	struct envelope e = full();
	struct arena *a = arena_new();
	char name[8] = "leg0";

	(void)state;
	for (int i = 0; i < HAD_MAX; i++, name[3]++)
		assert_int_equal(envelope_had(&e, a, name), 1u << i);
	assert_int_equal(envelope_had(&e, a, name), 0);
	assert_int_equal(envelope_had(&e, a, "leg0"), 1);
	arena_free(a);
}

static void what_is_not_known_comes_back_empty(void **state)
{
	struct envelope e = {.id = 1}, back;
	struct arena *a = arena_new();
	struct strbuf out;

	(void)state;
	strbuf_init(&out, ENVELOPE_MAX);
	envelope_pack(&e, &out);
	assert_int_equal(envelope_unpack(strbuf_view(&out), a, &back), 0);
	assert_string_equal(back.from, "");
	assert_string_equal(back.spf, "");
	assert_int_equal(back.rcpts, 0);
	strbuf_fini(&out);
	arena_free(a);
}

static void cut_or_longer_bytes_are_no_envelope(void **state)
{
	struct envelope e = full(), back;
	struct arena *a = arena_new();
	struct strbuf out;

	(void)state;
	strbuf_init(&out, ENVELOPE_MAX);
	envelope_pack(&e, &out);
	for (size_t n = 0; n < out.n; n++)
		assert_int_equal(
		    envelope_unpack(slice_of(out.p, n), a, &back), -1);
	strbuf_addc(&out, 'x');
	assert_int_equal(envelope_unpack(strbuf_view(&out), a, &back), -1);
	strbuf_fini(&out);
	arena_free(a);
}

/* Whatever a damaged byte makes of it, it is bounded and it ends. */
static void damaged_bytes_are_refused_or_read_but_never_more(void **state)
{
	struct envelope e = full(), back;
	struct strbuf out;

	(void)state;
	strbuf_init(&out, ENVELOPE_MAX);
	envelope_pack(&e, &out);
	for (size_t i = 0; i < out.n; i++) {
		struct arena *a = arena_new();
		char good = out.p[i];

		out.p[i] = (char)~good;
		(void)!envelope_unpack(strbuf_view(&out), a, &back);
		assert_true(arena_bytes(a) < 64 * 1024);
		out.p[i] = good;
		arena_free(a);
	}
	strbuf_fini(&out);
}

static void what_would_break_a_command_is_refused(void **state)
{
	static const char evil[] = "a@b>\r\nRCPT TO:<c@d";
	struct envelope_rcpt rcpt = {"a@b", 0, "", 0};
	struct envelope e[] = {full(), full(), full(), full(), full(), full()};
	struct arena *a = arena_new();
	struct strbuf out;

	(void)state;
	e[0].from = evil;
	e[1].envid = "a\nb";
	e[2].rcpt = &(struct envelope_rcpt){evil, 0, "", 0};
	e[3].rcpt = &(struct envelope_rcpt){"a@b", 0, "rfc822;a\x7f", 0};
	e[4].rcpt = &(struct envelope_rcpt){"", 0, "", 0};
	e[5].rcpt = &rcpt;
	strbuf_init(&out, ENVELOPE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(e); i++) {
		struct envelope back;

		print_message("case %zu\n", i);
		strbuf_reset(&out);
		e[i].rcpts = 1;
		envelope_pack(&e[i], &out);
		assert_int_equal(
		    envelope_unpack(strbuf_view(&out), a, &back),
		    i == 5 ? 0 : -1);
	}
	strbuf_fini(&out);
	arena_free(a);
}

static void a_subject_is_a_tagged_value(void **state)
{
	struct envelope e = full(), back;
	struct arena *a = arena_new();
	struct strbuf b;

	(void)state;
	strbuf_init(&b, ENVELOPE_MAX);
	e.subject = "Hello";
	envelope_pack(&e, &b);
	assert_int_equal(b.p[0], 3);
	assert_int_equal(envelope_unpack(strbuf_view(&b), a, &back), 0);
	assert_string_equal(back.subject, "Hello");
	assert_false(envelope_came_back(&back));
	/* A tag of a later version is kept; half a one is refused. */
	strbuf_add(&b, "\x63\0\3\0\0\0new", 9);
	assert_int_equal(envelope_unpack(strbuf_view(&b), a, &back), 0);
	assert_string_equal(back.subject, "Hello");
	b.n--;
	assert_int_equal(envelope_unpack(strbuf_view(&b), a, &back), -1);
	strbuf_fini(&b);
	arena_free(a);
}

static void each_tagged_value_is_read_again(void **state)
{
	struct envelope e = full(), back;
	struct arena *a = arena_new();
	struct strbuf b, again;

	(void)state;
	strbuf_init(&b, ENVELOPE_MAX);
	strbuf_init(&again, ENVELOPE_MAX);
	e.egress = "direct";
	e.srs = "SRS0=abcd=T1=example.org=bob@mx.example";
	e.login = "anna";
	e.proxy = "v2";
	e.spf_by = "ip4:192.0.2.0/24 example.org";
	e.stripped = "3";
	e.from_domain = "corp.example";
	e.dkim = "a.corp.example b.corp.example";
	envelope_pack(&e, &b);
	assert_int_equal(b.p[0], ENVELOPE_FORMAT);
	assert_int_equal(envelope_unpack(strbuf_view(&b), a, &back), 0);
	assert_string_equal(back.egress, e.egress);
	assert_string_equal(back.srs, e.srs);
	assert_string_equal(back.login, e.login);
	assert_string_equal(back.proxy, e.proxy);
	assert_string_equal(back.spf_by, e.spf_by);
	assert_string_equal(back.stripped, e.stripped);
	assert_string_equal(back.from_domain, e.from_domain);
	assert_string_equal(back.dkim, e.dkim);
	assert_string_equal(back.subject, "");
	assert_int_equal(back.unknown.n, 0);
	envelope_pack(&back, &again);
	assert_true(slice_eq(strbuf_view(&b), strbuf_view(&again)));
	strbuf_reset(&b);
	e.srs = "a@b>\r\nDATA";
	envelope_pack(&e, &b);
	assert_int_equal(envelope_unpack(strbuf_view(&b), a, &back), -1);
	strbuf_fini(&b);
	strbuf_fini(&again);
	arena_free(a);
}

static void tags_of_a_newer_version_are_kept(void **state)
{
	static const char first[] = "\x63\0\3\0\0\0new";
	static const char second[] = "\0\x90\0\0\0\0";
	struct envelope e = full(), back;
	struct arena *a = arena_new();
	struct strbuf b;

	(void)state;
	strbuf_init(&b, ENVELOPE_MAX);
	e.login = "anna";
	envelope_pack(&e, &b);
	strbuf_add(&b, first, 9);
	strbuf_add(&b, second, 6);
	assert_int_equal(envelope_unpack(strbuf_view(&b), a, &back), 0);
	assert_int_equal(back.unknown.n, 15);
	back.login = "bert";
	back.egress = "direct";
	strbuf_reset(&b);
	envelope_pack(&back, &b);
	assert_int_equal(envelope_unpack(strbuf_view(&b), a, &back), 0);
	assert_string_equal(back.login, "bert");
	assert_int_equal(back.unknown.n, 15);
	assert_memory_equal(back.unknown.p, first, 9);
	assert_memory_equal(back.unknown.p + 9, second, 6);
	/* Nothing else need be set for them to be written. */
	back.login = back.egress = "";
	strbuf_reset(&b);
	envelope_pack(&back, &b);
	assert_int_equal(b.p[0], ENVELOPE_FORMAT);
	strbuf_fini(&b);
	arena_free(a);
}

static void a_newer_format_is_refused_by_its_number(void **state)
{
	struct envelope e = full(), back;
	struct arena *a = arena_new();
	struct strbuf b;

	(void)state;
	strbuf_init(&b, ENVELOPE_MAX);
	envelope_pack(&e, &b);
	for (int version = 0; version < 256; version++) {
		bool newer = version > ENVELOPE_FORMAT;

		b.p[0] = (char)version;
		assert_int_equal(envelope_newer(strbuf_view(&b)),
		    newer ? version : 0);
		if (newer || version == 0)
			assert_int_equal(
			    envelope_unpack(strbuf_view(&b), a, &back), -1);
	}
	assert_int_equal(envelope_newer(slice_of("", 0)), 0);
	strbuf_fini(&b);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nul_in_a_text_is_damage),
		cmocka_unit_test(an_envelope_survives_a_round_trip),
		cmocka_unit_test(a_proxy_is_not_the_client),
		cmocka_unit_test(what_came_back_says_so),
		cmocka_unit_test(an_older_envelope_is_read),
		cmocka_unit_test(
		    more_legs_than_there_is_room_for_are_left_out),
		cmocka_unit_test(what_is_not_known_comes_back_empty),
		cmocka_unit_test(cut_or_longer_bytes_are_no_envelope),
		cmocka_unit_test(
		    damaged_bytes_are_refused_or_read_but_never_more),
		cmocka_unit_test(what_would_break_a_command_is_refused),
		cmocka_unit_test(a_subject_is_a_tagged_value),
		cmocka_unit_test(each_tagged_value_is_read_again),
		cmocka_unit_test(tags_of_a_newer_version_are_kept),
		cmocka_unit_test(a_newer_format_is_refused_by_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
