/* SPDX-License-Identifier: ISC
 *
 * Watermarks under the true daemon while a route cannot be read: whichever
 * read of the table fails, none is lost. route_resolve() is wrapped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/route.h"
#include "tests/unit/rig_leg.h"
#include "tests/unit/rig_program.h"
#include "tests/unit/worker_rig.h"

enum { READS = 3 }; /* of a route: the row's, to tell it, its program's */

static int fails_at; /* the read that fails; 0: none */
static int failed;

bool __real_route_resolve(const struct conf *c, struct table *t,
    const struct addr *to, struct arena *a, struct decision *out);
bool __wrap_route_resolve(const struct conf *c, struct table *t,
    const struct addr *to, struct arena *a, struct decision *out);

bool __wrap_route_resolve(const struct conf *c, struct table *t,
    const struct addr *to, struct arena *a, struct decision *out)
{
	if (fails_at > 0 && --fails_at == 0) {
		failed++;
		return false;
	}
	return __real_route_resolve(c, t, to, a, out);
}

/* How many lines of the audit trail say that it left the leg legacy
 * and that this one has all of its mail. */
static int reached(const char *user)
{
	struct slice rest = slice_str(rig_events()), line;
	char to[80];
	int n = 0;

	snprintf(to, sizeof(to), "\"to\":\"%s\",\"leg\":\"legacy\","
	    "\"state\":\"reached\"", user);
	while (slice_next(&rest, '\n', &line))
		n += slice_case_has(line, slice_str(to));
	return n;
}

static void a_row_has_its_watermark(void)
{
	char user[30];

	rig_rows(READS, "legacy");
	rig_sleep(10);
	for (int i = 0; i < READS; i++) {
		snprintf(user, sizeof(user), "u%d@corp.example", i);
		fails_at = i + 1;
		rig_row(user, "cloud", -1);
		/* Rows of the newest change are not looked up. */
		rig_row("zoe@corp.example", i % 2 == 0 ? "cloud" : "legacy",
		    -1);
		rig_sleep(20);
		CHECK(reached(user) == 1);
	}
	CHECK(failed > 1);
}

/* Those of a domain's row come from what ledger.db knows. */
static const struct rig_conf by_domain = {.domain =
    "domain \"corp.example\" { route = \"legacy\" unknown = \"route\" }\n"};

static void a_domain_has_those_of_its_recipients(void)
{
	char id[16];

	rig_mail("a@client.sim", "ann@corp.example bob@corp.example", id);
	rig_leg_takes(LEG_LEGACY, 1);
	rig_sleep(20);
	for (int i = 0; i < READS; i++) {
		fails_at = i + 1;
		rig_row("@corp.example", "cloud", -1);
		rig_sleep(20);
		CHECK(reached("ann@corp.example") == i + 1);
		fails_at = i + 1;
		rig_row("@corp.example", "legacy", -1);
		rig_sleep(20);
	}
	CHECK(failed > 2);
}

/* The program gets each mailbox once, whichever read of its route failed. */
static void a_program_is_told_of_each_mailbox(void)
{
	static const struct rig_program p = {.after_s = 1};
	const char *given;
	char user[30], want[40];

	rig_program(SPAWN_WATERMARK, &p);
	rig_rows(READS, "legacy");
	rig_sleep(10);
	for (int i = 0; i < READS; i++) {
		snprintf(user, sizeof(user), "u%d@corp.example", i);
		snprintf(want, sizeof(want), "\"%s\"", user);
		fails_at = i + 1;
		rig_row(user, "cloud", -1);
		rig_sleep(30);
		given = strstr(rig_program_given(SPAWN_WATERMARK), want);
		CHECK(given != NULL && strstr(given + 1, want) == NULL);
		CHECK(fails_at == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST(a_row_has_its_watermark, NULL),
	    RIG_TEST(a_program_is_told_of_each_mailbox, NULL),
	    RIG_TEST(a_domain_has_those_of_its_recipients, &by_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
