/* SPDX-License-Identifier: ISC
 *
 * Addresses, paths, keys; and the public collection of addresses, judged by
 * its categories, where it is at hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/mail/addr.h"

#define L60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* clang-format off */
static const struct { const char *in, *local, *domain; } mailboxes[] = {
	{ "ann@corp.example",     "ann",       "corp.example" },
	{ "Ann.B@Corp.Example",   "Ann.B",     "Corp.Example" },
	{ "\"a b\"@[192.0.2.1]",  "\"a b\"",   "[192.0.2.1]"  },
	{ "\"\\\"\"@d",           "\"\\\"\"",  "d"            },
	{ "\"u@evil\"@d",         "\"u@evil\"", "d"           },
	{ "\"\"@d",               "\"\"",      "d"            },
	{ "u@[IPv6:::1]",         "u",         "[IPv6:::1]"   },
	{ "|cat@d",               "|cat",      "d"            },
	{ "/etc/passwd@d",        "/etc/passwd", "d"          },
	{ "-f@d",                 "-f",        "d"            },
	{ "`id`@d",               "`id`",      "d"            },
	{ "u%ext@local",          "u%ext",     "local"        },
	{ "ext!u@local",          "ext!u",     "local"        },
	{ L60 "bbbb@d",           L60 "bbbb",  "d"            },
	{ L60 "bbbbb@d",          L60 "bbbbb", "d"            },
	{ L60 L60 L60 L60 "b@my_host.x", L60 L60 L60 L60 "b", "my_host.x" },
	{ L60 L60 L60 L60 "1234567890123456@d", L60 L60 L60 L60 "1234567890123456", "d" },
	{ L60 L60 L60 L60 "12345678901234567@d", NULL, NULL   },
	{ "\"" L60 L60 L60 L60 "12345678901234 \\6\"@d",
	  "\"" L60 L60 L60 L60 "12345678901234 \\6\"", "d"    },
	{ "\"" L60 L60 L60 L60 "123456789012345 7\"@d", NULL, NULL },
	{ "u@",                   NULL,        NULL           },
	{ "@d",                   NULL,        NULL           },
	{ "u",                    NULL,        NULL           },
	{ "",                     NULL,        NULL           },
	{ "$(id)@d",              NULL,        NULL           },
	{ "a;b@d",                NULL,        NULL           },
	{ "u@ext@local",          NULL,        NULL           },
	{ "\"u@ext\"x@d",         NULL,        NULL           },
	{ "\"u\"@ext@d",          NULL,        NULL           },
	{ "u@ext..",              NULL,        NULL           },
	{ "u@.",                  NULL,        NULL           },
	{ "u@[192.0.2.1].",       NULL,        NULL           },
	{ "a..b@d",               "a..b",      "d"            },
	{ "a.@d",                 "a.",        "d"            },
	{ "u@ext%local",          NULL,        NULL           },
	{ "u@[192.0.2.1].ext",    NULL,        NULL           },
	{ "u@a..b",               NULL,        NULL           },
	{ ".u@d",                 ".u",        "d"            },
	{ "a b@d",                NULL,        NULL           },
	{ "a@ d",                 NULL,        NULL           },
	{ "a@d ",                 NULL,        NULL           },
	{ "a\r\nb@d",             NULL,        NULL           },
	{ "\"a\rb\"@d",           NULL,        NULL           },
	{ "\"a\x7f\"@d",          NULL,        NULL           },
	{ "\"a\\\n\"@d",          NULL,        NULL           },
	{ "\"a",                  NULL,        NULL           },
	{ "\"a\\",                NULL,        NULL           },
	{ "\"a\\\"@d",            NULL,        NULL           },
	{ "<a@d>",                NULL,        NULL           },
};

static const struct {
	const char *in; enum path_kind kind; const char *text; long taken;
} paths[] = {
	{ "<>",                      PATH_REVERSE, "",           2 },
	{ "<> SIZE=1",               PATH_REVERSE, "",           2 },
	{ "< > SIZE=1",              PATH_REVERSE, "",           3 },
	{ "<\t>",                    PATH_REVERSE, "",           3 },
	{ "<<>>",                    PATH_REVERSE, "",           4 },
	{ "<>",                      PATH_FORWARD, NULL,         -1 },
	{ "<ann@d>",                 PATH_FORWARD, "ann@d",      7 },
	{ "<ann@d> NOTIFY=NEVER",    PATH_FORWARD, "ann@d",      7 },
	{ "<ann@d>\tNOTIFY=NEVER",   PATH_FORWARD, "ann@d",      7 },
	{ "<PostMaster>",            PATH_FORWARD, "PostMaster", 12 },
	{ "Abuse NOTIFY=NEVER",      PATH_FORWARD, "Abuse",      5 },
	{ "<abuse>",                 PATH_FORWARD, "abuse",      7 },
	{ "\"postmaster\"",          PATH_FORWARD, "\"postmaster\"", 12 },
	{ "<ann>",                   PATH_FORWARD, NULL,         -1 },
	{ "<MAILER-DAEMON>",         PATH_REVERSE, "MAILER-DAEMON", 15 },
	{ "root SIZE=1",             PATH_REVERSE, "root",       4 },
	{ "<\"front desk\">",        PATH_REVERSE, "\"front desk\"", 14 },
	{ "<ann..lee>",              PATH_REVERSE, "ann..lee", 10 },
	{ "<\"a>b\"@d>x",            PATH_FORWARD, "\"a>b\"@d",  9 },
	{ "<\"a\\\">b\"@d>",         PATH_FORWARD, "\"a\\\">b\"@d", 11 },
	{ "<@a,@b:u@d>",             PATH_FORWARD, "u@d",        11 },
	{ "<@[192.0.2.1]:u@d>",      PATH_FORWARD, "u@d",        18 },
	{ "<@[IPv6:::1],@b:u@d>",    PATH_FORWARD, "u@d",        20 },
	{ "@a:u@d",                  PATH_FORWARD, "u@d",        6 },
	{ "<@a:postmaster>",         PATH_FORWARD, "postmaster", 15 },
	/* Brackets. */
	{ "ann@d",                   PATH_FORWARD, "ann@d",      5 },
	{ "ann@d SIZE=1",            PATH_REVERSE, "ann@d",      5 },
	{ "\"a b\"@d SIZE=1",        PATH_REVERSE, "\"a b\"@d",  7 },
	{ "ann@d>",                  PATH_FORWARD, "ann@d",      6 },
	{ "ann@d;",                  PATH_FORWARD, "ann@d",      6 },
	{ "<ann@d>>",                PATH_FORWARD, "ann@d",      8 },
	{ "<ann@d>; X",              PATH_FORWARD, "ann@d",      8 },
	{ "<ann@d>,",                PATH_FORWARD, "ann@d",      8 },
	{ "<<ann@d>>",               PATH_FORWARD, "ann@d",      9 },
	{ "<<<ann@d>>> X",           PATH_FORWARD, "ann@d",      11 },
	{ "<Ann Lee <ann@d>>",       PATH_FORWARD, "ann@d",      17 },
	{ "<\"ann@d\">",             PATH_FORWARD, "ann@d",      9 },
	{ "<b@e <ann@d>>",           PATH_FORWARD, NULL,         -1 },
	{ "<ann@d,bob@d>",           PATH_FORWARD, NULL,         -1 },
	{ "<ann@d bob@d>",           PATH_FORWARD, NULL,         -1 },
	{ "<a<b@d>",                 PATH_FORWARD, NULL,         -1 },
	{ "<ann@d",                  PATH_FORWARD, NULL,         -1 },
	{ "<\"ann@d>",               PATH_FORWARD, NULL,         -1 },
	/* Blanks and comments. */
	{ "< ann@d\t>",              PATH_FORWARD, "ann@d",      9 },
	{ "<ann @d>",                PATH_FORWARD, "ann@d",      8 },
	{ "<ann\t@\td>",             PATH_FORWARD, "ann@d",      9 },
	{ "ann @ d X=1",             PATH_FORWARD, "ann@d",      7 },
	{ "<\"a b\" @d>",            PATH_FORWARD, "\"a b\"@d",  10 },
	{ "<ann@b. d>",              PATH_FORWARD, "ann@b.d",    10 },
	{ "<ann@d (Ann)>",           PATH_FORWARD, "ann@d",      13 },
	{ "<ann@d(Ann)>",            PATH_FORWARD, "ann@d",      12 },
	{ "<ann@d (Ann) (Lee)>",     PATH_FORWARD, "ann@d",      19 },
	{ "<ann@(home) d (Ann)>",    PATH_FORWARD, "ann@d",      20 },
	{ "<(Ann)ann@d>",            PATH_FORWARD, "\"(Ann)ann\"@d", 12 },
	{ "<(Ann) ann@d>",           PATH_FORWARD, "ann@d",      13 },
	{ "<a b@d>",                 PATH_FORWARD, NULL,         -1 },
	{ "<a\tb@d>",                PATH_FORWARD, NULL,         -1 },
	{ "<\"a\tb\"@d>",            PATH_FORWARD, NULL,         -1 },
	{ "<ann@b d>",               PATH_FORWARD, NULL,         -1 },
	/* Local parts. */
	{ "<a..b@d>",                PATH_FORWARD, "a..b@d", 8 },
	{ "<.a@d>",                  PATH_FORWARD, ".a@d", 6 },
	{ "<a.@d>",                  PATH_FORWARD, "a.@d", 6 },
	{ "<@d>",                    PATH_REVERSE, "\"\"@d",     4 },
	{ "<@[IPv6:::1]>",           PATH_REVERSE, "\"\"@[IPv6:::1]", 13 },
	{ "<c:gb@d>",                PATH_FORWARD, "\"c:gb\"@d", 8 },
	{ "<a(b)@d>",                PATH_FORWARD, "\"a(b)\"@d", 8 },
	{ "<a[b]@d>",                PATH_FORWARD, "\"a[b]\"@d", 8 },
	{ "<u@ext@d>",               PATH_FORWARD, "\"u@ext\"@d", 9 },
	{ "<u\\@ext@d>",             PATH_FORWARD, "\"u@ext\"@d", 10 },
	{ "<a\\b@d>",                PATH_FORWARD, "ab@d",       7 },
	{ "<a\\ b@d>",               PATH_FORWARD, "\"a b\"@d",  8 },
	{ "<\"a\".b@d>",             PATH_FORWARD, "a.b@d",      9 },
	{ "<a.\"b \\\"\"@d>",         PATH_FORWARD, "\"a.b \\\"\"@d", 12 },
	{ "<a\"b\"@d>",              PATH_FORWARD, NULL,         -1 },
	{ "<\"a\"b@d>",              PATH_FORWARD, NULL,         -1 },
	{ "<a;b@d>",                 PATH_FORWARD, NULL,         -1 },
	{ "<a\x01" "b@d>",           PATH_FORWARD, NULL,         -1 },
	{ "<" L60 L60 L60 L60 "1234567890123456>", PATH_REVERSE,
	  L60 L60 L60 L60 "1234567890123456", 258 },
	{ "<" L60 L60 L60 L60 "12345678901234567>", PATH_REVERSE, NULL, -1 },
	{ "<" L60 L60 L60 L60 "123456789012345.@d>", PATH_FORWARD,
	  L60 L60 L60 L60 "123456789012345.@d", 260 },
	{ "<" L60 L60 L60 L60 "123456789012345(@d>", PATH_FORWARD,
	  "\"" L60 L60 L60 L60 "123456789012345(\"@d", 260 },
	{ "<" L60 L60 L60 L60 "1234567890123456.@d>", PATH_FORWARD, NULL, -1 },
	/* Domains. */
	{ "<ann@d.>",                PATH_FORWARD, "ann@d",      8 },
	{ "ann@A.B. X",              PATH_FORWARD, "ann@A.B",    8 },
	{ "<ann@\"d\">",             PATH_FORWARD, "ann@d",      9 },
	{ "<ann@[192.0.2.1>",        PATH_FORWARD, "ann@[192.0.2.1]", 16 },
	{ "<c:gb@d.>",               PATH_FORWARD, "\"c:gb\"@d", 9 },
	{ "<ann@d..>",               PATH_FORWARD, NULL,         -1 },
	{ "<ann@.>",                 PATH_FORWARD, NULL,         -1 },
	{ "<ann@>",                  PATH_FORWARD, NULL,         -1 },
	{ "<ann@-d>",                PATH_FORWARD, NULL,         -1 },
	{ "<ann@[x]>",               PATH_FORWARD, NULL,         -1 },
	{ "<ann@[192.0.2.1].>",      PATH_FORWARD, NULL,         -1 },
	/* Source routes. */
	{ "<@a,b:u@d>",              PATH_FORWARD, NULL,         -1 },
	{ "<@a,:u@d>",               PATH_FORWARD, NULL,         -1 },
	{ "<@:u@d>",                 PATH_FORWARD, NULL,         -1 },
	{ "<@a:>",                   PATH_REVERSE, NULL,         -1 },
	{ "<@a u@d>",                PATH_FORWARD, NULL,         -1 },
	{ "<@>",                     PATH_FORWARD, NULL,         -1 },
	{ "<@[::1]:u@d>",            PATH_FORWARD, NULL,         -1 },
	{ "",                        PATH_FORWARD, NULL,         -1 },
	{ "<",                       PATH_FORWARD, NULL,         -1 },
};

/* Of SMTPUTF8: what a log or a terminal would obey is no address. */
static const struct { const char *in; bool taken; } controls[] = {
	{ "b\xc3\xb6rje@d",                    true  },
	{ "\xd7\xa9\xd7\x9c@d",               true  },
	{ "a\xe2\x80\x8d" "b@d",              true  }, /* joiners spell words */
	{ "a\xc2\x9b" "31m@d",                false },
	{ "a\xc2\x85" "b@d",                  false },
	{ "\"a\xc2\x80\"@d",                  false },
	{ "a\xe2\x80\xa8" "b@d",              false },
	{ "a\xe2\x80\xae" "b@d",              false },
	{ "a\xe2\x81\xa6" "b@d",              false },
	{ "\xd8\x9c" "a@d",                   false },
	{ "a@d\xe2\x80\x8e" "e",              false },
};

static const struct { const char *in; char sub; const char *key, *detail; }
keys[] = {
	{ "Ann@Corp.Example",      '+', "ann@corp.example", ""          },
	{ "\"ann\"@x",             '+', "ann@x",            ""          },
	{ "\"a b\"@x",             '+', "\"a b\"@x",        ""          },
	{ "\"\\a\\ b\"@x",         '+', "\"a b\"@x",        ""          },
	{ "\"a\\\"b\"@x",          '+', "\"a\\\"b\"@x",     ""          },
	{ "\"\"@x",                '+', "\"\"@x",           ""          },
	{ "\"a..b\"@x",            '+', "\"a..b\"@x",       ""          },
	{ "a..b@x.",               '+', "\"a..b\"@x",       ""          },
	{ ".a+b@X",                '+', "\".a\"@x",         "+b"        },
	{ "ann+News@x",            '+', "ann@x",            "+News"     },
	{ "ann+a+b@x",             '+', "ann@x",            "+a+b"      },
	{ "ann+@x",                '+', "ann@x",            "+"         },
	{ "+news@x",               '+', "+news@x",          ""          },
	{ "++a@x",                 '+', "+@x",              "+a"        },
	{ "ann+news@x",            '\0', "ann+news@x",      ""          },
	{ "ann-news@x",            '-', "ann@x",            "-news"     },
	{ "\"ann+news\"@x",        '+', "ann@x",            "+news"     },
	{ "\"ann\\+news\"@x",      '+', "ann@x",            "\\+news"   },
	{ "\"a b+c d\"@x",         '+', "\"a b\"@x",        "+c d"      },
	{ "\"\\+a\"@x",            '+', "+a@x",             ""          },
	{ "u@b\xc3\xbc" "cher.example", '+', "u@xn--bcher-kva.example", "" },
	{ "u@XN--BCHER-kva.example", '+', "u@xn--bcher-kva.example", "" },
	{ "\xc3\x89" "T@x",        '+', "\xc3\x89t@x",      ""          },
	{ "u@[IPv6:2001:DB8::1]",  '+', "u@[ipv6:2001:db8::1]", ""      },
};

static const struct { const char *to, *detail, *result; } details[] = {
	{ "ann@y",       "",         "ann@y"            },
	{ "ann@y",       "+news",    "ann+news@y"       },
	{ "\"ann\"@y",   "+news",    "ann+news@y"       },
	{ "\"a b\"@y",   "+news",    "\"a b+news\"@y"   },
	{ "ann@y",       "+c d",     "\"ann+c d\"@y"    },
	{ "ann@y",       "\\+news",  "\"ann\\+news\"@y" },
	{ "ann@y",       "+a..b",    "\"ann+a..b\"@y"   },
	{ "ann@y",       "+a.",      "\"ann+a.\"@y"     },
	{ "a@[192.0.2.1]", "+n",     "a+n@[192.0.2.1]"  },
	{ L60 "@y",      "+123",     L60 "+123@y"       },
	{ L60 "@y",      "+1234",    L60 "@y"           },
	{ L60 "@y",      "+ 1",      L60 "@y"           },
};
/* clang-format on */

static void control_characters_are_refused(void **state)
{
	const char *why;
	struct addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
		int rc = addr_parse(
		    slice_str(controls[i].in), true, &a, &why);

		if ((rc == 0) != controls[i].taken)
			fail_msg("row %zu: %s", i, why == NULL ? "" : why);
	}
}

static void mailboxes_follow_rfc5321(void **state)
{
	struct addr a;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mailboxes); i++) {
		struct slice in = slice_str(mailboxes[i].in);
		bool ok = mailboxes[i].local != NULL;

		print_message("case %zu: %s\n", i, mailboxes[i].in);
		assert_int_equal(addr_parse(in, false, &a, &why), ok ? 0 : -1);
		assert_int_equal(why == NULL, ok);
		if (!ok)
			continue;
		assert_true(slice_eq(a.text, in));
		assert_true(slice_eq(a.local, slice_str(mailboxes[i].local)));
		assert_true(slice_eq(a.domain, slice_str(mailboxes[i].domain)));
		assert_int_equal(a.literal, a.domain.p[0] == '[');
		assert_false(a.utf8);
	}
}

static void nul_is_never_part_of_an_address(void **state)
{
	struct addr a;
	const char *why;

	(void)state;
	assert_int_equal(
	    addr_parse(SLICE("u@LOCAL\0.ext"), false, &a, &why), -1);
	assert_int_equal(addr_parse(SLICE("u\0@local"), true, &a, &why), -1);
	assert_int_equal(
	    addr_parse(SLICE("\"u\0\"@local"), true, &a, &why), -1);
}

static void eight_bit_needs_smtputf8(void **state)
{
	static const struct {
		const char *in;
		bool ok;
	} cases[] = {
		{"\xc3\xa9t\xc3\xa9@x", true},
		{"u@b\xc3\xbc" "cher.example", true},
		{"\"\xc3\xa9 \"@x", true},
		{"\"\\\xc3\xa9\"@x", false},
		{"\xe9t@x", false},
		{"\xc0\xaf@x", false},
	};
	struct addr a;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct slice in = slice_str(cases[i].in);

		print_message("case %zu\n", i);
		assert_int_equal(addr_parse(in, true, &a, &why),
		    cases[i].ok ? 0 : -1);
		assert_int_equal(a.utf8, cases[i].ok || a.text.n > 0);
		assert_int_equal(addr_parse(in, false, &a, &why), -1);
	}
}

static void domain_may_have_253_octets(void **state)
{
	struct addr a;
	const char *why;
	char in[260];

	(void)state;
	memset(in, 'a', sizeof(in));
	in[1] = '@';
	for (size_t dot = 1 + 64; dot < sizeof(in); dot += 64)
		in[dot] = '.';
	in[254] = 'a';
	assert_int_equal(addr_parse(slice_of(in, 255), false, &a, &why), 0);
	assert_int_equal(a.domain.n, 253);
	assert_int_equal(addr_parse(slice_of(in, 256), false, &a, &why), -1);
}

static void paths_end_where_they_should(void **state)
{
	char room[ADDR_MAX];
	struct addr a;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		print_message("case %zu: %s\n", i, paths[i].in);
		assert_int_equal(addr_path_parse(slice_str(paths[i].in),
				     paths[i].kind, room, &a, &why),
		    paths[i].taken);
		if (paths[i].text == NULL)
			assert_non_null(why);
		else
			assert_true(
			    slice_eq(a.text, slice_str(paths[i].text)));
		if (paths[i].text != NULL && a.domain.n > 0)
			assert_ptr_equal(a.domain.p,
			    a.text.p + a.text.n - a.domain.n);
	}
}

static void key_and_detail_look_through_quotes(void **state)
{
	struct strbuf key;
	struct addr a;
	const char *why;

	(void)state;
	strbuf_init(&key, 1000);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		print_message("case %zu: %s\n", i, keys[i].in);
		strbuf_reset(&key);
		assert_int_equal(
		    addr_parse(slice_str(keys[i].in), true, &a, &why), 0);
		assert_true(addr_key(&a, keys[i].sub, &key));
		assert_string_equal(strbuf_cstr(&key), keys[i].key);
		assert_true(slice_eq(addr_detail(&a, keys[i].sub),
		    slice_str(keys[i].detail)));
	}
	strbuf_fini(&key);
}

static void postmaster_has_a_key_and_the_null_path_has_none(void **state)
{
	char room[ADDR_MAX];
	struct strbuf key;
	struct addr a;
	const char *why;

	(void)state;
	strbuf_init(&key, 1000);
	assert_int_equal(addr_path_parse(SLICE("<POSTmaster>"), PATH_FORWARD,
			     room, &a, &why), 12);
	assert_true(addr_key(&a, '+', &key));
	assert_string_equal(strbuf_cstr(&key), "postmaster");
	assert_int_equal(
	    addr_path_parse(SLICE("<>"), PATH_REVERSE, room, &a, &why), 2);
	assert_false(addr_key(&a, '+', &key));
	strbuf_fini(&key);
}

static void rewrite_keeps_the_detail_and_stays_an_address(void **state)
{
	struct strbuf out;
	struct addr a;
	const char *why;

	(void)state;
	strbuf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(details); i++) {
		print_message("case %zu: %s %s\n", i, details[i].to,
		    details[i].detail);
		strbuf_reset(&out);
		addr_with_detail(slice_str(details[i].to),
		    slice_str(details[i].detail), &out);
		assert_string_equal(strbuf_cstr(&out), details[i].result);
		assert_int_equal(
		    addr_parse(strbuf_view(&out), false, &a, &why), 0);
	}
	strbuf_fini(&out);
}

static void what_is_said_in_a_command_is_right(void **state)
{
	static const struct {
		const char *in;
		bool ascii;
		const char *out;
	} cases[] = {
		{"a.b@x", true, "a.b@x"},
		{"a..b@x.", true, "\"a..b\"@x"},
		{".a@X", false, "\".a\"@X"},
		{"\"a\"@x", true, "\"a\"@x"},
		{"u@b\xc3\xbc" "cher.x", true, "u@xn--bcher-kva.x"},
		{"u@b\xc3\xbc" "cher.x", false, "u@b\xc3\xbc" "cher.x"},
		{"\xc3\xbc@b\xc3\xbc.x", true, "\xc3\xbc@xn--b-eha.x"},
	};
	struct strbuf out;
	struct addr a;
	const char *why;

	(void)state;
	strbuf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].in);
		strbuf_reset(&out);
		assert_int_equal(
		    addr_parse(slice_str(cases[i].in), true, &a, &why), 0);
		assert_true(addr_print(&a, cases[i].ascii, &out));
		assert_string_equal(strbuf_cstr(&out), cases[i].out);
	}
	strbuf_fini(&out);
}

/* The collection: <test> elements with <address>, <category>, <diagnosis>;
 * U+2400 … stand for control characters. */
static struct slice element(struct slice test, const char *name)
{
	char open[32], close[32];
	const char *from, *to;

	snprintf(open, sizeof(open), "<%s>", name);
	snprintf(close, sizeof(close), "</%s>", name);
	from = memmem(test.p, test.n, open, strlen(open));
	if (from == NULL)
		return slice_of("", 0);
	from += strlen(open);
	to = memmem(from, (size_t)(test.p + test.n - from), close,
	    strlen(close));
	return to == NULL ? slice_of("", 0)
			  : slice_of(from, (size_t)(to - from));
}

static char symbol_for(unsigned long c)
{
	return (char)(c >= 0x2400 ? c - 0x2400 : c);
}

/* Entities and the three-byte symbols into the bytes they stand for. */
static void decode(struct slice s, struct strbuf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		struct slice rest = slice_from(s, i);
		long semicolon = slice_find(rest, ';');

		if (slice_starts(rest, SLICE("&#x"))) {
			strbuf_addc(out,
			    symbol_for(strtoul(rest.p + 3, NULL, 16)));
			i += (size_t)semicolon;
		} else if (slice_starts(rest, SLICE("&amp;"))) {
			strbuf_addc(out, '&');
			i += (size_t)semicolon;
		} else if (slice_starts(rest, SLICE("&quot;"))) {
			strbuf_addc(out, '"');
			i += (size_t)semicolon;
		} else if (slice_starts(rest, SLICE("\xe2\x90"))) {
			strbuf_addc(out, (char)(rest.p[2] & 0x3f));
			i += 2;
		} else {
			strbuf_addc(out, s.p[i]);
		}
	}
}

/* Valid SMTP is what the collection calls so, DNS aside; and what it refuses
 * only for its length, where RFC 5321 4.5.3.1 gives what must be taken at
 * least. */
static bool is_valid_smtp(struct slice address, struct slice category,
    struct slice diagnosis)
{
	long at = slice_rfind(address, '@');
	bool domain_fits = slice_from(address, (size_t)at + 1).n <= 253;

	return slice_eq(category, SLICE("ISEMAIL_VALID_CATEGORY")) ||
	       slice_eq(category, SLICE("ISEMAIL_DNSWARN")) ||
	       slice_eq(category, SLICE("ISEMAIL_RFC5321")) ||
	       slice_eq(diagnosis, SLICE("ISEMAIL_RFC5322_LOCAL_TOOLONG")) ||
	       (slice_eq(diagnosis, SLICE("ISEMAIL_RFC5322_TOOLONG")) &&
		   domain_fits);
}

/* Dots are taken where old systems have them (RFC 5321 does not). */
static bool has_dots(struct slice diagnosis)
{
	return slice_eq(diagnosis, SLICE("ISEMAIL_ERR_DOT_START")) ||
	       slice_eq(diagnosis, SLICE("ISEMAIL_ERR_DOT_END")) ||
	       slice_eq(diagnosis, SLICE("ISEMAIL_ERR_CONSECUTIVEDOTS"));
}

static int judge(struct slice test)
{
	struct slice category = element(test, "category");
	struct strbuf address;
	struct addr a;
	const char *why = NULL;
	int got, want;

	strbuf_init(&address, 1000);
	decode(element(test, "address"), &address);
	got = addr_parse(strbuf_view(&address), false, &a, &why);
	if (has_dots(element(test, "diagnosis"))) {
		strbuf_fini(&address);
		return 0;
	}
	want = is_valid_smtp(strbuf_view(&address), category,
		   element(test, "diagnosis"))
		   ? 0
		   : -1;
	if (got != want)
		print_message("%s: %s, wanted %.*s\n", strbuf_cstr(&address),
		    why != NULL ? why : "taken", (int)category.n, category.p);
	strbuf_fini(&address);
	return got == want ? 0 : 1;
}

static bool read_file(const char *path, struct strbuf *out)
{
	FILE *f = fopen(path, "r");
	char chunk[4096];
	size_t n;

	if (f == NULL)
		return false;
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		strbuf_add(out, chunk, n);
	fclose(f);
	return strbuf_ok(out);
}

static void the_public_collection_is_judged_as_it_says(void **state)
{
	const char *shared = getenv("PH_SHARED"), *at, *end;
	struct strbuf file;
	char path[4096];
	int tests = 0, wrong = 0;

	(void)state;
	strbuf_init(&file, 1 << 20);
	snprintf(path, sizeof(path), "%s/data/addresses/tests.xml",
	    shared != NULL ? shared : TEST_SOURCE_DIR "/../shared");
	if (!read_file(path, &file)) {
		print_message("skipped: no %s\n", path);
		strbuf_fini(&file);
		skip();
	}
	at = strstr(strbuf_cstr(&file), "<test id=");
	for (; at != NULL; at = strstr(end, "<test id=")) {
		end = strstr(at, "</test>");
		assert_non_null(end);
		wrong += judge(slice_of(at, (size_t)(end - at)));
		tests++;
	}
	strbuf_fini(&file);
	assert_true(tests > 150);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mailboxes_follow_rfc5321),
		cmocka_unit_test(control_characters_are_refused),
		cmocka_unit_test(nul_is_never_part_of_an_address),
		cmocka_unit_test(eight_bit_needs_smtputf8),
		cmocka_unit_test(domain_may_have_253_octets),
		cmocka_unit_test(paths_end_where_they_should),
		cmocka_unit_test(key_and_detail_look_through_quotes),
		cmocka_unit_test(
		    postmaster_has_a_key_and_the_null_path_has_none),
		cmocka_unit_test(rewrite_keeps_the_detail_and_stays_an_address),
		cmocka_unit_test(what_is_said_in_a_command_is_right),
		cmocka_unit_test(the_public_collection_is_judged_as_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
