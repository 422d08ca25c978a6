/* SPDX-License-Identifier: ISC
 *
 * SRS: what other implementations make is read, what is made is what they
 * would make (values by Mail::SRS 0.31), and an address of ours leads back
 * until its days are over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/srs.h"
#include "relay/base/id.h"

#define KEY "0123456789abcdef"
#define OLD "fedcba9876543210"
#define DAY (INT64_C(86400) * 1000000)
#define NOW (20700 * DAY + 1)

static char *keys[] = {(char *)KEY, (char *)OLD};

static struct conf sample(int hash)
{
	return (struct conf){.srs = {.domain = (char *)"srs.example.com",
	    .lifetime_ms = 21 * 86400000LL, .hash = hash, .key = {keys, 2}}};
}

static uint64_t an_id(void)
{
	uint64_t id;

	assert_int_equal(id_parse(SLICE("0SA86NEVC0001"), &id), 0);
	return id;
}

static struct addr parsed(const char *text)
{
	struct addr a;
	const char *why;

	assert_int_equal(addr_parse(slice_str(text), true, &a, &why), 0);
	return a;
}

static const char *make(const struct conf *c, const char *from, char out[400])
{
	struct addr a = parsed(from);
	struct strbuf b;

	strbuf_init(&b, 399);
	assert_true(srs_make(c,
	    &(struct srs_sender){.from = &a, .id = an_id(), .now_us = NOW},
	    &b));
	assert_true(strbuf_ok(&b));
	snprintf(out, 400, "%s", strbuf_cstr(&b));
	strbuf_fini(&b);
	return out;
}

/* "address", or what else the verdict is. */
static const char *back(const struct conf *c, const char *to, int64_t now_us,
    char out[400])
{
	struct addr a = parsed(to);
	struct strbuf b;
	uint64_t id;

	strbuf_init(&b, 399);
	switch (srs_check(c, &a, now_us, &b, &id)) {
	case SRS_NONE: strbuf_adds(&b, "none"); break;
	case SRS_EXPIRED: strbuf_adds(&b, "expired"); break;
	case SRS_FORGED: strbuf_adds(&b, "forged"); break;
	case SRS_MESSAGE:
		strbuf_adds(&b, id == an_id() ? "message" : "another"); break;
	case SRS_ADDRESS: break;
	}
	assert_true(strbuf_ok(&b));
	snprintf(out, 400, "%s", strbuf_cstr(&b));
	strbuf_fini(&b);
	return out;
}

/* clang-format off */
static const struct {
	int hash;
	const char *from, *made, *back;
} reference[] = {
	{ 4, "ann@example.org", "SRS0=L4Ge=G4=example.org=ann", NULL },
	{ 8, "ann@example.org", "SRS0=L4Gef2LQ=G4=example.org=ann", NULL },
	{ 20, "ann@example.org",
	  "SRS0=L4Gef2LQivRvkzw1cDPp=G4=example.org=ann", NULL },
	{ 8, "Bounce=7@Lists.Example.ORG",
	  "SRS0=VD8kPQPf=G4=lists.example.org=Bounce=7",
	  "Bounce=7@lists.example.org" },
	{ 8, "SRS0=HHHH=TT=orig.example=u@fwd.example",
	  "SRS1=XMWymM5M=fwd.example==HHHH=TT=orig.example=u", NULL },
	{ 8, "SRS0+HHHH=TT=orig.example=u@fwd.example",
	  "SRS1=7Uam8kfK=fwd.example=+HHHH=TT=orig.example=u", NULL },
	{ 8, "SRS1=XXXX=fwd.example==HHHH=TT=orig.example=u@two.example",
	  "SRS1=XMWymM5M=fwd.example==HHHH=TT=orig.example=u",
	  "SRS0=HHHH=TT=orig.example=u@fwd.example" },
	{ 20, "SRS0=HHHH=TT=orig.example=u@fwd.example",
	  "SRS1=XMWymM5MxLHsZcrQ+WVI=fwd.example==HHHH=TT=orig.example=u",
	  NULL },
};
/* clang-format on */

static void as_other_implementations_make_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reference); i++) {
		struct conf c = sample(reference[i].hash);
		char text[400], want[400], led[400];

		snprintf(want, sizeof(want), "%s@srs.example.com",
		    reference[i].made);
		assert_string_equal(make(&c, reference[i].from, text), want);
		assert_string_equal(back(&c, text, NOW, led),
		    reference[i].back != NULL ? reference[i].back :
						reference[i].from);
	}
}

static void each_separator_is_kept_for_the_way_back(void **state)
{
	struct conf c = sample(8);
	char from[] = "SRS0?HHHH=TT=orig.example=u@fwd.example";
	char text[400], led[400];

	(void)state;
	for (const char *s = "=+-"; *s != '\0'; s++) {
		from[4] = *s;
		make(&c, from, text);
		assert_true(slice_starts(slice_str(text), SLICE("SRS1=")));
		assert_string_equal(back(&c, text, NOW, led), from);
	}
	from[4] = '_'; /* a name like others */
	make(&c, from, text);
	assert_true(slice_starts(slice_str(text), SLICE("SRS0=")));
	assert_string_equal(back(&c, text, NOW, led), from);
}

/* All of base64(SHA-1) without its '=': no longer mark is one of ours. */
static void the_longest_mark_is_checked_whole(void **state)
{
	struct conf c = sample(27), shorter = sample(8);
	char text[400], led[400];
	const char *const longer = "SRS0=L4Gef2LQivRvkzw1cDPpo2QPb8MM=G4="
				   "example.org=ann@srs.example.com";

	(void)state;
	assert_string_equal(make(&c, "ann@example.org", text),
	    "SRS0=L4Gef2LQivRvkzw1cDPpo2QPb8M=G4=example.org=ann"
	    "@srs.example.com");
	assert_string_equal(back(&c, text, NOW, led), "ann@example.org");
	assert_string_equal(back(&shorter, text, NOW, led),
	    "ann@example.org");
	assert_string_equal(back(&c, longer, NOW, led), "forged");
	text[5 + 26] = 'N';
	assert_string_equal(back(&shorter, text, NOW, led), "forged");
}

static void case_on_the_way_does_not_count(void **state)
{
	struct conf c = sample(8);
	char led[400];

	(void)state;
	assert_string_equal(back(&c,
	    "srs0=l4GEF2lq=g4=EXAMPLE.org=Ann@SRS.Example.COM", NOW, led),
	    "Ann@EXAMPLE.org");
	assert_string_equal(back(&c,
	    "\"SRS0=L4Gef2LQ=G4=example.org=ann\"@srs.example.com", NOW, led),
	    "ann@example.org");
}

static void quotes_are_put_around_the_whole(void **state)
{
	struct conf c = sample(8);
	char text[400], led[400];

	(void)state;
	make(&c, "\"a \\\"b\"@example.org", text);
	assert_true(slice_starts(slice_str(text), SLICE("\"SRS0=")));
	assert_true(slice_case_has(slice_str(text),
	    SLICE("=G4=example.org=a \\\"b\"@srs.example.com")));
	assert_string_equal(back(&c, text, NOW, led),
	    "\"a \\\"b\"@example.org");
	/* Quotes that nothing needs are gone. */
	assert_string_equal(make(&c, "\"ann\"@example.org", text),
	    "SRS0=L4Gef2LQ=G4=example.org=ann@srs.example.com");
}

/* 64 octets is what each server takes. */
static void a_long_one_names_the_message(void **state)
{
	struct conf c = sample(8);
	char text[400], led[400], from[120];

	(void)state;
	for (int n = 35; n <= 37; n++) { /* 17 + 11 + 1 + n */
		snprintf(from, sizeof(from), "%.*s@example.org", n,
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
		make(&c, from, text);
		assert_in_range(slice_find(slice_str(text), '@'), 1,
		    ADDR_LOCAL_SAFE);
		assert_int_equal(slice_starts(slice_str(text), SLICE("SRS0=")),
		    n <= 64 - 17 - 12);
		back(&c, text, NOW, led);
		assert_string_equal(led, slice_starts(slice_str(text),
		    SLICE("SRS0=")) ? from : "message");
	}
	make(&c, "j\xc3\xbcrgen@example.org", text);
	assert_true(slice_starts(slice_str(text),
	    SLICE("srs.0sa86nevc0001.20721.")));
	assert_string_equal(back(&c, text, 20722 * DAY - 1, led), "message");
	assert_string_equal(back(&c, text, 20722 * DAY, led), "expired");
	text[sizeof("srs.0sa86nevc0001.20721.") - 1] ^= 1;
	assert_string_equal(back(&c, text, NOW, led), "forged");
}

/* RFC 5321 4.1.2 has it; SRS0 has no place for it. */
static void an_empty_one_names_the_message(void **state)
{
	struct conf c = sample(8);
	char text[400], led[400];

	(void)state;
	make(&c, "\"\"@example.org", text);
	assert_true(slice_starts(slice_str(text), SLICE("srs.0sa86nevc")));
	assert_string_equal(back(&c, text, NOW, led), "message");
}

/* It stands for itself: nothing behind the tag could lead on. */
static void the_tag_alone_is_a_name(void **state)
{
	struct conf c = sample(8);
	char text[400], led[400];

	(void)state;
	make(&c, "SRS0=@example.org", text);
	assert_true(slice_starts(slice_str(text), SLICE("SRS0=")));
	assert_string_equal(back(&c, text, NOW, led), "SRS0=@example.org");
	make(&c, "SRS1=@example.org", text);
	assert_string_equal(back(&c, text, NOW, led), "SRS1=@example.org");
}

/* Marks of the default length, each guessed once, over one good address. */
static void a_million_guesses_lead_nowhere(void **state)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789+/";
	enum { GUESSES = 1000000, LETTERS = sizeof(letters) - 1 };
	char text[] = "SRS0=xxxxxxxx=G4=example.org=ann@srs.example.com";
	struct conf c = sample(8);
	struct addr a = parsed(text);
	struct strbuf led;
	uint64_t id, mix = 1;

	(void)state;
	strbuf_init(&led, 400);
	for (int i = 0; i < GUESSES; i++) {
		/* Knuth's generator: the same guesses each time. */
		mix = mix * UINT64_C(6364136223846793005) + 1442695040888963407;
		for (size_t k = 0, rest = (size_t)(mix >> 20); k < 8; k++) {
			text[5 + k] = letters[rest % LETTERS];
			rest /= LETTERS;
		}
		assert_int_equal(srs_check(&c, &a, NOW, &led, &id),
		    SRS_FORGED);
	}
	assert_int_equal(led.n, 0);
	memcpy(text + 5, "L4Gef2LQ", 8);
	assert_int_equal(srs_check(&c, &a, NOW, &led, &id), SRS_ADDRESS);
	strbuf_fini(&led);
}

static void it_ends_with_its_days(void **state)
{
	struct conf c = sample(8);
	char text[400], led[400];

	(void)state;
	make(&c, "ann@example.org", text);
	assert_string_equal(back(&c, text, NOW + 21 * DAY, led),
	    "ann@example.org");
	assert_string_equal(back(&c, text, NOW + 22 * DAY, led), "expired");
	/* A clock that is behind by a day, and by two. */
	assert_string_equal(back(&c, text, NOW - DAY, led), "ann@example.org");
	assert_string_equal(back(&c, text, NOW - 2 * DAY, led), "expired");
	/* The day is modulo 1024. */
	assert_string_equal(back(&c, text, NOW + 1024 * DAY, led),
	    "ann@example.org");
}

/* One character is another, its case aside. */
static void one_character_makes_it_forged(void **state)
{
	static const char *const from[] = {"ann@example.org",
	    "SRS0=HHHH=TT=orig.example=u@fwd.example"};
	struct conf c = sample(8);
	char text[400], led[400];

	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(from); f++) {
		long at;

		make(&c, from[f], text);
		at = slice_find(slice_str(text), '@');
		for (long i = 0; i < at; i++) {
			char was = text[i];

			text[i] = was == '2' ? '3' : '2';
			assert_string_equal(back(&c, text, NOW, led),
			    "forged");
			text[i] = was;
		}
		assert_string_equal(back(&c, text, NOW, led), from[f]);
	}
}

static void what_else_stands_there(void **state)
{
	/* clang-format off */
	static const struct { const char *to, *led; } cases[] = {
		{ "ann@example.com",                       "none" },
		{ "SRS0=L4Gef2LQ=G4=example.org=ann@example.com", "none" },
		{ "postmaster@srs.example.com",            "none" },
		{ "Abuse@SRS.example.com",                 "none" },
		{ "ann@srs.example.com",                   "forged" },
		{ "SRS0@srs.example.com",                  "forged" },
		{ "SRS0=@srs.example.com",                 "forged" },
		{ "SRS0=a=b@srs.example.com",              "forged" },
		{ "SRS0=L4Gef2LQ=G4==ann@srs.example.com", "forged" },
		{ "SRS0=L4Gef2LQ=G4=example.org=@srs.example.com", "forged" },
		{ "SRS0=L4Gef2LQ=G=example.org=ann@srs.example.com",
		  "forged" },
		/* A mark shorter than ours. */
		{ "SRS0=L4Ge=G4=example.org=ann@srs.example.com", "forged" },
		/* A longer one is checked whole. */
		{ "SRS0=L4Gef2LQivRv=G4=example.org=ann@srs.example.com",
		  "ann@example.org" },
		{ "SRS0=L4Gef2LQivRw=G4=example.org=ann@srs.example.com",
		  "forged" },
		{ "SRS1=@srs.example.com",                 "forged" },
		{ "SRS1=XMWymM5M=fwd.example=@srs.example.com", "forged" },
		{ "SRS1=XMWymM5M=fwd.example=x@srs.example.com", "forged" },
		{ "SRS1=XMWymM5M===HHHH@srs.example.com",  "forged" },
		{ "srs.0sa86nevc0001@srs.example.com",     "forged" },
		{ "srs.0sa86nevc0001.99999999.aaaaaaaaaaaaaaaa"
		  "@srs.example.com",                      "forged" },
		{ "srs.x.20721.aaaaaaaaaaaaaaaa@srs.example.com", "forged" },
	};
	/* clang-format on */
	struct conf c = sample(8);
	char led[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].to);
		assert_string_equal(back(&c, cases[i].to, NOW, led),
		    cases[i].led);
	}
}

static void an_old_key_is_believed_and_signs_nothing(void **state)
{
	struct conf c = sample(8), old = sample(8), other = sample(8);
	char text[400], fresh[400], led[400];

	(void)state;
	old.srs.key = (struct conf_strings){keys + 1, 1};
	other.srs.key = (struct conf_strings){keys, 1};
	make(&old, "ann@example.org", text);
	assert_string_equal(back(&c, text, NOW, led), "ann@example.org");
	assert_string_equal(back(&other, text, NOW, led), "forged");
	assert_string_not_equal(text, make(&c, "ann@example.org", fresh));
}

static void ours_is_not_rewritten_again(void **state)
{
	struct conf c = sample(8), none = sample(8);
	struct addr a = parsed("ann@example.org");
	struct strbuf b;
	char text[400];

	(void)state;
	assert_string_equal(make(&c, "SRS0=x=y=h=u@SRS.example.com", text),
	    "SRS0=x=y=h=u@SRS.example.com");
	none.srs.domain = (char *)"";
	strbuf_init(&b, 99);
	assert_false(srs_make(&none, &(struct srs_sender){.from = &a}, &b));
	assert_int_equal(b.n, 0);
	strbuf_fini(&b);
}

static void one_that_is_not_good_is_refused_and_told_why(void **state)
{
	static const struct {
		enum srs_verdict verdict;
		const char *says; /* NULL: it is not refused */
	} cases[] = {{SRS_NONE, NULL}, {SRS_ADDRESS, NULL},
	    {SRS_MESSAGE, NULL}, {SRS_EXPIRED, "has expired"},
	    {SRS_FORGED, "no SRS address of ours"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct decision d = {.rule = RULE_TABLE};

		assert_int_equal(srs_refuses(cases[i].verdict, &d),
		    cases[i].says != NULL);
		if (cases[i].says == NULL) {
			assert_int_equal(d.rule, RULE_TABLE);
			continue;
		}
		assert_int_equal(d.verdict, VERDICT_REFUSE);
		assert_int_equal(d.rule, RULE_SRS);
		assert_string_equal(d.row.route_text, "");
		assert_int_equal(d.reply.code, 550);
		assert_string_equal(d.reply.enh, "5.7.1");
		assert_non_null(strstr(d.reply.text, cases[i].says));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_other_implementations_make_them),
		cmocka_unit_test(each_separator_is_kept_for_the_way_back),
		cmocka_unit_test(the_longest_mark_is_checked_whole),
		cmocka_unit_test(case_on_the_way_does_not_count),
		cmocka_unit_test(quotes_are_put_around_the_whole),
		cmocka_unit_test(a_long_one_names_the_message),
		cmocka_unit_test(an_empty_one_names_the_message),
		cmocka_unit_test(the_tag_alone_is_a_name),
		cmocka_unit_test(a_million_guesses_lead_nowhere),
		cmocka_unit_test(it_ends_with_its_days),
		cmocka_unit_test(one_character_makes_it_forged),
		cmocka_unit_test(what_else_stands_there),
		cmocka_unit_test(an_old_key_is_believed_and_signs_nothing),
		cmocka_unit_test(ours_is_not_rewritten_again),
		cmocka_unit_test(one_that_is_not_good_is_refused_and_told_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
