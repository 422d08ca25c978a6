/* SPDX-License-Identifier: ISC
 *
 * A leg with `shadow` is asked about recipients of mail that goes to another
 * one: by the true daemon, in time that is simulated.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/rig_leg.h"
#include "tests/unit/worker_rig.h"

enum { PEOPLE = 60, RATE = 5 /* a second */ };

static const struct rig_conf with_shadow = {
	.legs =
	    "leg \"legacy\" { hosts = \"legacy.sim:25\" tls = \"none\" }\n"
	    "leg \"cloud\" { hosts = \"cloud.sim:25\" tls = \"none\"\n"
	    "    shadow = true ask_rate = 1000 }\n"
	    "egress \"outside\" { hosts = \"" SIM_OUTSIDE_IP ":25\"\n"
	    "    tls = \"none\" }\n",
};

/* The leg's own limit is lower. */
static const struct rig_conf slow = {
	.legs =
	    "leg \"legacy\" { hosts = \"legacy.sim:25\" tls = \"none\" }\n"
	    "leg \"cloud\" { hosts = \"cloud.sim:25\" tls = \"none\"\n"
	    "    shadow = true ask_rate = 2 }\n"
	    "egress \"outside\" { hosts = \"" SIM_OUTSIDE_IP ":25\"\n"
	    "    tls = \"none\" }\n",
};

static unsigned asked(void)
{
	const char *at = rig_leg_said(LEG_CLOUD);
	unsigned n = 0;

	for (; (at = strstr(at, "RCPT TO:<u")) != NULL; at++)
		n++;
	return n;
}

static bool is_asked(void *arg)
{
	(void)arg;
	return asked() > 0;
}

/* From the first on: as many as that a second, and all of them soon. */
static void asked_at(unsigned rate)
{
	unsigned before;
	char to[24], id[16];

	rig_rows(PEOPLE, "legacy");
	for (int i = 0; i < PEOPLE; i++) {
		snprintf(to, sizeof(to), "u%d@corp.example", i);
		rig_mail("a@client.sim", to, id);
	}
	rig_until(is_asked, NULL);
	before = asked();
	for (unsigned s = 1; s <= 8; s++) {
		rig_sleep(1);
		CHECK(asked() <= before + (s + 1) * rate);
	}
	rig_sleep(80);
	CHECK(asked() == PEOPLE);
}

static void the_rate_of_the_leg_is_kept(void)
{
	asked_at(2);
}

static void recipients_are_asked_about_five_a_second_and_once(void)
{
	asked_at(RATE);
	rig_sleep(1800); /* it looks each 20 s */
	CHECK(asked() == PEOPLE);
	CHECK(rig_leg_taken(LEG_CLOUD) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(recipients_are_asked_about_five_a_second_and_once,
		    &with_shadow),
		RIG_TEST(the_rate_of_the_leg_is_kept, &slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
