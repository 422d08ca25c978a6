/* SPDX-License-Identifier: ISC
 *
 * Stragglers are counted, written with the cursor of ledger.db, and read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "relay/audit/straggler/straggler_counts.h"
#include "relay/audit/straggler/straggler_reader.h"
#include "relay/audit/straggler/straggler_write.h"
#include "relay/base/clock.h"
#include "tests/unit/lastfixture.h"

static const char world[] =
    "hostname = \"relay.example.com\"\n"
    "listen \"old-mx\" { address = { \"127.0.0.1:25\" }"
    " proxy_from = { \"192.0.2.9\" } }\n"
    "listen \"submit\" { address = { \"127.0.0.1:587\" }"
    " outbound = \"only\" }\n"
    "listen \"back\" { address = { \"127.0.0.1:26\" } leg = \"legacy\" }\n"
    "leg \"legacy\" { hosts = { \"192.0.2.10:25\" }"
    " clients = { \"192.0.2.10\" } domains = { \"leg.example\" } }\n"
    "egress \"out\" { hosts = { \"192.0.2.11:25\" }"
    " spf_address = { \"198.51.100.7\" } }\n"
    "outbound { clients = { \"10.9.0.0/16\" } use = { \"out\" } }\n"
    "domain \"example.com\" { route = \"legacy\" customer = \"one\" }\n"
    "domain \"example.org\" { route = \"legacy\" customer = \"two\" }\n"
    "domain \"example.net\" { route = \"legacy\" }\n";

static struct names *names;

static struct last_delivery *open_world(const char *dir)
{
	struct conf *c;
	struct last_delivery *l = open_in(dir);

	names = names == NULL ? names_new() : names;
	c = conf_tmp_good(dir, world, names);
	last_delivery_configure(l, c);
	conf_unref(c);
	return l;
}

static struct envelope mail(const char *client, int64_t time_us)
{
	static struct envelope_rcpt to[] = {{.to = "ann@example.com"}};

	return (struct envelope){.id = 1, .accepted_us = time_us,
	    .client = client, .client_name = "scan.example.net",
	    .listen = "old-mx", .helo = "scan", .tls = "TLSv1.3",
	    .from = "a@sender.example", .spf = "pass", .came_from = "",
	    .login = "", .proxy = "", .rcpt = to, .rcpts = 1};
}

static void accept_mail(struct last_delivery *l, const struct envelope *e)
{
	straggler_counts_accepted(last_delivery_stragglers(l), e);
}

static void keep(struct last_delivery *l)
{
	straggler_counts_keep(last_delivery_stragglers(l));
	index_at.pos.offset += 4096;
	commit(l, NOW);
}

/* One that was read; texts are copied. */
struct seen {
	struct straggler s;
	char text[512];
};

struct seen_list {
	struct seen seen[20];
	int n, max;
};

static bool on_straggler(void *arg, const struct straggler *s)
{
	struct seen_list *l = arg;
	struct seen *to = &l->seen[l->n++];

	to->s = *s;
	snprintf(to->text, sizeof(to->text), "%s %s %s|%s|%s|%s|%s",
	    s->key.client, s->key.listen, s->key.customer, s->name, s->helo,
	    s->tls, s->senders);
	return l->n < (l->max == 0 ? 20 : l->max);
}

static struct seen_list read_all(const char *dir, enum straggler_which which)
{
	struct error err;
	struct straggler_reader *r = straggler_reader_open(dir, &err);
	struct seen_list l = {.n = 0};
	struct straggler_look look = {which, 0, on_straggler, &l};

	assert_non_null(r);
	assert_int_equal(straggler_reader_each(r, &look, &err), 0);
	straggler_reader_close(r);
	return l;
}

static int64_t since(const char *dir)
{
	struct error err;
	struct straggler_reader *r = straggler_reader_open(dir, &err);
	int64_t us;

	assert_non_null(r);
	us = straggler_reader_since(r);
	straggler_reader_close(r);
	return us;
}

/* ---- accepted ------------------------------------------------------------ */

static void a_client_is_counted_day_by_day(void **state)
{
	struct last_delivery *l = open_world(*state);
	struct straggler_day day[STRAGGLER_DAYS_KEPT + 1];
	struct envelope e = mail("192.0.2.77", NOW);
	struct straggler_reader *r;
	struct error err;
	struct seen_list got;

	accept_mail(l, &e);
	e.from = "";
	e.spf = "fail";
	e.accepted_us = NOW + HOUR_US;
	accept_mail(l, &e);
	keep(l);
	e.accepted_us = NOW + 5 * DAY_US;
	e.from = "b@SENDER.example";
	e.spf = "";
	e.helo = "scan2";
	accept_mail(l, &e);
	keep(l);
	got = read_all(*state, STRAGGLERS_ALL);
	assert_int_equal(got.n, 1);
	assert_string_equal(got.seen[0].text, "192.0.2.77 old-mx one|"
	    "scan.example.net|scan2|TLSv1.3|sender.example 2 - 1");
	assert_int_equal(got.seen[0].s.messages, 3);
	assert_int_equal(got.seen[0].s.recipients, 3);
	assert_int_equal(got.seen[0].s.judged, 2);
	assert_int_equal(got.seen[0].s.passed, 1);
	assert_int_equal(got.seen[0].s.first_us, NOW);
	assert_int_equal(got.seen[0].s.last_us, NOW + 5 * DAY_US);
	assert_int_equal(got.seen[0].s.gap_us, 5 * DAY_US - HOUR_US);
	r = straggler_reader_open(*state, &err);
	assert_int_equal(straggler_reader_days(r, got.seen[0].s.id, 0, day,
	    &err), 2);
	assert_int_equal(day[0].messages, 2);
	assert_int_equal(day[1].day, NOW / DAY_US + 5);
	assert_int_equal(straggler_reader_days(r, got.seen[0].s.id,
	    NOW / DAY_US + 1, day, &err), 1);
	straggler_reader_close(r);
	last_delivery_close(l);
	forget(*state);
}

/* Each of them is one but for what the row says. */
static void who_is_no_straggler_is_not_counted(void **state)
{
	struct envelope e[] = {
		mail("192.0.2.9", NOW),	  /* the proxy itself */
		mail("192.0.2.10", NOW),  /* a leg */
		mail("10.9.1.1", NOW),	  /* an outbound client */
		mail("192.0.2.77", NOW), mail("192.0.2.77", NOW),
		mail("192.0.2.77", NOW), mail("192.0.2.77", NOW),
		mail("192.0.2.77", NOW), mail("192.0.2.77", NOW),
		mail("192.0.2.77", NOW), mail("unknown", NOW),
	};
	struct last_delivery *l = open_world(*state);

	e[3].proxy = "local";
	e[4].proxy = "unknown";
	e[5].came_from = "legacy";
	e[6].login = "ann";
	e[7].listen = "submit";
	e[8].listen = "back";
	e[9].listen = "";
	for (size_t i = 0; i < sizeof(e) / sizeof(e[0]); i++)
		accept_mail(l, &e[i]);
	keep(l);
	assert_int_equal(read_all(*state, STRAGGLERS_ALL).n, 0);
	e[3].proxy = "v2";
	accept_mail(l, &e[3]);
	keep(l);
	assert_int_equal(read_all(*state, STRAGGLERS_ALL).n, 1);
	last_delivery_close(l);
	forget(*state);
}

static void each_customer_has_a_row(void **state)
{
	struct envelope_rcpt to[] = {{.to = "ann@example.com"},
	    {.to = "bob@EXAMPLE.org"}, {.to = "cy@example.org"},
	    {.to = "dan@example.net"}};
	struct last_delivery *l = open_world(*state);
	struct envelope e = mail("192.0.2.77", NOW);
	static const struct {
		const char *customer;
		unsigned recipients;
	} rows[] = {{"one", 1}, {"two", 2}, {"", 1}};
	struct seen_list got;

	e.rcpt = to;
	e.rcpts = 4;
	accept_mail(l, &e);
	keep(l);
	got = read_all(*state, STRAGGLERS_ALL);
	assert_int_equal(got.n, 3);
	for (size_t i = 0; i < 3; i++) {
		int found = 0;

		for (int k = 0; k < got.n; k++) {
			char key[100];

			snprintf(key, sizeof(key), "192.0.2.77 old-mx %s|",
			    rows[i].customer);
			if (strncmp(got.seen[k].text, key, strlen(key)) == 0)
				found += got.seen[k].s.recipients ==
					 rows[i].recipients;
		}
		assert_int_equal(found, 1);
	}
	last_delivery_close(l);
	forget(*state);
}

/* ---- delivered ----------------------------------------------------------- */

static void what_a_leg_takes_is_proof_by_spf(void **state)
{
	static const struct {
		const char *spf;
		bool proves;
	} rows[] = {{"pass", true}, {"", true}, {"temperror", true},
	    {"fail", false}, {"none", false}, {"softfail", false},
	    {"permerror", false}, {"neutral", false}};
	struct last_delivery *l = open_world(*state);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char client[40];
		struct envelope e = mail(client, NOW - (int64_t)i);
		struct straggler_origin from;

		snprintf(client, sizeof(client), "192.0.2.%d", 100 + (int)i);
		e.spf = rows[i].spf;
		accept_mail(l, &e);
		from = straggler_origin_of(&e);
		straggler_counts_delivered(last_delivery_stragglers(l), &from,
		    "ann@example.com");
		keep(l);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seen_list got = read_all(*state, STRAGGLERS_DELIVERED);

		assert_int_equal(got.seen[i].s.delivered, 1);
		assert_int_equal(got.seen[i].s.proven, rows[i].proves);
	}
	last_delivery_close(l);
	forget(*state);
}

/* It came from a client that is none, or in an hour that is lost. */
static void a_delivery_alone_makes_no_row(void **state)
{
	struct last_delivery *l = open_world(*state);
	struct straggler_origin from = {"192.0.2.77", "old-mx", true};

	straggler_counts_delivered(last_delivery_stragglers(l), &from,
	    "ann@example.com");
	keep(l);
	assert_int_equal(read_all(*state, STRAGGLERS_ALL).n, 0);
	assert_int_equal(read_all(*state, STRAGGLERS_DELIVERED).n, 0);
	last_delivery_close(l);
	forget(*state);
}

/* ---- refused ------------------------------------------------------------- */

static void refuse(struct last_delivery *l, const char *client,
    const char *to, const char *enhanced)
{
	straggler_counts_refused(last_delivery_stragglers(l),
	    &(struct straggler_refusal){client, "old-mx", "rcpt", to,
		enhanced, NOW, 3});
}

static void refusals_are_counted(void **state)
{
	struct last_delivery *l = open_world(*state);
	char client[STRAGGLER_CLIENT_TEXT];
	struct seen_list got;

	refuse(l, "192.0.2.77", "no@example.com", "5.1.1");
	refuse(l, "192.0.2.77", "out@elsewhere.example", "5.7.1");
	refuse(l, "*", "no@example.com", "5.1.1");
	refuse(l, "192.0.2.9", "no@example.com", "5.1.1");
	refuse(l, "192.0.2.10", "no@example.com", "5.1.1");
	assert_false(straggler_counts_wanting(last_delivery_stragglers(l),
	    client));
	keep(l);
	got = read_all(*state, STRAGGLERS_ALL);
	assert_int_equal(got.n, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(got.seen[i].s.refused, 3);
		assert_int_equal(got.seen[i].s.messages, 0);
		assert_int_equal(got.seen[i].s.wants, 0);
	}
	last_delivery_close(l);
	forget(*state);
}

static void who_wants_to_send_outside_is_noted(void **state)
{
	struct last_delivery *l = open_world(*state);
	struct straggler_counts *s = last_delivery_stragglers(l);
	char client[STRAGGLER_CLIENT_TEXT];
	struct seen_list got;

	refuse(l, "10.1.2.3", "out@elsewhere.example", "5.7.1");
	assert_true(straggler_counts_wanting(s, client));
	assert_string_equal(client, "10.1.2.3");
	assert_false(straggler_counts_wanting(s, client));
	refuse(l, "10.1.2.3", "no@example.com", "5.7.1");    /* ours */
	refuse(l, "10.1.2.3", "no@leg.example", "5.7.1");    /* a leg's */
	refuse(l, "10.1.2.3", "out@elsewhere.example", "5.1.1");
	refuse(l, "10.9.2.3", "out@elsewhere.example", "5.7.1"); /* may */
	assert_false(straggler_counts_wanting(s, client));
	keep(l);
	got = read_all(*state, STRAGGLERS_WANTING);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.seen[0].s.wants, 3);
	assert_int_equal(got.seen[0].s.wants_us, NOW);
	last_delivery_close(l);
	forget(*state);
}

/* ---- what is known ------------------------------------------------------- */

static void what_is_rolled_back_is_not_counted_twice(void **state)
{
	struct last_delivery *l = open_world(*state);
	struct envelope e = mail("192.0.2.77", NOW);

	accept_mail(l, &e);
	straggler_counts_drop(last_delivery_stragglers(l));
	accept_mail(l, &e);
	keep(l);
	assert_int_equal(read_all(*state, STRAGGLERS_ALL).seen[0].s.messages,
	    1);
	last_delivery_close(l);
	forget(*state);
}

static void a_gap_moves_since(void **state)
{
	struct last_delivery *l = open_world(*state);

	keep(l);
	assert_int_equal(since(*state), NOW);
	last_delivery_gap(l, NOW + DAY_US);
	keep(l);
	assert_int_equal(since(*state), NOW + DAY_US);
	last_delivery_lost(l, index_at, NOW + 2 * DAY_US);
	keep(l);
	assert_int_equal(since(*state), NOW + 2 * DAY_US);
	keep(l);
	assert_int_equal(since(*state), NOW + 2 * DAY_US);
	last_delivery_close(l);
	forget(*state);
}

static void too_many_clients_at_once_are_a_gap(void **state)
{
	struct last_delivery *l = open_world(*state);

	for (int i = 0; i < STRAGGLER_FOLD_MAX + 1; i++) {
		char client[40];
		struct envelope e = mail(client, NOW + 5 + i);

		snprintf(client, sizeof(client), "198.%d.%d.%d", 18 + i / 65536,
		    i / 256 % 256, i % 256);
		accept_mail(l, &e);
	}
	keep(l);
	assert_int_equal(since(*state), NOW + 5 + STRAGGLER_FOLD_MAX);
	last_delivery_close(l);
	forget(*state);
}

/* ---- the ceiling --------------------------------------------------------- */

static sqlite3 *open_db(const char *dir)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(file(dir), &db), SQLITE_OK);
	return db;
}

static void put_row(struct straggler_fold *f, const char *client, int64_t last,
    int delivered, int proven)
{
	struct straggler_key k = {client, "old-mx", ""};
	struct straggler_row *r = straggler_fold_row(f, &k);

	straggler_row_seen(r, last);
	straggler_row_day(r, last)->messages++;
	r->messages++;
	r->delivered += (uint64_t)delivered;
	r->proven += (uint64_t)proven;
}

/* Oldest first within its group: refused, doubtful, proven. */
static void who_only_sends_spam_goes_first(void **state)
{
	static const char *const left[][4] = {
		{"d1", "d0", "p0", "r1"}, {"d1", "d0", "p0", NULL},
		{"d1", "p0", NULL}, {"p0", NULL}, {NULL}};
	struct last_delivery *l = open_world(*state);
	sqlite3 *db = open_db(*state);
	struct straggler_writer *w = straggler_writer_new(db);
	struct straggler_fold f = {.n = 0}, none = {.n = 0};

	last_delivery_close(l);
	put_row(&f, "r0", NOW + 1, 0, 0);
	put_row(&f, "r1", NOW + 2, 0, 0);
	put_row(&f, "d0", NOW + 3, 1, 0);
	put_row(&f, "d1", NOW + 4, 1, 0);
	put_row(&f, "p0", NOW + 2, 1, 1);
	assert_int_equal(straggler_write(w, &(struct straggler_batch){&f, NOW,
	    0, 5}), SQLITE_OK);
	for (int max = 4; max >= 0; max--) {
		struct seen_list got;

		assert_int_equal(straggler_write(w,
		    &(struct straggler_batch){&none, NOW + 9, 0, max}),
		    SQLITE_OK);
		got = read_all(*state, STRAGGLERS_ALL);
		assert_int_equal(got.n, max);
		for (int i = 0; i < max; i++) {
			int found = 0;

			for (int k = 0; k < max; k++)
				found += strncmp(got.seen[k].text,
					left[4 - max][i], 2) == 0;
			assert_int_equal(found, 1);
		}
		/* The first one that is missed moves `since`. */
		assert_int_equal(since(*state), max > 0 ? NOW : NOW + 9);
	}
	straggler_fold_clear(&f);
	straggler_writer_free(w);
	sqlite3_close(db);
	forget(*state);
}

static void old_days_go(void **state)
{
	struct last_delivery *l = open_world(*state);
	struct straggler_day day[STRAGGLER_DAYS_KEPT + 1];
	struct straggler_reader *r;
	struct error err;

	for (int i = 0; i < 70; i++) {
		struct envelope e = mail("192.0.2.77", NOW + i * DAY_US);

		accept_mail(l, &e);
	}
	keep(l);
	for (int i = 0; i < LAST_PARTS; i++)
		prune(l, NOW + 69 * DAY_US + i * HOUR_US);
	r = straggler_reader_open(*state, &err);
	assert_int_equal(straggler_reader_days(r, 1, 0, day, &err),
	    STRAGGLER_DAYS_KEPT + 1);
	assert_int_equal(day[0].day, NOW / DAY_US + 69 - STRAGGLER_DAYS_KEPT);
	straggler_reader_close(r);
	last_delivery_close(l);
	forget(*state);
}

/* ---- senders, reading ---------------------------------------------------- */

static void the_top_senders_are_kept(void **state)
{
	struct straggler_senders s = {.n = 0}, again = {.n = 0};
	struct strbuf text;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		char domain[20];

		snprintf(domain, sizeof(domain), "d%d.example",
		    i % 3 == 0 ? 1 : i % 3 == 1 ? 2 : i + 1000);
		straggler_senders_add(&s, slice_str(domain), 1);
	}
	strbuf_init(&text, STRAGGLER_SENDERS_TEXT);
	straggler_senders_print(&s, &text);
	assert_true(slice_starts(strbuf_view(&text),
	    SLICE("d1.example 334 d2.example 333 ")));
	assert_int_equal(s.n, STRAGGLER_SENDERS);
	straggler_senders_parse(&again, strbuf_view(&text));
	assert_int_equal(again.n, STRAGGLER_SENDERS);
	assert_string_equal(again.top[7].domain, s.top[7].domain);
	straggler_senders_fini(&again);
	straggler_senders_parse(&again, SLICE("a.example x b.example 3 c"));
	assert_int_equal(again.n, 1);
	assert_string_equal(again.top[0].domain, "b.example");
	straggler_senders_fini(&again);
	straggler_senders_fini(&s);
	strbuf_fini(&text);
}

static void the_newest_come_first(void **state)
{
	static const int minute[] = {3, 9, 1, 7, 5};
	struct last_delivery *l = open_world(*state);
	struct straggler_reader *r;
	struct error err;
	struct seen_list got = {.max = 2};
	struct straggler_look look = {STRAGGLERS_ALL, NOW + 4 * MINUTE_US,
	    on_straggler, &got};

	for (int i = 0; i < 5; i++) {
		char client[40];
		struct envelope e = mail(client, NOW + minute[i] * MINUTE_US);
		struct straggler_origin from;

		snprintf(client, sizeof(client), "192.0.2.%d", 100 + minute[i]);
		accept_mail(l, &e);
		from = straggler_origin_of(&e);
		if (i % 2 == 0)
			straggler_counts_delivered(last_delivery_stragglers(l),
			    &from, "ann@example.com");
	}
	keep(l);
	r = straggler_reader_open(*state, &err);
	assert_int_equal(straggler_reader_each(r, &look, &err), 0);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.seen[0].s.last_us, NOW + 9 * MINUTE_US);
	assert_int_equal(got.seen[1].s.last_us, NOW + 7 * MINUTE_US);
	got = (struct seen_list){.max = 20};
	assert_int_equal(straggler_reader_each(r, &look, &err), 0);
	assert_int_equal(got.n, 3);
	assert_int_equal(got.seen[2].s.last_us, NOW + 5 * MINUTE_US);
	straggler_reader_close(r);
	last_delivery_close(l);
	forget(*state);
}

static void without_a_file_nothing_is_read(void **state)
{
	struct error err;

	assert_null(straggler_reader_open(*state, &err));
	straggler_reader_close(NULL);
	straggler_counts_free(NULL);
	straggler_writer_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_is_counted_day_by_day),
		cmocka_unit_test(who_is_no_straggler_is_not_counted),
		cmocka_unit_test(each_customer_has_a_row),
		cmocka_unit_test(what_a_leg_takes_is_proof_by_spf),
		cmocka_unit_test(a_delivery_alone_makes_no_row),
		cmocka_unit_test(refusals_are_counted),
		cmocka_unit_test(who_wants_to_send_outside_is_noted),
		cmocka_unit_test(what_is_rolled_back_is_not_counted_twice),
		cmocka_unit_test(a_gap_moves_since),
		cmocka_unit_test(too_many_clients_at_once_are_a_gap),
		cmocka_unit_test(who_only_sends_spam_goes_first),
		cmocka_unit_test(old_days_go),
		cmocka_unit_test(the_top_senders_are_kept),
		cmocka_unit_test(the_newest_come_first),
		cmocka_unit_test(without_a_file_nothing_is_read),
	};
	int failed;

	index_at = (struct last_place){7, {1, 4096}};
	failed = cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
	names_free(names);
	return failed;
}
