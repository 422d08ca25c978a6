/* SPDX-License-Identifier: ISC
 *
 * The cutover table as the true daemon follows it: changes, what they free,
 * and tables that are gone, damaged or of yesterday.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/rig_leg.h"
#include "tests/unit/worker_rig.h"

#define U1 "u1@corp.example"

static void copy(const char *from, const char *to)
{
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");
	char buf[4096];
	size_t n;

	CHECK(in != NULL && out != NULL);
	while ((n = fread(buf, 1, sizeof(buf), in)) > 0)
		fwrite(buf, 1, n, out);
	fclose(in);
	fclose(out);
}

/* The table as it stands in its file, beside it. */
static void keep_aside(char aside[300])
{
	snprintf(aside, 300, "%s.kept", rig_table_path());
	rig_sleep(30); /* its log is in it by then */
	copy(rig_table_path(), aside);
}

static void put_back(const char *from)
{
	char path[300], beside[320];

	snprintf(path, sizeof(path), "%s", rig_table_path());
	snprintf(beside, sizeof(beside), "%s-wal", path);
	unlink(beside);
	snprintf(beside, sizeof(beside), "%s-shm", path);
	unlink(beside);
	CHECK(rename(from, path) == 0);
	rig_sleep(2);
}

static void rcpt_says(const char *want)
{
	struct peer *p = rig_client("198.51.100.7");

	rig_say(p, "MAIL FROM:<a@client.sim>", "250 ");
	rig_say(p, "RCPT TO:<" U1 ">", want);
	rig_leave(p);
}

static void a_change_is_noted_with_who_and_what(void)
{
	rig_row(U1, "cloud", -1);
	rig_sleep(2);
	rig_has(rig_events(), "\"change\"");
	rig_has(rig_events(), "\"admin\"");
	rig_has(rig_ctl(0, "status", "{}"), "\"state\":\"ok\"");
}

static void a_change_of_the_domain_wakes_all_of_it(void)
{
	char id[16];

	rig_ctl(0, "leg.suspend", "{\"leg\": \"legacy\"}");
	rig_mail("a@client.sim", U1 " u2@corp.example", id);
	rig_sleep(2);
	rig_row("@corp.example", "cloud", -1);
	rig_leg_takes(LEG_CLOUD, 1);
	rig_becomes(id, "");
}

/* More rows than one slice of the log. */
static void a_large_change_wakes_everybody_that_it_is_about(void)
{
	char id[16];

	rig_ctl(0, "leg.suspend", "{\"leg\": \"legacy\"}");
	rig_mail("a@client.sim", "u2499@corp.example", id);
	rig_sleep(2);
	rig_rows(2500, "cloud");
	rig_leg_takes(LEG_CLOUD, 1);
	rig_becomes(id, "");
}

static void a_backup_in_its_place_is_not_used_until_it_is_accepted(void)
{
	char aside[300];

	rig_row(U1, "legacy", -1);
	keep_aside(aside);
	rig_row(U1, "cloud", -1);
	rig_sleep(2);
	put_back(aside);
	rcpt_says("451 4.3.0");
	rig_has(rig_ctl(0, "status", "{}"), "unusable");
	rig_has(rig_ctl(0, "status", "{}"), "\"section\":\"table\"");
}

static void a_table_that_is_no_table_costs_no_mail(void)
{
	char aside[300], bad[300], id[16];
	FILE *f;

	rig_row(U1, "legacy", -1);
	rig_ctl(0, "leg.suspend", "{\"leg\": \"legacy\"}");
	rig_mail("a@client.sim", U1, id);
	keep_aside(aside);
	snprintf(bad, sizeof(bad), "%s.bad", rig_table_path());
	f = fopen(bad, "w");
	fputs("this is no table, and it is long enough to be read as one",
	    f);
	fclose(f);
	put_back(bad);
	rcpt_says("451 4.3.0");
	rig_has(rig_ctl(0, "status", "{}"), "unusable");
	/* Mail waits for a table that can be read. */
	rig_ctl(0, "leg.resume", "{\"leg\": \"legacy\"}");
	rig_sleep(60);
	CHECK(rig_leg_taken(LEG_LEGACY) == 0);
	put_back(aside);
	rcpt_says("250 ");
	rig_leg_takes(LEG_LEGACY, 1);
	rig_becomes(id, "");
	rig_has(rig_ctl(0, "status", "{}"), "\"state\":\"ok\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_change_is_noted_with_who_and_what, NULL),
		RIG_TEST(a_change_of_the_domain_wakes_all_of_it, NULL),
		RIG_TEST(a_large_change_wakes_everybody_that_it_is_about, NULL),
		RIG_TEST(a_backup_in_its_place_is_not_used_until_it_is_accepted,
		    NULL),
		RIG_TEST(a_table_that_is_no_table_costs_no_mail, NULL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
