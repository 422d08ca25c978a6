/* SPDX-License-Identifier: ISC
 *
 * A replay without its thread: what is judged, how fast a mailbox gets it, and
 * the rows in ledger.db.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/audit/delivered/last_file.h"
#include "relay/cutover/replay/replay_file.h"
#include "relay/cutover/replay/replay_int.h"
#include "tests/unit/conf_tmp.h"

enum { CLOUD, LEGACY, OTHER };
enum { P = ROLE_PRIMARY, C = ROLE_COPY };
enum { AGAIN = DF_PINNED | DF_REPLAYED };
#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)

static const struct replay_asked asked = {.from_leg = CLOUD,
    .to_leg = LEGACY, .since_us = 100, .until_us = 200, .started_us = 500};

/* ---- judged ------------------------------------------------------------ */

struct row {
	uint16_t leg;
	uint8_t role, state;
	uint16_t flags;
	int64_t due_us, created_us;
};

static const struct {
	const char *what;
	struct row row[3];
	unsigned n;
	enum replay_verdict verdict;
} cases[] = {
	{"the cloud alone", {{CLOUD, P, D_DELIVERED, 0, 150, 1}}, 1,
	    REPLAY_GO},
	{"at the first moment", {{CLOUD, P, D_DELIVERED, 0, 100, 1}}, 1,
	    REPLAY_GO},
	{"too early", {{CLOUD, P, D_DELIVERED, 0, 99, 1}}, 1, REPLAY_NOT},
	{"too late", {{CLOUD, P, D_DELIVERED, 0, 200, 1}}, 1, REPLAY_NOT},
	{"of an old record", {{CLOUD, P, D_DELIVERED, 0, 0, 150}}, 1,
	    REPLAY_GO},
	{"not there", {{CLOUD, P, D_BOUNCED, 0, 150, 1}}, 1, REPLAY_NOT},
	{"another leg", {{OTHER, P, D_DELIVERED, 0, 150, 1}}, 1, REPLAY_NOT},
	{"both", {{CLOUD, P, D_DELIVERED, 0, 150, 1},
	    {LEGACY, C, D_DELIVERED, 0, 1, 1}}, 2, REPLAY_THERE},
	{"parked there", {{CLOUD, P, D_DELIVERED, 0, 150, 1},
	    {LEGACY, C, D_PARKED, 0, 150, 1}}, 2, REPLAY_THERE},
	{"held there", {{CLOUD, P, D_DELIVERED, 0, 150, 1},
	    {LEGACY, C, D_HELD, 0, 150, 1}}, 2, REPLAY_THERE},
	{"superseded there", {{LEGACY, P, D_SUPERSEDED, 0, 10, 1},
	    {CLOUD, P, D_DELIVERED, 0, 150, 1}}, 2, REPLAY_GO},
	{"bounced there", {{LEGACY, C, D_BOUNCED, 0, 10, 1},
	    {CLOUD, P, D_DELIVERED, 0, 150, 1}}, 2, REPLAY_GO},
	{"deleted there", {{LEGACY, C, D_DELETED, 0, 10, 1},
	    {CLOUD, P, D_DELIVERED, 0, 150, 1}}, 2, REPLAY_GO},
	{"replayed and deleted", {{CLOUD, P, D_DELIVERED, 0, 150, 1},
	    {LEGACY, C, D_DELETED, AGAIN, 10, 499}}, 2, REPLAY_THERE},
	{"by this replay", {{CLOUD, P, D_DELIVERED, 0, 150, 1},
	    {LEGACY, C, D_QUEUED, AGAIN, 10, 500}}, 2, REPLAY_OURS},
	{"a copy, the primary waits", {{OTHER, P, D_DEFERRED, 0, 10, 1},
	    {CLOUD, C, D_DELIVERED, 0, 150, 1}}, 2, REPLAY_WAITS},
	{"a copy, the primary is parked", {{OTHER, P, D_PARKED, 0, 10, 1},
	    {CLOUD, C, D_DELIVERED, 0, 150, 1}}, 2, REPLAY_WAITS},
	{"a copy, the primary bounced", {{OTHER, P, D_BOUNCED, 0, 10, 1},
	    {CLOUD, C, D_DELIVERED, 0, 150, 1}}, 2, REPLAY_GO},
	{"the primary, a copy waits", {{OTHER, C, D_DEFERRED, 0, 10, 1},
	    {CLOUD, P, D_DELIVERED, 0, 150, 1}}, 2, REPLAY_GO},
	{"came there by a replay", {{OTHER, P, D_DELIVERED, 0, 10, 1},
	    {CLOUD, C, D_DELIVERED, AGAIN, 150, 1}}, 2, REPLAY_GO},
};

static struct spool_delivery delivery(const struct row *r, uint32_t rcpt)
{
	return (struct spool_delivery){.rcpt = rcpt, .leg = r->leg,
	    .role = r->role, .state = r->state, .flags = r->flags,
	    .due_us = r->due_us, .created_us = r->created_us, .hash = 77};
}

static void what_is_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct replay_case c = {0};

		print_message("%s\n", cases[i].what);
		for (unsigned k = 0; k < cases[i].n; k++) {
			struct spool_delivery d =
			    delivery(&cases[i].row[k], 0);

			replay_case_add(&c, &asked, k, &d);
		}
		assert_int_equal(replay_judge(&c), cases[i].verdict);
	}
}

struct leads {
	struct replay_lead at[8];
	unsigned n;
};

static void on_lead(void *arg, const struct replay_lead *lead)
{
	struct leads *l = arg;

	assert_true(l->n < ARRAY_LEN(l->at));
	l->at[l->n++] = *lead;
}

/* Segments say it in the order of time, and the last word counts. */
static void a_hunt_judges_by_the_last_word(void **state)
{
	static const uint64_t hash[] = {77};
	const struct row taken = {CLOUD, P, D_DELIVERED, 0, 150, 1},
	    queued = {CLOUD, P, D_QUEUED, 0, 150, 1},
	    there = {LEGACY, C, D_QUEUED, AGAIN, 0, 499};
	struct spool_delivery d;
	struct replay_hunt h;
	struct leads l = {.n = 0};

	(void)state;
	replay_hunt_init(&h, NULL, hash, 1);
	h.asked = asked;
	d = delivery(&queued, 0);
	replay_hunt_add(&h, 20, 0, &d);
	d = delivery(&taken, 0);
	replay_hunt_add(&h, 10, 0, &d);
	d = delivery(&there, 0);
	replay_hunt_add(&h, 10, 1, &d);
	d = delivery(&taken, 1);
	replay_hunt_add(&h, 10, 2, &d);
	d = delivery(&taken, 0);
	replay_hunt_add(&h, 20, 0, &d);
	d = delivery(&queued, 0);
	replay_hunt_add(&h, 30, 0, &d);
	replay_hunt_judge(&h, on_lead, &l);
	assert_int_equal(l.n, 3);
	assert_true(l.at[0].id == 10 && l.at[0].rcpt == 0);
	assert_int_equal(l.at[0].verdict, REPLAY_THERE);
	assert_true(l.at[1].id == 10 && l.at[1].rcpt == 1);
	assert_int_equal(l.at[1].verdict, REPLAY_GO);
	assert_true(l.at[2].id == 20 && l.at[2].hash == 77);
	assert_int_equal(l.at[2].verdict, REPLAY_GO);
	replay_hunt_fini(&h);
}

/* ---- pace -------------------------------------------------------------- */

/* As many as may go, a look each tenth of a second; the most in any hour. */
static unsigned most_in_an_hour(int mailbox_hour, int64_t length_us)
{
	static int64_t at[200000];
	struct replay_pace p;
	unsigned n = 0, first = 0, most = 0;

	replay_pace_init(&p, mailbox_hour);
	for (int64_t now = 7 * HOUR; now < 7 * HOUR + length_us;
	     now += SECOND / 10) {
		while (replay_pace_may(&p, 5, now) && n < ARRAY_LEN(at)) {
			replay_pace_add(&p, 5, now);
			at[n++] = now;
		}
		while (at[first] <= now - HOUR)
			first++;
		most = n - first > most ? n - first : most;
	}
	replay_pace_fini(&p);
	return most;
}

static void a_mailbox_gets_half_of_what_it_takes_in_an_hour(void **state)
{
	unsigned most;

	(void)state;
	for (int hour = 120; hour <= 3600; hour += 1160) {
		most = most_in_an_hour(hour, 3 * HOUR);
		print_message("%d an hour: %u\n", hour, most);
		assert_true(most <= (unsigned)hour / 2);
		assert_true(most >= (unsigned)hour / 2 * 9 / 10);
	}
}

/* Of one that takes hardly any: one an hour, never none. */
static void the_slowest_pace_is_one_an_hour(void **state)
{
	(void)state;
	for (int hour = 1; hour <= 3; hour++)
		assert_int_equal(most_in_an_hour(hour, 3 * HOUR), 1);
	assert_int_equal(most_in_an_hour(4, 3 * HOUR), 1);
	assert_int_equal(most_in_an_hour(6, 3 * HOUR), 2);
}

static void another_mailbox_does_not_wait_for_it(void **state)
{
	struct replay_pace p;

	(void)state;
	replay_pace_init(&p, 3600);
	for (int i = 0; i < 30; i++) {
		assert_true(replay_pace_may(&p, 5, HOUR));
		replay_pace_add(&p, 5, HOUR);
	}
	assert_false(replay_pace_may(&p, 5, HOUR));
	assert_true(replay_pace_may(&p, 6, HOUR));
	replay_pace_fini(&p);
	replay_pace_init(&p, 0);
	for (int i = 0; i < 10000; i++) {
		assert_true(replay_pace_may(&p, 5, HOUR));
		replay_pace_add(&p, 5, HOUR);
	}
	replay_pace_fini(&p);
}

/* ---- the file ---------------------------------------------------------- */

struct told {
	struct replay_row row;
	struct replay_user user[4];
	struct replay_mail mail[4];
	int64_t count[D_STATES];
	unsigned rows, users, mails;
};

static void on_row(void *arg, const struct replay_row *row)
{
	struct told *t = arg;

	t->row = *row;
	t->rows++;
}

static void on_user(void *arg, const struct replay_user *user)
{
	struct told *t = arg;

	t->user[t->users++] = *user;
}

static void on_mail(void *arg, const struct replay_mail *mail)
{
	struct told *t = arg;

	t->mail[t->mails++] = *mail;
}

static void on_count(void *arg, int64_t number, uint8_t state, int64_t n)
{
	struct told *t = arg;

	(void)number;
	t->count[state] += n;
}

static void read_all(const char *path, int64_t number, struct arena *a,
    struct told *t)
{
	struct error err;
	struct replay_reader in = {.number = number, .a = a, .row = on_row,
	    .user = on_user, .mail = on_mail, .count = on_count, .arg = t};

	*t = (struct told){.rows = 0};
	if (replay_file_read(path, &in, &err) != 0)
		fail_msg("%s", err.text);
}

static void make_file(const char *path)
{
	struct last_header h = {.secret = {1, 2}};
	struct names *names = names_new();
	enum last_opened how;
	struct error err;
	struct last_file *f = last_file_open(path, &h, names, &how, &err);

	assert_non_null(f);
	last_file_close(f);
	names_free(names);
}

static struct replay_row order(const char *who)
{
	return (struct replay_row){.started_us = 1000, .who = who,
	    .command = "replay", .note = "why", .wave = "w7",
	    .from_leg = "cloud", .to_leg = "legacy", .since_us = 10,
	    .until_us = 20, .state = REPLAY_SEARCHES, .covered_us = 15,
	    .users = 2};
}

static void rows_are_kept_until_they_are_forgotten(void **state)
{
	const struct replay_user users[] = {
	    {"ann@example.com", true}, {"bob@example.com", false}};
	struct replay_mail mail[] = {
	    {0x8000000000000001, 0, 1, "Ann@example.com", D_QUEUED, 7},
	    {5, 1, 2, "bob@example.com", D_DELIVERED, 8}};
	struct replay_row row = order("joe"), other = order("sue"), next;
	struct replay_progress p = {&row, mail, 2};
	struct arena *a = arena_new();
	char path[256];
	struct error err;
	struct told t;

	snprintf(path, sizeof(path), "%s/ledger.db", (const char *)*state);
	assert_int_equal(replay_file_next(path, 0, a, &next, &err), -1);
	make_file(path);
	assert_int_equal(replay_file_next(path, 0, a, &next, &err), 0);
	assert_int_equal(replay_file_add(path, &row, users, 2, &err), 0);
	assert_int_equal(replay_file_add(path, &other, users, 1, &err), 0);
	assert_true(row.number > 0 && other.number > row.number);
	assert_int_equal(replay_file_next(path, 0, a, &next, &err), 1);
	assert_int_equal(next.number, row.number);
	assert_int_equal(replay_file_put(path, &p, &err), 0);
	mail[0].state = D_PARKED;
	row.state = REPLAY_DONE;
	row.ended_us = 2000;
	row.there = 3;
	row.gone = 4;
	p.n = 1;
	assert_int_equal(replay_file_put(path, &p, &err), 0);
	assert_int_equal(replay_file_next(path, 0, a, &next, &err), 1);
	assert_int_equal(next.number, other.number);
	read_all(path, row.number, a, &t);
	assert_int_equal(t.rows, 1);
	assert_string_equal(t.row.who, "joe");
	assert_string_equal(t.row.wave, "w7");
	assert_string_equal(t.row.note, "why");
	assert_true(t.row.since_us == 10 && t.row.until_us == 20);
	assert_true(t.row.there == 3 && t.row.gone == 4);
	assert_int_equal(t.row.covered_us, 15);
	assert_int_equal(t.users, 2);
	assert_string_equal(t.user[0].address, "ann@example.com");
	assert_true(t.user[0].lacks && !t.user[1].lacks);
	assert_int_equal(t.mails, 2);
	assert_true(t.mail[0].id == 0x8000000000000001);
	assert_int_equal(t.mail[0].state, D_PARKED);
	assert_true(t.count[D_PARKED] == 1 && t.count[D_DELIVERED] == 1);
	assert_int_equal(replay_file_prune(path, 2001, &err), 0);
	read_all(path, 0, a, &t);
	assert_int_equal(t.rows, 1);
	assert_string_equal(t.row.who, "sue");
	read_all(path, row.number, a, &t);
	assert_int_equal(t.rows + t.users + t.mails, 0);
	arena_free(a);
}

/* ---- what was made ------------------------------------------------------- */

/* Ids of one millisecond differ in their last bits alone. */
static void each_is_made_once(void **state)
{
	struct replay_job j = {.arena = arena_new()};
	const uint64_t first = UINT64_C(0x0c5d8a4200040000);

	(void)state;
	map_init(&j.known);
	for (int again = 0; again < 2; again++)
		for (uint64_t i = 0; i < 1000; i++)
			replay_made_add(&j, &(struct replay_mail){
			    .id = first + i / 4, .rcpt = i % 4,
			    .address = "ann@example.com", .state = D_QUEUED});
	assert_int_equal(j.row.made, 1000);
	assert_int_equal(j.open, 1000);
	for (uint64_t i = 0; i < 1000; i++)
		assert_true(replay_made_knows(&j, first + i / 4, i % 4));
	assert_false(replay_made_knows(&j, first + 250, 0));
	mem_free(j.mail);
	mem_free(j.dirty);
	map_fini(&j.known);
	arena_free(j.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_judged),
		cmocka_unit_test(a_hunt_judges_by_the_last_word),
		cmocka_unit_test(
		    a_mailbox_gets_half_of_what_it_takes_in_an_hour),
		cmocka_unit_test(each_is_made_once),
		cmocka_unit_test(the_slowest_pace_is_one_an_hour),
		cmocka_unit_test(another_mailbox_does_not_wait_for_it),
		cmocka_unit_test_setup_teardown(
		    rows_are_kept_until_they_are_forgotten, conf_tmp_setup,
		    conf_tmp_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
