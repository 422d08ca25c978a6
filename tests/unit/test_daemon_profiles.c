/* SPDX-License-Identifier: ISC
 *
 * Every row of every profile from the wire to the queue: a scripted leg
 * answers so, the real client hears it, the judge classes it, and the
 * delivery has its fate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/delivery/classify_reply.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/daemon_rig.h"
#include "tests/unit/reply_rows.h"
#include "tests/unit/testleg.h"

static const char conf_text[] = CONF_BASE
	"leg \"m365\" { hosts = { \"a\" } profile = \"microsoft365\" }\n"
	"leg \"google\" { hosts = { \"a\" } profile = \"google\" }\n"
	"leg \"undeclared\" { hosts = { \"a\" } profile = \"google\"\n"
	"  trust = \"none\" }\n"
	"leg \"soft\" { hosts = { \"a\" } profile = \"google\"\n"
	"  soft_bounce = true }\n";

struct bench {
	struct drig *r;
	struct names *names;
	struct conf_snapshot live;
};

static int setup(void **state)
{
	struct bench *b = NEW(struct bench);

	b->r = drig_new();
	b->names = names_new();
	b->live.conf = conf_tmp_good(b->r->dir, conf_text, b->names);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	conf_unref(b->live.conf);
	names_free(b->names);
	drig_free(b->r);
	mem_free(b);
	return 0;
}

static const char *occasion(enum stage stage)
{
	return stage == STAGE_BODY ? "." :
	       stage == STAGE_RCPT ? "RCPT" :
	       stage == STAGE_MAIL ? "MAIL" : "CONNECT";
}

static bool take(void *arg, int leg)
{
	(void)arg;
	(void)leg;
	return true;
}

static void give(void *arg, int leg)
{
	(void)arg;
	(void)leg;
}

static bool wanted(void *arg, int leg)
{
	(void)arg;
	(void)leg;
	return false;
}

static void on_done(void *arg, struct client_request *req)
{
	(void)req;
	*(bool *)arg = true;
}

/* One message by the real client to that leg, which says what `rules` say. */
static void send_one(struct bench *b, struct conf_leg *leg,
    const struct leg_rule *rules, struct client_request *q)
{
	static const struct client_slots slots = {take, give, wanted};
	struct loop *loop = loop_new(&clock_system);
	struct stream_scratch *scratch = stream_scratch_new();
	struct leg *server = leg_new(loop, scratch);
	struct error err;
	struct dns *dns = dns_new(loop, b->live.conf, &err);
	struct client *client = client_new(&(struct client_config){
	    .loop = loop, .scratch = scratch, .sock = &sock_system,
	    .dns = dns, .slots = &slots});
	bool done = false;

	leg_script(server, rules);
	leg->host[0] = (struct conf_hostport){"127.0.0.1", server->port, true};
	q->conf = b->live.conf;
	q->leg = leg;
	q->done = on_done;
	q->arg = &done;
	assert_true(client_send(client, q, false));
	for (int i = 0; i < 2000 && !done; i++)
		loop_once(loop, 20);
	assert_true(done);
	client_free(client);
	dns_free(dns);
	leg_free(server);
	stream_scratch_free(scratch);
	loop_free(loop);
}

/* The client's result for a leg that says so. The texts live in `a`. */
static struct result heard(struct bench *b, struct conf_leg *leg,
    const struct row_answer *said, struct arena *a)
{
	struct source *content = source_of_slice(SLICE("Subject: x\r\n\r\n"));
	struct client_rcpt rcpt = {.address = "user0@example.com",
	    .orcpt = ""};
	struct client_request q = {.id = 7, .from = "sender@elsewhere.test",
	    .envid = "", .rcpt = &rcpt, .rcpts = 1, .content = content,
	    .arena = a};
	struct leg_rule rules[2] = {{occasion(said->stage), NULL, 0}};
	char line[300];

	snprintf(line, sizeof(line), "%d %s%s%s\r\n", said->code, said->enh,
	    said->enh[0] == '\0' ? "" : " ", said->text);
	rules[0].answer = line;
	send_one(b, leg, rules, &q);
	source_free(content);
	return rcpt.result;
}

/* The rest of what the letter says. */
struct judgement {
	bool slows; /* the sender's domain waits */
	bool forged, maybe_forged;
};

/* Of an attempt with that sender; completes the result. */
static struct judgement judge(struct bench *b, struct conf_leg *leg,
    struct result *res, const struct envelope *e)
{
	struct arena *a = arena_new();
	struct job_row row = {0};
	struct client_rcpt rcpt = {.address = "user0@example.com"};
	struct envelope_rcpt to = {.to = "user0@example.com", .orcpt = ""};
	struct mail *m = mail_new();
	struct attempt at = {.w = &b->r->worker, .snapshot = &b->live,
	    .leg = leg->id, .row = &row, .n = 1, .arena = a, .mail = m,
	    .req = {.rcpt = &rcpt, .rcpts = 1}};
	struct outcome_letter *o = attempt_outcome(&at, WHY_ATTEMPT);
	struct judgement j;

	m->env.from = e->from;
	m->env.spf = e->spf;
	m->env.rcpt = &to;
	m->env.rcpts = 1;
	o->row[0].result = *res;
	classify_result(&at, o, 0);
	classify_attempt(&at, o);
	*res = o->row[0].result;
	j = (struct judgement){o->slows, o->row[0].forged, o->maybe_forged};
	mem_free(o);
	m->env.rcpts = 0;
	m->env.rcpt = NULL;
	mail_unref(m);
	arena_free(a);
	return j;
}

static struct result judged(struct bench *b, struct conf_leg *leg,
    struct result res)
{
	judge(b, leg, &res, &(struct envelope){
	    .from = "sender@elsewhere.test", .spf = ""});
	return res;
}

static enum dstate fate(struct drig *r, const struct result *res)
{
	struct spool_delivery d =
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_QUEUED);
	uint64_t id = drig_accept(r, "sender@elsewhere.test", 1, &d, 1);
	enum dstate state;
	bool ok;

	drig_report(r, drig_job(r), WHY_ATTEMPT, res, 1);
	drig_pump(r);
	state = drig_state(r, id, 0);
	while (r->jobs != 0) /* DSNs on their way */
		mem_free(drig_job(r));
	if (state != D_NONE) /* it would come again */
		drig_act(r, ACT_DELETE, id, 0, &ok);
	return state;
}

static enum dstate state_of(enum outcome o)
{
	return o == OUT_DEFERRED ? D_DEFERRED :
	       o == OUT_PARKED	 ? D_PARKED : D_NONE;
}

/* A 4yz is never the end. */
static enum outcome outcome_of(const struct conf_reply *row, int code)
{
	return code < 500 && row->outcome == OUT_FAILED ? OUT_DEFERRED
							: row->outcome;
}

static void run_row(struct bench *b, struct conf_leg *leg, int i)
{
	const struct conf_reply *row = &leg->replies->reply[i];

	for (int k = 0; k < ROW_ANSWERS; k++) {
		struct arena *a = arena_new();
		struct row_answer said;
		struct result res;

		row_answer_make(row, k, &said);
		print_message("%s: line %d: %d %s at %s\n", leg->name,
		    row->line, said.code, said.enh,
		    stage_text(said.stage));
		res = judged(b, leg, heard(b, leg, &said, a));
		assert_int_equal(res.code, said.code);
		assert_string_equal(res.enh, said.enh);
		assert_string_equal(reply_class_text(res.class),
		    reply_class_text(row->class));
		assert_int_equal(res.outcome, outcome_of(row, said.code));
		assert_int_equal(fate(b->r, &res), state_of(res.outcome));
		arena_free(a);
	}
}

static struct conf_leg *leg_of(struct bench *b, const char *name)
{
	struct conf_leg *leg = b->live.conf->leg;

	while (strcmp(leg->name, name) != 0)
		leg++;
	return leg;
}

static void run_profile(struct bench *b, const char *name)
{
	struct conf_leg *leg = leg_of(b, name);

	for (int i = 0; i < leg->replies->replies; i++)
		if (reply_row_own(leg->replies, i))
			run_row(b, leg, i);
}

static void each_row_of_generic(void **state)
{
	run_profile(*state, "legacy");
}

static void each_row_of_microsoft365(void **state)
{
	run_profile(*state, "m365");
}

static void each_row_of_google(void **state)
{
	run_profile(*state, "google");
}

/* ---- what a leg's own settings change ---------------------------------- */

static void settings_change_what_is_final(void **state)
{
	static const struct {
		const char *leg;
		int code;
		const char *enh;
		enum outcome outcome;
	} cases[] = {
	    {"google", 550, "5.7.26", OUT_PARKED},
	    {"undeclared", 550, "5.7.26", OUT_FAILED},
	    {"undeclared", 421, "4.7.26", OUT_DEFERRED},
	    {"soft", 550, "5.7.26", OUT_DEFERRED},
	    {"soft", 550, "5.1.1", OUT_DEFERRED},
	    {"soft", 554, "5.6.0", OUT_DEFERRED},
	    {"undeclared", 550, "5.1.1", OUT_FAILED},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct conf_leg *leg = leg_of(b, cases[i].leg);
		struct arena *a = arena_new();
		struct row_answer said = {.code = cases[i].code,
		    .stage = STAGE_BODY, .text = "no"};
		struct result res;

		snprintf(said.enh, sizeof(said.enh), "%s", cases[i].enh);
		print_message("%s: %d %s\n", cases[i].leg, said.code,
		    said.enh);
		res = judged(b, leg, heard(b, leg, &said, a));
		assert_int_equal(res.outcome, cases[i].outcome);
		arena_free(a);
	}
}

/* A leg that disbelieves a sender which SPF disowns is right, and a notice
 * would reach the wrong one. */
static void what_a_forged_sender_causes(void **state)
{
	static const struct {
		const char *leg, *enh, *spf;
		int code;
		enum outcome outcome;
		bool forged;
	} cases[] = {
	    {"google", "5.7.26", "fail", 550, OUT_PARKED, true},
	    {"undeclared", "5.7.26", "fail", 550, OUT_PARKED, true},
	    {"undeclared", "4.7.26", "fail", 421, OUT_DEFERRED, false},
	    {"soft", "5.7.26", "fail", 550, OUT_DEFERRED, false},
	    {"google", "5.7.26", "softfail", 550, OUT_PARKED, false},
	    {"google", "5.7.26", "pass", 550, OUT_PARKED, false},
	    {"undeclared", "5.7.26", "softfail", 550, OUT_FAILED, false},
	    {"undeclared", "5.7.26", "", 550, OUT_FAILED, false},
	    {"google", "5.1.1", "fail", 550, OUT_FAILED, false},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct envelope e = {.from = "a@b.test", .spf = cases[i].spf};
		struct result res = {.outcome = cases[i].code < 500
			? OUT_DEFERRED : OUT_FAILED, .code = cases[i].code,
		    .stage = STAGE_BODY, .remote = "", .text = "no",
		    .tls = "", .address = ""};
		struct judgement j;

		snprintf(res.enh, sizeof(res.enh), "%s", cases[i].enh);
		print_message("%s: %s, %s\n", cases[i].leg, res.enh,
		    cases[i].spf);
		j = judge(b, leg_of(b, cases[i].leg), &res, &e);
		assert_int_equal(res.outcome, cases[i].outcome);
		assert_int_equal(j.forged, cases[i].forged);
		assert_int_equal(j.maybe_forged, cases[i].spf[0] != '\0' &&
			cases[i].spf[0] != 'p');
	}
}

/* Three faults in a row shut the gate, unless their senders may be forged. */
static void what_faults_of_forged_senders_count(void **state)
{
	static const char *const words[] = {"fail", "softfail", "neutral",
	    "none", "temperror", "permerror", "", "pass"};
	struct bench *b = *state;
	struct ledger *l = b->r->shared.ledger;
	struct conf_leg *leg = leg_of(b, "m365");

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct envelope e = {.from = "a@b.test", .spf = words[i]};

		print_message("%s\n", words[i]);
		for (int k = 0; k < 5; k++) {
			struct result res = {.outcome = OUT_FAILED,
			    .code = 550, .enh = "5.7.68", .remote = "",
			    .stage = STAGE_BODY, .text = "no", .tls = "",
			    .address = ""};

			judge(b, leg, &res, &e);
		}
		assert_int_equal(ledger_gates(l, leg->id),
		    i < 6 ? 0 : GATE_DOUBT);
		ledger_sound(l, leg->id);
	}
}

static void what_slows_the_domain_of_a_sender(void **state)
{
	static const struct {
		int code;
		const char *enh, *text, *from;
		bool slows;
	} cases[] = {
	    {421, "4.7.26", "unauthenticated", "a@b.test", true},
	    {421, "4.7.27", "SPF did not pass", "a@b.test", true},
	    {451, "4.7.30", "DKIM did not pass", "a@b.test", true},
	    {421, "4.7.32", "From is not aligned", "a@b.test", true},
	    {421, "4.7.32", "From is not aligned", "", false},
	    {421, "4.7.28", "mail from your SPF domain", "a@b.test", true},
	    {421, "4.7.28", "unusual rate", "a@b.test", false},
	    {421, "4.7.25", "no PTR record", "a@b.test", false},
	    {421, "4.7.0", "suspicious content", "a@b.test", false},
	    {550, "5.7.26", "unauthenticated", "a@b.test", false},
	    {450, "4.2.1", "too much mail", "a@b.test", false},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct result res = {.outcome = OUT_DEFERRED,
		    .code = cases[i].code, .stage = STAGE_BODY, .remote = "",
		    .text = cases[i].text, .tls = "", .address = ""};
		struct envelope e = {.from = cases[i].from, .spf = ""};

		snprintf(res.enh, sizeof(res.enh), "%s", cases[i].enh);
		print_message("%d %s from <%s>\n", res.code, res.enh,
		    cases[i].from);
		assert_int_equal(judge(b, leg_of(b, "google"), &res, &e).slows,
		    cases[i].slows);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(each_row_of_generic, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(each_row_of_microsoft365, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(each_row_of_google, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(what_a_forged_sender_causes,
		setup, teardown),
	    cmocka_unit_test_setup_teardown(what_faults_of_forged_senders_count,
		setup, teardown),
	    cmocka_unit_test_setup_teardown(what_slows_the_domain_of_a_sender,
		setup, teardown),
	    cmocka_unit_test_setup_teardown(settings_change_what_is_final,
		setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
