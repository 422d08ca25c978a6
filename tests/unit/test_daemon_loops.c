/* SPDX-License-Identifier: ISC
 *
 * Mail that came back: the keys of its token, the legs that it must not go to,
 * and what a change of its route makes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/post/mail.h"
#include "relay/intake/token.h"
#include "relay/mail/trace_block.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/daemon_rig.h"

static int setup(void **state)
{
	*state = drig_new();
	return 0;
}

static int teardown(void **state)
{
	drig_free(*state);
	return 0;
}

/* ---- keys ---- */

struct keys {
	char table[200], file[200];
	struct tokens *tokens;
	struct rng_seeded rng;
	struct names *names;
	struct conf *conf;
};

static struct keys keys_of(struct drig *r)
{
	struct keys k = {.conf = r->snapshot->conf};

	snprintf(k.table, sizeof(k.table), "%s/cutover.db", (char *)r->dir);
	snprintf(k.file, sizeof(k.file), "%s/token.secrets", (char *)r->dir);
	rng_seeded_init(&k.rng, 7);
	return k;
}

static int open_keys(struct keys *k, struct error *err)
{
	k->tokens = tokens_new(&k->rng.rng, k->table);
	return tokens_open(k->tokens, k->conf, err);
}

static void a_key_is_made_once(void **state)
{
	struct keys k = keys_of(*state);
	struct envelope e = {.id = 77};
	char first[KEYED_TEXT], again[KEYED_TEXT], reloaded[KEYED_TEXT];
	struct error err;
	struct stat st;

	for (int i = 0; i < 2; i++) {
		if (open_keys(&k, &err) < 0)
			fail_msg("%s", err.text);
		token_mark(k.tokens, k.conf, &e, SLICE("To: x\r\n\r\n"),
		    i == 0 ? first : again);
		/* A reload finds it done. */
		assert_int_equal(tokens_open(k.tokens, k.conf, &err), 0);
		token_mark(k.tokens, k.conf, &e, SLICE("To: x\r\n\r\n"),
		    reloaded);
		assert_string_equal(first, reloaded);
		tokens_free(k.tokens);
	}
	assert_string_equal(first, again);
	assert_int_equal(stat(k.file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 65);
}

static void a_key_that_others_could_use_is_refused(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		const char *why;
	} cases[] = {
		{"0123456789abcdef\n", 0644, "chmod o-rwx"},
		{"short\n", 0600, "a key of 5 characters"},
		{"# nothing\n", 0600, "holds no key"},
	};
	struct keys k = keys_of(*state);
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		FILE *f = fopen(k.file, "w");

		print_message("case %zu\n", i);
		assert_non_null(f);
		fputs(cases[i].text, f);
		fclose(f);
		assert_int_equal(chmod(k.file, cases[i].mode), 0);
		assert_int_equal(open_keys(&k, &err), -1);
		assert_non_null(strstr(err.text, cases[i].why));
		tokens_free(k.tokens);
	}
	unlink(k.file);
	snprintf(k.table, sizeof(k.table), "%s/none/cutover.db",
	    (char *)((struct drig *)*state)->dir);
	assert_int_equal(open_keys(&k, &err), -1);
	assert_non_null(strstr(err.text, "none/token.secrets"));
	tokens_free(k.tokens);
}

/* A field of ours, of a message with that header. */
static void add_token(struct keys *k, uint64_t id, const char *header,
    struct strbuf *out)
{
	struct envelope e = {.id = id, .client = "192.0.2.1",
	    .client_name = "", .helo = "by", .tls = "",
	    .accepted_us = INT64_C(1795324337000000)};
	char text[ID_TEXT], mark[KEYED_TEXT];

	id_text(id, text);
	token_mark(k->tokens, k->conf, &e, slice_str(header), mark);
	trace_print(&e, &(struct trace_names){.hostname = k->conf->hostname,
	    .id = text, .token = mark}, out);
}

static const char ours[] = "Message-ID: <a@b>\r\nSubject: one\r\n\r\n";

static void good_tokens_are_found_each_once(void **state)
{
	struct keys k = keys_of(*state);
	struct token_found f;
	struct error err;
	struct strbuf head;

	assert_int_equal(open_keys(&k, &err), 0);
	strbuf_init(&head, 1 << 20);
	token_find(k.tokens, k.conf, strbuf_view(&head), &f);
	assert_int_equal(f.ids, 0);
	add_token(&k, 103, ours, &head);
	add_token(&k, 102, "Message-ID: <other@b>\r\n\r\n", &head);
	add_token(&k, 103, ours, &head);
	add_token(&k, 101, ours, &head);
	strbuf_adds(&head, "Received: id nonsense (t=abcdefghij234567);\r\n");
	for (uint64_t id = 100; id > 90; id--)
		add_token(&k, id, ours, &head);
	strbuf_adds(&head, ours);
	token_find(k.tokens, k.conf, strbuf_view(&head), &f);
	assert_int_equal(f.ids, TOKEN_IDS);
	assert_int_equal(f.id[0], 103);
	assert_int_equal(f.id[1], 101);
	assert_int_equal(f.id[2], 100);
	assert_true(slice_eq(f.foreign, SLICE("0000000000036")));
	/* A header of nothing but marks is not worth a digest each. */
	strbuf_reset(&head);
	for (int i = 0; i < 100; i++)
		add_token(&k, 200, "Message-ID: <other@b>\r\n\r\n", &head);
	add_token(&k, 200, ours, &head);
	strbuf_adds(&head, ours);
	token_find(k.tokens, k.conf, strbuf_view(&head), &f);
	assert_int_equal(f.ids, 0);
	strbuf_fini(&head);
	tokens_free(k.tokens);
	unlink(k.file);
}

/* clang-format off */
static const struct {
	const char *what, *first, *now; /* headers below our field */
	bool same;
} bound[] = {
	{ "as it was", ours, ours, true },
	{ "another message", ours, "Message-ID: <c@d>\r\nSubject: one\r\n\r\n", false },
	{ "without a Message-ID", ours, "Subject: one\r\n\r\n", false },
	{ "as a list changes it", ours,
		"Subject: [list] one\r\nX-List: 1\r\nmessage-id:\r\n <a@b>\r\n\r\n", true },
	{ "the mark of one without, in another", "Date: now\r\nFrom: a@b\r\n\r\n",
		"Date: now\r\nFrom: a@c\r\n\r\n", false },
	{ "one without, as it was", "Date: now\r\nFrom: a@b\r\n\r\n",
		"From: a@b\r\nDate:  now\r\n\r\n", true },
	{ "a Message-ID was added", "Date: now\r\nFrom: a@b\r\n\r\n",
		"Date: now\r\nFrom: a@b\r\nMessage-ID: <new@b>\r\n\r\n", true },
	{ "no header at all", "\r\nBody\r\n", "\r\nBody\r\n", true },
	{ "no header, now one", "\r\nBody\r\n", "Subject: x\r\n\r\nBody\r\n", false },
};
/* clang-format on */

/* By a server that adds and folds what it likes above our field. */
static void a_mark_is_good_in_its_message_alone(void **state)
{
	struct keys k = keys_of(*state);
	struct token_found f;
	struct error err;
	struct strbuf head;

	assert_int_equal(open_keys(&k, &err), 0);
	strbuf_init(&head, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(bound); i++) {
		print_message("%s\n", bound[i].what);
		strbuf_reset(&head);
		strbuf_adds(&head, "Received: from us by leg;\r\n\tnow\r\n"
				   "Message-ID: <above@leg>\r\n");
		add_token(&k, 7, bound[i].first, &head);
		strbuf_adds(&head, bound[i].now);
		token_find(k.tokens, k.conf, strbuf_view(&head), &f);
		assert_int_equal(f.ids, bound[i].same);
		assert_int_equal(f.foreign.n == 0, bound[i].same);
	}
	strbuf_fini(&head);
	tokens_free(k.tokens);
	unlink(k.file);
}

/* Another house may run the same program: its marks are none of ours. */
static void only_our_own_name_makes_a_mark_foreign(void **state)
{
	struct keys k = keys_of(*state);
	struct token_found f;
	struct error err;
	struct strbuf head;

	assert_int_equal(open_keys(&k, &err), 0);
	strbuf_init(&head, 1 << 20);
	strbuf_adds(&head, "Received: from x by relay.elsewhere.test with ESMTP"
	    " id 0000000000036\r\n\t(t=abcdefghij234567); now\r\n\r\n");
	token_find(k.tokens, k.conf, strbuf_view(&head), &f);
	assert_int_equal(f.ids, 0);
	assert_int_equal(f.foreign.n, 0);
	strbuf_fini(&head);
	tokens_free(k.tokens);
	unlink(k.file);
}

/* ---- legs ---- */

static void legs_that_had_it_leave_the_route(void **state)
{
	static const struct {
		const char *route, *had; /* words */
		bool held, left;
		const char *is;
	} cases[] = {
		{"legacy", "", false, true, "legacy"},
		{"legacy", "cloud", false, true, "legacy"},
		{"legacy", "legacy", false, false, ""},
		{"legacy+cloud", "legacy", false, true, "cloud"},
		{"legacy+cloud", "cloud legacy", false, false, ""},
		{"legacy", "legacy", true, true, "legacy"},
		{"legacy", "gone-from-conf", false, true, "legacy"},
		{"defer", "legacy", false, true, "defer"},
	};
	struct drig *r = *state;
	struct strbuf got;

	strbuf_init(&got, 100);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct envelope_rcpt rcpt[2] = {{.to = "a@b"}, {.to = "c@d"}};
		struct mail *m = mail_new();
		struct decision d = {.held = cases[i].held,
		    .route = drig_route(r, cases[i].route)};
		struct decision other = d;
		struct slice had = slice_str(cases[i].had), leg;

		print_message("case %zu\n", i);
		m->env.rcpt = rcpt;
		m->env.rcpts = 2;
		while (slice_next(&had, ' ', &leg))
			rcpt[0].had |= envelope_had(&m->env, m->arena,
			    arena_slicedup(m->arena, leg));
		assert_int_equal(mail_without_loops(m, 0, r->shared.names, &d),
		    cases[i].left);
		strbuf_reset(&got);
		if (cases[i].left)
			route_print(&d.route, r->shared.names, &got);
		assert_string_equal(strbuf_cstr(&got), cases[i].is);
		/* The other recipient's is as it was. */
		assert_true(mail_without_loops(m, 1, r->shared.names, &other));
		assert_int_equal(other.route.legs,
		    drig_route(r, cases[i].route).legs);
		mail_unref(m);
	}
	strbuf_fini(&got);
}

/* ---- a change of the route ---- */

static void what_would_loop_is_parked_and_goes_elsewhere(void **state)
{
	struct drig *r = *state;
	struct spool_delivery d = drig_delivery(r, 0, r->legacy, ROLE_PRIMARY,
	    D_DEFERRED);
	uint64_t id;

	d.due_us = d.created_us + INT64_C(3600000000);
	id = drig_accept(r, "s@elsewhere.test", 1, &d, 1);
	r->loops = true;
	drig_change(r, "defer", false); /* no leg is left of the route */
	drig_pump(r);
	assert_int_equal(drig_state(r, id, 0), D_PARKED);
	assert_int_equal(drig_item(r, id, 0).reason, WHY_LOOP);
	/* And stays there while nothing else is left. */
	drig_change(r, "defer", false);
	drig_pump(r);
	assert_int_equal(drig_state(r, id, 0), D_PARKED);
	r->loops = false;
	drig_change(r, "cloud", false);
	drig_pump(r);
	assert_int_equal(drig_state(r, id, 0), D_SUPERSEDED);
	assert_int_equal(drig_state(r, id, 1), D_QUEUED);
	assert_int_equal(drig_item(r, id, 1).leg, r->cloud);
}

/* A hint is about a leg that the route names: a change that leaves the route
 * alone must not send it round again. */
static void what_a_hint_parked_stays_while_the_route_names_its_leg(
    void **state)
{
	struct drig *r = *state;
	struct spool_delivery d[] = {
	    drig_delivery(r, 0, r->legacy, ROLE_PRIMARY, D_PARKED),
	    drig_delivery(r, 0, r->cloud, ROLE_COPY, D_DEFERRED)};
	uint64_t id;

	d[0].reason = WHY_HINT;
	d[1].due_us = d[1].created_us + INT64_C(3600000000);
	id = drig_accept(r, "s@elsewhere.test", 1, d, 2);
	drig_change(r, "legacy+cloud", false);
	drig_pump(r);
	assert_int_equal(drig_state(r, id, 0), D_PARKED);
	assert_int_equal(drig_state(r, id, 2), D_NONE);
	drig_change(r, "cloud", false);
	drig_pump(r);
	assert_int_equal(drig_state(r, id, 0), D_SUPERSEDED);
	assert_int_equal(drig_item(r, id, 1).role, ROLE_PRIMARY);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(a_key_is_made_once),
	    T(a_key_that_others_could_use_is_refused),
	    T(good_tokens_are_found_each_once),
	    T(a_mark_is_good_in_its_message_alone),
	    T(only_our_own_name_makes_a_mark_foreign),
	    T(legs_that_had_it_leave_the_route),
	    T(what_would_loop_is_parked_and_goes_elsewhere),
	    T(what_a_hint_parked_stays_while_the_route_names_its_leg),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
