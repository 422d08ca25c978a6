/* SPDX-License-Identifier: ISC
 *
 * Contents: what ends one and what does not, in every cut; chunks; limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/servertest.h"

/* ---- smuggling (CVE-2023-51764 and its kin) ---- */

enum fate { TEXT, BARE, HAS_NUL, END };

struct variant {
	const char *bytes;
	size_t n;
	enum fate fate;
	const char *text; /* of TEXT: what the owner gets of it */
};
#define V(s) (s), sizeof(s) - 1

/* clang-format off */
static const struct variant variants[] = {
	{ V("\n.\n"),           BARE,    NULL },
	{ V("\n.\r"),           BARE,    NULL },
	{ V("\n.\r\n"),         BARE,    NULL },
	{ V("\r.\r"),           BARE,    NULL },
	{ V("\r.\n"),           BARE,    NULL },
	{ V("\r.\r\n"),         BARE,    NULL },
	{ V("\r\n.\n"),         BARE,    NULL },
	{ V("\r\n.\r"),         BARE,    NULL },
	{ V("\r\n\0.\r\n"),     HAS_NUL, NULL },
	{ V("\r\n.\0\r\n"),     HAS_NUL, NULL },
	{ V("\r\0\n.\r\n"),     HAS_NUL, NULL },
	{ V("\0\r\n.\r\n"),     HAS_NUL, NULL },
	{ V("\r\n.\r\r\n"),     BARE,    NULL },
	{ V("\r\r\n.\r\r\n"),   BARE,    NULL },
	{ V("\r\n.\x20\r\n"),   TEXT,    "\r\n\x20\r\n" },
	{ V("\r\n\t.\r\n"),     TEXT,    "\r\n\t.\r\n" },
	{ V("\r\n..\r\n"),      TEXT,    "\r\n.\r\n" },
	{ V("\r\n.\r\n"),       END,     NULL },
};
/* clang-format on */

static const char smuggled[] =
    "MAIL FROM:<evil@a.example>\r\nRCPT TO:<victim@b.example>\r\n"
    "DATA\r\nevil\r\n.\r\n";

/* Sends the variant in the pieces that the bits of `cuts` make. */
static void send_cut(struct rig *r, const struct variant *v, unsigned cuts)
{
	size_t from = 0;

	for (size_t i = 0; i < v->n; i++) {
		if (i + 1 < v->n && (cuts & (1u << i)) == 0)
			continue;
		rig_send(r, v->bytes + from, i + 1 - from);
		rig_poll(r);
		from = i + 1;
	}
}

static enum fate fate_of(const struct variant *v, bool normalize)
{
	return normalize && v->fate == BARE ? TEXT : v->fate;
}

static void try_variant(const struct variant *v, unsigned cuts, bool normalize)
{
	static const char *const want[] = {
		[TEXT] = "250 2.0.0", [BARE] = "550 5.6.11\nEND",
		[HAS_NUL] = "550 5.6.11\nEND",
		/* the second one is a mail of its own, up to its DATA that
		 * did not wait */
		[END] = "250 2.0.0\n250 2.1.0\n250 2.1.5\n554 5.5.0\nEND",
	};
	enum fate fate = fate_of(v, normalize);
	struct rig r;

	rig_init(&r);
	if (normalize) {
		r.listen.bare_newline = BARE_NORMALIZE;
		r.listen.bare_newline_clients =
		    (struct conf_nets){r.net, 1};
		r.net[0] = (struct conf_net){AF_INET, {192, 0, 2, 0}, 24};
	}
	rig_connect(&r, "192.0.2.1");
	rig_begin(&r, true);
	rig_say(&r, "a");
	send_cut(&r, v, cuts);
	rig_say(&r, smuggled);
	assert_null(rig_expect(&r, want[fate]));
	assert_int_equal(rig_logged(&r, "mail "), fate == END ? 2 : 1);
	assert_int_equal(r.o.stored, fate == TEXT || fate == END);
	if (v->text != NULL) {
		char all[400];

		snprintf(all, sizeof(all), "a%s%s", v->text, smuggled);
		all[strlen(all) - 3] = '\0';
		assert_string_equal(strbuf_cstr(&r.o.body), all);
	}
	rig_fini(&r);
}

static void only_crlf_dot_crlf_ends_data_in_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(variants); i++)
		for (unsigned c = 0; c < 1u << (variants[i].n - 1); c++)
			try_variant(&variants[i], c, false);
}

static void normalizing_makes_no_end_of_data_either(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(variants); i++)
		for (unsigned c = 0; c < 1u << (variants[i].n - 1); c++)
			try_variant(&variants[i], c, true);
}

static void listed_clients_or_all_are_normalized(void **state)
{
	static const struct {
		const char *ip;
		enum bare_newline all;
		const char *hears;
	} cases[] = {
		{"192.0.2.77", BARE_REJECT, "250"},
		{"198.51.100.1", BARE_REJECT, "521 5.5.2\nEND"},
		{"198.51.100.1", BARE_NORMALIZE, "250"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rig r;

		rig_init(&r);
		r.listen.bare_newline = cases[i].all;
		r.listen.bare_newline_clients = (struct conf_nets){r.net, 1};
		r.net[0] = (struct conf_net){AF_INET, {192, 0, 2, 0}, 24};
		rig_connect(&r, cases[i].ip);
		assert_null(rig_expect(&r, "220"));
		rig_say(&r, "NOOP\n");
		assert_null(rig_expect(&r, cases[i].hears));
		rig_fini(&r);
	}
}

static void what_was_normalized_is_on_record(void **state)
{
	static const struct {
		const char *mail;
		bool repaired;
	} cases[] = {
		{"MAIL FROM:<s@a.example>\r\nRCPT TO:<t@b.example>\r\nDATA\r\n|"
		 "a\r\n.\r\n", false},
		{"MAIL FROM:<s@a.example>\r\nRCPT TO:<t@b.example>\nDATA\r\n|"
		 "a\r\n.\r\n", true},
		{"MAIL FROM:<s@a.example>\r\nRCPT TO:<t@b.example>\r\nDATA\r\n|"
		 "a\nb\n.\nc\r\n.\r\n", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *cut = strchr(cases[i].mail, '|');
		struct rig r;

		rig_init(&r);
		r.listen.bare_newline = BARE_NORMALIZE;
		rig_connect(&r, "192.0.2.1");
		assert_null(rig_expect(&r, "220"));
		rig_send(&r, cases[i].mail, (size_t)(cut - cases[i].mail));
		assert_null(rig_expect(&r, "250\n250\n354"));
		rig_say(&r, cut + 1);
		assert_null(rig_expect(&r, "250"));
		assert_int_equal(strstr(strbuf_cstr(&r.o.log),
		    "repaired data <s@a.example> <t@b.example> Bare CR or LF "
		    "was made CR LF\n") != NULL, cases[i].repaired);
		rig_fini(&r);
	}
}

/* ---- bytes are sacred ---- */

/* A message with a line of `n` octets, then lines of dots. */
static void make_message(struct strbuf *wire, struct strbuf *plain, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = (char)(' ' + i % 90);

		if (i == 0 && c == '.')
			c = 'x';
		strbuf_addc(wire, c);
		strbuf_addc(plain, c);
	}
	strbuf_adds(wire, "\r\n..\r\n...\r\n.a\r\n\r\n.\r\n");
	strbuf_adds(plain, "\r\n.\r\n..\r\na\r\n\r\n");
}

static void contents_come_through_whole(void **state)
{
	static const size_t lines[] = {0, 1, 998, 1000, 4090, 4096, 65530,
	    65534, 65535, 65536, 70000};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(lines); i++) {
		struct strbuf wire, plain;
		struct rig r;

		strbuf_init(&wire, 100000);
		strbuf_init(&plain, 100000);
		make_message(&wire, &plain, lines[i / 2]);
		rig_init(&r);
		r.o.hold = i % 2;
		rig_connect(&r, "192.0.2.1");
		rig_begin(&r, true);
		rig_send(&r, wire.p, wire.n);
		assert_null(rig_expect(&r, "250 2.0.0"));
		assert_int_equal(r.o.body.n, plain.n);
		assert_memory_equal(r.o.body.p, plain.p, plain.n);
		assert_int_equal(r.o.facts.bytes, plain.n);
		assert_false(r.o.facts.bdat);
		rig_fini(&r);
		strbuf_fini(&wire);
		strbuf_fini(&plain);
	}
}

static void eight_bit_is_seen(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_connect(&r, "192.0.2.1");
	rig_begin(&r, true);
	rig_say(&r, "\303\251\r\n.\r\n");
	assert_null(rig_expect(&r, "250"));
	assert_true(r.o.facts.eight_bit);
	rig_say(&r, "MAIL FROM:<>\r\nRCPT TO:<t@b.example>\r\nDATA\r\n");
	assert_null(rig_expect(&r, "250\n250\n354"));
	rig_say(&r, "e\r\n.\r\n");
	assert_null(rig_expect(&r, "250"));
	assert_false(r.o.facts.eight_bit);
	rig_fini(&r);
}

/* ---- BDAT ---- */

/* clang-format off */
static const struct dialogue chunks[] = {
	{ "an empty chunk is a chunk", {
	  HELLO, MAIL, RCPT, { "BDAT 0\r\n", "250 2.0.0 0 octets" },
	  { "BDAT 0 LAST\r\n", "250 2.0.0 Ok: queued" } } },
	{ "leading zeros are digits", {
	  HELLO, MAIL, RCPT, { "BDAT 0003 last\r\na\r\n", "250 2.0.0 Ok" } } },
	{ "a negative size", {
	  HELLO, MAIL, RCPT, { "BDAT -1\r\nQUIT\r\n", "501 5.5.4\nEND" } } },
	{ "a signed size", {
	  HELLO, MAIL, RCPT, { "BDAT +5\r\nQUIT\r\n", "501 5.5.4\nEND" } } },
	{ "a hex size", {
	  HELLO, MAIL, RCPT, { "BDAT 0x10\r\nQUIT\r\n", "501 5.5.4\nEND" } } },
	{ "no size", {
	  HELLO, MAIL, RCPT, { "BDAT\r\nQUIT\r\n", "501 5.5.4\nEND" } } },
	{ "a size of 2^63", {
	  HELLO, MAIL, RCPT, { "BDAT 9223372036854775808\r\n", "501 5.5.4\nEND" } } },
	{ "a size of 2^63-1", {
	  HELLO, MAIL, RCPT, { "BDAT 9223372036854775807\r\n", "552 5.3.4\nEND" } } },
	{ "a size of 2^32", {
	  HELLO, MAIL, RCPT, { "BDAT 4294967296 LAST\r\n", "552 5.3.4\nEND" } } },
	{ "another word than LAST", {
	  HELLO, MAIL, RCPT, { "BDAT 1 FIRST\r\na", "501 5.5.4\nEND" } } },
	{ "no recipient: exactly the chunk is eaten", {
	  HELLO, MAIL, { "RCPT TO:<unknown@b.example>\r\n", "550" },
	  { "BDAT 12 LAST\r\nQUIT\r\nQUIT\r\nNOOP\r\n", "554 5.5.1\n250 2.0.0" }, MAIL } },
	{ "no EHLO: eaten", {
	  { NULL, "220" }, { "BDAT 6\r\nQUIT\r\nNOOP\r\n", "503 5.5.1\n250" } } },
	{ "no MAIL: eaten", {
	  HELLO, { "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "503 5.5.1\n250" }, MAIL } },
	{ "a refused sender: all chunks are eaten", {
	  HELLO,
	  { "MAIL FROM:<refuse@a.example>\r\nRCPT TO:<t@b.example>\r\nBDAT 6\r\nQUIT\r\n"
	    "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "554 5.7.1\n503\n503 5.5.1\n503 5.5.1\n250" } } },
	{ "between chunks", {
	  HELLO, MAIL, RCPT, { "BDAT 2\r\na\n", "250" }, { "DATA\r\n", "503 5.5.1" },
	  { "MAIL FROM:<>\r\n", "503 5.5.1" }, { "RCPT TO:<t@b.example>\r\n", "503 5.5.1" },
	  { "EHLO a\r\n", "503 5.5.1" }, { "NOOP\r\n", "250" },
	  { "BDAT 0 LAST\r\n", "250 2.0.0 Ok" } } },
	{ "RSET between chunks", {
	  HELLO, MAIL, RCPT, { "BDAT 2\r\na\n", "250" }, { "RSET\r\n", "250" },
	  { "BDAT 6 LAST\r\nQUIT\r\n", "503 5.5.1" }, MAIL } },
	{ "QUIT between chunks", {
	  HELLO, MAIL, RCPT, { "BDAT 2\r\na\n", "250" }, { "QUIT\r\n", "221\nEND" } } },
	{ "a dot is content", {
	  HELLO, MAIL, RCPT,
	  { "BDAT 34 LAST\r\nx\r\n.\r\nMAIL FROM:<evil@a.example>\r\nNOOP\r\n",
	    "250 2.0.0 Ok\n250 2.0.0 Ok" } } },
	{ "the owner refuses the first chunk", {
	  HELLO, { "MAIL FROM:<virus@a.example>\r\n", "250" }, RCPT,
	  { "BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "554 5.7.1\n503 5.5.1\n250" },
	  MAIL } },
	{ "the owner refuses the chunk with a bare LF", {
	  HELLO, { "MAIL FROM:<plain@a.example>\r\n", "250" }, RCPT,
	  { "BDAT 6\r\nQUIT\r\n", "250 2.0.0" }, { "BDAT 3\r\na\nb", "554 5.6.11" },
	  { "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "503 5.5.1\n250" }, MAIL } },
	{ "… with a bare CR inside", {
	  HELLO, { "MAIL FROM:<plain@a.example>\r\n", "250" }, RCPT,
	  { "BDAT 3 LAST\r\n\r\r\n", "554 5.6.11" }, MAIL } },
	{ "… with a bare CR at its end", {
	  HELLO, { "MAIL FROM:<plain@a.example>\r\n", "250" }, RCPT,
	  { "BDAT 2 LAST\r\na\r", "554 5.6.11" }, MAIL } },
	{ "… but not where CR LF is cut by a chunk", {
	  HELLO, { "MAIL FROM:<plain@a.example>\r\n", "250" }, RCPT,
	  { "BDAT 2\r\na\r", "250 2.0.0" }, { "BDAT 2 LAST\r\n\nb", "250 2.0.0 Ok" } } },
	{ "the owner has no room", {
	  HELLO, { "MAIL FROM:<full@a.example>\r\n", "250" }, RCPT,
	  { "BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "452 4.3.1\n503 5.5.1\n250" },
	  MAIL } },
	{ "the owner cannot store", {
	  HELLO, { "MAIL FROM:<late@a.example>\r\n", "250" }, RCPT,
	  { "BDAT 2 LAST\r\n\r\n", "451 4.3.0" }, MAIL } },
};
/* clang-format on */

static void chunks_are_counted_to_the_octet(void **state)
{
	(void)state;
	dialogues_run(chunks, ARRAY_LEN(chunks));
}

static void bare_line_ends_are_content_of_a_chunk(void **state)
{
	static const struct { const char *wire; bool bare; } cases[] = {
		{"BDAT 4 LAST\r\na\nb\n", true},
		{"BDAT 1\r\n\rBDAT 1 LAST\r\n\n", false},
		{"BDAT 1\r\n\rBDAT 1 LAST\r\nx", true},
		{"BDAT 1 LAST\r\n\r", true},
		{"BDAT 4 LAST\r\na\r\nb", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rig r;

		rig_init(&r);
		rig_connect(&r, "192.0.2.1");
		rig_begin(&r, false);
		rig_say(&r, cases[i].wire);
		for (int turns = 0; turns < 500 && r.o.stored == 0; turns++)
			rig_turn(&r);
		assert_int_equal(r.o.stored, 1);
		assert_true(r.o.facts.bdat);
		assert_int_equal(r.o.facts.bare_lf, cases[i].bare);
		rig_fini(&r);
	}
}

static void many_small_chunks_make_one_message(void **state)
{
	enum { CHUNKS = 20000 };
	struct strbuf wire;
	struct rig r;

	(void)state;
	strbuf_init(&wire, 1 << 20);
	for (int i = 0; i < CHUNKS; i++)
		strbuf_adds(&wire, "BDAT 1\r\nx");
	rig_init(&r);
	rig_connect(&r, "192.0.2.1");
	rig_begin(&r, false);
	rig_send(&r, wire.p, wire.n);
	for (int i = 0; i < CHUNKS; i++) {
		char got[100];

		rig_hear(&r, got, sizeof(got));
		assert_string_equal(got, "250 2.0.0 1 octets received\r\n");
	}
	rig_say(&r, "BDAT 0 LAST\r\n");
	assert_null(rig_expect(&r, "250 2.0.0 Ok"));
	assert_int_equal(r.o.facts.bytes, CHUNKS);
	strbuf_fini(&wire);
	rig_fini(&r);
}

static void empty_chunks_are_not_for_ever(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.conf.limits.commands = 3;
	rig_connect(&r, "192.0.2.1");
	rig_begin(&r, false);
	rig_say(&r, "BDAT 0\r\nBDAT 0\r\nBDAT 0\r\nBDAT 0\r\n");
	assert_null(rig_expect(&r, "250\n250\n421 4.7.0\nEND"));
	rig_fini(&r);
}

/* ---- limits ---- */

static void fill(struct rig *r, size_t n)
{
	char *p = mem_new(n);

	memset(p, 'x', n);
	rig_send(r, p, n);
	mem_free(p);
}

static void too_much_content_is_read_to_its_end_and_refused(void **state)
{
	static const struct {
		bool bdat;
		size_t n;
		const char *hear;
	} cases[] = {
		{false, 100000, "250 2.0.0"},
		{false, 100001, "552 5.3.4"},
		{false, 190000, "552 5.3.4"},
		{true, 100000, "250 2.0.0"},
		{true, 100001, "552 5.3.4"},
		{true, 190000, "552 5.3.4"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char cmd[64] = "DATA\r\n";
		struct rig r;

		rig_init(&r);
		rig_connect(&r, "192.0.2.1");
		rig_begin(&r, !cases[i].bdat);
		if (cases[i].bdat) {
			snprintf(cmd, sizeof(cmd), "BDAT %zu LAST\r\n",
			    cases[i].n);
			rig_say(&r, cmd);
		}
		fill(&r, cases[i].n - 2);
		rig_say(&r, cases[i].bdat ? "\r\n" : "\r\n.\r\n");
		assert_null(rig_expect(&r, cases[i].hear));
		assert_true(r.o.body.n <= 100000);
		assert_false(r.o.in_tx);
		rig_say(&r, "MAIL FROM:<>\r\n");
		assert_null(rig_expect(&r, "250"));
		rig_fini(&r);
	}
}

static void endless_content_is_cut(void **state)
{
	(void)state;
	for (int bdat = 0; bdat < 2; bdat++) {
		struct rig r;

		rig_init(&r);
		rig_connect(&r, "192.0.2.1");
		rig_begin(&r, !bdat);
		if (bdat)
			rig_say(&r, "BDAT 50000\r\n");
		for (int i = 0; i < 30 && !r.eof; i++) {
			fill(&r, 50000);
			if (bdat && !r.eof)
				rig_say(&r, "BDAT 150001 LAST\r\n");
		}
		rig_turn(&r);
		assert_true(r.o.closed);
		assert_true(r.o.body.n <= 100000);
		assert_int_equal(rig_logged(&r, "refused"), 1);
		assert_int_equal(r.o.stored, 0);
		rig_fini(&r);
	}
}

static void an_announced_size_reaches_the_owner(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_connect(&r, "192.0.2.1");
	assert_null(rig_expect(&r, "220"));
	rig_say(&r, "EHLO a\r\n");
	assert_null(rig_expect(&r, "250-"));
	rig_say(&r, "MAIL FROM:<> SIZE=4000\r\nRCPT TO:<t@b.example>\r\n"
	    "BDAT 1\r\nxRSET\r\nMAIL FROM:<>\r\nRCPT TO:<t@b.example>\r\n"
	    "BDAT 2\r\nxyRSET\r\nMAIL FROM:<>\r\nRCPT TO:<t@b.example>\r\n"
	    "DATA\r\n");
	assert_null(rig_expect(
	    &r, "250\n250\n250\n250\n250\n250\n250\n250\n250\n250\n354"));
	assert_int_equal(rig_logged(&r, "begin 4000"), 1);
	assert_int_equal(rig_logged(&r, "begin 2"), 1);
	assert_int_equal(rig_logged(&r, "begin 0"), 1);
	rig_fini(&r);
}

/* Trickles until the session is over; what it said last is left to hear. */
static void trickle(struct rig *r, const char *piece)
{
	for (int turns = 0; turns < 2000 && !r->eof; turns++) {
		rig_say(r, piece);
		rig_turn(r);
	}
}

static void a_slow_content_is_cut_after_the_grace(void **state)
{
	(void)state;
	for (int bdat = 0; bdat < 2; bdat++) {
		struct rig r;

		rig_init(&r);
		rig_connect(&r, "192.0.2.1");
		rig_begin(&r, !bdat);
		r.conf.limits.min_rate = 1000000;
		r.conf.limits.min_rate_grace_ms = 30;
		if (bdat)
			rig_say(&r, "BDAT 90000\r\n");
		trickle(&r, "x");
		assert_null(rig_expect(&r, "421 4.4.2\nEND"));
		assert_int_equal(r.o.resets, 1);
		rig_fini(&r);
	}
}

static void the_owners_time_is_not_the_clients(void **state)
{
	(void)state;
	for (int bdat = 0; bdat < 2; bdat++) {
		struct rig r;

		rig_init(&r);
		r.conf.limits.min_rate = 1000000;
		r.conf.limits.min_rate_grace_ms = 150;
		r.conf.limits.data_timeout_ms = 150;
		r.conf.limits.command_timeout_ms = 150;
		r.o.later = r.o.hold = true;
		rig_connect(&r, "192.0.2.1");
		rig_begin(&r, !bdat);
		r.o.slow_ms = 200;
		rig_say(&r, bdat ? "BDAT 3 LAST\r\nx\r\n" : "x\r\n.\r\n");
		assert_null(rig_expect(&r, "250 2.0.0 Ok"));
		rig_fini(&r);
	}
}

static void silence_in_a_content_is_cut(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_connect(&r, "192.0.2.1");
	rig_begin(&r, true);
	r.conf.limits.data_timeout_ms = 20;
	rig_say(&r, "x");
	assert_null(rig_expect(&r, "421 4.4.2\nEND"));
	assert_int_equal(rig_logged(&r, "refused data"), 1);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_crlf_dot_crlf_ends_data_in_every_cut),
		cmocka_unit_test(normalizing_makes_no_end_of_data_either),
		cmocka_unit_test(listed_clients_or_all_are_normalized),
		cmocka_unit_test(what_was_normalized_is_on_record),
		cmocka_unit_test(contents_come_through_whole),
		cmocka_unit_test(eight_bit_is_seen),
		cmocka_unit_test(chunks_are_counted_to_the_octet),
		cmocka_unit_test(bare_line_ends_are_content_of_a_chunk),
		cmocka_unit_test(many_small_chunks_make_one_message),
		cmocka_unit_test(empty_chunks_are_not_for_ever),
		cmocka_unit_test(
		    too_much_content_is_read_to_its_end_and_refused),
		cmocka_unit_test(endless_content_is_cut),
		cmocka_unit_test(an_announced_size_reaches_the_owner),
		cmocka_unit_test(a_slow_content_is_cut_after_the_grace),
		cmocka_unit_test(the_owners_time_is_not_the_clients),
		cmocka_unit_test(silence_in_a_content_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
