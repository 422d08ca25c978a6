/* SPDX-License-Identifier: ISC
 *
 * Characters that may be shown; all three outputs (terminal, log, JSON) escape
 * the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/jout.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/base/utf8.h"

/* clang-format off */
static const struct { uint32_t from, to; enum utf8_kind kind; } points[] = {
	{ 0x00,    0x1f,    UTF8_CONTROL },
	{ 0x20,    0x7e,    UTF8_SHOWN   },
	{ 0x7f,    0x9f,    UTF8_CONTROL },
	{ 0xa0,    0xac,    UTF8_SHOWN   },
	{ 0xad,    0xad,    UTF8_HIDDEN  },
	{ 0xe9,    0xfc,    UTF8_SHOWN   },
	{ 0x5d0,   0x5ea,   UTF8_SHOWN   }, /* hebrew letters */
	{ 0x61c,   0x61c,   UTF8_CONTROL },
	{ 0x627,   0x64a,   UTF8_SHOWN   }, /* arabic letters */
	{ 0x200a,  0x200a,  UTF8_SHOWN   },
	{ 0x200b,  0x200d,  UTF8_HIDDEN  },
	{ 0x200e,  0x200f,  UTF8_CONTROL },
	{ 0x2010,  0x2027,  UTF8_SHOWN   },
	{ 0x2028,  0x202e,  UTF8_CONTROL },
	{ 0x202f,  0x205f,  UTF8_SHOWN   },
	{ 0x2060,  0x2064,  UTF8_HIDDEN  },
	{ 0x2066,  0x2069,  UTF8_CONTROL },
	{ 0x206a,  0x206f,  UTF8_HIDDEN  },
	{ 0x2070,  0x2071,  UTF8_SHOWN   },
	{ 0x20ac,  0x20ac,  UTF8_SHOWN   },
	{ 0x4e2d,  0x4e2d,  UTF8_SHOWN   },
	{ 0xfeff,  0xfeff,  UTF8_HIDDEN  },
	{ 0xfffd,  0xfffd,  UTF8_SHOWN   },
	{ 0xff9f,  0xff9f,  UTF8_SHOWN   },
	{ 0xffa0,  0xffa0,  UTF8_HIDDEN  }, /* halfwidth hangul filler */
	{ 0x1bc9f, 0x1bc9f, UTF8_SHOWN   },
	{ 0x1bca0, 0x1bca3, UTF8_HIDDEN  }, /* shorthand */
	{ 0x1bca4, 0x1bca4, UTF8_SHOWN   },
	{ 0x1d172, 0x1d172, UTF8_SHOWN   },
	{ 0x1d173, 0x1d17a, UTF8_HIDDEN  }, /* musical formats */
	{ 0x1d17b, 0x1d17b, UTF8_SHOWN   },
	{ 0x1f40e, 0x1f40e, UTF8_SHOWN   },
	{ 0xe0001, 0xe007f, UTF8_HIDDEN  }, /* tags */
	{ 0xe1000, 0xe1001, UTF8_SHOWN   },
};
/* clang-format on */

static struct slice encode(uint32_t point, char *to)
{
	size_t n = point < 0x80 ? 1 : point < 0x800 ? 2
			       : point < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, point >>= 6)
		to[i] = (char)(0x80 | (point & 0x3f));
	to[0] = n == 1 ? (char)point
		       : (char)((0xf00u >> n & 0xf0) | point);
	return slice_of(to, n);
}

static void each_character_is_of_its_kind(void **state)
{
	char bytes[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		for (uint32_t p = points[i].from; p <= points[i].to; p++) {
			struct slice s = encode(p, bytes);

			assert_int_equal(utf8_next(s), s.n);
			assert_int_equal(utf8_point(s), p);
			if (utf8_kind(p) != points[i].kind)
				fail_msg("U+%04X", p);
			assert_int_equal(utf8_shown(s),
			    points[i].kind == UTF8_SHOWN ? s.n : 0);
		}
}

static void check_ascii(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		assert_true(s.p[i] >= ' ' && s.p[i] < 127);
}

static void print_json(struct slice s, struct strbuf *out)
{
	struct jout j;

	jout_init(&j, out);
	jout_slice(&j, NULL, s);
}

static void what_is_not_shown_is_escaped_for_terminals_and_in_json(
    void **state)
{
	char bytes[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		for (uint32_t p = points[i].from; p <= points[i].to; p++) {
			struct slice s = encode(p, bytes);
			struct strbuf shown, json;

			if (points[i].kind == UTF8_SHOWN)
				continue;
			strbuf_init(&shown, 100);
			strbuf_init(&json, 100);
			utf8_show(s, &shown);
			print_json(s, &json);
			check_ascii(strbuf_view(&shown));
			check_ascii(strbuf_view(&json));
			assert_int_equal(shown.n, 4 * s.n);
			strbuf_fini(&shown);
			strbuf_fini(&json);
		}
}

static void json_writes_code_points(void **state)
{
	static const struct { const char *in, *json; } rows[] = {
		{ "\xc2\x85", "\"\\u0085\"" },
		{ "\xe2\x80\xa8", "\"\\u2028\"" },
		{ "a\xe2\x80\xae" "b", "\"a\\u202eb\"" },
		{ "\xc2\xad", "\"\\u00ad\"" },
		{ "\xef\xbb\xbf", "\"\\ufeff\"" },
		{ "\xf3\xa0\x80\x81", "\"\\udb40\\udc01\"" },
		{ "\xff\xe2\x80", "\"\\u00ff\\u00e2\\u0080\"" },
		{ "\"\\\xc3\xa9", "\"\\\"\\\\\xc3\xa9\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct strbuf json;

		strbuf_init(&json, 100);
		print_json(slice_str(rows[i].in), &json);
		assert_string_equal(strbuf_cstr(&json), rows[i].json);
		strbuf_fini(&json);
	}
}

static void a_log_line_is_ascii_and_one_line(void **state)
{
	char text[1000];
	ssize_t n;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	log_setup(fds[1], LOG_LV_INFO, &clock_system);
	log_info("test", kv_str("a", "x\xc2\x85y\xe2\x80\xa8z\xe2\x80\xae\n"
				     "\x1b[31m\xff"));
	n = read(fds[0], text, sizeof(text));
	log_setup(2, LOG_LV_INFO, &clock_system);
	assert_true(n > 1 && text[n - 1] == '\n');
	check_ascii(slice_of(text, (size_t)n - 1));
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_character_is_of_its_kind),
	    cmocka_unit_test(
		what_is_not_shown_is_escaped_for_terminals_and_in_json),
	    cmocka_unit_test(json_writes_code_points),
	    cmocka_unit_test(a_log_line_is_ascii_and_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
