/* SPDX-License-Identifier: ISC
 *
 * Real replies of real servers, each with what it meant, against the
 * profiles: nothing that is ours or passes is ever the sender's to hear,
 * nothing that one message or recipient brought about is the leg's, and nearly
 * all are of the class that their meaning wants, at each stage where they can
 * be said. The list is no part of this tree: without it nothing is measured.
 *
 * One line each: meaning, profile, stage or "-", reply ("\n" between lines).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "policy/reply_class.h"
#include "relay/mail/reply.h"
#include "tests/unit/conf_tmp.h"

enum { RIGHT_PERCENT = 97 };

static const char three[] = CONF_BASE
	"leg \"generic\" { hosts = { \"a\" } }\n"
	"leg \"microsoft365\" { hosts = { \"a\" }\n"
	"  profile = \"microsoft365\" }\n"
	"leg \"google\" { hosts = { \"a\" } profile = \"google\" }\n";

#define C(name) (1u << CLASS_##name)
#define OF_ONE (C(MESSAGE) | C(RECIPIENT))
#define PASSES (C(THROTTLE) | C(MAILBOX) | C(NETWORK) | C(SPLIT))

/* clang-format off */
static const struct meaning {
	const char *name;
	unsigned classes; /* of them one is right          */
	unsigned stages;  /* where it can be said          */
	bool of_one;	  /* of a message or a recipient: never the leg's */
} meanings[] = {
	{ "SPF/DKIM/DMARC",      C(AUTHENTICATION), ON_MAIL | ON_RCPT | ON_DATA, false },
	{ "TLS/login wanted",    C(CONFIGURATION),  ON_MAIL | ON_RCPT | ON_DATA, false },
	{ "our IP/HELO blocked", C(CONFIGURATION) | C(THROTTLE), ON_MAIL | ON_RCPT | ON_DATA,
	  false },
	{ "relay/connector",     C(CONFIGURATION),  ON_MAIL | ON_RCPT | ON_DATA, false },
	{ "leg trouble",         PASSES,            ON_MAIL | ON_RCPT | ON_DATA, false },
	{ "rate",                PASSES,            ON_MAIL | ON_RCPT | ON_DATA, false },
	{ "loop",                C(LOOP),           ON_MAIL | ON_RCPT | ON_DATA, false },
	{ "mailbox full",        C(MAILBOX),        ON_RCPT | ON_DATA, false },
	{ "unknown",             C(RECIPIENT),      ON_RCPT | ON_DATA, true },
	{ "suspended/held",      OF_ONE,            ON_RCPT | ON_DATA, true },
	{ "sender rejected",     OF_ONE,            ON_MAIL | ON_RCPT | ON_DATA, true },
	{ "content/policy",      OF_ONE,            ON_RCPT | ON_DATA, true },
	{ "too big",             OF_ONE,            ON_MAIL | ON_RCPT | ON_DATA, true },
	{ "protocol",            OF_ONE,            ON_MAIL | ON_RCPT | ON_DATA, true },
};
static const struct { const char *name; unsigned bit; } stages[] = {
	{ "mail", ON_MAIL }, { "rcpt", ON_RCPT }, { "body", ON_DATA }, { "ehlo", ON_HELLO },
};
/* Replies that do not get the class that their meaning wants, and why that is
 * right, or has to be borne. */
static const struct { const char *reply, *why; } exceptions[] = {
	{ "554 5.7.7 Email policy violation detected",
	  "neither TLS nor a login: a policy refuses the message" },
	{ "550 5.7.0 <user@example.com>: Recipient address rejected: Policy violation. "
	  "See https://libsisimai.org/en/reason/#policyviolation",
	  "neither TLS nor a login: a policy refuses the message" },
	{ "554 5.7.1 Email cannot be delivered. Reason: Email flagged as Spam.",
	  "neither TLS nor a login: it says spam" },
	{ "554 host network, not allowed", "it speaks of our network: it waits" },
	{ "550 5.0.0 helo / ehlo requires domain address", "it speaks of our EHLO name" },
	{ "451 internal resources are temporarily unavailable",
	  "no word of our address; it waits either way" },
	{ "550 Your E-Mail is redundant. You cannot send E-Mail to yourself (user@example.com).",
	  "no word of our address: it is about this sender and recipient" },
	{ "421 4.7.0 [TSS04] Messages from 192.0.2.25 temporarily deferred due to unexpected "
	  "volume or user complaints - 192.0.2.25; see https://postmaster.yahooinc.com/error-codes",
	  "it speaks of our address and a volume, not of a sender" },
	{ "421 4.7.0 [TSS04] Messages from 192.0.2.25 temporarily deferred due to unexpected "
	  "volume or user complaints - 192.0.2.25; "
	  "see https://postmaster.verizonmedia.com/error-codes",
	  "it speaks of our address and a volume, not of a sender" },
	{ "553 5.7.2 [TSS09] All messages from 192.0.2.25 will be permanently deferred; Retrying "
	  "will NOT succeed. See https://postmaster.yahooinc.com/error-codes",
	  "it speaks of our address, not of a sender" },
	{ "553 5.7.2 [TSS11] All messages from 192.0.2.25 will be permanently deferred; Retrying "
	  "will NOT succeed. See https://postmaster.yahooinc.com/error-codes",
	  "it speaks of our address, not of a sender" },
	{ "451 hostname is not authorized", "it speaks of a host; it waits either way" },
	{ "542 user@example.com Rejected",
	  "no code of SMTP, and no word but the address: the sender is told" },
};
/* clang-format on */

struct line {
	const struct meaning *meaning;
	const char *profile, *stage, *reply;
};

struct count {
	unsigned said, right, excepted, wrong, harmful;
};

static char *whole_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text;
	size_t n, max = 1 << 20;

	if (f == NULL)
		return NULL;
	text = mem_new(max + 1);
	n = fread(text, 1, max, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static const struct meaning *meaning_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (strcmp(meanings[i].name, name) == 0)
			return &meanings[i];
	fail_msg("no meaning \"%s\" is known here", name);
	return NULL;
}

static void read_reply(const char *reply, struct reply_parser *p)
{
	char text[4096], *line, *rest = text;
	size_t n = 0;

	for (; *reply != '\0' && n + 1 < sizeof(text); reply++) {
		bool lf = reply[0] == '\\' && reply[1] == 'n';

		text[n++] = lf ? '\n' : *reply;
		reply += lf;
	}
	text[n] = '\0';
	reply_parser_reset(p);
	while ((line = strsep(&rest, "\n")) != NULL)
		(void)reply_parser_line(p, slice_str(line));
}

static struct result classed(const struct conf_profile *profile,
    const struct reply_parser *p, const char *stage)
{
	static char text[REPLY_KEEP + 1];
	struct result r = {.code = p->code, .text = text,
	    .stage = stage_parse(slice_str(stage))};

	snprintf(text, sizeof(text), "%.*s", (int)p->text.n,
	    p->text.n > 0 ? p->text.p : "");
	for (char *c = text; *c != '\0'; c++)
		if (*c == '\n')
			*c = ' ';
	memcpy(r.enh, p->enh, sizeof(r.enh));
	(void)reply_classify(profile, &r);
	return r;
}

static bool is_excepted(const char *reply)
{
	for (size_t i = 0; i < ARRAY_LEN(exceptions); i++)
		if (strcmp(exceptions[i].reply, reply) == 0)
			return true;
	return false;
}

/* Of the replies about the protocol only these may be about an address or a
 * content. */
static bool is_of_one(const struct meaning *m, int code)
{
	return m->of_one && (strcmp(m->name, "protocol") != 0 || code == 500 ||
				code == 501 || code == 504 || code == 555);
}

static bool is_harmful(const struct meaning *m, const struct result *r)
{
	if (!is_of_one(m, r->code))
		return r->outcome == OUT_FAILED;
	return r->code >= 500 && (r->class == CLASS_CONFIGURATION ||
				     r->class == CLASS_THROTTLE);
}

static unsigned classes_for(const struct meaning *m, int code)
{
	if (m->of_one && !is_of_one(m, code))
		return C(NETWORK) | C(CONFIGURATION) | C(NONE);
	return m->classes |
	       (m->of_one && code < 500 ? C(NONE) | C(NETWORK) : 0);
}

/* Before MAIL no message was refused, whatever is said. */
static bool is_right(const struct meaning *m, const char *stage,
    const struct result *r)
{
	if (strcmp(stage, "ehlo") == 0)
		return r->outcome == OUT_DEFERRED;
	return (classes_for(m, r->code) & (1u << r->class)) != 0 &&
	       !is_harmful(m, r);
}

static void say(const struct line *l, const char *stage,
    const struct conf_profile *profile, struct count *n)
{
	struct reply_parser p;
	struct result r;

	reply_parser_init(&p);
	read_reply(l->reply, &p);
	r = classed(profile, &p, stage);
	n->said++;
	if (is_right(l->meaning, stage, &r)) {
		n->right++;
	} else if (is_excepted(l->reply)) {
		n->excepted++;
	} else {
		n->harmful += is_harmful(l->meaning, &r);
		n->wrong++;
		print_message("%s at %s is %s%s: %s\n", l->meaning->name,
		    stage, reply_class_text(r.class),
		    is_harmful(l->meaning, &r) ? ", which does harm" : "",
		    l->reply);
	}
	reply_parser_fini(&p);
}

static void measure(const struct line *l, const struct conf *c,
    struct count *n)
{
	const struct conf_leg *leg =
	    conf_leg_by_name(c, slice_str(l->profile));

	assert_non_null(leg);
	for (size_t i = 0; i < ARRAY_LEN(stages); i++)
		if (l->stage[0] == '-'
			? (l->meaning->stages & stages[i].bit) != 0
			: strcmp(l->stage, stages[i].name) == 0)
			say(l, stages[i].name, leg->replies, n);
}

static bool next_field(char **rest, const char **field_out)
{
	*field_out = strsep(rest, "\t");
	return *field_out != NULL;
}

static void real_replies_have_the_class_that_they_mean(void **state)
{
	const char *shared = getenv("PH_SHARED"), *name;
	struct names *names = names_new();
	struct conf *c = conf_tmp_good(*state, three, names);
	struct count n = {.said = 0};
	char path[512], *text, *rest, *row;

	snprintf(path, sizeof(path), "%s/data/replies/replies.tsv",
	    shared == NULL ? "" : shared);
	text = rest = whole_file(path);
	while (text != NULL && (row = strsep(&rest, "\n")) != NULL) {
		struct line l = {.reply = NULL};

		if (row[0] == '#' || row[0] == '\0')
			continue;
		assert_true(next_field(&row, &name));
		l.meaning = meaning_of(name);
		(void)(next_field(&row, &l.profile) &&
			    next_field(&row, &l.stage) &&
			    next_field(&row, &l.reply));
		assert_non_null(l.reply);
		measure(&l, c, &n);
	}
	print_message("%u said, %u right, %u excepted, %u wrong\n", n.said,
	    n.right, n.excepted, n.wrong);
	mem_free(text);
	conf_unref(c);
	names_free(names);
	if (text == NULL)
		skip();
	assert_int_equal(n.harmful, 0);
	assert_true(n.right * 100 >= n.said * RIGHT_PERCENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(real_replies_have_the_class_that_they_mean),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
