/* SPDX-License-Identifier: ISC
 *
 * Legs that break off, keep silent or talk nonsense, and a content that
 * cannot be read: the mail waits, the connection is dropped, and what may
 * have been taken is said to be uncertain (D8).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/mail/reply.h"
#include "tests/unit/testclient.h"

#define PIPE "EHLO", "250-leg.test\r\n250 PIPELINING\r\n", 0
#define BARE "EHLO", "250 leg.test\r\n", 0
#define CHUNK "EHLO", "250-leg.test\r\n250-CHUNKING\r\n250 PIPELINING\r\n", 0

/* clang-format off */
static const struct {
	const char *name;
	struct leg_rule rules[4];
	const char *result;
} cases[] = {
	{ "closes at once", { { "CONNECT", LEG_CLOSE, 0 } },
	  "deferred 0 4.4.2 greeting network" },
	{ "a greeting of 250", { { "CONNECT", "250 hi\r\n", 0 } },
	  "deferred 0 4.5.0 greeting network" },
	{ "a greeting of 354", { { "CONNECT", "354 hi\r\n", 0 } },
	  "deferred 0 4.5.0 greeting network" },
	{ "a greeting without a code", { { "CONNECT", "SSH-2.0-x\r\n", 0 } },
	  "deferred 0 4.5.0 greeting network" },
	{ "two greetings", { { "CONNECT", "220 a\r\n220 b\r\n", 0 } },
	  "deferred 0 4.5.0 ehlo network" },
	{ "code 000", { { "EHLO", "000 x\r\n", 0 } }, "deferred 0 4.5.0 ehlo network" },
	{ "code 999", { { "EHLO", "999 x\r\n", 0 } }, "deferred 0 4.5.0 ehlo network" },
	{ "code 1xx", { { "MAIL", "150 wait\r\n", 0 } }, "deferred 0 4.5.0 mail network" },
	{ "an answer before EHLO", { { "CONNECT", "220 hi\r\n250 hi\r\n", 0 } },
	  "deferred 0 4.5.0 ehlo network" },
	{ "an answer before MAIL",
	  { { "EHLO", "250 leg.test\r\n250 2.1.0 ok\r\n250 2.1.5 ok\r\n", 0 } },
	  "deferred 0 4.5.0 mail network" },
	{ "half an answer before the command", { { "EHLO", "250 leg.test\r\n25", 0 } },
	  "deferred 0 4.5.0 mail network" },
	{ "codes that differ", { { "EHLO", "250-a\r\n251 b\r\n", 0 } },
	  "deferred 0 4.5.0 ehlo network" },
	{ "354 to MAIL", { { "MAIL", "354 go on\r\n", 0 } },
	  "deferred 0 4.5.0 mail network" },
	{ "354 to MAIL, a chunk is under way", { { CHUNK }, { "MAIL", "354 go on\r\n", 0 } },
	  "deferred 0 4.5.0 mail network uncertain" },
	{ "354 to RCPT", { { "RCPT", "354 go on\r\n", 0 } },
	  "deferred 0 4.5.0 rcpt network" },
	{ "2xx to DATA", { { "DATA", "250 2.0.0 taken\r\n", 0 } },
	  "deferred 0 4.5.0 data network" },
	{ "2xx to DATA and again", { { "DATA", "250 2.0.0 ok\r\n250 2.0.0 ok\r\n", 0 } },
	  "deferred 0 4.5.0 data network" },
	{ "an answer to the content before it", { { "DATA", "354 x\r\n250 2.0.0 taken\r\n", 0 } },
	  "deferred 0 4.5.0 body network uncertain" },
	{ "RCPT accepted after MAIL was not", { { PIPE }, { "MAIL", "550 5.7.1 no\r\n", 0 } },
	  "failed 550 5.7.1 mail message" },
	{ "closes after MAIL", { { BARE }, { "MAIL", LEG_CLOSE, 0 } },
	  "deferred 0 4.4.2 mail network" },
	{ "closes after RCPT", { { BARE }, { "RCPT", LEG_CLOSE, 0 } },
	  "deferred 0 4.4.2 rcpt network" },
	{ "closes instead of 354", { { "DATA", LEG_CLOSE, 0 } },
	  "deferred 0 4.4.2 data network" },
	{ "closes after the dot", { { ".", LEG_CLOSE, 0 } },
	  "deferred 0 4.4.2 body network uncertain" },
	{ "resets after the dot", { { ".", LEG_RESET, 0 } },
	  "deferred 0 4.4.2 body network uncertain" },
	{ "354 to the dot", { { ".", "354 more\r\n", 0 } },
	  "deferred 0 4.5.0 body network uncertain" },
	{ "a NUL", { { "EHLO", "250-a" LEG_NUL "b\r\n250 c\r\n", 0 } },
	  "deferred 0 4.5.0 ehlo network" },
	{ "a NUL in the answer to the dot", { { ".", "250 2.0.0 " LEG_NUL "\r\n", 0 } },
	  "deferred 0 4.5.0 body network uncertain" },
	{ "no reply to the dot", { { ".", "taken, and\r\n", 0 } },
	  "deferred 0 4.5.0 body network uncertain" },
	{ "closes after the chunk", { { CHUNK }, { "BDAT", LEG_CLOSE, 0 } },
	  "deferred 0 4.4.2 body network uncertain" },
	{ "closes after MAIL, the chunk is out", { { CHUNK }, { "MAIL", LEG_CLOSE, 0 } },
	  "deferred 0 4.4.2 mail network uncertain" },
	{ "takes a chunk that is for nobody",
	  { { CHUNK }, { "RCPT", "550 5.1.1 no\r\n", 0 } },
	  "failed 550 5.1.1 rcpt recipient" },
	{ "closes after 250", { { ".", "250 2.0.0 taken\r\n" LEG_CLOSE, 0 } },
	  "delivered 250 2.0.0 body none" },
	{ "a TAB behind each code",
	  { { "CONNECT", "220\thi\r\n", 0 }, { "MAIL", "250\tok\r\n", 0 },
	    { ".", "250\t2.0.0\ttaken\r\n", 0 } },
	  "delivered 250 2.0.0 body none" },
	{ "codes alone",
	  { { "MAIL", "250\r\n", 0 }, { "RCPT", "250\n", 0 }, { ".", "250\r\n", 0 } },
	  "delivered 250 - body none" },
	{ "closes in the last reply",
	  { { ".", "250-2.0.0 taken\r\n" LEG_CLOSE, 0 } },
	  "delivered 250 2.0.0 body none" },
	{ "closes in the last line of its reply",
	  { { ".", "250-2.0.0 taken\r\n250 2.0.0" LEG_CLOSE, 0 } },
	  "delivered 250 2.0.0 body none" },
	{ "closes in a refusal of the content",
	  { { ".", "554-5.6.0 no\r\n554-and why\r\n" LEG_CLOSE, 0 } },
	  "failed 554 5.6.0 body message" },
	{ "closes in a refusal of RCPT", { { BARE }, { "RCPT", "550-5.1.1 no\r\n" LEG_CLOSE, 0 } },
	  "failed 550 5.1.1 rcpt recipient" },
	{ "closes in a greeting that refuses", { { "CONNECT", "554-go away\r\n" LEG_CLOSE, 0 } },
	  "deferred 554 - greeting configuration" },
	{ "closes in its answer to EHLO", { { "EHLO", "250-leg.test\r\n" LEG_CLOSE, 0 } },
	  "deferred 0 4.4.2 ehlo network" },
	{ "closes in its answer to MAIL", { { BARE }, { "MAIL", "250-2.1.0 ok\r\n" LEG_CLOSE, 0 } },
	  "deferred 0 4.4.2 rcpt network" },
	{ "closes where the code is not whole", { { ".", "25" LEG_CLOSE, 0 } },
	  "deferred 0 4.4.2 body network uncertain" },
	{ "closes where the codes differ", { { ".", "250-a\r\n450 b" LEG_CLOSE, 0 } },
	  "deferred 0 4.4.2 body network uncertain" },
	{ "250 and more", { { ".", "250 2.0.0 taken\r\n250 2.0.0 taken\r\n", 0 } },
	  "delivered 250 2.0.0 body none" },
	{ "line ends of LF", { { "CONNECT", "220 hi\n", 0 }, { "EHLO", "250-a\n250 b\n", 0 } },
	  "delivered 250 2.0.0 body none" },
};
/* clang-format on */

static void every_nonsense_is_a_clean_deferral(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = world_new(NULL);
		struct sent *s = sent_new(w, "a@x.test");

		print_message("%s\n", cases[i].name);
		leg_script(w->leg, cases[i].rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_string_equal(sent_text(s, 0), cases[i].result);
		assert_int_equal(w->leg->connected, 1);
		client_drain(w->client);
		world_until(w, &w->slots, 4);
		sent_free(s);
		world_free(w);
	}
}

/* It would be an empty message for the recipient that the leg took. */
static void no_lone_dot_follows_a_refused_mail(void **state)
{
	static const struct leg_rule rules[] = {
	    {PIPE}, {"MAIL", "550 5.7.1 no\r\n", 0}, {NULL, NULL, 0}};
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "a@x.test");

	(void)state;
	leg_script(w->leg, rules);
	assert_true(world_send(w, s));
	world_wait(w, 1);
	world_turns(w, 3);
	assert_int_equal(w->leg->bodies, 0);
	sent_free(s);
	world_free(w);
}

enum { FLOOD = 8 * 1024 * 1024 };

/* A flood from a leg: `unit` again and again. */
static char *flood(const char *unit, size_t size)
{
	char *text = mem_new(size + 1);
	size_t n = strlen(unit);

	for (size_t i = 0; i < size; i++)
		text[i] = unit[i % n];
	return text;
}

static void a_flood_of_reply_is_cut(void **state)
{
	static const struct {
		const char *what, *unit, *result;
	} floods[] = {
	    {"CONNECT", "2", "deferred 0 4.5.0 greeting network"},
	    {"EHLO", "250-more\r\n", "deferred 0 4.5.0 ehlo network"},
	    {"EHLO", "250-", "deferred 0 4.5.0 ehlo network"},
	    {"MAIL", "\xff", "deferred 0 4.5.0 mail network"},
	    {".", "250-more\r\n", "deferred 0 4.5.0 body network uncertain"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
		char *text = flood(floods[i].unit, FLOOD - 1);
		const struct leg_rule rules[] = {
		    {floods[i].what, text, 0}, {NULL, NULL, 0}};
		struct world *w = world_new(NULL);
		struct sent *s = sent_new(w, "a@x.test");

		print_message("%s %s\n", floods[i].what, floods[i].result);
		leg_script(w->leg, rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_string_equal(sent_text(s, 0), floods[i].result);
		assert_true(strlen(s->rcpt[0].result.text) <= 1024);
		sent_free(s);
		world_free(w);
		mem_free(text);
	}
}

/* ---- each evil at each stage, towards each kind of dialog ---- */

enum kind { SMTP, LMTP, ASK, KINDS };

static const char *const stages[] = {"CONNECT", "EHLO", "LHLO", "MAIL", "RCPT",
    "DATA", ".", "BDAT", "RSET"};
static const char *const keywords[] = {"250 HELP\r\n", "250 PIPELINING\r\n",
    "250-CHUNKING\r\n250 HELP\r\n", "250-CHUNKING\r\n250 PIPELINING\r\n"};

/* A message or a question to two, and a leg that answers well but for its
 * `answer` at the first `stage`. */
struct scene {
	struct world *w;
	struct sent *s;
	char hello[128];
	struct leg_rule rules[5];
};

static void scene_begin(struct scene *c, enum kind kind, const char *offers,
    const char *stage, const char *answer)
{
	static const char *both = "250 2.0.0 a\r\n250 2.0.0 b\r\n";
	bool lmtp = kind == LMTP;

	snprintf(c->hello, sizeof(c->hello), "250-leg.test\r\n%s", offers);
	c->rules[0] = (struct leg_rule){stage, answer, 1};
	c->rules[1] = (struct leg_rule){lmtp ? "LHLO" : "EHLO", c->hello, 0};
	c->rules[2] = (struct leg_rule){lmtp ? "." : "-", both, 0};
	c->rules[3] = (struct leg_rule){lmtp ? "BDAT" : "-", both, 0};
	c->rules[4] = (struct leg_rule){NULL, NULL, 0};
	c->w = world_new(NULL);
	c->s = kind == ASK ? asked_new(c->w, "a@x.test b@x.test")
			   : sent_new(c->w, "a@x.test b@x.test");
	if (lmtp)
		c->w->cl.protocol = PROTOCOL_LMTP;
	leg_script(c->w->leg, c->rules);
}

static void scene_play(struct scene *c)
{
	assert_true(world_send(c->w, c->s));
	world_wait(c->w, 1);
}

static void scene_end(struct scene *c)
{
	client_drain(c->w->client);
	world_until(c->w, &c->w->slots, 4);
	assert_int_equal(c->s->done, 1);
	sent_free(c->s);
	world_free(c->w);
}

static void be_impatient(struct world *w)
{
	int64_t *times[] = {&w->cl.greeting_timeout_ms,
	    &w->cl.command_timeout_ms, &w->cl.data_init_timeout_ms,
	    &w->cl.data_done_timeout_ms};

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		*times[i] = 200;
}

/* Nothing bounces, nothing is believed, and what the leg had in full is
 * either delivered or uncertain. */
static void check_fate(const struct world *w, const struct sent *s,
    enum kind kind, const char *stage)
{
	for (unsigned i = 0; i < s->r.rcpts; i++) {
		const struct result *r = &s->rcpt[i].result;
		bool after = w->leg->used[0] == 0 || strcmp(stage, "RSET") == 0;

		if (after) {
			assert_int_equal(r->outcome, OUT_DELIVERED);
			continue;
		}
		assert_int_equal(r->outcome, OUT_DEFERRED);
		assert_int_equal(r->class, CLASS_NETWORK);
		assert_int_equal(r->code, 0);
		assert_true(w->leg->bodies == 0 || r->uncertain);
		assert_true(kind != ASK || !r->uncertain);
		assert_true(strlen(r->text) <= 1024);
	}
}

static void suffer(const char *stage, const char *answer, enum kind kind,
    const char *offers)
{
	struct scene c;

	scene_begin(&c, kind, offers, stage, answer);
	if (answer[0] == '\0')
		be_impatient(c.w);
	scene_play(&c);
	check_fate(c.w, c.s, kind, stage);
	scene_end(&c);
}

/* Among answers to a flight of questions a missing one cannot be told; and
 * silence takes its time, so not each of its cases is tried. */
static bool is_left_out(const char *answer, enum kind kind, size_t k)
{
	return answer[0] == '\0' &&
	       (k % 3 != 0 ||
		   (kind == ASK && strstr(keywords[k], "PIPELINING") != NULL));
}

static void suffer_everywhere(const char *answer)
{
	for (size_t i = 0; i < ARRAY_LEN(stages); i++)
		for (enum kind kind = 0; kind < KINDS; kind++)
			for (size_t k = 0; k < ARRAY_LEN(keywords); k++)
				if (!is_left_out(answer, kind, k))
					suffer(stages[i], answer, kind,
					    keywords[k]);
}

static void no_evil_at_any_stage_bounces_or_loses_anything(void **state)
{
	static const char *const evils[] = {LEG_CLOSE, LEG_RESET, "",
	    "000 x\r\n", "999 x\r\n", "100 x\r\n", "2\r\n", "250x\r\n",
	    "\r\n", "250-a\r\n251 b\r\n", LEG_NUL "\r\n",
	    "25" LEG_CLOSE, "2" LEG_RESET};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(evils); i++) {
		print_message("evil %zu\n", i);
		suffer_everywhere(evils[i]);
	}
}

static void no_flood_at_any_stage_is_drowned_in(void **state)
{
	static const char *const units[] = {"2", "250-more\r\n", "250-\r\n"};
	enum { SIZE = 100 * 1024 }; /* over every limit of a reply */

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		char *text = flood(units[i], SIZE);

		print_message("flood %zu\n", i);
		suffer_everywhere(text);
		mem_free(text);
	}
}

/* Byte by byte within the time of the whole reply, and beyond it. */
static void a_reply_byte_by_byte_is_one_reply(void **state)
{
	static const char hello[] = "220 leg.test slowly\r\n";
	static const struct leg_rule rules[] = {
	    {"CONNECT", "", 0}, {NULL, NULL, 0}};
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "a@x.test");
	char byte[2] = "";

	(void)state;
	leg_script(w->leg, rules);
	assert_true(world_send(w, s));
	world_until(w, &w->leg->connected, 1);
	for (size_t i = 0; i < sizeof(hello) - 1; i++) {
		byte[0] = hello[i];
		leg_say(w->leg, byte);
		world_turns(w, 1);
	}
	world_wait(w, 1);
	assert_string_equal(sent_text(s, 0), "delivered 250 2.0.0 body none");
	sent_free(s);
	world_free(w);
}

static ssize_t recv_one(int fd, void *p, size_t n)
{
	return sock_system.recv(fd, p, n > 0 ? 1 : 0);
}

static ssize_t send_one(int fd, const void *p, size_t n)
{
	return sock_system.send(fd, p, n > 0 ? 1 : 0);
}

/* Through the eye of a needle, both ways. */
static void go_byte_by_byte(enum kind kind, const char *offers)
{
	static const char *const wants[KINDS] = {
	    [SMTP] = "delivered 250 2.0.0 body none\n"
		     "delivered 250 2.0.0 body none\n",
	    [LMTP] = "delivered 250 2.0.0 body none\n"
		     "delivered 250 2.0.0 body none\n",
	    [ASK] = "delivered 250 2.1.5 rcpt none\n"
		    "delivered 250 2.1.5 rcpt none\n",
	};
	struct scene c;

	scene_begin(&c, kind, offers, "-", "");
	c.w->sock.recv = recv_one;
	c.w->sock.send = send_one;
	scene_play(&c);
	sent_check(c.s, wants[kind]);
	scene_end(&c);
}

static void each_dialog_goes_byte_by_byte(void **state)
{
	(void)state;
	for (enum kind kind = 0; kind < KINDS; kind++)
		for (size_t k = 0; k < ARRAY_LEN(keywords); k++)
			go_byte_by_byte(kind, keywords[k]);
}

static void silence_is_cut_at_the_time_of_its_stage(void **state)
{
	static const struct {
		struct leg_rule rules[3];
		size_t setting; /* 0: the request has less patience */
		const char *result;
	} silences[] = {
	    {{{"CONNECT", "", 0}}, 0, "deferred 0 4.4.2 greeting network"},
	    {{{"EHLO", "", 0}}, 0, "deferred 0 4.4.2 ehlo network"},
	    {{{BARE}, {"RCPT", "", 0}}, 0, "deferred 0 4.4.2 rcpt network"},
	    {{{"CONNECT", "", 0}},
		offsetof(struct conf_leg, greeting_timeout_ms),
		"deferred 0 4.4.2 greeting network"},
	    {{{"CONNECT", "220-drip", 0}},
		offsetof(struct conf_leg, greeting_timeout_ms),
		"deferred 0 4.4.2 greeting network"},
	    {{{"EHLO", "", 0}}, offsetof(struct conf_leg, command_timeout_ms),
		"deferred 0 4.4.2 ehlo network"},
	    {{{BARE}, {"MAIL", "250-x\r\n", 0}},
		offsetof(struct conf_leg, command_timeout_ms),
		"deferred 0 4.4.2 mail network"},
	    {{{"DATA", "", 0}}, offsetof(struct conf_leg, data_init_timeout_ms),
		"deferred 0 4.4.2 data network"},
	    {{{".", "", 0}}, offsetof(struct conf_leg, data_done_timeout_ms),
		"deferred 0 4.4.2 body network uncertain"},
	    {{{CHUNK}, {"BDAT", "", 0}},
		offsetof(struct conf_leg, data_done_timeout_ms),
		"deferred 0 4.4.2 body network uncertain"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(silences); i++) {
		struct world *w = world_new(NULL);
		struct sent *s = sent_new(w, "a@x.test");

		print_message("%s\n", silences[i].result);
		*(int64_t *)(void *)(silences[i].setting == 0
			? (char *)&s->r.patience_ms
			: (char *)&w->cl + silences[i].setting) = 60;
		leg_script(w->leg, silences[i].rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_string_equal(sent_text(s, 0), silences[i].result);
		sent_free(s);
		world_free(w);
	}
}

static void a_content_refused_half_way_is_refused(void **state)
{
	static const struct {
		struct leg_rule rules[3];
		const char *result;
	} early[] = {
	    {{{PIPE}, {"CONTENT", "552 5.3.4 too much\r\n", 0}},
		"failed 552 5.3.4 body message"},
	    {{{CHUNK}, {"CONTENT", "452 4.3.1 disk\r\n", 0}},
		"deferred 452 4.3.1 body none"},
	    {{{PIPE}, {"CONTENT", "250 2.0.0 taken\r\n", 0}},
		"deferred 0 4.5.0 body network"},
	    {{{PIPE}, {"CONTENT", LEG_RESET, 0}},
		"deferred 0 4.4.2 body network"},
	};
	enum { SIZE = 32 * 1024 * 1024 };
	char *bytes = flood("0123456789012345678901234567890\r\n", SIZE);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(early); i++) {
		struct world *w = world_new(NULL);
		struct sent *s;

		print_message("%s\n", early[i].result);
		world_content(w, slice_of(bytes, SIZE));
		s = sent_new(w, "a@x.test");
		leg_script(w->leg, early[i].rules);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_string_equal(sent_text(s, 0), early[i].result);
		client_drain(w->client);
		world_until(w, &w->slots, 4);
		sent_free(s);
		world_free(w);
	}
	mem_free(bytes);
}

/* EHLO, commands, content: what did not leave us cannot have been taken. */
static void a_content_that_was_not_sent_is_not_uncertain(void **state)
{
	static const struct {
		struct leg_rule rules[2];
		int send;
		const char *result;
	} fails[] = {
	    {{{PIPE}}, 2, "deferred 0 4.4.2 mail network"},
	    {{{PIPE}}, 3, "deferred 0 4.4.2 body network"},
	    {{{CHUNK}}, 2, "deferred 0 4.4.2 mail network"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fails); i++) {
		struct world *w = world_new(NULL);
		struct sent *s = sent_new(w, "a@x.test");

		leg_script(w->leg, fails[i].rules);
		world_fail_send(fails[i].send);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		assert_string_equal(sent_text(s, 0), fails[i].result);
		sent_free(s);
		world_free(w);
	}
}

/* A source that is slow, fails, or gives other than it promised. */
struct odd_source {
	struct source source;
	struct timer timer;
	const char *script; /* 'c' chunk, 'w' wait, 'e' end, '!' error */
	int at;
};

static void odd_ready(void *arg)
{
	struct odd_source *o = arg;

	o->source.ready(o->source.ready_arg);
}

static enum source_state odd_next(struct source *s, struct slice *chunk_out)
{
	struct odd_source *o = CONTAINER_OF(s, struct odd_source, source);

	switch (o->script[o->at++]) {
	case 'c':
		*chunk_out = SLICE("12345678\r\n");
		return SOURCE_CHUNK;
	case 'w':
		timer_set(&o->timer, 5);
		return SOURCE_WAIT;
	case 'e':
		return SOURCE_END;
	default:
		return SOURCE_ERROR;
	}
}

static void odd_rewind(struct source *s)
{
	CONTAINER_OF(s, struct odd_source, source)->at = 0;
}

static void odd_free(struct source *s)
{
	struct odd_source *o = CONTAINER_OF(s, struct odd_source, source);

	timer_fini(&o->timer);
	mem_free(o);
}

static const struct source_ops odd_ops = {odd_next, odd_rewind, odd_free};

static void what_the_source_cannot_give_is_never_made_up(void **state)
{
	static const struct {
		const char *script;
		uint64_t size;
		bool chunked;
		const char *result;
		int bodies;
	} odds[] = {
	    {"cwcwwce", 30, false, "delivered 250 2.0.0 body none", 1},
	    {"cwcwwce", 30, true, "delivered 250 2.0.0 body none", 1},
	    {"wce", 100 * 1024, false, "delivered 250 2.0.0 body none", 1},
	    {"c!", 30, false, "deferred 0 4.3.0 body none", 0},
	    {"cw!", 30, true, "deferred 0 4.3.0 body none", 0},
	    {"!", 100 * 1024, true, "deferred 0 4.3.0 body none", 0},
	    {"cce", 30, true, "deferred 0 4.3.0 body none", 0},
	    {"cc", 15, true, "deferred 0 4.3.0 body none", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(odds); i++) {
		const struct leg_rule chunk[] = {{CHUNK}, {NULL, NULL, 0}};
		const struct leg_rule pipe[] = {{PIPE}, {NULL, NULL, 0}};
		struct world *w = world_new(NULL);
		struct odd_source *o = NEW(struct odd_source);
		struct sent *s;

		print_message("%s %s\n", odds[i].script, odds[i].result);
		o->source.ops = &odd_ops;
		o->source.size = odds[i].size;
		o->script = odds[i].script;
		timer_init(&o->timer, w->loop, odd_ready, o);
		source_free(w->content);
		w->content = &o->source;
		s = sent_new(w, "a@x.test");
		leg_script(w->leg, odds[i].chunked ? chunk : pipe);
		assert_true(world_send(w, s));
		world_wait(w, 1);
		world_turns(w, 3);
		assert_string_equal(sent_text(s, 0), odds[i].result);
		assert_int_equal(w->leg->bodies, odds[i].bodies);
		sent_free(s);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_nonsense_is_a_clean_deferral),
	    cmocka_unit_test(no_lone_dot_follows_a_refused_mail),
	    cmocka_unit_test(a_flood_of_reply_is_cut),
	    cmocka_unit_test(no_evil_at_any_stage_bounces_or_loses_anything),
	    cmocka_unit_test(no_flood_at_any_stage_is_drowned_in),
	    cmocka_unit_test(a_reply_byte_by_byte_is_one_reply),
	    cmocka_unit_test(each_dialog_goes_byte_by_byte),
	    cmocka_unit_test(silence_is_cut_at_the_time_of_its_stage),
	    cmocka_unit_test(a_content_refused_half_way_is_refused),
	    cmocka_unit_test(a_content_that_was_not_sent_is_not_uncertain),
	    cmocka_unit_test(what_the_source_cannot_give_is_never_made_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
