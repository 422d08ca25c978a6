/* SPDX-License-Identifier: ISC
 *
 * Connections that are kept: reuse, its limits, slots, the race with a leg
 * that closes an idle one, and the ends of the client itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/testclient.h"

#define OK "delivered 250 2.0.0 body none"

/* Sends one and waits for it. */
static void deliver(struct world *w)
{
	struct sent *s = sent_new(w, "a@x.test");

	assert_true(world_send(w, s));
	world_wait(w, w->done + 1);
	assert_string_equal(sent_text(s, 0), OK);
	sent_free(s);
}

static void a_connection_serves_one_message_after_another(void **state)
{
	struct world *w = world_new(NULL);

	(void)state;
	assert_false(client_has_idle(w->client, w->cl.id));
	for (int i = 0; i < 20; i++) {
		deliver(w);
		assert_true(client_has_idle(w->client, w->cl.id));
		assert_int_equal(w->slots, 3);
	}
	assert_int_equal(w->leg->connected, 1);
	assert_int_equal(w->leg->bodies, 20);
	assert_int_equal(w->idle_calls, 20);
	world_free(w);
}

static void the_owner_sends_from_inside_idle(void **state)
{
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "a@x.test"), *t = sent_new(w, "b@x.test");

	(void)state;
	w->next = t;
	assert_true(world_send(w, s));
	world_wait(w, 2);
	world_turns(w, 1);
	assert_int_equal(w->leg->connected, 1);
	assert_int_equal(w->idle_calls, 2);
	sent_free(s);
	sent_free(t);
	world_free(w);
}

enum limit { MAX_MESSAGES, MAX_AGE, IDLE, RELOAD, YIELD, WANTED };

static void set_limit(struct world *w, enum limit what)
{
	if (what == MAX_MESSAGES)
		w->cl.max_messages = 1;
	else if (what == MAX_AGE)
		w->cl.max_age_ms = 1;
	else if (what == IDLE)
		w->cl.idle_ms = 1;
	else if (what == WANTED)
		w->wanted = 1;
}

static void act(struct world *w, enum limit what)
{
	if (what == RELOAD)
		client_reload(w->client);
	else if (what == YIELD)
		client_yield(w->client, w->cl.id, 1);
}

static void a_connection_is_given_up_in_time(void **state)
{
	static const enum limit limits[] = {
	    MAX_MESSAGES, MAX_AGE, IDLE, RELOAD, YIELD, WANTED};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct world *w = world_new(NULL);

		print_message("limit %d\n", (int)limits[i]);
		set_limit(w, limits[i]);
		deliver(w);
		act(w, limits[i]);
		world_until(w, &w->slots, 4);
		assert_false(client_has_idle(w->client, w->cl.id));
		/* It said good-bye. */
		assert_non_null(strstr(strbuf_cstr(&w->leg->said), "QUIT\n"));
		deliver(w);
		assert_int_equal(w->leg->connected, 2);
		world_free(w);
	}
}

static void a_connection_with_more_on_its_way_is_kept(void **state)
{
	struct world *w = world_new(NULL);

	(void)state;
	w->wanted = 1;
	w->more = true;
	deliver(w);
	assert_true(client_has_idle(w->client, w->cl.id));
	assert_int_equal(client_connections(w->client, w->cl.id), 1);
	deliver(w);
	assert_int_equal(w->leg->connected, 1);
	client_yield(w->client, w->cl.id, 1);
	world_until(w, &w->slots, 4);
	assert_int_equal(client_connections(w->client, w->cl.id), 0);
	world_free(w);
}

static void a_busy_connection_of_an_old_configuration_is_not_kept(void **state)
{
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "a@x.test");

	(void)state;
	assert_true(world_send(w, s));
	world_until(w, &w->leg->connected, 1);
	client_reload(w->client);
	world_wait(w, 1);
	assert_string_equal(sent_text(s, 0), OK);
	world_until(w, &w->slots, 4);
	assert_int_equal(w->idle_calls, 0);
	sent_free(s);
	world_free(w);
}

static void without_a_slot_nothing_begins(void **state)
{
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "a@x.test"), *t = sent_new(w, "b@x.test");

	(void)state;
	w->slots = 1;
	assert_true(world_send(w, s));
	assert_false(world_send(w, t));
	assert_int_equal(client_busy(w->client), 1);
	world_wait(w, 1);
	assert_true(world_send(w, t)); /* on the idle one */
	world_wait(w, 2);
	assert_int_equal(w->slots, 0);
	sent_free(s);
	sent_free(t);
	world_free(w);
}

static void a_slot_passed_on_is_used_or_given_back(void **state)
{
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "a@x.test"), *t = sent_new(w, "b@x.test");

	(void)state;
	w->slots = 0;
	assert_true(client_send(w->client, &s->r, true));
	world_wait(w, 1);
	assert_int_equal(w->slots, 0);
	assert_true(client_send(w->client, &t->r, true));
	assert_int_equal(w->slots, 1); /* there was an idle connection */
	world_wait(w, 2);
	client_drain(w->client);
	world_until(w, &w->slots, 2);
	sent_free(s);
	sent_free(t);
	world_free(w);
}

/* The leg's acts on a connection that it served once, and what follows. */
static void a_connection_that_died_idle_costs_nothing(void **state)
{
	static const struct {
		const char *name;
		struct leg_rule rules[4];
		const char *result;
		int connected;
	} races[] = {
	    {"closed on MAIL",
		{{"MAIL", "250 2.1.0 ok\r\n", 1}, {"MAIL", LEG_CLOSE, 1}}, OK,
		2},
	    {"421 to MAIL",
		{{"MAIL", "250 2.1.0 ok\r\n", 1},
		    {"MAIL", "421 4.4.2 idle\r\n" LEG_CLOSE, 1}},
		OK, 2},
	    {"421 to MAIL, the chunk was out",
		{{"EHLO", "250-x\r\n250-CHUNKING\r\n250 PIPELINING\r\n", 0},
		    {"MAIL", "250 2.1.0 ok\r\n", 1},
		    {"MAIL", "421 4.4.2 idle\r\n" LEG_CLOSE, 1}},
		OK, 2},
	    {"only once",
		{{"MAIL", "250 2.1.0 ok\r\n", 1}, {"MAIL", LEG_CLOSE, 2}},
		"deferred 0 4.4.2 mail network", 2},
	    {"not after an answer",
		{{"RCPT", "250 2.1.5 ok\r\n", 1}, {"RCPT", LEG_CLOSE, 1}},
		"deferred 0 4.4.2 rcpt network", 1},
	    {"not when the whole message was out",
		{{"EHLO", "250-x\r\n250-CHUNKING\r\n250 PIPELINING\r\n", 0},
		    {"MAIL", "250 2.1.0 ok\r\n", 1}, {"MAIL", LEG_CLOSE, 1}},
		"deferred 0 4.4.2 mail network uncertain", 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(races); i++) {
		struct world *w = world_new(NULL);
		struct sent *s;

		print_message("%s\n", races[i].name);
		leg_script(w->leg, races[i].rules);
		deliver(w);
		s = sent_new(w, "a@x.test");
		assert_true(world_send(w, s));
		world_wait(w, 2);
		assert_string_equal(sent_text(s, 0), races[i].result);
		assert_int_equal(w->leg->connected, races[i].connected);
		client_drain(w->client);
		world_until(w, &w->slots, 4);
		sent_free(s);
		world_free(w);
	}
}

static void an_idle_connection_that_speaks_or_ends_is_dropped(void **state)
{
	static const char *const words[] = {
	    LEG_CLOSE, LEG_RESET, "421 4.4.2 bye\r\n", "2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct world *w = world_new(NULL);

		deliver(w);
		leg_say(w->leg, words[i]);
		world_until(w, &w->slots, 4);
		assert_false(client_has_idle(w->client, w->cl.id));
		deliver(w);
		world_free(w);
	}
}

static void a_client_that_drains_begins_nothing_and_ends_all(void **state)
{
	struct world *w = world_new(NULL);
	struct sent *s = sent_new(w, "a@x.test"), *t = sent_new(w, "b@x.test");

	(void)state;
	assert_true(world_send(w, s));
	client_drain(w->client);
	assert_false(world_send(w, t));
	world_wait(w, 1);
	assert_string_equal(sent_text(s, 0), OK);
	world_until(w, &w->slots, 4);
	assert_int_equal(w->idle_calls, 0);
	t->done = 1;
	sent_free(s);
	sent_free(t);
	world_free(w);
}

static void a_client_that_is_freed_reports_what_it_knows(void **state)
{
	static const struct {
		const char *what, *result;
	} ends[] = {
	    {"CONNECT", "untried 0 4.4.2 mail network"},
	    {"MAIL", "untried 0 4.4.2 mail network"},
	    {"DATA", "untried 0 4.4.2 mail network"},
	    {".", "deferred 0 4.4.2 body network uncertain"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		const struct leg_rule rules[] = {{ends[i].what, "", 0},
		    {"EHLO", "250 leg.test\r\n", 0}, {NULL, NULL, 0}};
		struct world *w = world_new(NULL);
		struct sent *s = sent_new(w, "a@x.test");

		leg_script(w->leg, rules);
		assert_true(world_send(w, s));
		for (int n = 0; n < 1000 && w->leg->used[0] == 0; n++)
			world_turns(w, 1);
		world_turns(w, 2);
		assert_int_equal(s->done, 0);
		client_free(w->client);
		w->client = NULL;
		assert_string_equal(sent_text(s, 0), ends[i].result);
		assert_int_equal(w->slots, 4);
		sent_free(s);
		world_free(w);
	}
}

/* A direct egress: a connection is for its domain, and makes room. */
static void connections_of_an_egress_are_kept_by_domain(void **state)
{
	static const struct testdns_row rows[] = {
	    {"one.test", DNS_MX, "10 mx.one.test"},
	    {"mx.one.test", DNS_A, "192.0.2.1"},
	    {"two.test", DNS_MX, "10 mx.two.test"},
	    {"mx.two.test", DNS_A, "192.0.2.2"},
	    {NULL, DNS_A, NULL},
	};
	static const struct {
		const char *domain;
		int connected, slots;
	} turns[] = {
	    {"one.test", 1, 1},
	    {"two.test", 2, 0},
	    {"ONE.test", 2, 0},
	    {"two.test", 2, 0},
	};
	struct world *w = world_new(rows);

	(void)state;
	w->cl.direct = w->cl.egress = true;
	w->slots = 2;
	for (size_t i = 0; i < ARRAY_LEN(turns); i++) {
		struct sent *s = sent_new(w, "a@x.test");

		s->r.domain = turns[i].domain;
		assert_true(world_send(w, s));
		world_wait(w, (int)i + 1);
		assert_string_equal(sent_text(s, 0), OK);
		assert_int_equal(w->leg->connected, turns[i].connected);
		assert_int_equal(w->slots, turns[i].slots);
		sent_free(s);
	}
	client_yield(w->client, w->cl.id, 2);
	world_until(w, &w->slots, 2);
	w->slots = 1;
	for (int i = 0; i < 4; i++) {
		struct sent *s = sent_new(w, "a@x.test");

		s->r.domain = turns[i % 2].domain;
		assert_true(world_send(w, s));
		world_wait(w, 5 + i);
		assert_int_equal(w->leg->connected, 3 + i);
		sent_free(s);
	}
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_connection_serves_one_message_after_another),
	    cmocka_unit_test(the_owner_sends_from_inside_idle),
	    cmocka_unit_test(a_connection_with_more_on_its_way_is_kept),
	    cmocka_unit_test(a_connection_is_given_up_in_time),
	    cmocka_unit_test(
		a_busy_connection_of_an_old_configuration_is_not_kept),
	    cmocka_unit_test(without_a_slot_nothing_begins),
	    cmocka_unit_test(a_slot_passed_on_is_used_or_given_back),
	    cmocka_unit_test(a_connection_that_died_idle_costs_nothing),
	    cmocka_unit_test(an_idle_connection_that_speaks_or_ends_is_dropped),
	    cmocka_unit_test(a_client_that_drains_begins_nothing_and_ends_all),
	    cmocka_unit_test(a_client_that_is_freed_reports_what_it_knows),
	    cmocka_unit_test(connections_of_an_egress_are_kept_by_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
