/* SPDX-License-Identifier: ISC
 *
 * Stamps of events and of mail, beside those of the C library.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/base/rng.h"

/* The library's words for the same moment. */
static void stamps_are_as_the_library_writes_them(void **state)
{
	static const int64_t edges[] = {0, -1, 1, -86400, 951782400, 951868800,
	    4107542400, -62135596800, 253402300799, 253402300800};
	struct rng_seeded rng;

	(void)state;
	rng_seeded_init(&rng, 3);
	for (size_t i = 0; i < 20000; i++) {
		bool edge = i < ARRAY_LEN(edges);
		time_t s = edge ? edges[i]
				: (time_t)rng_below(&rng.rng, 8000000000) -
				      2000000000;
		int us = edge ? 0 : (int)rng_below(&rng.rng, 1000000);
		char text[CLOCK_RFC3339_MAX], mail[CLOCK_RFC5322_MAX];
		char want[80], fraction[16];
		struct tm tm;

		gmtime_r(&s, &tm);
		clock_rfc3339(s * INT64_C(1000000) + us, text);
		clock_rfc5322(s * INT64_C(1000000) + us, mail);
		strftime(want, sizeof(want), "%a, ", &tm);
		snprintf(want + 5, sizeof(want) - 5, "%d ", tm.tm_mday);
		strftime(want + strlen(want), sizeof(want) - strlen(want),
		    "%b %Y %H:%M:%S +0000", &tm);
		if (tm.tm_year + 1900 > 999)
			assert_string_equal(mail, want);
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S", &tm);
		snprintf(fraction, sizeof(fraction), ".%06dZ", us);
		strcat(want, fraction);
		if (tm.tm_year + 1900 > 999)
			assert_string_equal(text, want);
	}
}

/* No stamp leaves its array. */
static void stamps_of_the_ends_of_time_fit(void **state)
{
	char text[CLOCK_RFC3339_MAX], mail[CLOCK_RFC5322_MAX];

	(void)state;
	clock_rfc3339(INT64_MAX, text);
	clock_rfc5322(INT64_MAX, mail);
	assert_string_equal(text, "294247-01-10T04:00:54.775807Z");
	assert_string_equal(mail, "Sun, 10 Jan 294247 04:00:54 +0000");
	clock_rfc3339(INT64_MIN, text);
	clock_rfc5322(INT64_MIN, mail);
	assert_string_equal(text, "-290308-12-21T19:59:05.224192Z");
	assert_string_equal(mail, "Sun, 21 Dec -290308 19:59:05 +0000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stamps_are_as_the_library_writes_them),
	    cmocka_unit_test(stamps_of_the_ends_of_time_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
