/* SPDX-License-Identifier: ISC
 *
 * Memory: what is said to be zeroed is, also where it was used before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "relay/base/mem.h"

enum { ROUNDS = 64 };

static bool zeroed(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* Sizes on both sides of what the C library keeps by thread. */
static void new_memory_is_zeroed_though_it_was_used(void **state)
{
	static const size_t sizes[] = {1, 24, 500, 1031, 1032, 1033, 5000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (int round = 0; round < ROUNDS; round++) {
			char *p = mem_new(sizes[i]);

			assert_true(zeroed(p, sizes[i]));
			memset(p, 0xff, sizes[i]);
			mem_free(p);
		}
	}
}

static void copies_have_their_bytes_and_an_end(void **state)
{
	char dirty[40], *p;

	(void)state;
	memset(dirty, 'x', sizeof(dirty));
	for (int round = 0; round < ROUNDS; round++) {
		p = mem_dup(dirty, sizeof(dirty));
		assert_memory_equal(p, dirty, sizeof(dirty));
		mem_free(p);
		p = mem_slicedup(slice_of(dirty, 30));
		assert_int_equal(strlen(p), 30);
		mem_free(p);
		p = mem_slicedup(slice_of(NULL, 0));
		assert_string_equal(p, "");
		mem_free(p);
	}
	assert_null(mem_strdup(NULL));
}

/* Filled, reset, filled again: pieces of one block, and those that need one of
 * their own. */
static void an_arena_that_is_used_again_is_as_new(void **state)
{
	static const size_t sizes[] = {1, 16, 17, 900, 3, 4000, 100000, 8};
	struct arena *a = arena_new();

	(void)state;
	assert_int_equal(arena_bytes(a), 0);
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			char *p = arena_alloc(a, sizes[i]);

			assert_int_equal((uintptr_t)p % 16, 0);
			assert_true(zeroed(p, sizes[i]));
			memset(p, 0xff, sizes[i]);
		}
		assert_true(arena_bytes(a) >= 100000);
		arena_reset(a);
	}
	assert_string_equal(arena_strdup(a, "kept"), "kept");
	assert_string_equal(arena_slicedup(a, slice_of("cut off", 3)), "cut");
	assert_null(arena_strdup(a, NULL));
	arena_free(a);
	arena_free(NULL);
}

static void a_copy_is_cut_where_the_room_ends(void **state)
{
	char out[6];

	(void)state;
	memset(out, 'x', sizeof(out));
	slice_copy(SLICE("four"), out, sizeof(out));
	assert_string_equal(out, "four");
	slice_copy(SLICE("five5"), out, sizeof(out));
	assert_string_equal(out, "five5");
	slice_copy(SLICE("sixsix"), out, sizeof(out));
	assert_string_equal(out, "sixsi");
	slice_copy(slice_of(NULL, 0), out, sizeof(out));
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_memory_is_zeroed_though_it_was_used),
		cmocka_unit_test(copies_have_their_bytes_and_an_end),
		cmocka_unit_test(an_arena_that_is_used_again_is_as_new),
		cmocka_unit_test(a_copy_is_cut_where_the_room_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
