/* SPDX-License-Identifier: ISC
 *
 * Local parts that mean more than a name: ways to another host, roles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/mail/addr.h"

/* Characters that stand beside the marks lead nowhere. */
static void marks_of_another_host_lead_on(void **state)
{
	static const struct {
		const char *in;
		bool on;
	} cases[] = {
	    {"u%h@d", true}, {"h!u@d", true}, {"\"u@h\"@d", true},
	    {"%@d", true}, {"!u@d", true}, {"u%@d", true},
	    {"u\xef\xbc\x85h@d", true}, {"u\xef\xbc\x81h@d", true},
	    {"u\xef\xbc\xa0h@d", true}, {"u\xef\xb9\xaah@d", true},
	    {"u\xef\xb9\x97h@d", true}, {"u\xef\xb9\xabh@d", true},
	    {"u\xef\xb8\x95h@d", true}, {"u\xe2\x80\xbch@d", true},
	    {"u\xe2\x81\x88h@d", true}, {"u\xe2\x81\x89h@d", true},
	    {"u@d", false}, {"u$h@d", false}, {"u#h@d", false},
	    {"\"\"@d", false}, {"\"u\\h\"@d", false},
	    {"u\xef\xbc\x84h@d", false}, {"u\xef\xb9\xa9h@d", false},
	    {"u\xef\xb8\x96h@d", false}, {"u\xe2\x80\xbdh@d", false},
	    {"u\xe2\x81\x87h@d", false}, {"u\xe2\x82\xach@d", false},
	    {"\xc3\xa4@d", false},
	};
	const char *why;
	struct addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(
		    addr_parse(slice_str(cases[i].in), true, &a, &why), 0);
		if (addr_leads_on(&a) != cases[i].on)
			fail_msg("%s", cases[i].in);
	}
}

static void roles_are_two_in_any_form(void **state)
{
	static const struct {
		const char *in;
		bool role;
	} cases[] = {
	    {"postmaster@d", true}, {"PostMaster@d", true},
	    {"\"abuse\"@d", true}, {"ABUSE@d", true}, {"abuser@d", false},
	    {"abus@d", false}, {"postmaster1@d", false},
	    {"hostmaster@d", false},
	};
	const char *why;
	struct addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(
		    addr_parse(slice_str(cases[i].in), true, &a, &why), 0);
		if (addr_is_role(&a) != cases[i].role)
			fail_msg("%s", cases[i].in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_of_another_host_lead_on),
		cmocka_unit_test(roles_are_two_in_any_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
