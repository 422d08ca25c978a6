/* SPDX-License-Identifier: ISC
 *
 * DATA in and out. Every case is read whole, byte by byte, and cut at every
 * pair of positions: where a segment ends must not matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/rng.h"
#include "relay/mail/body.h"

#define NEXT "MAIL FROM:<evil@x>\r\n"
#define S(lit) {(lit), sizeof(lit) - 1}

/* The bytes between "a" and "b" are an attempt to end the data early (or, in
 * `end`, the end). Each is followed by a second transaction. */
/* clang-format off */
static const struct {
	struct slice in, content, repaired;
	bool end, bare, bare_repaired;
} cases[] = {
	{ S("a\r\n.\r\n"),      S("a\r\n"), S("a\r\n"), true, false, false },
	{ S(".\r\n"),           S(""), S(""), true, false, false },
	{ S("\r\n.\r\n"),       S("\r\n"), S("\r\n"), true, false, false },
	{ S("..\r\n.\r\n"),     S(".\r\n"), S(".\r\n"), true, false, false },
	{ S("a\r\n..\r\n.\r\n"), S("a\r\n.\r\n"), S("a\r\n.\r\n"),
	  true, false, false },
	{ S("a\r\n...\r\n.\r\n"), S("a\r\n..\r\n"), S("a\r\n..\r\n"),
	  true, false, false },
	{ S("a\r\n.b\r\n.\r\n"), S("a\r\nb\r\n"), S("a\r\nb\r\n"),
	  true, false, false },
	{ S("a.\r\nb\r\n.\r\n"), S("a.\r\nb\r\n"), S("a.\r\nb\r\n"),
	  true, false, false },
	{ S("a\n.\nb"),         S("a\n.\nb"), S("a\r\n.\r\nb"),
	  false, true, false },
	{ S("a\n.\rb"),         S("a\n.\rb"), S("a\r\n.\r\nb"),
	  false, true, false },
	{ S("a\n.\r\nb"),       S("a\n.\r\nb"), S("a\r\n.\r\nb"),
	  false, true, false },
	{ S("a\r.\rb"),         S("a\r.\rb"), S("a\r\n.\r\nb"),
	  false, true, false },
	{ S("a\r.\nb"),         S("a\r.\nb"), S("a\r\n.\r\nb"),
	  false, true, false },
	{ S("a\r.\r\nb"),       S("a\r.\r\nb"), S("a\r\n.\r\nb"),
	  false, true, false },
	{ S("a\r\n.\nb"),       S("a\r\n\nb"), S("a\r\n\r\nb"),
	  false, true, false },
	{ S("a\r\n.\rb"),       S("a\r\n\rb"), S("a\r\n\r\nb"),
	  false, true, false },
	{ S("a\r\n\0.\r\nb"),   S("a\r\n\0.\r\nb"), S("a\r\n\0.\r\nb"),
	  false, true, true },
	{ S("a\r\n.\0\r\nb"),   S("a\r\n\0\r\nb"), S("a\r\n\0\r\nb"),
	  false, true, true },
	{ S("a\r\0\n.\r\nb"),   S("a\r\0\n.\r\nb"), S("a\r\n\0\r\n.\r\nb"),
	  false, true, true },
	{ S("a\0\r\n.b\r\n.\r\n"), S("a\0\r\nb\r\n"), S("a\0\r\nb\r\n"),
	  true, true, true },
	{ S("\0\r\n.\r\n"),     S("\0\r\n"), S("\0\r\n"), true, true, true },
	{ S("a\r\n.\r\r\nb"),   S("a\r\n\r\r\nb"), S("a\r\n\r\n\r\nb"),
	  false, true, false },
	{ S("a\r\r\n.\r\r\nb"), S("a\r\r\n\r\r\nb"),
	  S("a\r\n\r\n\r\n\r\nb"), false, true, false },
	{ S("a\r\n. \r\nb"),    S("a\r\n \r\nb"), S("a\r\n \r\nb"),
	  false, false, false },
	{ S("a\r\n\t.\r\nb"),   S("a\r\n\t.\r\nb"), S("a\r\n\t.\r\nb"),
	  false, false, false },
	{ S("a\r\n.\r.\r\nb"),  S("a\r\n\r.\r\nb"), S("a\r\n\r\n.\r\nb"),
	  false, true, false },
	{ S("a\r\n.\r\n\r\n"),  S("a\r\n"), S("a\r\n"), true, false, false },
	{ S("a\nb\n.\n\r\n.\r\n"), S("a\nb\n.\n\r\n"),
	  S("a\r\nb\r\n.\r\n\r\n"), true, true, false },
	{ S("a\rb\r\n.\r\n"),   S("a\rb\r\n"), S("a\r\nb\r\n"),
	  true, true, false },
	{ S("0123456\n89abcde\r\x0b\x0c\t\r\n.\r\n"),
	  S("0123456\n89abcde\r\x0b\x0c\t\r\n"),
	  S("0123456\r\n89abcde\r\n\x0b\x0c\t\r\n"), true, true, false },
};
/* clang-format on */

struct reading {
	struct data_reader r;
	struct strbuf content;
	size_t used; /* input bytes, up to the end of the data */
	bool ended;
};

static void feed(struct reading *x, struct slice in)
{
	while (in.n > 0 && !x->ended) {
		size_t before = in.n;
		struct slice out;

		x->ended = data_reader_next(&x->r, &in, &out);
		strbuf_addsl(&x->content, out);
		x->used += before - in.n;
	}
}

/* Reads `in` cut at the two places. */
static void read_cut(struct reading *x, struct slice in, size_t a, size_t b,
    bool normalize)
{
	strbuf_reset(&x->content);
	data_reader_init(&x->r, normalize);
	x->used = 0;
	x->ended = false;
	feed(x, slice_head(in, a));
	feed(x, slice_head(slice_from(in, a), b - a));
	feed(x, slice_from(in, b));
}

static void check_case(struct reading *x, size_t i, bool normalize)
{
	struct slice want = normalize ? cases[i].repaired : cases[i].content;
	char text[200];
	size_t n = cases[i].in.n;

	memcpy(text, cases[i].in.p, n);
	memcpy(text + n, NEXT, sizeof(NEXT) - 1);
	for (size_t a = 0; a <= n; a++) {
		for (size_t b = a; b <= n; b++) {
			read_cut(x, slice_of(text, n), a, b, normalize);
			assert_int_equal(x->ended, cases[i].end);
			assert_true(slice_eq(strbuf_view(&x->content), want));
			assert_int_equal(x->r.bare, normalize
				? cases[i].bare_repaired : cases[i].bare);
			read_cut(x, slice_of(text, n + sizeof(NEXT) - 1), a, b,
			    normalize);
			assert_int_equal(x->ended, cases[i].end);
		}
	}
}

static void only_crlf_dot_crlf_ends_data_wherever_it_is_cut(void **state)
{
	struct reading x;

	(void)state;
	strbuf_init(&x.content, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("case %zu\n", i);
		check_case(&x, i, false);
		check_case(&x, i, true);
	}
	strbuf_fini(&x.content);
}

static void what_follows_the_end_is_left_alone(void **state)
{
	static const char text[] = "a\r\n.\r\n" NEXT;
	struct slice in = slice_str(text), out;
	struct data_reader r;
	bool ended = false;

	(void)state;
	data_reader_init(&r, false);
	while (!ended && in.n > 0)
		ended = data_reader_next(&r, &in, &out);
	assert_true(ended);
	assert_true(slice_eq(in, SLICE(NEXT)));
}

static void long_runs_are_given_in_one_piece_and_uncopied(void **state)
{
	static const char text[] = "one line\r\nand another\r\n\r\nlast\r\n";
	struct slice in = slice_str(text), out;
	struct data_reader r;

	(void)state;
	data_reader_init(&r, false);
	assert_false(data_reader_next(&r, &in, &out));
	assert_ptr_equal(out.p, text);
	assert_int_equal(out.n, sizeof(text) - 1);
	assert_int_equal(in.n, 0);
}

static void the_dot_is_found_at_every_boundary(void **state)
{
	static const size_t at[] = {7, 8, 9, 998, 1000, 1024, 4096, 65536};
	static char text[65536 + 16];
	struct reading x;

	(void)state;
	strbuf_init(&x.content, sizeof(text));
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		for (size_t shift = 0; shift < 6; shift++) {
			size_t n = at[i] + 6 - shift;
			size_t body = n - 5;

			memset(text, 'x', sizeof(text));
			memcpy(text + body, "\r\n.\r\n", 5);
			read_cut(&x, slice_of(text, n + 4), at[i], at[i],
			    false);
			assert_true(x.ended);
			assert_int_equal(x.used, n);
			assert_int_equal(x.content.n, body + 2);
			assert_false(x.r.bare || x.r.eight_bit);
		}
	}
	strbuf_fini(&x.content);
}

static void eight_bit_is_seen_wherever_it_stands(void **state)
{
	struct reading x;
	char text[40];

	(void)state;
	strbuf_init(&x.content, sizeof(text));
	for (size_t at = 0; at < sizeof(text); at++) {
		memset(text, 'x', sizeof(text));
		read_cut(&x, slice_of(text, sizeof(text)), at, at, false);
		assert_false(x.r.eight_bit);
		text[at] = '\x80';
		read_cut(&x, slice_of(text, sizeof(text)), 3, 20, false);
		assert_true(x.r.eight_bit);
		assert_false(x.r.bare);
	}
	strbuf_fini(&x.content);
}

static void watch_finds_what_data_could_not_carry(void **state)
{
	/* clang-format off */
	static const struct { struct slice in; bool bare, eight_bit; } seen[] = {
		{ S("plain\r\n.\r\nMAIL\r\n"), false, false },
		{ S(""),                       false, false },
		{ S("a\tb"),                   false, false },
		{ S("a\nb"),                   true,  false },
		{ S("a\rb"),                   true,  false },
		{ S("a\r\r\n"),                true,  false },
		{ S("a\r"),                    true,  false },
		{ S("a\0b"),                   true,  false },
		{ S("\n"),                     true,  false },
		{ S("01234567\xff" "9\r\n"),   false, true  },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
		for (size_t cut = 0; cut <= seen[i].in.n; cut++) {
			struct content_watch w = {.bare = false};

			print_message("case %zu cut %zu\n", i, cut);
			content_watch_add(&w, slice_head(seen[i].in, cut));
			content_watch_add(&w, slice_from(seen[i].in, cut));
			content_watch_end(&w);
			assert_int_equal(w.bare, seen[i].bare);
			assert_int_equal(w.eight_bit, seen[i].eight_bit);
		}
	}
}

static void write_with_room(struct slice in, size_t room, struct strbuf *out)
{
	struct data_writer w;

	strbuf_reset(out);
	data_writer_init(&w);
	while (in.n > 0) {
		size_t before = out->n, left = in.n;

		data_writer_add(&w, &in, room, out);
		assert_true(out->n - before <= room);
		assert_true(in.n < left || out->n > before);
	}
	data_writer_end(&w, out);
}

static void dots_are_doubled_and_the_end_is_added(void **state)
{
	/* clang-format off */
	static const struct { struct slice in, wire; } written[] = {
		{ S(""),                S(".\r\n") },
		{ S("a"),               S("a\r\n.\r\n") },
		{ S("a\r\n"),           S("a\r\n.\r\n") },
		{ S("a\r"),             S("a\r\n.\r\n") },
		{ S("."),               S("..\r\n.\r\n") },
		{ S(".\r\n"),           S("..\r\n.\r\n") },
		{ S("..\r\n"),          S("...\r\n.\r\n") },
		{ S("a\r\n.\r\nb"),     S("a\r\n..\r\nb\r\n.\r\n") },
		{ S("a.b\r\n.c\r\n\r\n.\r\n"),
		  S("a.b\r\n..c\r\n\r\n..\r\n.\r\n") },
		{ S("\r\n"),            S("\r\n.\r\n") },
	};
	/* clang-format on */
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(written); i++) {
		for (size_t room = 1; room < 12; room++) {
			print_message("case %zu room %zu\n", i, room);
			write_with_room(written[i].in, room, &out);
			assert_true(
			    slice_eq(strbuf_view(&out), written[i].wire));
		}
	}
	strbuf_fini(&out);
}

/* Bytes that are mostly line ends and dots. */
static size_t draw_content(struct rng *rng, char *text, size_t max)
{
	static const char alphabet[] = "\r\n..\r\r\nx\0\xe9";
	size_t n = rng_below(rng, max - 2);

	for (size_t i = 0; i < n; i++)
		text[i] = alphabet[rng_below(rng, sizeof(alphabet) - 1)];
	if (n > 0)
		memcpy(text + n, "\r\n", 2);
	return n > 0 ? n + 2 : 0;
}

static void what_is_written_is_read_back_the_same(void **state)
{
	struct rng_seeded seeded;
	struct strbuf wire;
	struct reading x;
	char text[60];

	(void)state;
	rng_seeded_init(&seeded, 20261122);
	strbuf_init(&wire, 1000);
	strbuf_init(&x.content, 1000);
	for (int i = 0; i < 20000; i++) {
		size_t n = draw_content(&seeded.rng, text, sizeof(text));
		size_t room = 1 + rng_below(&seeded.rng, 20), a, b;

		write_with_room(slice_of(text, n), room, &wire);
		b = rng_below(&seeded.rng, wire.n + 1);
		a = rng_below(&seeded.rng, b + 1);
		read_cut(&x, strbuf_view(&wire), a, b, false);
		assert_true(x.ended);
		assert_int_equal(x.used, wire.n);
		assert_true(
		    slice_eq(strbuf_view(&x.content), slice_of(text, n)));
	}
	strbuf_fini(&wire);
	strbuf_fini(&x.content);
}

static void repaired_content_has_no_bare_line_end(void **state)
{
	struct rng_seeded seeded;
	struct reading x;
	char text[60];

	(void)state;
	rng_seeded_init(&seeded, 20261123);
	strbuf_init(&x.content, 1000);
	for (int i = 0; i < 20000; i++) {
		size_t n = draw_content(&seeded.rng, text, sizeof(text)), a, b;
		struct content_watch w = {.bare = false};

		for (size_t j = 0; j < n; j++)
			text[j] = text[j] == '\0' ? 'y' : text[j];
		b = rng_below(&seeded.rng, n + 1);
		a = rng_below(&seeded.rng, b + 1);
		read_cut(&x, slice_of(text, n), a, b, true);
		content_watch_add(&w, strbuf_view(&x.content));
		content_watch_end(&w);
		assert_false(w.bare || x.r.bare);
	}
	strbuf_fini(&x.content);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    only_crlf_dot_crlf_ends_data_wherever_it_is_cut),
		cmocka_unit_test(what_follows_the_end_is_left_alone),
		cmocka_unit_test(long_runs_are_given_in_one_piece_and_uncopied),
		cmocka_unit_test(the_dot_is_found_at_every_boundary),
		cmocka_unit_test(eight_bit_is_seen_wherever_it_stands),
		cmocka_unit_test(watch_finds_what_data_could_not_carry),
		cmocka_unit_test(dots_are_doubled_and_the_end_is_added),
		cmocka_unit_test(what_is_written_is_read_back_the_same),
		cmocka_unit_test(repaired_content_has_no_bare_line_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
