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

static const char profiles[] = CONF_BASE
	"leg \"m365\" { hosts = { \"a\" } profile = \"microsoft365\" }\n"
	"leg \"google\" { hosts = { \"a\" } profile = \"google\" }\n"
	"leg \"internet\" { hosts = { \"a\" } profile = \"internet\" }\n";

#define A(leg, code, enh, stage, text, class, outcome) \
	{ leg, code, enh, STAGE_##stage, text, CLASS_##class, OUT_##outcome },

/* clang-format off */
static const struct {
	const char *leg;
	int code;
	const char *enh;
	enum stage stage;
	const char *text;
	enum reply_class class;
	enum outcome outcome;
} answers[] = {
	A("legacy", 250, "2.1.5", BODY, "Ok", NONE, DELIVERED)
	A("legacy", 0, "", CONNECT, "refused", NETWORK, DEFERRED)
	A("legacy", 421, "4.3.2", GREETING, "busy", NETWORK, DEFERRED)
	A("legacy", 421, "4.7.0", GREETING, "rate", THROTTLE, DEFERRED)
	A("legacy", 421, "4.3.2", RCPT, "busy", THROTTLE, DEFERRED)
	A("legacy", 554, "", GREETING, "No SMTP here", CONFIGURATION, DEFERRED)
	A("legacy", 530, "5.7.0", MAIL, "STARTTLS first", CONFIGURATION, DEFERRED)
	A("legacy", 535, "5.7.3", MAIL, "not authenticated", CONFIGURATION, DEFERRED)
	A("legacy", 554, "5.7.1", RCPT, "Relay access denied", CONFIGURATION, DEFERRED)
	A("legacy", 550, "5.7.1", RCPT, "unable to RELAY", CONFIGURATION, DEFERRED)
	A("legacy", 550, "5.7.1", BODY, "Spam, by a relay", MESSAGE, FAILED)
	A("legacy", 452, "4.5.3", RCPT, "Too many", SPLIT, DEFERRED)
	A("legacy", 452, "", RCPT, "Too many recipients", SPLIT, DEFERRED)
	A("legacy", 452, "4.2.2", RCPT, "full", MAILBOX, DEFERRED)
	A("legacy", 552, "5.2.2", RCPT, "full", MAILBOX, DEFERRED)
	A("legacy", 452, "4.3.1", BODY, "no space", THROTTLE, DEFERRED)
	A("legacy", 550, "5.1.1", RCPT, "no such user", RECIPIENT, FAILED)
	A("legacy", 550, "5.1.1", RCPT, "User unknown in relay recipient table",
	  RECIPIENT, FAILED)
	A("legacy", 550, "5.1.10", RCPT, "no such user", RECIPIENT, FAILED)
	A("legacy", 550, "", RCPT, "relay not permitted", CONFIGURATION, DEFERRED)
	A("legacy", 550, "5.4.1", RCPT, "denied", RECIPIENT, FAILED)
	A("legacy", 550, "", RCPT, "no such user", RECIPIENT, FAILED)
	A("legacy", 550, "", BODY, "no", MESSAGE, FAILED)
	A("legacy", 554, "5.6.0", BODY, "no", MESSAGE, FAILED)
	A("legacy", 554, "5.4.6", BODY, "loop", LOOP, PARKED)
	A("legacy", 503, "5.5.1", MAIL, "order", NETWORK, DEFERRED)
	A("legacy", 451, "4.3.0", RCPT, "later", NETWORK, DEFERRED)
	A("legacy", 451, "", RCPT, "later", NONE, DEFERRED)
	A("legacy", 399, "", RCPT, "?", NETWORK, DEFERRED)
	A("m365", 550, "5.7.64", MAIL, "TenantAttribution; Relay Access Denied",
	  CONFIGURATION, DEFERRED)
	A("m365", 550, "5.7.68", BODY, "TenantInboundAttribution; Direct Send not allowed",
	  CONFIGURATION, DEFERRED)
	A("m365", 550, "5.7.230", MAIL, "outdated", CONFIGURATION, DEFERRED)
	A("m365", 450, "4.7.230", MAIL, "outdated", CONFIGURATION, DEFERRED)
	A("m365", 450, "4.4.317", MAIL, "chain", CONFIGURATION, DEFERRED)
	A("m365", 530, "5.7.57", MAIL, "not authenticated", CONFIGURATION, DEFERRED)
	A("m365", 535, "5.7.139", GREETING, "no login", CONFIGURATION, DEFERRED)
	A("m365", 451, "4.7.500", RCPT, "Server busy", THROTTLE, DEFERRED)
	A("m365", 451, "4.7.699", RCPT, "Access denied", THROTTLE, DEFERRED)
	A("m365", 451, "4.7.700", RCPT, "other", THROTTLE, DEFERRED)
	A("m365", 451, "4.7.900", RCPT, "other", NONE, DEFERRED)
	A("m365", 450, "4.7.650", MAIL, "reputation", THROTTLE, DEFERRED)
	A("m365", 450, "4.7.651", MAIL, "reputation", THROTTLE, DEFERRED)
	A("m365", 421, "4.3.2", GREETING, "not active", THROTTLE, DEFERRED)
	A("m365", 451, "4.3.2", RCPT, "busy", THROTTLE, DEFERRED)
	A("m365", 432, "4.3.2", BODY, "STOREDRV; thread limit", MAILBOX, DEFERRED)
	A("m365", 550, "5.7.606", MAIL, "banned", CONFIGURATION, DEFERRED)
	A("m365", 550, "5.7.649", MAIL, "banned", CONFIGURATION, DEFERRED)
	A("m365", 550, "5.7.650", BODY, "other", MESSAGE, FAILED)
	A("m365", 550, "5.7.509", BODY, "does not pass DMARC", AUTHENTICATION, PARKED)
	A("m365", 550, "5.2.121", RCPT, "rate", MAILBOX, DEFERRED)
	A("m365", 550, "5.2.122", RCPT, "rate", MAILBOX, DEFERRED)
	A("m365", 552, "5.2.2", BODY, "full", MAILBOX, DEFERRED)
	A("m365", 452, "4.2.2", RCPT, "full", MAILBOX, DEFERRED)
	A("m365", 550, "5.1.1", RCPT, "unknown", RECIPIENT, FAILED)
	A("m365", 550, "5.1.10", RCPT, "RecipientNotFound", RECIPIENT, FAILED)
	A("m365", 550, "5.4.1", RCPT, "Access denied", RECIPIENT, FAILED)
	A("m365", 452, "4.5.3", RCPT, "Too many recipients", SPLIT, DEFERRED)
	A("m365", 550, "5.6.11", BODY, "bare LF", MESSAGE, FAILED)
	A("m365", 554, "5.4.6", BODY, "hops", LOOP, PARKED)
	A("m365", 554, "5.4.14", BODY, "hop count exceeded", LOOP, PARKED)
	A("m365", 550, "5.7.51", MAIL, "restricted", CONFIGURATION, DEFERRED)
	A("m365", 550, "5.4.1", RCPT, "Relay Access Denied", CONFIGURATION, DEFERRED)
	A("m365", 550, "5.7.1", MAIL, "Client host [192.0.2.7] blocked using Spamhaus",
	  CONFIGURATION, DEFERRED)
	A("m365", 550, "5.7.511", MAIL, "banned sender", CONFIGURATION, DEFERRED)
	A("m365", 550, "5.7.705", BODY, "tenant has exceeded threshold", CONFIGURATION, DEFERRED)
	A("m365", 550, "5.7.708", BODY, "traffic not accepted", CONFIGURATION, DEFERRED)
	A("m365", 550, "5.7.703", BODY, "blocked by a list", MESSAGE, FAILED)
	A("m365", 550, "5.7.750", MAIL, "unregistered domain", CONFIGURATION, DEFERRED)
	A("m365", 550, "5.7.23", MAIL, "SPF", AUTHENTICATION, PARKED)
	A("m365", 550, "5.7.515", BODY, "bulk", AUTHENTICATION, PARKED)
	A("m365", 550, "5.7.25", MAIL, "no PTR", CONFIGURATION, DEFERRED)
	A("m365", 550, "5.7.124", RCPT, "not in the list", MESSAGE, FAILED)
	A("m365", 550, "5.7.136", RCPT, "not authenticated", MESSAGE, FAILED)
	A("m365", 550, "5.7.124", GREETING, "?", CONFIGURATION, DEFERRED)
	A("google", 421, "4.7.28", BODY, "messages with the same Message-ID", MESSAGE, DEFERRED)
	A("google", 421, "4.7.0", BODY, "suspicious due to the nature of the content",
	  MESSAGE, DEFERRED)
	A("google", 421, "4.7.27", BODY, "SPF did not pass", AUTHENTICATION, DEFERRED)
	A("google", 421, "4.7.29", BODY, "not sent over a TLS connection",
	  CONFIGURATION, DEFERRED)
	A("google", 421, "4.7.32", BODY, "From is not aligned", AUTHENTICATION, DEFERRED)
	A("google", 421, "4.7.25", BODY, "no PTR", CONFIGURATION, DEFERRED)
	A("google", 550, "5.7.30", BODY, "no DKIM", AUTHENTICATION, PARKED)
	A("google", 550, "5.7.1", BODY, "fails to pass authentication checks",
	  AUTHENTICATION, PARKED)
	A("google", 550, "5.7.28", BODY, "unusual rate", THROTTLE, DEFERRED)
	A("google", 550, "5.4.5", BODY, "Daily limit", THROTTLE, DEFERRED)
	A("google", 550, "5.2.1", RCPT, "receiving mail too quickly", MAILBOX, DEFERRED)
	A("google", 550, "5.2.1", RCPT, "inactive", RECIPIENT, FAILED)
	A("google", 550, "5.7.0", MAIL, "Mail relay denied", CONFIGURATION, DEFERRED)
	A("google", 550, "5.7.1", MAIL, "Invalid credentials for relay", CONFIGURATION, DEFERRED)
	A("google", 421, "4.7.28", BODY, "unusual rate", THROTTLE, DEFERRED)
	A("google", 450, "4.2.1", RCPT, "too fast", MAILBOX, DEFERRED)
	A("google", 452, "4.2.2", RCPT, "over quota", MAILBOX, DEFERRED)
	A("google", 552, "5.2.2", RCPT, "over quota", MAILBOX, DEFERRED)
	A("google", 550, "5.7.26", BODY, "unauthenticated", AUTHENTICATION, PARKED)
	A("google", 421, "4.7.26", BODY, "unauthenticated", AUTHENTICATION, PARKED)
	A("google", 550, "5.7.25", BODY, "no PTR", CONFIGURATION, DEFERRED)
	A("google", 550, "5.7.1", RCPT, "IP not in whitelist for RCPT domain",
	  CONFIGURATION, DEFERRED)
	A("google", 550, "5.7.1", BODY, "likely unsolicited", MESSAGE, FAILED)
	A("google", 535, "5.7.8", GREETING, "no login", CONFIGURATION, DEFERRED)
	A("google", 550, "5.1.1", RCPT, "does not exist", RECIPIENT, FAILED)
	A("google", 452, "4.5.3", RCPT, "too many", SPLIT, DEFERRED)
	A("google", 451, "4.3.0", RCPT, "Multiple destination domains per transaction "
	  "is unsupported",
	  SPLIT, DEFERRED)
	A("internet", 550, "5.7.1", RCPT, "Relay access denied", MESSAGE, FAILED)
	A("internet", 550, "5.7.1", MAIL, "your ip is blocked", MESSAGE, FAILED)
	A("internet", 550, "5.7.23", BODY, "SPF", MESSAGE, FAILED)
	A("internet", 530, "5.7.0", MAIL, "log in first", MESSAGE, FAILED)
	A("internet", 550, "5.1.1", RCPT, "no such user", RECIPIENT, FAILED)
	A("internet", 550, "", RCPT, "no", RECIPIENT, FAILED)
	A("internet", 552, "5.2.2", RCPT, "full", RECIPIENT, FAILED)
	A("internet", 554, "5.4.6", BODY, "loop", LOOP, FAILED)
	A("internet", 452, "4.5.3", RCPT, "too many", SPLIT, DEFERRED)
	A("internet", 554, "", GREETING, "No SMTP here", NETWORK, DEFERRED)
	A("internet", 421, "4.7.0", GREETING, "rate", NONE, DEFERRED)
	A("internet", 450, "4.7.1", RCPT, "greylisted", NONE, DEFERRED)
	A("internet", 450, "4.7.1", RCPT, "client host rejected", NONE, DEFERRED)
};

/* Code, enhanced code and text as generic reads them, wherever in a
 * transaction they are said. */
#define S(code, enh, text, class) { code, enh, text, CLASS_##class },

static const struct {
	int code;
	const char *enh, *text;
	enum reply_class class;
} said[] = {
	/* Quoted text is not the leg's own. */
	S(554, "5.7.1", "<relay access denied@x.example>: Sender address rejected", MESSAGE)
	S(554, "5.7.1", "<\"a> relay access denied <\"@x.example>: not for you", MESSAGE)
	S(554, "5.7.1", "\"relay access denied\"@x.example is not for you", MESSAGE)
	S(554, "5.7.1", "subject 'your ip is blocked' is not for you", MESSAGE)
	S(554, "5.7.1", "subject \"your ip is blocked\" is not for you", MESSAGE)
	S(554, "5.7.1", "relay-access-denied@x.example is not for you", MESSAGE)
	S(554, "5.7.1", "relay.access.denied is not for you", MESSAGE)
	S(554, "5.7.1", "see https://x.example/relay access.denied", MESSAGE)
	S(550, "5.7.1", "go away: relay/access/denied", MESSAGE)
	S(550, "5.7.1", "ann@[192.0.2.7] is not for you", MESSAGE)
	S(550, "5.7.1", "No. Relay team. Access to them is denied", MESSAGE)
	S(550, "5.7.1", "ask the relay desk", MESSAGE)
	S(550, "5.2.1", "Mailbox disabled; ask the relay desk", RECIPIENT)
	S(551, "5.1.6", "Not local; try <ann@relay.example>", RECIPIENT)
	/* One address or one content. */
	S(501, "5.1.7", "bad sender", MESSAGE)
	S(550, "5.1.8", "Sender address rejected: your ip is not liked", MESSAGE)
	S(500, "", "line too long", MESSAGE)
	S(501, "", "bad address", MESSAGE)
	S(501, "5.5.2", "cannot be read", MESSAGE)
	S(504, "5.5.2", "need a full address", MESSAGE)
	S(553, "", "not so", MESSAGE)
	S(555, "5.5.4", "parameter", MESSAGE)
	S(552, "", "no", MESSAGE)
	S(501, "5.1.3", "bad address", RECIPIENT)
	S(550, "", "no such person", RECIPIENT)
	S(550, "5.7.1", "unknown", MESSAGE)
	S(550, "", "there is no such user", RECIPIENT)
	S(550, "", "The mailbox you name does not exist", RECIPIENT)
	S(554, "5.7.1", "unknown user", RECIPIENT)
	S(503, "5.5.1", "need RCPT; there is no such user", RECIPIENT)
	S(450, "4.1.1", "unknown user", RECIPIENT)
	S(550, "", "sender rejected, unknown address", MESSAGE)
	S(550, "5.7.1", "holds a url that is on a block list", MESSAGE)
	S(550, "5.6.0", "reverse dns", MESSAGE)
	S(550, "5.3.4", "rate limit", MESSAGE)
	/* The dialog. */
	S(502, "5.5.1", "not implemented", CONFIGURATION)
	S(502, "5.5.1", "unrecognized", NETWORK)
	S(503, "", "order", NETWORK)
	S(550, "5.5.2", "mail first", NETWORK)
	/* Us, whatever the code. */
	S(504, "5.5.2", "<x>: Helo command rejected: no name", CONFIGURATION)
	S(550, "5.1.1", "client host rejected", CONFIGURATION)
	S(550, "5.7.1", "client host [192.0.2.7] blocked", CONFIGURATION)
	S(450, "4.7.1", "client host rejected", CONFIGURATION)
	S(550, "5.7.1", "not from 192.0.2.7", CONFIGURATION)
	S(550, "5.7.1", "not from [IPv6:2001:db8::7]", CONFIGURATION)
	S(550, "5.7.1", "not from 2001:db8::7", CONFIGURATION)
	S(550, "", "see https://x.example/?ip=192.0.2.7", CONFIGURATION)
	S(550, "5.7.1", "at 10:20:30 it was not so", MESSAGE)
	S(550, "", "your reverse dns is missing", CONFIGURATION)
	S(553, "", "use tls", CONFIGURATION)
	S(550, "", "please log in", CONFIGURATION)
	S(550, "", "administrative prohibition", CONFIGURATION)
	S(550, "5.4.1", "Relay Access Denied", CONFIGURATION)
	S(550, "5.4.1", "Recipient address rejected: Access denied", RECIPIENT)
	S(550, "5.7.10", "", CONFIGURATION)
	S(530, "", "", CONFIGURATION)
	S(538, "", "", CONFIGURATION)
	S(550, "", "\"Your IP is on a block list\"", CONFIGURATION)
	/* The sender over us. */
	S(550, "5.7.23", "", AUTHENTICATION)
	S(550, "5.7.27", "", AUTHENTICATION)
	S(550, "5.7.31", "", AUTHENTICATION)
	S(550, "5.7.1", "no SPF record", AUTHENTICATION)
	S(451, "4.7.1", "DMARC cannot be looked up", AUTHENTICATION)
	S(550, "5.7.28", "", MESSAGE)
	/* Too many, too often, too far. */
	S(550, "5.5.3", "", SPLIT)
	S(450, "4.5.3", "", SPLIT)
	S(552, "5.3.4", "too many recipients", SPLIT)
	S(554, "", "too many recipients in this session", SPLIT)
	S(550, "5.1.1", "you sent to too many recipients this hour", THROTTLE)
	S(550, "", "too many connections from your host", THROTTLE)
	S(550, "", "the daily limit is reached", THROTTLE)
	S(421, "", "bye", THROTTLE)
	S(554, "5.4.0", "Too many hops", LOOP)
	S(554, "5.6.0", "it exceeded 50 hops", LOOP)
	S(451, "4.4.6", "", LOOP)
	S(552, "", "the mailbox is full", MAILBOX)
	S(550, "5.2.1", "it receives mail too quickly", MAILBOX)
	/* The leg's own trouble. */
	S(554, "5.3.0", "an internal error", NETWORK)
	S(554, "5.3.2", "", NETWORK)
	S(451, "4.3.5", "", NETWORK)
	S(451, "", "greylisted", NETWORK)
	S(521, "", "", NETWORK)
	S(554, "", "Service unavailable", NETWORK)
	S(451, "", "later", NONE)
};
/* clang-format on */

static void an_answer_is_classed_by_code_enhanced_code_and_stage(void **state)
{
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, profiles, names);
	unsigned wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct result r = {.code = answers[i].code,
			.stage = answers[i].stage, .text = answers[i].text};

		snprintf(r.enh, sizeof(r.enh), "%s", answers[i].enh);
		reply_classify(conf_leg_by_name(c,
				   slice_str(answers[i].leg))->replies, &r);
		if (r.class == answers[i].class &&
		    r.outcome == answers[i].outcome)
			continue;
		print_message("%s: %d %s %s at %s is %s\n", answers[i].leg,
		    r.code, r.enh, r.text, stage_text(r.stage),
		    reply_class_text(r.class));
		wrong++;
	}
	assert_int_equal(wrong, 0);
	conf_unref(c);
	names_free(names);
}

static void what_a_leg_says_itself_is_classed(void **state)
{
	static const enum stage stages[] = {STAGE_MAIL, STAGE_RCPT, STAGE_BODY};
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, profiles, names);
	unsigned wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(said) * ARRAY_LEN(stages); i++) {
		size_t n = i / ARRAY_LEN(stages);
		struct result r = {.code = said[n].code,
		    .stage = stages[i % ARRAY_LEN(stages)],
		    .text = said[n].text};

		snprintf(r.enh, sizeof(r.enh), "%s", said[n].enh);
		reply_classify(c->leg[0].replies, &r);
		if (r.class == said[n].class &&
		    (r.code >= 500 || r.outcome == OUT_DEFERRED))
			continue;
		print_message("%d %s %s at %s is %s\n", r.code, r.enh, r.text,
		    stage_text(r.stage), reply_class_text(r.class));
		wrong++;
	}
	assert_int_equal(wrong, 0);
	conf_unref(c);
	names_free(names);
}

static unsigned missed(const struct conf_profile *p, int i, int k)
{
	struct row_answer a;
	struct result r = {0};
	const struct conf_reply *got;

	row_answer_make(&p->reply[i], k, &a);
	r.code = a.code;
	r.stage = a.stage;
	r.text = a.text;
	memcpy(r.enh, a.enh, sizeof(r.enh));
	got = reply_classify(p, &r);
	if (got == &p->reply[i])
		return 0;
	print_message("%s: line %d is not reached by %d %s at %s: %s (but line "
	    "%d)\n", p->name, p->reply[i].line, a.code, a.enh,
	    stage_text(a.stage),
	    a.text, got->line);
	return 1;
}

/* A row, or a phrase of one, that no reply reaches, since a row before takes
 * them all, is one that an administrator will look for in vain. */
static void every_row_of_every_profile_is_reached(void **state)
{
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, profiles, names);
	unsigned misses = 0;

	for (int l = 0; l < c->legs; l++) {
		const struct conf_profile *p = c->leg[l].replies;

		for (int i = 0; i < p->replies && reply_row_own(p, i); i++) {
			assert_true(strlen(p->reply[i].help) > 20);
			for (int k = 0; k < row_answers(&p->reply[i]); k++)
				misses += missed(p, i, k);
		}
	}
	assert_int_equal(misses, 0);
	conf_unref(c);
	names_free(names);
}

static void what_our_side_concluded_stays(void **state)
{
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, profiles, names);
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
		enum stage stage;
		enum outcome outcome;
	} digits[] = {{250, STAGE_RCPT, OUT_DELIVERED},
	    {450, STAGE_RCPT, OUT_DEFERRED}, {550, STAGE_RCPT, OUT_FAILED},
	    {0, STAGE_RCPT, OUT_DEFERRED}, {199, STAGE_RCPT, OUT_DEFERRED},
	    /* No message was offered yet. */
	    {554, STAGE_GREETING, OUT_DEFERRED},
	    {502, STAGE_EHLO, OUT_DEFERRED}};

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
	    cmocka_unit_test(what_a_leg_says_itself_is_classed),
	    cmocka_unit_test(every_row_of_every_profile_is_reached),
	    cmocka_unit_test(what_our_side_concluded_stays),
	    cmocka_unit_test(without_a_profile_the_digits_count),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
