/* SPDX-License-Identifier: ISC
 *
 * Alarms: how often they are told to a program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <jansson.h>

#include "relay/base/mem.h"
#include "relay/watch/alarm.h"
#include "tests/unit/daemon_rig.h"
#include "tests/unit/spawn_rig.h"

struct box {
	struct spawn_rig spawn;
	struct drig *rig;
	struct alarms *told; /* that runs the program */
};

struct heard {
	char kind[32], about[64];
	int64_t unsaid, others;
};

/* Line `at` of what the program was given. */
static struct heard heard(const struct box *b, unsigned at)
{
	struct heard h = {.unsaid = -1};
	char *text = NULL, *line = NULL;
	json_t *o;

	for (int i = 0; i < RIG_LOOKS && line == NULL; i++) {
		mem_free(text);
		text = spawn_rig_output(&b->spawn, 1);
		line = text;
		for (unsigned k = 0; k < at && line != NULL; k++) {
			line = strchr(line, '\n');
			line = line == NULL || line[1] == '\0' ? NULL
							       : line + 1;
		}
		if (line == NULL || strchr(line, '\n') == NULL) {
			line = NULL;
			spawn_rig_pause_ms(RIG_LOOK_MS);
		}
	}
	assert_non_null(line);
	*strchr(line, '\n') = '\0';
	o = json_loads(line, 0, NULL);
	assert_non_null(o);
	snprintf(h.kind, sizeof(h.kind), "%s",
	    json_string_value(json_object_get(o, "kind")));
	snprintf(h.about, sizeof(h.about), "%s",
	    json_string_value(json_object_get(o, "about")));
	h.unsaid = json_integer_value(json_object_get(o, "unsaid"));
	h.others = json_integer_value(json_object_get(o, "others_unsaid"));
	json_decref(o);
	mem_free(text);
	return h;
}

static int setup_rig(void **state)
{
	struct box *b = NEW(struct box);

	*state = b;
	spawn_rig_init(&b->spawn);
	spawn_rig_write(&b->spawn, "cat >>$OUT");
	spawn_rig_start(&b->spawn, 5000, 1000);
	b->rig = drig_new();
	b->told = alarms_new(&(struct alarm_config){.shared = &b->rig->shared,
	    .conf = b->rig->snapshot->conf, .exec = b->spawn.spawner});
	return 0;
}

static int teardown_rig(void **state)
{
	struct box *b = *state;

	alarms_free(b->told);
	drig_free(b->rig);
	spawn_rig_fini(&b->spawn);
	mem_free(b);
	return 0;
}

/* The default interval: a quarter of an hour. */
static void the_same_is_told_once_in_an_interval(void **state)
{
	struct box *b = *state;
	struct drig *r = b->rig;
	struct heard h;

	for (int i = 0; i < 3; i++)
		alarm_raise(b->told, ALARM_LEG_DOWN, "cloud", "text");
	alarm_raise(b->told, ALARM_LEG_DOWN, "legacy", "text");
	clock_fake_step(&r->clock, INT64_C(899000000));
	alarm_raise(b->told, ALARM_LEG_DOWN, "cloud", "text");
	clock_fake_step(&r->clock, INT64_C(2000000));
	alarm_raise(b->told, ALARM_LEG_DOWN, "cloud", "text");
	alarm_raise(b->told, ALARM_LOOP, "cloud", "text");
	h = heard(b, 0);
	assert_string_equal(h.about, "cloud");
	assert_int_equal(h.unsaid, 0);
	h = heard(b, 1);
	assert_string_equal(h.about, "legacy");
	h = heard(b, 2);
	assert_string_equal(h.about, "cloud");
	assert_int_equal(h.unsaid, 3);
	h = heard(b, 3);
	assert_string_equal(h.kind, "loop");
	assert_int_equal(h.unsaid, 0);
}

static void a_flood_is_cut_and_counted(void **state)
{
	struct box *b = *state;
	struct drig *r = b->rig;
	struct heard h;

	for (int i = 0; i < 5000; i++) {
		char about[16];

		snprintf(about, sizeof(about), "user%d", i);
		alarm_raise(b->told, ALARM_LOOP, about, "text");
	}
	/* Other kinds have shares of their own. */
	alarm_raise(b->told, ALARM_LEG_SUSPENDED, "cloud", "text");
	clock_fake_step(&r->clock, INT64_C(901000000));
	alarm_raise(b->told, ALARM_LOOP, "user0", "text");
	h = heard(b, 4);
	assert_string_equal(h.about, "user4");
	h = heard(b, 5);
	assert_string_equal(h.kind, "leg-suspended");
	assert_int_equal(h.others, 4995);
	h = heard(b, 6);
	assert_string_equal(h.about, "user0");
}

/* Text from outside is cut, and still JSON. */
static void a_long_text_is_cut(void **state)
{
	struct box *b = *state;
	char *big = mem_new(100001);
	struct heard h;

	memset(big, '\1', 100000);
	alarm_raise(b->told, ALARM_LOOP, big, big);
	h = heard(b, 0);
	assert_string_equal(h.kind, "loop");
	mem_free(big);
}

#define R(f) cmocka_unit_test_setup_teardown(f, setup_rig, teardown_rig)

int main(void)
{
	const struct CMUnitTest tests[] = {
		R(the_same_is_told_once_in_an_interval),
		R(a_flood_is_cut_and_counted),
		R(a_long_text_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
