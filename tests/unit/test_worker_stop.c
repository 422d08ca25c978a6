/* SPDX-License-Identifier: ISC
 *
 * The daemon stops while an administrator's request is under way: each is
 * brought to its end, and the stop does not wait for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/sim_task.h"
#include "tests/sim/sim_trace.h"
#include "tests/unit/rig_leg.h"
#include "tests/unit/worker_rig.h"

enum { MOMENTS = 4 };

struct request {
	const char *command, *args;
	const char *lines[3];
	bool over;
};

#define ADDRESSES {"{\"addresses\":[\"u0@corp.example\"]}", \
	"{\"end\":true}", NULL}

static struct request requests[] = {
	{"audit.behind", "{}", {NULL}, false},
	{"audit.count", "{}", {NULL}, false},
	{"leg.probe", "{\"leg\":\"legacy\"}", {NULL}, false},
	{"leg.suspend", "{\"leg\":\"cloud\"}", {NULL}, false},
	{"leg.resume", "{\"leg\":\"cloud\"}", {NULL}, false},
	{"preflight.start", "{\"leg\":\"cloud\",\"wait\":true}", {NULL}, false},
	{"propagation.look", "{\"domain\":\"corp.example\"}", {NULL}, false},
	{"queue.act", "{\"act\":\"retry\",\"leg\":\"legacy\"}", {NULL}, false},
	{"queue.list", "{}", {NULL}, false},
	{"queue.export", "{}", {NULL}, false},
	{"recipient.open", "{\"address\":\"u0@corp.example\"}", {NULL}, false},
	{"replay.start", "{\"from_leg\":\"cloud\",\"to_leg\":\"legacy\","
	    "\"since_us\":0,\"until_us\":4000000000000000}", ADDRESSES, false},
	{"replay.list", "{}", {NULL}, false},
	{"replay.show", "{\"number\":1}", {NULL}, false},
	{"replay.cancel", "{\"number\":1}", {NULL}, false},
	{"route.wait", "{\"change\":1,\"all\":true}", {NULL}, false},
	{"route.wait", "{\"change\":1000,\"all\":true}", {NULL}, false},
	{"status", "{}", {NULL}, false},
	{"trace", "{\"to\":\"u0@corp.example\",\"since_us\":0,"
	    "\"until_us\":4000000000000000,\"limit\":10}", {NULL}, false},
	{"watermark.mark", "{\"addresses\":[\"u0@corp.example\"],"
	    "\"waive\":true,\"leg\":\"cloud\"}", {NULL}, false},
	{"verdict.observe", "{}", {NULL}, false},
	{"verdict.told", "{\"name\":\"v\",\"leg\":\"legacy\"}", {NULL}, false},
	{"wave.follow", "{\"name\":\"w\"}", {NULL}, false},
	{"wave.order", "{\"name\":\"w\",\"event\":\"start\"}", {NULL}, false},
};

static void *ask(void *arg)
{
	struct request *q = arg;
	int code;

	rig_ctl_any(q->command, q->args,
	    q->lines[0] == NULL ? NULL : q->lines, &code);
	q->over = true;
	return NULL;
}

static bool is_over(void *arg)
{
	return ((struct request *)arg)->over;
}

/* Other threads have it by then, or have answered. */
static void stop_amid(struct request *q, unsigned moment)
{
	trace_line("stop amid %s at %u", q->command, moment);
	q->over = false;
	task_new(SIDE_WORLD, "asks", ask, q);
	for (unsigned i = 0; i < moment; i++)
		task_sleep_us(0);
	rig_stop();
	rig_until(is_over, q);
	rig_start();
}

static void a_stop_ends_each_request(void)
{
	char id[16];

	rig_rows(2, "legacy");
	rig_leg_down(LEG_LEGACY, true);
	rig_mail("a@client.sim", "u0@corp.example", id);
	rig_sleep(2);
	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		for (unsigned moment = 1; moment <= MOMENTS; moment++)
			stop_amid(&requests[i], moment * moment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_stop_ends_each_request, NULL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
