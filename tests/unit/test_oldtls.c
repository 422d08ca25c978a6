/* SPDX-License-Identifier: ISC
 *
 * Which clients are noted for their TLS, and that there is an end to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/watch/oldtls.h"

static struct netaddr address(const char *text)
{
	struct netaddr a;

	assert_int_equal(netaddr_parse(&a, slice_str(text), 25), 0);
	return a;
}

static void row_is(struct oldtls *o, unsigned i, const char *want)
{
	struct strbuf b;
	struct jout j;

	strbuf_init(&b, 1000);
	jout_init(&j, &b);
	oldtls_print(o, i, &j);
	assert_string_equal(strbuf_cstr(&b), want);
	strbuf_fini(&b);
}

static void old_versions_are_counted_by_client(void **state)
{
	struct netaddr a = address("192.0.2.7"), b = address("2001:db8::1");
	struct oldtls *o = oldtls_new();

	(void)state;
	oldtls_note(o, "mx", &a, "", 1);
	oldtls_note(o, "mx", &a, "TLSv1.2 ECDHE-RSA-AES128-SHA", 1);
	oldtls_note(o, "mx", &a, "TLSv1.3 TLS_AES_256_GCM_SHA384", 1);
	assert_int_equal(oldtls_count(o), 0);
	oldtls_note(o, "mx", &a, "TLSv1 AES128-SHA", 1000000);
	oldtls_note(o, "mx", &a, "TLSv1 AES256-SHA", 2000000);
	oldtls_note(o, "mx", &b, "TLSv1.1 AES256-SHA", 3000000);
	oldtls_note(o, "other", &a, "TLSv1 AES256-SHA", 4000000);
	assert_int_equal(oldtls_count(o), 3);
	row_is(o, 0, "\"listen\":\"mx\",\"client\":\"192.0.2.7\","
	    "\"version\":\"TLSv1\",\"mails\":2,"
	    "\"last\":\"1970-01-01T00:00:02.000000Z\"");
	row_is(o, 1, "\"listen\":\"mx\",\"client\":\"2001:db8::1\","
	    "\"version\":\"TLSv1.1\",\"mails\":1,"
	    "\"last\":\"1970-01-01T00:00:03.000000Z\"");
	oldtls_free(o);
}

static void the_oldest_makes_room(void **state)
{
	struct oldtls *o = oldtls_new();
	char text[40];

	(void)state;
	for (unsigned i = 0; i < OLDTLS_MAX + 3; i++) {
		struct netaddr a;

		snprintf(text, sizeof(text), "10.0.0.%u", i);
		a = address(text);
		oldtls_note(o, "mx", &a, "TLSv1 AES128-SHA", 1000000 + i);
	}
	assert_int_equal(oldtls_count(o), OLDTLS_MAX);
	row_is(o, 2, "\"listen\":\"mx\",\"client\":\"10.0.0.66\","
	    "\"version\":\"TLSv1\",\"mails\":1,"
	    "\"last\":\"1970-01-01T00:00:01.000066Z\"");
	row_is(o, 3, "\"listen\":\"mx\",\"client\":\"10.0.0.3\","
	    "\"version\":\"TLSv1\",\"mails\":1,"
	    "\"last\":\"1970-01-01T00:00:01.000003Z\"");
	oldtls_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_versions_are_counted_by_client),
		cmocka_unit_test(the_oldest_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
