/* SPDX-License-Identifier: ISC
 *
 * A carried message to JSON and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/base/id.h"
#include "relay/control/carried.h"
#include "relay/control/carried_check.h"

static struct envelope_rcpt rcpts[] = {
	{.to = "ann@example.com", .notify = NOTIFY_FAILURE | NOTIFY_DELAY,
	    .orcpt = "rfc822;ann+40example.com", .had = 2},
	{.to = "b\xc3\xa9@example.com", .notify = NOTIFY_NEVER, .orcpt = ""},
};

static const struct envelope full = {
	.id = 77, .accepted_us = INT64_C(1700000000123456),
	.client = "192.0.2.1", .client_name = "mail.elsewhere.test",
	.listen = "mx", .helo = "client.test", .esmtp = true,
	.tls = "TLSv1.3 X", .from = "a@elsewhere.test",
	.body = BODY_BINARYMIME, .utf8 = true, .ret = RET_HDRS,
	.envid = "e-1", .message_id = "<1@x>", .subject = "Gr\xc3\xbc\xc3\x9f"
	"e \"\\", .spf = "pass", .size = INT64_C(1) << 40, .bare_lf = true,
	.eight_bit = true, .utf8_header = true, .rcpt = rcpts, .rcpts = 2,
	.came_from = "cloud", .parent = 76, .had_leg = {"legacy", "cloud"},
	.had_legs = 2, .egress = "direct", .srs = "srs0=x@srs.test",
	.login = "scanner", .proxy = "v2",
	.spf_by = "ip4:192.0.2.0/24 elsewhere.test", .stripped = "2",
	.from_domain = "corp.test", .dkim = "mail.corp.test",
	.unknown = {"\x09\x01\x02\0\0\0hi", 8},
};

static const struct spool_delivery parked = {.rcpt = 1, .leg = 0,
    .role = ROLE_COPY, .state = D_PARKED, .uncertain = UNC_YES,
    .reason = WHY_ATTEMPT, .flags = DF_REFUSED | DF_PINNED, .attempts = 900,
    .created_us = 5, .due_us = INT64_C(1700000000123457), .change = 12};

typedef void (*print_fn)(struct jout *j, const struct names *n, unsigned i);

static void print_envelope(struct jout *j, const struct names *n, unsigned i)
{
	(void)n;
	(void)i;
	carried_print_envelope(j, &full);
}

static void print_rcpt(struct jout *j, const struct names *n, unsigned i)
{
	(void)n;
	carried_print_rcpt(j, &full, i);
}

static void print_delivery(struct jout *j, const struct names *n, unsigned i)
{
	(void)i;
	carried_print_delivery(j, n, &parked, slice_of("a\0\xff", 3));
}

static json_t *printed(print_fn print, const struct names *names, unsigned i)
{
	struct strbuf b;
	struct jout j;
	json_t *o;

	strbuf_init(&b, 1 << 16);
	jout_init(&j, &b);
	jout_object(&j, NULL);
	print(&j, names, i);
	jout_object_end(&j);
	o = json_loads(strbuf_cstr(&b), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(o);
	strbuf_fini(&b);
	return o;
}

static void an_envelope_comes_back_as_it_was(void **state)
{
	struct arena *a = arena_new();
	json_t *o = printed(print_envelope, NULL, 0);
	struct strbuf was, is;
	struct envelope e;

	(void)state;
	assert_null(carried_take_envelope(o, a, &e));
	json_decref(o);
	e.rcpt = arena_alloc(a, 2 * sizeof(*e.rcpt));
	for (; e.rcpts < 2; e.rcpts++) {
		o = printed(print_rcpt, NULL, e.rcpts);
		assert_null(carried_take_rcpt(o, a, &e, &e.rcpt[e.rcpts]));
		json_decref(o);
	}
	/* Legs are numbered anew: the first that a recipient names is 0. */
	assert_int_equal(e.had_legs, 1);
	assert_true(envelope_loops(&e, 0, "cloud"));
	assert_false(envelope_loops(&e, 1, "cloud"));
	e.had_leg[0] = full.had_leg[0];
	e.had_leg[1] = full.had_leg[1];
	e.had_legs = 2;
	e.rcpt[0].had = full.rcpt[0].had;
	strbuf_init(&was, ENVELOPE_MAX);
	strbuf_init(&is, ENVELOPE_MAX);
	envelope_pack(&full, &was);
	envelope_pack(&e, &is);
	assert_true(slice_eq(strbuf_view(&was), strbuf_view(&is)));
	strbuf_fini(&was);
	strbuf_fini(&is);
	arena_free(a);
}

static void a_delivery_comes_back_without_its_change(void **state)
{
	struct arena *a = arena_new();
	struct names *there = names_new();
	struct spool_delivery d, want = parked;
	struct slice detail;
	const char *leg;
	json_t *o;

	(void)state;
	assert_int_equal(names_id(there, SLICE("legacy")), 0);
	o = printed(print_delivery, there, 0);
	assert_null(carried_take_delivery(o, a, &leg, &d, &detail));
	want.change = 0;
	assert_memory_equal(&d, &want, sizeof(d));
	assert_string_equal(leg, "legacy");
	assert_true(slice_eq(detail, slice_of("a\0\xff", 3)));
	json_decref(o);
	names_free(there);
	arena_free(a);
}

/* A value that is replaced (by JSON; "" takes it away), and what is said. */
struct fault {
	const char *key, *value, *said;
};

static const char *take(const json_t *o, print_fn print, struct arena *a)
{
	struct envelope e = {0};
	struct envelope_rcpt r;
	struct spool_delivery d;
	struct slice detail;
	const char *why, *leg;

	if (print == print_envelope)
		why = carried_take_envelope(o, a, &e);
	else if (print == print_rcpt)
		why = carried_take_rcpt(o, a, &e, &r);
	else
		why = carried_take_delivery(o, a, &leg, &d, &detail);
	return why;
}

static void refused(print_fn print, const struct fault *f)
{
	struct names *names = names_new();
	struct arena *a = arena_new();
	const char *why;
	json_t *o;

	assert_int_equal(names_id(names, SLICE("legacy")), 0);
	o = printed(print, names, 0);
	if (f->value[0] == '\0')
		json_object_del(o, f->key);
	else
		json_object_set_new(o, f->key,
		    json_loads(f->value, JSON_DECODE_ANY | JSON_ALLOW_NUL,
			NULL));
	print_message("%s %s\n", f->key, f->value);
	why = take(o, print, a);
	assert_non_null(why);
	assert_non_null(strstr(why, f->said));
	json_decref(o);
	names_free(names);
	arena_free(a);
}

static void faults_are_named(void **state)
{
	static const struct fault envelope[] = {
		{"id", "", "\"id\""}, {"id", "\"x\"", "\"id\""},
		{"parent", "\"01\"", "\"parent\""}, {"body", "\"9b\"", "8bit"},
		{"ret", "7", "\"ret\""}, {"from", "7", "text"},
		{"helo", "\"a\\u0000b\"", "text"}, {"size", "-1", "size"},
		{"size", "\"1\"", "size"}, {"accepted_us", "", "accepted_us"},
	};
	static const struct fault rcpt[] = {
		{"to", "", "address"}, {"to", "\"\"", "address"},
		{"orcpt", "[]", "address"}, {"notify", "9", "\"notify\""},
		{"had", "[1]", "\"had\""},
	};
	static const struct fault delivery[] = {
		{"leg", "\"\"", "\"leg\""}, {"leg", "7", "\"leg\""},
		{"leg", "\"a-name-of-a-leg-that-is-too-long-by1\"", "32"},
		{"state", "\"lost\"", "\"state\""},
		{"role", "", "\"role\""}, {"uncertain", "1", "\"uncertain\""},
		{"rcpt", "1048576", "rcpt"}, {"reason", "64", "reason"},
		{"attempts", "65536", "attempts"}, {"due_us", "-1", "due_us"},
		{"detail", "\"YQ\"", "base64"}, {"detail", "7", "base64"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(envelope); i++)
		refused(print_envelope, &envelope[i]);
	for (size_t i = 0; i < ARRAY_LEN(rcpt); i++)
		refused(print_rcpt, &rcpt[i]);
	for (size_t i = 0; i < ARRAY_LEN(delivery); i++)
		refused(print_delivery, &delivery[i]);
}

/* A newer one may say more, and a later flag is not one of ours. */
static void values_that_are_not_known_are_passed_over(void **state)
{
	struct arena *a = arena_new();
	struct names *names = names_new();
	struct spool_delivery d;
	struct slice detail;
	struct envelope e;
	const char *leg;
	json_t *o = printed(print_envelope, NULL, 0);

	(void)state;
	json_object_set_new(o, "verdict", json_object());
	assert_null(carried_take_envelope(o, a, &e));
	json_decref(o);
	assert_int_equal(names_id(names, SLICE("legacy")), 0);
	o = printed(print_delivery, names, 0);
	json_object_set_new(o, "flags", json_integer(0x4008));
	assert_null(carried_take_delivery(o, a, &leg, &d, &detail));
	assert_int_equal(d.flags, DF_REFUSED);
	json_decref(o);
	names_free(names);
	arena_free(a);
}

static void seventeen_legs_are_too_many(void **state)
{
	struct arena *a = arena_new();
	json_t *o = printed(print_rcpt, NULL, 1), *had = json_array();
	struct envelope e = {0};
	struct envelope_rcpt r;
	char name[8];

	(void)state;
	for (int i = 0; i < HAD_MAX + 1; i++) {
		snprintf(name, sizeof(name), "leg%d", i);
		json_array_append_new(had, json_string(name));
	}
	json_object_set_new(o, "had", had);
	assert_non_null(carried_take_rcpt(o, a, &e, &r));
	json_decref(o);
	arena_free(a);
}

/* Hours from the time of the id, which is now; what is said, NULL: taken. */
static void times_are_such_as_a_posthouse_has_by_now(void **state)
{
	static const struct {
		int64_t accepted_h, created_h, due_h;
		const char *said;
	} rows[] = {
		{0, 0, 0, NULL}, {-24, -9000, -9000, NULL}, {24, 1, 48, NULL},
		{-25, 0, 0, "accepted_us"}, {25, 0, 0, "accepted_us"},
		{0, 2, 0, "created_us"}, {0, 0, 49, "due_us"},
		{INT64_MAX / HOUR_US, 0, 0, "accepted_us"},
		{0, INT64_MAX / HOUR_US, 0, "created_us"},
		{0, 0, INT64_MAX / HOUR_US, "due_us"},
	};
	struct clock_fake clock;
	struct id_maker ids;
	uint64_t id;
	int64_t now_us;

	(void)state;
	clock_fake_init(&clock, full.accepted_us);
	id_maker_init(&ids, &clock.clock, 1);
	id = id_make(&ids);
	now_us = id_wall_ms(id) * 1000;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t add[] = {rows[i].accepted_h * HOUR_US,
		    rows[i].created_h * HOUR_US, rows[i].due_h * HOUR_US};
		struct envelope e = {.id = id};
		struct spool_delivery d[2] = {{0}, {0}};
		const char *why;

		for (int k = 0; k < 3; k++)
			if (add[k] < INT64_MAX - HOUR_US)
				add[k] += now_us;
		e.accepted_us = add[0];
		d[1].created_us = add[1];
		d[1].due_us = add[2];
		print_message("row %zu\n", i);
		why = carried_check_times(&e, d, 2, now_us);
		if (rows[i].said == NULL)
			assert_null(why);
		else
			assert_non_null(strstr(why, rows[i].said));
	}
}

static void an_id_is_at_most_some_seconds_ahead(void **state)
{
	int64_t ms = id_wall_ms(full.id);

	(void)state;
	assert_null(carried_check_id(full.id, ms * 1000));
	assert_null(carried_check_id(full.id, (ms - 5000) * 1000));
	assert_non_null(carried_check_id(full.id, (ms - 5001) * 1000));
	assert_non_null(carried_check_id(UINT64_MAX, ms * 1000));
}

/* So many legs, named by number; NULL: taken. */
static const char *number(struct names *names, unsigned from, unsigned legs)
{
	char text[32][NAME_BYTES + 1];
	const char *leg[32];
	struct spool_delivery d[32];
	const char *why;

	assert_true(legs <= ARRAY_LEN(leg));
	for (unsigned i = 0; i < legs; i++) {
		snprintf(text[i], sizeof(text[i]), "old%u", from + i);
		leg[i] = text[i];
	}
	why = carried_number_legs(names, leg, d, legs);
	for (unsigned i = 0; i < legs && why == NULL; i++)
		assert_string_equal(names_text(names, d[i].leg), leg[i]);
	return why;
}

/* However much is imported, half of the names are left for our own legs. */
static void names_of_legs_have_a_ceiling(void **state)
{
	struct names *names = names_new();
	static const char *const bad[] = {"Old", "a b", "a\n"};
	struct spool_delivery d;
	unsigned at;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_non_null(carried_number_legs(names, &bad[i], &d, 1));
	assert_non_null(number(names, 0, 17));
	assert_int_equal(names_count(names), 0);
	for (at = 0; at < NAMES_MAX / 2; at += 16)
		assert_null(number(names, at, 16));
	assert_non_null(number(names, at, 1));
	assert_int_equal(names_count(names), NAMES_MAX / 2);
	assert_null(number(names, 3, 16)); /* they are known */
	assert_int_equal(names_id(names, SLICE("ours")), NAMES_MAX / 2);
	assert_non_null(strstr(number(names, at, 1), "posthouse.conf"));
	names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_envelope_comes_back_as_it_was),
		cmocka_unit_test(a_delivery_comes_back_without_its_change),
		cmocka_unit_test(faults_are_named),
		cmocka_unit_test(values_that_are_not_known_are_passed_over),
		cmocka_unit_test(seventeen_legs_are_too_many),
		cmocka_unit_test(times_are_such_as_a_posthouse_has_by_now),
		cmocka_unit_test(an_id_is_at_most_some_seconds_ahead),
		cmocka_unit_test(names_of_legs_have_a_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
