/* SPDX-License-Identifier: ISC
 *
 * How many letters a flip costs for a message that waits, from the change of
 * the table until the new leg hears of it. Each is a pass from one thread to
 * another (doc/architecture.md).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mailbox.h"
#include "tests/unit/rig_leg.h"
#include "tests/unit/worker_rig.h"

#define U1 "u1@corp.example"

enum {
	OF_THE_CHANGE = 3, /* recipients, its event, "that was all" */
	OF_A_MESSAGE = 7,
	OF_A_BODY = 2, /* a piece is asked for, and read */
};

static unsigned letters;

/* Declared by the linker's rule alone (--wrap). */
void __real_mailbox_post(struct mailbox *m, struct letter *l);
void __wrap_mailbox_post(struct mailbox *m, struct letter *l);
void __wrap_mailbox_post(struct mailbox *m, struct letter *l)
{
	letters++;
	__real_mailbox_post(m, l);
}

static bool is_offered(void *arg)
{
	(void)arg;
	return strstr(rig_leg_said(LEG_CLOUD), "MAIL FROM") != NULL;
}

static void a_message_that_waits_costs_few(void)
{
	char id[16];

	rig_ctl(0, "leg.suspend", "{\"leg\": \"legacy\"}");
	rig_mail("a@client.sim", U1, id);
	rig_sleep(2);
	letters = 0;
	rig_row(U1, "cloud", -1);
	rig_until(is_offered, NULL);
	CHECK(letters == OF_THE_CHANGE + OF_A_MESSAGE + OF_A_BODY);
	rig_becomes(id, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_message_that_waits_costs_few, NULL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
