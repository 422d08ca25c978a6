/* SPDX-License-Identifier: ISC
 *
 * Classes of replies: every row of every profile can be reached, and what
 * the platforms are known to say means what it should.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/reply_class.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/reply_rows.h"

static const char three[] = CONF_BASE
	"leg \"m365\" { hosts = { \"a\" } profile = \"microsoft365\" }\n"
	"leg \"google\" { hosts = { \"a\" } profile = \"google\" }\n";

#define A(leg, code, enh, stage, text, class, outcome) \
	{ leg, code, enh, stage, text, CLASS_##class, OUT_##outcome },

/* clang-format off */
static const struct {
	const char *leg;
	int code;
	const char *enh, *stage, *text;
	enum reply_class class;
	enum outcome outcome;
} answers[] = {
	A("legacy", 250, "2.1.5", "body", "Ok", NONE, DELIVERED)
	A("legacy", 0, "", "connect", "refused", NETWORK, DEFERRED)
	A("legacy", 421, "4.3.2", "greeting", "busy", NETWORK, DEFERRED)
	A("legacy", 421, "4.7.0", "greeting", "rate", THROTTLE, DEFERRED)
	A("legacy", 421, "4.3.2", "rcpt", "busy", THROTTLE, DEFERRED)
	A("legacy", 554, "", "greeting", "No SMTP here", CONFIGURATION, DEFERRED)
	A("legacy", 530, "5.7.0", "mail", "STARTTLS first", CONFIGURATION, DEFERRED)
	A("legacy", 535, "5.7.3", "mail", "not authenticated", CONFIGURATION, DEFERRED)
	A("legacy", 554, "5.7.1", "rcpt", "Relay access denied", CONFIGURATION, DEFERRED)
	A("legacy", 550, "5.7.1", "rcpt", "unable to RELAY", CONFIGURATION, DEFERRED)
	A("legacy", 550, "5.7.1", "body", "Spam, by a relay", MESSAGE, FAILED)
	A("legacy", 452, "4.5.3", "rcpt", "Too many", SPLIT, DEFERRED)
	A("legacy", 452, "", "rcpt", "Too many recipients", SPLIT, DEFERRED)
	A("legacy", 452, "4.2.2", "rcpt", "full", MAILBOX, DEFERRED)
	A("legacy", 552, "5.2.2", "rcpt", "full", MAILBOX, DEFERRED)
	A("legacy", 452, "4.3.1", "body", "no space", THROTTLE, DEFERRED)
	A("legacy", 550, "5.1.1", "rcpt", "no such user", RECIPIENT, FAILED)
	A("legacy", 550, "5.1.1", "rcpt", "User unknown in relay recipient table",
	  RECIPIENT, FAILED)
	A("legacy", 550, "5.1.10", "rcpt", "no such user", RECIPIENT, FAILED)
	A("legacy", 550, "", "rcpt", "relay not permitted", CONFIGURATION, DEFERRED)
	A("legacy", 550, "5.4.1", "rcpt", "denied", RECIPIENT, FAILED)
	A("legacy", 550, "", "rcpt", "no such user", RECIPIENT, FAILED)
	A("legacy", 550, "", "body", "no", MESSAGE, FAILED)
	A("legacy", 554, "5.6.0", "body", "no", MESSAGE, FAILED)
	A("legacy", 554, "5.4.6", "body", "loop", LOOP, PARKED)
	A("legacy", 503, "5.5.1", "mail", "order", CONFIGURATION, DEFERRED)
	A("legacy", 451, "4.3.0", "rcpt", "later", NONE, DEFERRED)
	A("legacy", 399, "", "rcpt", "?", NETWORK, DEFERRED)
	A("m365", 550, "5.7.64", "mail", "TenantAttribution; Relay Access Denied",
	  CONFIGURATION, DEFERRED)
	A("m365", 550, "5.7.68", "body", "TenantInboundAttribution; Direct Send not allowed",
	  CONFIGURATION, DEFERRED)
	A("m365", 550, "5.7.230", "mail", "outdated", CONFIGURATION, DEFERRED)
	A("m365", 450, "4.7.230", "mail", "outdated", CONFIGURATION, DEFERRED)
	A("m365", 450, "4.4.317", "mail", "chain", CONFIGURATION, DEFERRED)
	A("m365", 530, "5.7.57", "mail", "not authenticated", CONFIGURATION, DEFERRED)
	A("m365", 535, "5.7.139", "greeting", "no login", CONFIGURATION, DEFERRED)
	A("m365", 451, "4.7.500", "rcpt", "Server busy", THROTTLE, DEFERRED)
	A("m365", 451, "4.7.699", "rcpt", "Access denied", THROTTLE, DEFERRED)
	A("m365", 451, "4.7.700", "rcpt", "other", NONE, DEFERRED)
	A("m365", 450, "4.7.650", "mail", "reputation", THROTTLE, DEFERRED)
	A("m365", 450, "4.7.651", "mail", "reputation", THROTTLE, DEFERRED)
	A("m365", 421, "4.3.2", "greeting", "not active", THROTTLE, DEFERRED)
	A("m365", 451, "4.3.2", "rcpt", "busy", THROTTLE, DEFERRED)
	A("m365", 432, "4.3.2", "body", "STOREDRV; thread limit", MAILBOX, DEFERRED)
	A("m365", 550, "5.7.606", "mail", "banned", CONFIGURATION, DEFERRED)
	A("m365", 550, "5.7.649", "mail", "banned", CONFIGURATION, DEFERRED)
	A("m365", 550, "5.7.650", "body", "other", MESSAGE, FAILED)
	A("m365", 550, "5.7.509", "body", "does not pass DMARC", AUTHENTICATION, PARKED)
	A("m365", 550, "5.2.121", "rcpt", "rate", MAILBOX, DEFERRED)
	A("m365", 550, "5.2.122", "rcpt", "rate", MAILBOX, DEFERRED)
	A("m365", 552, "5.2.2", "body", "full", MAILBOX, DEFERRED)
	A("m365", 452, "4.2.2", "rcpt", "full", MAILBOX, DEFERRED)
	A("m365", 550, "5.1.1", "rcpt", "unknown", RECIPIENT, FAILED)
	A("m365", 550, "5.1.10", "rcpt", "RecipientNotFound", RECIPIENT, FAILED)
	A("m365", 550, "5.4.1", "rcpt", "Access denied", RECIPIENT, FAILED)
	A("m365", 452, "4.5.3", "rcpt", "Too many recipients", SPLIT, DEFERRED)
	A("m365", 550, "5.6.11", "body", "bare LF", MESSAGE, FAILED)
	A("m365", 554, "5.4.6", "body", "hops", LOOP, PARKED)
	A("m365", 554, "5.4.14", "body", "hop count exceeded", LOOP, PARKED)
	A("google", 421, "4.7.28", "body", "unusual rate", THROTTLE, DEFERRED)
	A("google", 450, "4.2.1", "rcpt", "too fast", MAILBOX, DEFERRED)
	A("google", 452, "4.2.2", "rcpt", "over quota", MAILBOX, DEFERRED)
	A("google", 552, "5.2.2", "rcpt", "over quota", MAILBOX, DEFERRED)
	A("google", 550, "5.7.26", "body", "unauthenticated", AUTHENTICATION, PARKED)
	A("google", 421, "4.7.26", "body", "unauthenticated", AUTHENTICATION, PARKED)
	A("google", 550, "5.7.25", "body", "no PTR", CONFIGURATION, DEFERRED)
	A("google", 550, "5.7.1", "rcpt", "IP not in whitelist for RCPT domain",
	  CONFIGURATION, DEFERRED)
	A("google", 550, "5.7.1", "body", "likely unsolicited", MESSAGE, FAILED)
	A("google", 535, "5.7.8", "greeting", "no login", CONFIGURATION, DEFERRED)
	A("google", 550, "5.1.1", "rcpt", "does not exist", RECIPIENT, FAILED)
	A("google", 452, "4.5.3", "rcpt", "too many", SPLIT, DEFERRED)
	A("google", 451, "4.3.0", "rcpt", "Multiple destination domains per transaction "
	  "is unsupported",
	  SPLIT, DEFERRED)
};
/* clang-format on */

static void an_answer_is_classed_by_code_enhanced_code_and_stage(void **state)
{
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, three, names);

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct result r = {.code = answers[i].code,
			.stage = answers[i].stage, .text = answers[i].text};

		snprintf(r.enh, sizeof(r.enh), "%s", answers[i].enh);
		print_message("%s: %d %s %s\n", answers[i].leg, r.code, r.enh,
		    r.text);
		reply_classify(conf_leg_by_name(c,
				   slice_str(answers[i].leg))->replies, &r);
		assert_int_equal(r.class, answers[i].class);
		assert_int_equal(r.outcome, answers[i].outcome);
	}
	conf_unref(c);
	names_free(names);
}

/* A row that no answer reaches, since another before it takes all of them,
 * is a row that somebody will look for in vain. */
static void every_row_of_every_profile_is_reached(void **state)
{
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, three, names);

	for (int l = 0; l < 3; l++) {
		const struct conf_profile *p = c->leg[l].replies;

		for (int i = 0; i < p->replies; i++)
			for (int k = 0; k < ROW_ANSWERS; k++) {
				struct row_answer a;
				struct result r = {0};

				assert_true(strlen(p->reply[i].help) > 20);
				row_answer_make(&p->reply[i], k, &a);
				r.code = a.code;
				r.stage = a.stage;
				r.text = a.text;
				memcpy(r.enh, a.enh, sizeof(r.enh));
				print_message("%s: line %d: %d %s at %s\n",
				    p->name, p->reply[i].line, a.code, a.enh,
				    a.stage);
				if (reply_row_own(p, i))
					assert_ptr_equal(
					    reply_classify(p, &r),
					    &p->reply[i]);
			}
	}
	conf_unref(c);
	names_free(names);
}

static void what_our_side_concluded_stays(void **state)
{
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, three, names);
	const struct conf_profile *p = c->leg[0].replies;
	struct result r = {.outcome = OUT_UNTRIED};

	assert_null(reply_classify(p, &r));
	assert_int_equal(r.outcome, OUT_UNTRIED);
	r = (struct result){.outcome = OUT_DEFERRED,
	    .class = CLASS_CONFIGURATION};
	assert_null(reply_classify(p, &r));
	assert_int_equal(r.class, CLASS_CONFIGURATION);
	conf_unref(c);
	names_free(names);
}

static void without_a_profile_the_digits_count(void **state)
{
	static const struct {
		int code;
		const char *stage;
		enum outcome outcome;
	} digits[] = {{250, "rcpt", OUT_DELIVERED},
	    {450, "rcpt", OUT_DEFERRED}, {550, "rcpt", OUT_FAILED},
	    {0, "rcpt", OUT_DEFERRED}, {199, "rcpt", OUT_DEFERRED},
	    /* No message was offered yet. */
	    {554, "greeting", OUT_DEFERRED}, {502, "ehlo", OUT_DEFERRED}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(digits); i++) {
		struct result r = {.code = digits[i].code,
		    .stage = digits[i].stage};

		assert_null(reply_classify(NULL, &r));
		assert_int_equal(r.outcome, digits[i].outcome);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		an_answer_is_classed_by_code_enhanced_code_and_stage),
	    cmocka_unit_test(every_row_of_every_profile_is_reached),
	    cmocka_unit_test(what_our_side_concluded_stays),
	    cmocka_unit_test(without_a_profile_the_digits_count),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
