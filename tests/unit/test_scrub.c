/* SPDX-License-Identifier: ISC
 *
 * A leg's reply, as the sender may read it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/mail/scrub.h"

static struct scrub sample(void)
{
	struct scrub s = {.shown = "ann@corp.example",
	    .inner = "ann.x+n@box.internal.example",
	    .remote = "mx1.legacy.lan [192.0.2.7]:25"};

	scrub_domain(&s, "internal.example");
	scrub_domain(&s, "tenant.onmicrosoft.example");
	scrub_domain(&s, "");
	return s;
}

static void check(const struct scrub *s, const char *in, const char *want)
{
	struct strbuf out;

	print_message("%s\n", in);
	strbuf_init(&out, 10000);
	scrub_text(s, slice_str(in), &out);
	assert_string_equal(strbuf_cstr(&out), want);
	strbuf_fini(&out);
}

static void the_inside_is_not_shown(void **state)
{
	/* clang-format off */
	static const struct { const char *in, *want; } cases[] = {
		{ "<ann.x+n@box.internal.example>: no",  "<ann@corp.example>: no" },
		{ "ANN.X+N@Box.Internal.Example",        "ann@corp.example"       },
		{ "rcpt=ann.x+n@box.internal.example.",  "rcpt=ann@corp.example." },
		{ "5.1.1 ann.x@internal.example gone",   "5.1.1 ann@corp.example gone" },
		{ "ann_x@tenant.onmicrosoft.example:no", "ann@corp.example:no"    },
		{ "<x@tenant.onmicrosoft.example>",      "<ann@corp.example>"     },
		{ "x@TENANT.onmicrosoft.example!",       "ann@corp.example!"      },
		{ "host mbx7.internal.example said no",  "host internal said no"  },
		{ "internal.example.",                   "internal."              },
		{ "mx1.legacy.lan: 550",                 "internal: 550"          },
		{ "[192.0.2.7]:25 refused",              "[internal]:25 refused"  },
		{ "192.0.2.7:25 refused",                "internal refused"       },
		/* Words that only look like it. */
		{ "notinternal.example",                 "notinternal.example"    },
		{ "internal.example.com",                "internal.example.com"   },
		{ "192.0.2.71 said mx1",                 "192.0.2.71 said mx1"    },
		{ "<bob@elsewhere.example>",             "<bob@elsewhere.example>" },
		{ "25 messages an hour",                 "25 messages an hour"    },
		{ "",                                    ""                       },
		{ "...",                                 "..."                    },
	};
	/* clang-format on */
	struct scrub s = sample();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&s, cases[i].in, cases[i].want);
}

static void nothing_inside_leaves_the_text_alone(void **state)
{
	struct scrub s = {.shown = "a@b", .inner = "", .remote = ""};
	static const char *const texts[] = {
		"550 5.1.1 <a@b>: no such user here [mx.b]", "=", " ", "@"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		check(&s, texts[i], texts[i]);
}

static void more_domains_than_it_holds_are_left(void **state)
{
	struct scrub s = {.shown = "a@b", .inner = "", .remote = ""};

	(void)state;
	for (int i = 0; i < 2 * SCRUB_DOMAINS; i++)
		scrub_domain(&s, "c.example");
	assert_int_equal(s.domains, SCRUB_DOMAINS);
	check(&s, "x@c.example", "a@b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_inside_is_not_shown),
		cmocka_unit_test(nothing_inside_leaves_the_text_alone),
		cmocka_unit_test(more_domains_than_it_holds_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
