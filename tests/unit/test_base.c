/* SPDX-License-Identifier: ISC
 *
 * The base layer: bytes, time, ids, maps, mailboxes, the loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>

#include "relay/base/delivery.h"
#include "relay/base/error.h"
#include "relay/base/hashtable.h"
#include "relay/base/id.h"
#include "relay/base/jout.h"
#include "relay/base/mailbox.h"
#include "relay/base/map.h"
#include "relay/base/mem.h"
#include "relay/base/names.h"
#include "relay/base/pack.h"
#include "relay/base/source.h"

#define WALL INT64_C(1763788337000123) /* 2025-11-22T05:12:17.000123Z */

static void a_buffer_never_passes_its_ceiling(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, 10);
	strbuf_adds(&b, "12345");
	strbuf_addf(&b, "%d", 678);
	assert_true(strbuf_ok(&b));
	strbuf_adds(&b, "9ab");
	assert_false(strbuf_ok(&b));
	strbuf_adds(&b, "c");
	assert_false(strbuf_ok(&b)); /* sticky */
	assert_string_equal(strbuf_cstr(&b), "12345678");
	strbuf_reset(&b);
	strbuf_adds(&b, "0123456789");
	assert_true(strbuf_ok(&b));
	strbuf_drop_front(&b, 7);
	assert_string_equal(strbuf_cstr(&b), "789");
	strbuf_fini(&b);
}

static void a_slice_is_a_number_only_when_all_of_it_is(void **state)
{
	static const struct {
		const char *in;
		uint64_t max;
		bool ok;
		uint64_t value;
	} rows[] = {
		{"0", 10, true, 0}, {"10", 10, true, 10}, {"11", 10, false, 0},
		{"", 10, false, 0}, {"+1", 10, false, 0}, {"-1", 10, false, 0},
		{"1 ", 10, false, 0}, {"0x1", 99, false, 0}, {"9", 8, false, 0},
		{"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, false, 0},
		{"007", 10, true, 7},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t v = 0;
		bool ok = slice_uint(slice_str(rows[i].in), rows[i].max, &v);

		print_message("\"%s\"\n", rows[i].in);
		assert_int_equal(ok, rows[i].ok);
		assert_true(v == rows[i].value);
	}
}

static void tokens_are_cut_at_every_separator(void **state)
{
	struct slice s = SLICE("a,,b"), t;

	(void)state;
	assert_true(slice_next(&s, ',', &t) && slice_eq(t, SLICE("a")));
	assert_true(slice_next(&s, ',', &t) && t.n == 0);
	assert_true(slice_next(&s, ',', &t) && slice_eq(t, SLICE("b")));
	assert_false(slice_next(&s, ',', &t));
}

#define DAY INT64_C(86400000000)
#define MIDNIGHT (WALL - 123 - INT64_C(25937000000))

static void times_are_written_and_read_back(void **state)
{
	static const struct {
		const char *in;
		int ok;
		int64_t us;
	} rows[] = {
		{"2025-11-22T05:12:17.000123Z", 0, WALL},
		{"2025-11-22T06:12:17+01:00", 0, WALL - 123},
		{"2025-11-22 05:12:17Z", 0, WALL - 123},
		{"now", 0, WALL}, {"-2h", 0, WALL - INT64_C(7200000000)},
		{"+1d", 0, WALL + INT64_C(86400000000)},
		/* local, two hours before UTC */
		{"2025-11-22", 0, MIDNIGHT}, {"today", 0, MIDNIGHT},
		{"yesterday", 0, MIDNIGHT - DAY},
		{"2025-11-22 07:12", 0, WALL - 123 - INT64_C(17000000)},
		{"2025-11-22 07:12:17", 0, WALL - 123},
		{"2025-11-22 07", -1, 0}, {"2025-11-22 07:12:", -1, 0},
		{"2025-11", -1, 0}, {"-2x", -1, 0},
		/* no such day, hour or zone */
		{"2025-02-29", -1, 0}, {"2025-13-01", -1, 0},
		{"2025-11-00", -1, 0}, {"2025-11-22 24:00", -1, 0},
		{"2025-11-22 07:-1", -1, 0}, {"2025-02-30T05:12:17Z", -1, 0},
		{"2025-11-22T05:60:17Z", -1, 0},
		{"2025-11-22T05:12:17+24:00", -1, 0},
		{"-h", -1, 0}, {"", -1, 0}, {"2025-11-22T05:12:17", -1, 0},
	};
	char local[CLOCK_LOCAL_MAX];
	char text[CLOCK_RFC3339_MAX], mail[CLOCK_RFC5322_MAX];

	(void)state;
	setenv("TZ", "TEST-2", 1);
	tzset();
	clock_local(WALL, local);
	assert_string_equal(local, "2025-11-22 07:12:17.000 +02:00");
	clock_rfc3339(WALL, text);
	assert_string_equal(text, rows[0].in);
	clock_rfc5322(WALL, mail);
	assert_string_equal(mail, "Sat, 22 Nov 2025 05:12:17 +0000");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t us = 0;

		print_message("\"%s\"\n", rows[i].in);
		assert_int_equal(
		    clock_parse(slice_str(rows[i].in), WALL, &us), rows[i].ok);
		assert_true(us == rows[i].us);
	}
}

static void ids_rise_though_the_clock_goes_back(void **state)
{
	struct clock_fake c;
	struct id_maker m;
	uint64_t last = 0, id, back;
	char text[ID_TEXT];

	(void)state;
	clock_fake_init(&c, WALL);
	id_maker_init(&m, &c.clock, 7);
	for (int i = 0; i < 50000; i++) {
		if (i == 20000)
			c.wall -= INT64_C(3600000000);
		id = id_make(&m);
		assert_true(id > last);
		last = id;
	}
	id_text(last, text);
	assert_int_equal(id_parse(slice_str(text), &back), 0);
	assert_true(back == last);
	assert_true(id_wall_ms(last) >= WALL / 1000);
	assert_true(id_wall_ms(last) < WALL / 1000 + 10);
	id_maker_init(&m, &c.clock, 7);
	id_maker_above(&m, last);
	assert_true(id_make(&m) > last);
	assert_int_equal(id_parse(SLICE("short"), &back), -1);
	assert_int_equal(id_parse(SLICE("ZZZZZZZZZZZZZ"), &back), -1);
	assert_int_equal(id_parse(SLICE("0000000000000"), &back), -1);
}

/* A stranger who knows our code must not know where a key goes. */
static void tables_are_hashed_with_the_key_of_the_process(void **state)
{
	struct rng_seeded one, other;
	unsigned a, b, c;

	(void)state;
	rng_seeded_init(&one, 1);
	rng_seeded_init(&other, 2);
	hash_setup(&one.rng);
	HASH_VALUE("example.com", 11, a);
	hash_setup(&other.rng);
	HASH_VALUE("example.com", 11, b);
	rng_seeded_init(&one, 1);
	hash_setup(&one.rng);
	HASH_VALUE("example.com", 11, c);
	assert_int_not_equal(a, b);
	assert_int_equal(a, c);
}

static void siphash_agrees_with_its_authors_vectors(void **state)
{
	/* SipHash-2-4, key 00..0f, input 00..(n-1). */
	static const struct {
		size_t n;
		uint64_t hash;
	} rows[] = {
		{0, UINT64_C(0x726fdb47dd0e0e31)},
		{1, UINT64_C(0x74f839c593dc67fd)},
		{8, UINT64_C(0x93f5f5799a932462)},
		{15, UINT64_C(0xa129ca6149be45e5)},
	};
	unsigned char bytes[16];
	uint64_t key[2];

	(void)state;
	for (int i = 0; i < 16; i++)
		bytes[i] = (unsigned char)i;
	memcpy(key, bytes, sizeof(key));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(hash_siphash(key, bytes, rows[i].n) ==
			    rows[i].hash);
}

static void a_map_keeps_what_was_put_through_any_removal(void **state)
{
	struct rng_seeded r;
	struct map m;
	static char present[4096];
	size_t at = 0, n = 0, want = 0;

	(void)state;
	rng_seeded_init(&r, 42);
	map_init(&m);
	for (int i = 0; i < 200000; i++) {
		uint64_t k = rng_below(&r.rng, sizeof(present) - 1) + 1;

		if (rng_below(&r.rng, 2) != 0) {
			map_put(&m, k, &present[k]);
			present[k] = 1;
		} else {
			void *old = map_remove(&m, k);

			assert_ptr_equal(old, present[k] ? &present[k] : NULL);
			present[k] = 0;
		}
	}
	for (uint64_t k = 1; k < sizeof(present); k++) {
		assert_ptr_equal(
		    map_get(&m, k), present[k] ? &present[k] : NULL);
		want += (size_t)present[k];
	}
	while (map_next(&m, &at, NULL) != NULL)
		n++;
	assert_int_equal(n, want);
	map_fini(&m);
}

static void bytes_read_back_are_checked(void **state)
{
	struct strbuf b;
	struct unpack u;

	(void)state;
	strbuf_init(&b, 1000);
	pack_u8(&b, 1);
	pack_u16(&b, 0x1234);
	pack_i64(&b, -5);
	pack_str(&b, "text");
	unpack_init(&u, strbuf_view(&b));
	assert_int_equal(unpack_u8(&u), 1);
	assert_int_equal(unpack_u16(&u), 0x1234);
	assert_true(unpack_i64(&u) == -5);
	assert_true(slice_eq(unpack_bytes(&u), SLICE("text")));
	assert_true(unpack_end(&u));
	assert_int_equal(unpack_u32(&u), 0);
	assert_false(unpack_ok(&u));
	for (size_t cut = 0; cut < b.n; cut++) {
		unpack_init(&u, slice_head(strbuf_view(&b), cut));
		unpack_u8(&u);
		unpack_u16(&u);
		unpack_i64(&u);
		unpack_bytes(&u);
		assert_false(unpack_ok(&u));
	}
	strbuf_fini(&b);
}

static void json_is_valid_whatever_the_bytes(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"plain", "{\"k\":\"plain\"}"},
		{"q\"b\\", "{\"k\":\"q\\\"b\\\\\"}"},
		{"\r\n\t\x01\x7f", "{\"k\":\"\\r\\n\\t\\u0001\\u007f\"}"},
		{"\xc3\xa9", "{\"k\":\"\xc3\xa9\"}"},
		{"\xe9", "{\"k\":\"\\u00e9\"}"},
		{"\xc0\xaf", "{\"k\":\"\\u00c0\\u00af\"}"},
		{"\xed\xa0\x80", "{\"k\":\"\\u00ed\\u00a0\\u0080\"}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct strbuf b;
		struct jout j;
		char in[40];

		/* No byte behind it is looked at. */
		snprintf(in, sizeof(in), "%sX", rows[i].in);
		strbuf_init(&b, 1000);
		jout_init(&j, &b);
		jout_object(&j, NULL);
		jout_slice(&j, "k", slice_of(in, strlen(rows[i].in)));
		jout_object_end(&j);
		assert_string_equal(strbuf_cstr(&b), rows[i].out);
		strbuf_fini(&b);
	}
}

static void a_name_keeps_its_number(void **state)
{
	struct names *n = names_new();
	char text[8];

	(void)state;
	assert_int_equal(names_id(n, SLICE("legacy")), 0);
	assert_int_equal(names_id(n, SLICE("cloud")), 1);
	assert_int_equal(names_id(n, SLICE("legacy")), 0);
	assert_int_equal(names_find(n, SLICE("other")), -1);
	assert_int_equal(names_id(n, SLICE("")), -1);
	assert_string_equal(names_text(n, 1), "cloud");
	assert_string_equal(names_text(n, 99), "?");
	for (int i = 2; i < NAMES_MAX; i++) {
		snprintf(text, sizeof(text), "l%d", i);
		assert_int_equal(names_id(n, slice_str(text)), i);
	}
	assert_int_equal(names_id(n, SLICE("one more")), -1);
	names_free(n);
}

/* ---- threads ---- */

enum { POSTERS = 4, LETTERS = 20000 };

struct numbered {
	struct letter letter;
	int poster, number;
};

struct receiver {
	struct loop *loop;
	struct mailbox box;
	int next[POSTERS], got;
};

static void on_numbered(void *arg, struct letter *l)
{
	struct receiver *r = arg;
	struct numbered *n = (struct numbered *)l;

	assert_int_equal(n->number, r->next[n->poster]++);
	mem_free(n);
	if (++r->got == POSTERS * LETTERS && r->loop != NULL)
		loop_stop(r->loop);
}

struct poster {
	struct receiver *to;
	int id;
	bool lazy;
};

static void *post_all(void *arg)
{
	struct poster *p = arg;

	for (int i = 0; i < LETTERS; i++) {
		struct numbered *n = NEW(struct numbered);

		n->poster = p->id;
		n->number = i;
		if (p->lazy && i % 3 != 0)
			mailbox_post_lazy(&p->to->box, &n->letter);
		else
			mailbox_post(&p->to->box, &n->letter);
	}
	return NULL;
}

static void letters_arrive_once_and_in_order(void **state)
{
	struct receiver r = {.loop = loop_new(&clock_system)};
	struct poster p[POSTERS];
	pthread_t t[POSTERS];

	(void)state;
	mailbox_init(&r.box);
	mailbox_attach(&r.box, r.loop, on_numbered, &r);
	for (int i = 0; i < POSTERS; i++) {
		p[i] = (struct poster){&r, i, false};
		pthread_create(&t[i], NULL, post_all, &p[i]);
	}
	loop_run(r.loop);
	for (int i = 0; i < POSTERS; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(r.got, POSTERS * LETTERS);
	mailbox_fini(&r.box);
	loop_free(r.loop);
}

/* A letter without a ring would keep one of these waits for all its time. */
static void take_until(struct receiver *r, int got)
{
	int64_t begun = clock_mono_ms(&clock_system);

	while (r->got < got) {
		struct letter *l, *next;

		mailbox_wait(&r->box, 20000);
		for (l = mailbox_take(&r->box); l != NULL; l = next) {
			next = l->next;
			on_numbered(r, l);
		}
	}
	assert_true(clock_mono_ms(&clock_system) - begun < 15000);
}

static void lazy_letters_are_taken_without_a_ring(void **state)
{
	struct receiver r = {.loop = NULL};
	struct poster p[POSTERS];
	pthread_t t[POSTERS];

	(void)state;
	mailbox_init(&r.box);
	for (int i = 0; i < POSTERS; i++) {
		p[i] = (struct poster){&r, i, true};
		pthread_create(&t[i], NULL, post_all, &p[i]);
	}
	take_until(&r, POSTERS * LETTERS);
	for (int i = 0; i < POSTERS; i++)
		pthread_join(t[i], NULL);
	mailbox_fini(&r.box);
}

static void a_ring_is_heard_over_a_lazy_letter(void **state)
{
	struct receiver r = {.loop = NULL};
	struct numbered n[4] = {{.number = 0}};
	struct letter *l;

	(void)state;
	mailbox_init(&r.box);
	for (int i = 0; i < 4; i++) /* the first rings, none is taken yet */
		mailbox_post_lazy(&r.box, &n[i].letter);
	mailbox_wait(&r.box, -1);
	l = mailbox_take(&r.box);
	for (int i = 0; i < 4; i++, l = l->next)
		assert_ptr_equal(l, &n[i].letter);
	assert_null(l);
	mailbox_post_lazy(&r.box, &n[0].letter);
	mailbox_post(&r.box, &n[1].letter); /* must ring, though not alone */
	mailbox_wait(&r.box, MAILBOX_LAZY_MS);
	assert_ptr_equal(mailbox_take(&r.box), &n[0].letter);
	mailbox_wait(&r.box, MAILBOX_LAZY_MS + 1); /* it goes cold */
	mailbox_post_lazy(&r.box, &n[2].letter); /* and this one rings */
	mailbox_wait(&r.box, -1);
	assert_ptr_equal(mailbox_take(&r.box), &n[2].letter);
	mailbox_fini(&r.box);
}

struct deferring {
	struct loop *loop;
	struct defer a, b;
	int ran_a, ran_b;
};

static void on_a(void *arg)
{
	struct deferring *d = arg;

	d->ran_a++;
	loop_defer(d->loop, &d->b);
	loop_defer(d->loop, &d->b); /* twice is once */
	assert_int_equal(d->ran_b, 0);
}

static void on_b(void *arg)
{
	struct deferring *d = arg;

	d->ran_b++;
	loop_stop(d->loop);
}

static void a_deferred_call_runs_later_and_once(void **state)
{
	struct deferring d = {.loop = loop_new(&clock_system)};

	(void)state;
	defer_init(&d.a, on_a, &d);
	defer_init(&d.b, on_b, &d);
	loop_defer(d.loop, &d.a);
	assert_int_equal(d.ran_a, 0);
	loop_run(d.loop);
	assert_int_equal(d.ran_a, 1);
	assert_int_equal(d.ran_b, 1);
	loop_free(d.loop);
}

static void every_state_counts_in_one_column(void **state)
{
	(void)state;
	for (int s = D_QUEUED; s < D_STATES; s++) {
		assert_int_equal(
		    dstate_parse(slice_str(dstate_text((enum dstate)s))), s);
		assert_in_range(dstate_total((enum dstate)s), T_DELIVERED,
		    T_DELETED);
		assert_int_equal(dstate_open((enum dstate)s),
		    dstate_total((enum dstate)s) == T_OPEN);
	}
	assert_int_equal(dstate_parse(SLICE("none")), -1);
}

static void a_source_of_bytes_can_be_read_again(void **state)
{
	struct source *s = source_of_slice(SLICE("body"));
	struct slice chunk;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(source_next(s, &chunk), SOURCE_CHUNK);
		assert_true(slice_eq(chunk, SLICE("body")));
		assert_int_equal(source_next(s, &chunk), SOURCE_END);
		source_rewind(s);
	}
	source_free(s);
}

/* Waits before each of its two chunks. */
struct slow_source {
	struct source source;
	int step;
	bool freed;
};

static enum source_state slow_next(struct source *s, struct slice *chunk_out)
{
	struct slow_source *w = CONTAINER_OF(s, struct slow_source, source);

	*chunk_out = w->step == 1 ? SLICE("one") : SLICE("two");
	w->step++;
	if (w->step > 4)
		return w->step == 5 ? SOURCE_END : SOURCE_ERROR;
	return w->step % 2 == 1 ? SOURCE_WAIT : SOURCE_CHUNK;
}

static void slow_rewind(struct source *s)
{
	CONTAINER_OF(s, struct slow_source, source)->step = 0;
}

static void slow_free(struct source *s)
{
	CONTAINER_OF(s, struct slow_source, source)->freed = true;
}

static void count_ready(void *arg)
{
	++*(int *)arg;
}

static void a_source_behind_a_prefix_is_longer_by_it(void **state)
{
	static const struct source_ops ops = {
	    slow_next, slow_rewind, slow_free};
	struct slow_source slow = {.source = {.ops = &ops, .size = 6}};
	struct source *s = source_behind(SLICE("pre"), &slow.source);
	const enum source_state expect[] = {SOURCE_CHUNK, SOURCE_WAIT,
	    SOURCE_CHUNK, SOURCE_WAIT, SOURCE_CHUNK, SOURCE_END, SOURCE_ERROR};
	struct strbuf all;
	int ready = 0;

	(void)state;
	assert_int_equal(s->size, 9);
	s->ready = count_ready;
	s->ready_arg = &ready;
	strbuf_init(&all, 100);
	for (int round = 0; round < 2; round++) {
		strbuf_reset(&all);
		for (size_t i = 0; i < ARRAY_LEN(expect); i++) {
			struct slice chunk;

			assert_int_equal(source_next(s, &chunk), expect[i]);
			if (expect[i] == SOURCE_CHUNK)
				strbuf_addsl(&all, chunk);
		}
		assert_string_equal(strbuf_cstr(&all), "preonetwo");
		source_rewind(s);
	}
	/* The reader that waits for it is told by the source behind. */
	slow.source.ready(slow.source.ready_arg);
	assert_int_equal(ready, 1);
	source_free(s);
	assert_true(slow.freed);
	strbuf_fini(&all);
}

static void an_error_of_the_system_tells_its_reason(void **state)
{
	struct error err = {0};
	char name[sizeof(err.text) + 100];

	(void)state;
	assert_int_equal(error_sys(&err, ENOENT, "%s: open", "a file"), -1);
	assert_string_equal(err.text,
	    "a file: open: No such file or directory");
	assert_int_equal(err.no, ENOENT);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(error_sys(&err, ENOENT, "%s", name), -1);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_int_equal(error_sys(NULL, ENOENT, "%s", name), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_of_the_system_tells_its_reason),
		cmocka_unit_test(a_buffer_never_passes_its_ceiling),
		cmocka_unit_test(a_slice_is_a_number_only_when_all_of_it_is),
		cmocka_unit_test(tokens_are_cut_at_every_separator),
		cmocka_unit_test(times_are_written_and_read_back),
		cmocka_unit_test(ids_rise_though_the_clock_goes_back),
		cmocka_unit_test(siphash_agrees_with_its_authors_vectors),
		cmocka_unit_test(tables_are_hashed_with_the_key_of_the_process),
		cmocka_unit_test(a_map_keeps_what_was_put_through_any_removal),
		cmocka_unit_test(bytes_read_back_are_checked),
		cmocka_unit_test(json_is_valid_whatever_the_bytes),
		cmocka_unit_test(a_name_keeps_its_number),
		cmocka_unit_test(letters_arrive_once_and_in_order),
		cmocka_unit_test(lazy_letters_are_taken_without_a_ring),
		cmocka_unit_test(a_ring_is_heard_over_a_lazy_letter),
		cmocka_unit_test(a_deferred_call_runs_later_and_once),
		cmocka_unit_test(every_state_counts_in_one_column),
		cmocka_unit_test(a_source_of_bytes_can_be_read_again),
		cmocka_unit_test(a_source_behind_a_prefix_is_longer_by_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
