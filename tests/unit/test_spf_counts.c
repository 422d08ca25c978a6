/* SPDX-License-Identifier: ISC
 *
 * The tables of SPF in ledger.db: what was counted is added, day by day, up to
 * the ceilings; old days go; a file of no use is waited for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "relay/audit/delivered/spf_counts.h"
#include "relay/audit/delivered/spf_ledger.h"
#include "relay/base/clock.h"
#include "relay/base/strbuf.h"
#include "tests/unit/lastfixture.h"

#define TODAY (NOW / DAY_US)

static void make_ledger(const char *dir)
{
	last_delivery_close(open_in(dir));
}

static void each_client(void *arg, const char *client, uint64_t messages)
{
	strbuf_addf(arg, "%s=%llu ", client, (unsigned long long)messages);
}

static void each_sender(void *arg, const struct spf_forecast *f)
{
	strbuf_addf(arg, "%s/%s", f->leg, f->domain);
	for (int i = 0; i < SPF_SHARES; i++)
		strbuf_addf(arg, "%c%llu", i == 0 ? ' ' : ',',
		    (unsigned long long)f->n[i]);
	strbuf_addc(arg, ' ');
}

/* All that the file has since that day. */
static void read_all(const char *dir, int64_t day, struct strbuf *out)
{
	struct error err;
	struct spf_ledger *l = spf_ledger_open(dir, &err);

	assert_non_null(l);
	assert_int_equal(spf_ledger_clients(l, "example.com", day,
	    each_client, out), 0);
	assert_int_equal(spf_ledger_forecast(l, day, each_sender, out), 0);
	spf_ledger_close(l);
}

static void assert_has(const char *dir, int64_t day, const char *want)
{
	struct strbuf have;

	strbuf_init(&have, 1 << 20);
	read_all(dir, day, &have);
	assert_string_equal(strbuf_cstr(&have), want);
	strbuf_fini(&have);
}

static int64_t since(const char *dir)
{
	struct error err;
	struct spf_ledger *l = spf_ledger_open(dir, &err);
	int64_t at;

	assert_non_null(l);
	at = spf_ledger_since(l);
	spf_ledger_close(l);
	return at;
}

static void counts_add_up_and_outlive_a_restart(void **state)
{
	for (int run = 1; run <= 2; run++) {
		struct spf_counts *c = spf_counts_new(*state, NOW + run);

		make_ledger(*state);
		spf_counts_client(c, NOW, "example.com", "192.0.2.1");
		spf_counts_client(c, NOW, "example.com", "192.0.2.2");
		spf_counts_client(c, NOW, "example.com", "192.0.2.2");
		spf_counts_client(c, NOW, "example.net", "192.0.2.9");
		spf_counts_message(c, NOW, "cloud", "a.example", SHARE_SPF);
		spf_counts_message(c, NOW, "cloud", "b.example", SHARE_UNCLEAR);
		spf_counts_message(c, NOW, "cloud", "b.example",
		    SHARE_FAIL_REJECT);
		spf_counts_write(c, NOW);
		spf_counts_free(c);
	}
	assert_has(*state, TODAY, "192.0.2.2=4 192.0.2.1=2 "
	    "cloud/b.example 0,0,0,0,2,2 cloud/a.example 2,0,0,0,0,0 ");
	assert_has(*state, TODAY + 1, "");
	/* It knows since the first of them. */
	assert_int_equal(since(*state), NOW + 1);
	forget(*state);
}

static void a_day_that_is_over_goes(void **state)
{
	struct spf_counts *c = spf_counts_new(*state, NOW);

	make_ledger(*state);
	for (int day = 0; day < 10; day++) {
		int64_t at = NOW + day * DAY_US;

		spf_counts_client(c, at, "example.com", "192.0.2.1");
		spf_counts_message(c, at, "cloud", "a.example", SHARE_SPF);
		spf_counts_write(c, at);
	}
	spf_counts_free(c);
	/* Of today, and of SPF_KEEP_DAYS days before. */
	assert_has(*state, 0, "192.0.2.1=9 cloud/a.example 9,0,0,0,0,0 ");
	assert_has(*state, TODAY + 9, "192.0.2.1=1 "
	    "cloud/a.example 1,0,0,0,0,0 ");
	forget(*state);
}

/* They wait in memory as long, up to the ceiling, and nothing is counted
 * twice. */
static void without_a_file_they_wait(void **state)
{
	struct spf_counts *c = spf_counts_new(*state, NOW);
	struct error err;

	spf_counts_message(c, NOW, "cloud", "a.example", SHARE_SPF);
	spf_counts_follow(c, NOW, 0);
	assert_null(spf_ledger_open(*state, &err));
	spf_counts_message(c, NOW, "cloud", "a.example", SHARE_SPF);
	make_ledger(*state);
	spf_counts_follow(c, NOW, SPF_WRITE_MS - 1);
	assert_int_equal(since(*state), 0);
	spf_counts_follow(c, NOW, SPF_WRITE_MS);
	spf_counts_follow(c, NOW, 2 * SPF_WRITE_MS);
	assert_has(*state, 0, "cloud/a.example 2,0,0,0,0,0 ");
	assert_int_equal(since(*state), NOW);
	spf_counts_free(c);
	forget(*state);
}

static uint64_t messages;
static int rows;

static void add_up(void *arg, const struct spf_forecast *f)
{
	(void)arg;
	rows++;
	for (int i = 0; i < SPF_SHARES; i++)
		messages += f->n[i];
}

static void count_client(void *arg, const char *client, uint64_t n)
{
	(void)arg;
	(void)client;
	rows++;
	messages += n;
}

/* No message is lost from the sum. */
static void past_the_ceilings_the_rest_is_one_row(void **state)
{
	enum { MANY = 70000, CLIENTS = 210000 };
	struct spf_counts *c = spf_counts_new(*state, NOW);
	struct spf_ledger *l;
	struct error err;
	char name[40];

	make_ledger(*state);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "d%d.example", i);
		spf_counts_message(c, NOW, "cloud", name, SHARE_SPF);
	}
	spf_counts_write(c, NOW);
	for (int i = 0; i < CLIENTS; i++) {
		snprintf(name, sizeof(name), "10.%d.%d.%d", i >> 16,
		    i >> 8 & 255, i & 255);
		spf_counts_client(c, NOW, "example.com", name);
		if (i % 10000 == 0)
			spf_counts_write(c, NOW);
	}
	spf_counts_write(c, NOW);
	spf_counts_free(c);
	l = spf_ledger_open(*state, &err);
	assert_non_null(l);
	messages = (uint64_t)(rows = 0);
	assert_int_equal(spf_ledger_forecast(l, 0, add_up, NULL), 0);
	assert_int_equal(messages, MANY);
	assert_int_equal(rows, SPF_SENDERS_MAX + 1);
	messages = (uint64_t)(rows = 0);
	assert_int_equal(spf_ledger_clients(l, "example.com", 0, count_client,
	    NULL), 0);
	assert_int_equal(rows, SPF_CLIENTS_MAX);
	assert_int_equal(messages + spf_ledger_more_clients(l, 0), CLIENTS);
	spf_ledger_close(l);
	forget(*state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_add_up_and_outlive_a_restart),
		cmocka_unit_test(a_day_that_is_over_goes),
		cmocka_unit_test(without_a_file_they_wait),
		cmocka_unit_test(past_the_ceilings_the_rest_is_one_row),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup, conf_tmp_teardown);
}
