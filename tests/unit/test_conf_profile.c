/* SPDX-License-Identifier: ISC
 *
 * Reply profiles: what is read, what is refused in which sentence, which of
 * two files counts, and what a leg has of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/profile.h"
#include "tests/unit/conf_tmp.h"

#define ROW "reply { code = \"550\" class = \"message\" }\n"

static void every_key_is_read(void **state)
{
	static const char text[] =
	    "# a comment\n"
	    "date = \"2026-11-01\" note = \"n\"\n"
	    "max_recipients = 7 max_messages = 8 mailbox_hour = 9\n"
	    "max_age = \"9m\" one_domain = true no_dead_hosts = true\n"
	    "ignores_notify = true\n"
	    "networks = { \"192.0.2.0/24\",\n \"2001:db8::/32\" }\n"
	    "\n"
	    "reply { code = \"450-451\" enhanced = \"4.7.500-699\"\n"
	    "  text = { 'It is  late', \"slow* ... DOWN\" }\n"
	    "  stage = { \"mail\", \"data\" }\n"
	    "  class = \"throttle\" help = \"Wait.\" }\n"
	    "reply { code = 550 class = \"mailbox\" outcome = \"parked\"\n"
	    "  text = \"full\" slows = \"sender\" }\n"
	    "reply { code = 550 class = \"network\" }\n"
	    "reply { code = 550 class = \"message\" stage = { \"hello\" } }\n";
	struct arena *a = arena_new();
	struct conf_profile p;
	struct error err = {0};

	(void)state;
	if (conf_profile_parse(SLICE(text), "x.profile", a, &p, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(p.date, "2026-11-01");
	assert_string_equal(p.note, "n");
	assert_int_equal(p.max_recipients, 7);
	assert_int_equal(p.mailbox_hour, 9);
	assert_int_equal(p.max_messages, 8);
	assert_int_equal(p.max_age_ms, 540000);
	assert_true(p.one_domain && p.no_dead_hosts && p.ignores_notify);
	assert_int_equal(p.networks.count, 2);
	assert_int_equal(p.networks.net[1].bits, 32);
	assert_int_equal(p.replies, 4);
	assert_int_equal(p.reply[0].low, 450);
	assert_int_equal(p.reply[0].high, 451);
	assert_string_equal(p.reply[0].enh, "4.7.500-699");
	assert_int_equal(p.reply[0].text.count, 2);
	assert_string_equal(p.reply[0].text.s[0], "it is late");
	assert_string_equal(p.reply[0].text.s[1], "slow* ... down");
	assert_int_equal(p.reply[0].stages, ON_MAIL | ON_DATA);
	assert_int_equal(p.reply[0].class, CLASS_THROTTLE);
	assert_int_equal(p.reply[0].outcome, OUT_DEFERRED);
	assert_string_equal(p.reply[0].help, "Wait.");
	assert_int_equal(p.reply[0].line, 9);
	assert_false(p.reply[0].slows_sender);
	assert_true(p.reply[1].slows_sender);
	/* Before MAIL there is no mailbox. */
	assert_int_equal(p.reply[1].stages, ON_MAIL | ON_RCPT | ON_DATA);
	assert_null(p.reply[1].enh);
	assert_int_equal(p.reply[1].text.count, 1);
	assert_string_equal(p.reply[1].text.s[0], "full");
	assert_int_equal(p.reply[1].outcome, OUT_PARKED);
	assert_string_equal(p.reply[1].help, "");
	assert_int_equal(p.reply[1].line, 13);
	assert_int_equal(p.reply[2].stages, ON_ANY);
	assert_int_equal(p.reply[2].text.count, 0);
	assert_int_equal(p.reply[3].stages, ON_HELLO);
	arena_free(a);
}

static void what_suits_a_class_is_its_outcome(void **state)
{
	static const struct {
		const char *class;
		enum outcome outcome;
	} classes[] = {{"none", OUT_DEFERRED}, {"message", OUT_FAILED},
	    {"recipient", OUT_FAILED}, {"throttle", OUT_DEFERRED},
	    {"mailbox", OUT_DEFERRED}, {"configuration", OUT_DEFERRED},
	    {"network", OUT_DEFERRED}, {"authentication", OUT_PARKED},
	    {"loop", OUT_PARKED}, {"split", OUT_DEFERRED}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		struct arena *a = arena_new();
		struct conf_profile p;
		struct error err = {0};
		char text[100];

		snprintf(text, sizeof(text),
		    "reply { code = \"550\" class = \"%s\" }",
		    classes[i].class);
		if (conf_profile_parse(slice_str(text), "x", a, &p, &err) != 0)
			fail_msg("%s", err.text);
		assert_string_equal(reply_class_text(p.reply[0].class),
		    classes[i].class);
		assert_int_equal(p.reply[0].outcome, classes[i].outcome);
		arena_free(a);
	}
}

/* clang-format off */
static const struct { const char *text, *says; } bad[] = {
	{ ROW "reply {\n class = \"message\" }\n",
	  "2: this reply has no code; add code = \"550\", or a range of them" },
	{ ROW ROW "\nreply { code = \"550\"\n}\n",
	  "4: this reply has no class; add class = \"message\", or another" },
	{ "reply {\n code = \"55\" class = \"message\" }\n",
	  "2: code \"55\" is not a reply code; write 400 to 599, or a range like \"450-451\"" },
	{ "reply { code = \"250\" class = \"message\" }\n",
	  "1: code \"250\" is not a reply code; write 400 to 599, or a range like \"450-451\"" },
	{ "reply { code = \"451-450\" class = \"message\" }\n",
	  "1: code \"451-450\" is not a reply code; "
	  "write 400 to 599, or a range like \"450-451\"" },
	{ "reply { code = \"550\" enhanced = \"5.7\" class = \"message\" }\n",
	  "1: enhanced \"5.7\" is not an enhanced code; "
	  "write \"5.1.1\", \"5.7.*\", \"4.7.500-699\" or \"none\"" },
	{ "reply { code = \"550\" enhanced = \"5.7.9-1\" class = \"message\" }\n",
	  "1: enhanced \"5.7.9-1\" is not an enhanced code; "
	  "write \"5.1.1\", \"5.7.*\", \"4.7.500-699\" or \"none\"" },
	{ "reply { code = \"550\" text = { \"full\", \"see x.example\" } class = \"message\" }\n",
	  "1: text \"see x.example\" is not a phrase; write words of the reply without quotes, "
	  "addresses and host names, like \"no such user\", \"relay* ... denied\"" },
	{ "reply { code = \"550\" text = \"\" class = \"message\" }\n",
	  "1: text \"\" is not a phrase; write words of the reply without quotes, "
	  "addresses and host names, like \"no such user\", \"relay* ... denied\"" },
	{ "reply { code = \"550\" class = \"massage\" }\n",
	  "1: class \"massage\" is unknown; write none, message, recipient, throttle, mailbox, "
	  "configuration, network, authentication, loop or split" },
	{ "reply { code = \"550\" class = \"message\" stage = { \"quit\" } }\n",
	  "1: stage \"quit\" is unknown; write hello, mail, rcpt or data" },
	{ "reply { code = \"421\" class = \"message\" slows = \"leg\" }\n",
	  "1: slows \"leg\" is unknown; write sender" },
	{ "reply { code = \"550\" class = \"message\" outcome = \"lost\" }\n",
	  "1: outcome \"lost\" is unknown; write deferred, failed or parked" },
	{ "reply { code = \"550\"\n class = \"configuration\"\n outcome = \"failed\" }\n",
	  "1: class \"configuration\" is never the sender's fault; "
	  "leave outcome out, or write \"parked\"" },
	{ "reply { code = \"550\"\n code = \"551\" class = \"message\" }\n",
	  "2: key \"code\" stands twice; keep one of them" },
	{ "\nrepply { }\n",
	  "2: unknown key \"repply\"; a profile has date, limits, networks and "
	  "reply { code enhanced text stage class outcome slows help }" },
	{ "reply {\n", "1: the section that begins here is not closed; end it with }" },
	{ "reply { code \"550\" }\n",
	  "1: \"code\" has no = behind it; write a key as  name = \"value\"" },
	{ "max_recipients = 2000\n",
	  "1: max_recipients \"2000\" is out of range; write 0 to 1000" },
	{ "networks = { \"192.0.2.1/24\" }\n",
	  "1: networks \"192.0.2.1/24\" has bits set beyond its prefix length; "
	  "write it like \"192.0.2.0/24\" or \"2001:db8::1\"" },
	{ "include(\"/etc/passwd\")\n",
	  "1: unknown key \"include\"; a profile has date, limits, networks and "
	  "reply { code enhanced text stage class outcome slows help }" },
};
/* clang-format on */

static void what_is_wrong_is_said_with_its_line(void **state)
{
	char want[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct arena *a = arena_new();
		struct conf_profile p;
		struct error err = {0};

		snprintf(want, sizeof(want), "x.profile:%s", bad[i].says);
		if (conf_profile_parse(slice_str(bad[i].text), "x.profile", a,
			&p, &err) == 0)
			fail_msg("accepted, but: %s", want);
		assert_string_equal(err.text, want);
		arena_free(a);
	}
}

/* ---- enhanced codes ---------------------------------------------------- */

static void a_pattern_fits_number_by_number(void **state)
{
	static const struct {
		const char *pattern, *enh;
		bool fits;
	} cases[] = {{"5.1.1", "5.1.1", true}, {"5.1.1", "5.1.10", false},
	    {"5.1.1", "4.1.1", false}, {"5.7.*", "5.7.509", true},
	    {"5.7.*", "5.7", false}, {"*.2.2", "4.2.2", true},
	    {"4.7.500-699", "4.7.500", true}, {"4.7.500-699", "4.7.699", true},
	    {"4.7.500-699", "4.7.499", false},
	    {"4.7.500-699", "4.7.700", false}, {"none", "", true},
	    {"none", "5.1.1", false}, {"5.1.1", "", false},
	    {"5.1.1", "5.1.1.1", false}, {"5.1.*", "5.1.x", false},
	    {"5.1.999", "5.1.999", true}, {"5.1.*", "5.1.999", true},
	    {"5.1.*", "5.1.1000", false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s %s\n", cases[i].pattern, cases[i].enh);
		assert_int_equal(
		    conf_enhanced_fits(cases[i].pattern, cases[i].enh),
		    cases[i].fits);
	}
}

static void a_pattern_has_three_numbers_or_ranges(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} cases[] = {{"none", true}, {"*.*.*", true}, {"5.1.1", true},
	    {"5.1.999", true}, {"4.7.0-999", true}, {"5.1.8-8", true},
	    {"", false}, {"5.1", false}, {"5.1.1.1", false},
	    {"5.1.1000", false}, {"5.1.0-1000", false}, {"5.1.9-8", false},
	    {"5.1.x", false}, {"5.1.-1", false}, {"5.1.1-", false},
	    {"5..1", false}, {"nonee", false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].text);
		assert_int_equal(conf_enhanced_ok(cases[i].text),
		    cases[i].ok);
	}
}

/* ---- legs -------------------------------------------------------------- */

static const char with_folder[] = CONF_BASE "profiles = \"%s\"\n"
	"leg \"x\" { hosts = { \"a\" } profile = \"mine\" }\n"
	"leg \"y\" { hosts = { \"a\" } profile = \"google\"\n"
	"  max_age = \"1m\" }\n";

static struct conf *load_with_folder(const char *dir, struct names *names,
    struct error *err)
{
	char text[1000];

	snprintf(text, sizeof(text), with_folder, dir);
	return conf_tmp_load(dir, text, names, err);
}

static void a_leg_has_what_its_profile_says_and_it_does_not(void **state)
{
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, CONF_BASE
	    "leg \"c\" { hosts = { \"a\" } profile = \"microsoft365\" }\n"
	    "leg \"d\" { hosts = { \"a\" } profile = \"microsoft365\"\n"
	    "  max_recipients = 1 }\n"
	    "leg \"g\" { hosts = { \"a\" } profile = \"google\" }\n"
	    "egress \"e\" { direct = true }\n"
	    "egress \"h\" { hosts = { \"a\" } }\n", names);

	/* and the last: the way of DSNs, which is not in the file */
	assert_int_equal(c->legs, 7);
	for (int i = 0; i < c->legs; i++) {
		assert_non_null(c->leg[i].replies);
		assert_true(c->leg[i].max_recipients > 0);
		assert_true(c->leg[i].max_messages > 0);
		assert_true(c->leg[i].max_age_ms > 0);
	}
	assert_int_equal(c->leg[0].max_recipients, 100);
	assert_int_equal(c->leg[0].max_messages, 1000);
	assert_int_equal(c->leg[1].max_recipients, 200);
	assert_int_equal(c->leg[1].max_messages, 200);
	assert_true(c->leg[1].replies->no_dead_hosts);
	assert_true(c->leg[1].replies->ignores_notify);
	assert_int_equal(c->leg[1].replies->networks.count, 6);
	assert_int_equal(c->leg[2].max_recipients, 1);
	assert_true(c->leg[3].replies->one_domain);
	assert_int_equal(c->leg[3].replies->networks.count, 17);
	/* A direct egress meets servers of strangers. */
	assert_string_equal(c->leg[4].replies->name, "internet");
	assert_string_equal(c->leg[5].replies->name, "generic");
	assert_string_equal(c->leg[6].replies->name, "internet");
	conf_unref(c);
	names_free(names);
}

static void a_file_in_the_folder_replaces_ours(void **state)
{
	struct names *names = names_new();
	struct error err = {0};
	struct conf *c;
	char want[300];

	assert_null(load_with_folder(*state, names, &err));
	assert_non_null(strstr(err.text, "leg \"x\": there is no profile "
					 "\"mine\"; write one of generic, "));
	conf_tmp_write(*state, "mine.profile", "max_recipients = 3\n" ROW);
	conf_tmp_write(*state, "google.profile", ROW ROW "max_age = \"2m\"\n");
	c = load_with_folder(*state, names, &err);
	if (c == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(c->leg[1].max_recipients, 3);
	assert_int_equal(c->leg[1].replies->replies,
	    c->leg[0].replies->replies + 1);
	assert_int_equal(c->leg[2].replies->replies,
	    c->leg[0].replies->replies + 2);
	assert_int_equal(c->leg[2].max_age_ms, 60000);
	assert_int_equal(c->leg[2].replies->max_age_ms, 120000);
	conf_unref(c);

	conf_tmp_write(*state, "generic.profile", "\nrely { }\n");
	assert_null(load_with_folder(*state, names, &err));
	snprintf(want, sizeof(want), "%s/generic.profile:2: unknown key ",
	    (const char *)*state);
	assert_memory_equal(err.text, want, strlen(want));
	names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(what_suits_a_class_is_its_outcome),
		cmocka_unit_test(what_is_wrong_is_said_with_its_line),
		cmocka_unit_test(a_pattern_fits_number_by_number),
		cmocka_unit_test(a_pattern_has_three_numbers_or_ranges),
		cmocka_unit_test(
		    a_leg_has_what_its_profile_says_and_it_does_not),
		cmocka_unit_test(a_file_in_the_folder_replaces_ours),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
