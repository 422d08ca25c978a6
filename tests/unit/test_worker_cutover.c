/* SPDX-License-Identifier: ISC
 *
 * Waves, holds, watermarks and replays under the true daemon: their threads,
 * their commands, what the audit trail says of them, and where the mail goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/wave/file/wave_make.h"
#include "relay/base/mem.h"
#include "relay/daemon/app.h"
#include "tests/unit/rig_leg.h"
#include "tests/unit/rig_program.h"
#include "tests/unit/worker_rig.h"

#define U(n) "u" #n "@corp.example"

static const struct rig_conf platform = {
	.legs =
	    "leg \"legacy\" { hosts = \"legacy.sim:25\" tls = \"none\"\n"
	    "    profile = \"microsoft365\" }\n"
	    "leg \"cloud\" { hosts = \"cloud.sim:25\" tls = \"none\" }\n"
	    "egress \"outside\" { hosts = \"" SIM_OUTSIDE_IP ":25\"\n"
	    "    tls = \"none\" }\n",
};

/* ---- what the tests say ------------------------------------------------- */

/* A wave of these users ("0 1 2") to cloud. */
static void make_wave(const char *name, const char *users)
{
	static const struct change_row keep = {.held = -1};
	const struct change_by by = {.who = "ann", .host = "host",
	    .command = "wave create", .note = "why"};
	const struct wave_new new = {.name = name, .route = "cloud",
	    .by = &by, .now_us = clock_wall_us(rig_app()->shared.clock)};
	struct change *ch = change_open(rig_table_path(),
	    rig_app()->snapshot->conf, &(struct error){0});
	struct slice rest = slice_str(users), user;
	struct wave_made made;
	struct error err;
	char address[60];

	CHECK(ch != NULL);
	while (slice_next(&rest, ' ', &user)) {
		snprintf(address, sizeof(address), "u%.*s@corp.example",
		    (int)user.n, user.p);
		CHECK(change_set(ch, slice_str(address), &keep, &err) == 0);
	}
	CHECK(wave_create(ch, &new, &made, &err) == 0);
	change_close(ch);
}

/* `more`: further fields, from a comma on. */
static const char *order(int code, const char *name, const char *event,
    const char *more)
{
	char args[500];

	snprintf(args, sizeof(args), "{\"name\":\"%s\",\"event\":\"%s\","
	    "\"host\":\"h\",\"command\":\"wave %s\"%s}", name, event, event,
	    more);
	return rig_ctl(code, "wave.order", args);
}

static void refused(const char *name, const char *event, const char *more,
    const char *why)
{
	order(1, name, event, more);
	rig_has(rig_ctl_error(), why);
}

/* In the audit trail, each in a line of its own. */
static void noted(const char *what)
{
	rig_has(rig_events(), what);
}

static void goes_to(const char *user, int leg)
{
	int before = rig_leg_taken(leg);
	char id[16];

	rig_mail("a@client.sim", user, id);
	rig_leg_takes(leg, before + 1);
}

/* ---- waves -------------------------------------------------------------- */

static void a_wave_moves_slice_by_slice_and_back(void)
{
	rig_rows(5, "legacy");
	make_wave("w1", "0 1 2");
	rig_has(order(0, "w1", "start",
	    ",\"slice\":2,\"pause_s\":300,\"note\":\"go\""),
	    "{\"name\":\"w1\",\"state\":\"running\"");
	rig_sleep(5);
	goes_to(U(0), LEG_CLOUD);
	goes_to(U(2), LEG_LEGACY);
	refused("w1", "start", "", "running");
	order(0, "w1", "pause", "");
	rig_sleep(6 * MINUTE_S);
	goes_to(U(2), LEG_LEGACY);
	rig_has(order(0, "w1", "resume", ""), "\"state\":\"running\"");
	rig_sleep(5);
	goes_to(U(2), LEG_CLOUD);
	noted("\"event\":\"wave\",\"name\":\"w1\",\"state\":\"running\","
	    "\"step\":\"start\",\"run\":1,\"done\":0,\"pending\":3");
	noted("\"step\":\"slice-done\",\"run\":1,\"slice\":1,\"change\":");
	noted("\"members\":2,\"done\":2,\"pending\":1");
	noted("\"members\":1,\"done\":3,\"pending\":0");
	noted("\"state\":\"done\",\"step\":\"end\",\"run\":1,\"done\":3,"
	    "\"pending\":0}");
	/* Members that moved since then are kept, and named. */
	rig_row(U(1), "legacy", -1);
	rig_has(order(0, "w1", "rollback", ""), "\"address\":\"" U(1)
	    "\",\"keeps\":\"");
	rig_sleep(5);
	goes_to(U(0), LEG_LEGACY);
	goes_to(U(2), LEG_LEGACY);
	noted("\"state\":\"rolled-back\",\"step\":\"rollback\"");
}

static void a_rollback_in_slices_goes_on_by_itself(void)
{
	rig_rows(4, "legacy");
	make_wave("w1", "0 1 2 3");
	order(0, "w1", "start", ",\"slice\":2");
	rig_sleep(10);
	goes_to(U(3), LEG_CLOUD);
	rig_has(order(0, "w1", "rollback", ",\"slice\":2"),
	    "\"change\":0,\"recipients\":0");
	rig_sleep(30);
	for (int i = 0; i < 4; i++) {
		char user[40];

		snprintf(user, sizeof(user), "u%d@corp.example", i);
		goes_to(user, LEG_LEGACY);
	}
}

/* A restart in the pause loses nothing; a schedule is kept as well. */
static void waves_outlive_a_restart(void)
{
	char more[80];

	rig_rows(4, "legacy");
	make_wave("w1", "0 1");
	make_wave("w2", "2 3");
	order(0, "w1", "start", ",\"slice\":1,\"pause_s\":600");
	snprintf(more, sizeof(more), ",\"at_us\":%lld",
	    (long long)clock_wall_us(rig_app()->shared.clock) + 1200000000);
	rig_has(order(0, "w2", "schedule", more), "\"state\":\"scheduled\"");
	rig_sleep(5);
	rig_stop();
	rig_start();
	rig_sleep(11 * MINUTE_S);
	goes_to(U(1), LEG_CLOUD);
	goes_to(U(2), LEG_LEGACY);
	rig_sleep(11 * MINUTE_S);
	goes_to(U(2), LEG_CLOUD);
	noted("\"name\":\"w2\",\"state\":\"done\",\"step\":\"end\"");
	refused("w2", "unschedule", "", "done");
}

static void what_no_wave_can_do_is_refused(void)
{
	static const struct {
		const char *args;
		int code;
		const char *why;
	} cases[] = {
		{"{}", 2, "a wave's name and one of schedule, unschedule, "
		    "start, pause, resume, rollback, flip are wanted"},
		{"{\"name\":\"w1\",\"event\":\"end\"}", 2, "are wanted"},
		{"{\"name\":\"w1\",\"event\":\"slice-done\"}", 2,
		    "are wanted"},
		{"{\"name\":\"\",\"event\":\"start\"}", 2, "are wanted"},
		{"{\"name\":\"w9\",\"event\":\"start\"}", 1,
		    "there is no wave w9"},
		{"{\"name\":\"w1\",\"event\":\"start\",\"route\":\"moon\"}",
		    1, "'moon' is no leg"},
		{"{\"name\":\"w1\",\"event\":\"start\","
		    "\"slice\":10000000001}", 2, "10000000000 at most"},
		{"{\"name\":\"w1\",\"event\":\"start\","
		    "\"pause_s\":10000000001}", 2, "10000000000 at most"},
		{"{\"name\":\"w1\",\"event\":\"start\","
		    "\"late_s\":10000000001}", 2, "10000000000 at most"},
		{"{\"name\":\"w1\",\"event\":\"start\","
		    "\"deadline_s\":10000000001}", 2, "10000000000 at most"},
		{"{\"name\":\"w1\",\"event\":\"schedule\",\"at_us\":-1}", 2,
		    "before the year 10000"},
		{"{\"name\":\"w1\",\"event\":\"schedule\","
		    "\"at_us\":253402300800000000}", 2,
		    "before the year 10000"},
		{"{\"name\":\"w1\",\"event\":\"pause\"}", 1, "planned"},
		{"{\"name\":\"w1\",\"event\":\"flip\"}", 1, "w1"},
	};

	rig_rows(1, "legacy");
	make_wave("w1", "0");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		rig_ctl(cases[i].code, "wave.order", cases[i].args);
		rig_has(rig_ctl_error(), cases[i].why);
	}
	goes_to(U(0), LEG_LEGACY);
}

static void a_start_may_be_followed(void)
{
	rig_rows(4, "legacy");
	make_wave("w1", "0 1 2 3");
	order(0, "w1", "start", ",\"slice\":2,\"pause_s\":60");
	rig_has(rig_ctl(0, "wave.follow", "{\"name\":\"w1\"}"),
	    "\"state\":\"done\",\"done\":4,\"pending\":0}");
	rig_ctl(1, "wave.follow", "{\"name\":\"w9\"}");
	rig_has(rig_ctl_error(), "there is no wave w9");
	order(0, "w1", "rollback", "");
	rig_ctl(1, "wave.follow", "{\"name\":\"w1\"}");
	rig_has(rig_ctl_error(), "wave w1 is rolled-back");
}

/* ---- watermarks and holds ----------------------------------------------- */

static void synced(int code, const char *addresses, const char *more)
{
	char args[300];

	snprintf(args, sizeof(args), "{\"addresses\":[%s],\"host\":\"h\"%s}",
	    addresses, more);
	rig_ctl(code, "watermark.mark", args);
}

static void a_leg_that_was_left_gets_a_watermark(void)
{
	rig_rows(3, "legacy");
	goes_to(U(0), LEG_LEGACY);
	synced(1, "\"" U(0) "\",\"nothing\"", "");
	rig_row(U(0), "cloud", -1);
	rig_row(U(1), "cloud", -1);
	rig_sleep(10);
	noted("\"event\":\"watermark\"");
	noted("\"state\":\"reached\"");
	synced(0, "\"" U(0) "\"", ",\"leg\":\"legacy\",\"note\":\"pass 2\"");
	rig_sleep(5);
	noted("\"state\":\"synced\"");
	synced(0, "\"" U(1) "\"", ",\"waive\":true,\"note\":\"empty\"");
	synced(1, "\"" U(2) "\"", "");
	rig_ctl(1, "watermark.mark", "{\"addresses\":[\"" U(0) "\"],"
	    "\"leg\":\"moon\"}");
	rig_has(rig_ctl_error(), "no leg is called \"moon\"");
}

static bool is_synced(void *arg)
{
	(void)arg;
	rig_ctl(0, "status", "{}");
	return strstr(rig_events(), "\"step\":\"flipped\"") != NULL;
}

/* Mail of held members waits until their own move ended. */
static void a_hold_waits_for_the_move_of_each_member(void)
{
	char a[16], b[16];

	rig_rows(2, "legacy");
	goes_to(U(0), LEG_LEGACY);
	goes_to(U(1), LEG_LEGACY);
	make_wave("w1", "0 1");
	order(0, "w1", "start",
	    ",\"hold\":true,\"deadline_s\":1800,\"slice\":10");
	rig_sleep(10);
	rig_mail("a@client.sim", U(0), a);
	rig_mail("a@client.sim", U(1), b);
	rig_sleep(30);
	rig_deliveries(a, "legacy held");
	rig_deliveries(b, "legacy held");
	noted("\"step\":\"held\"");
	synced(0, "\"" U(0) "\"", "");
	rig_until(is_synced, NULL);
	rig_leg_takes(LEG_CLOUD, 1);
	rig_deliveries(b, "legacy held");
	/* Past the deadline it waits for a person. */
	rig_sleep(31 * MINUTE_S);
	noted("\"kind\":\"hold\"");
	rig_deliveries(b, "legacy held");
	order(0, "w1", "resume", ",\"release\":true");
	rig_leg_takes(LEG_LEGACY, 3);
	rig_sleep(10);
	noted("\"step\":\"let-go\"");
	noted("\"failed\":1");
}

static void a_member_that_is_held_may_be_flipped_by_hand(void)
{
	char id[16];

	rig_rows(2, "legacy");
	make_wave("w1", "0 1");
	order(0, "w1", "start",
	    ",\"hold\":true,\"deadline_s\":1800,\"slice\":10");
	rig_sleep(10);
	rig_mail("a@client.sim", U(0), id);
	rig_sleep(5);
	refused("w1", "flip", ",\"addresses\":[\"" U(7) "\"]", "u7");
	rig_has(order(0, "w1", "flip", ",\"addresses\":[\"" U(0) "\"]"),
	    "\"recipients\":1");
	rig_leg_takes(LEG_CLOUD, 1);
}

/* ---- programs of the hooks ---------------------------------------------- */

enum { LIST = 1000 }; /* mailboxes at most */

static int lines(const char *text, const char *head)
{
	int n = 0;

	for (; (text = strstr(text, head)) != NULL; text++)
		n++;
	return n;
}

static bool is_told(void *arg)
{
	return lines(rig_program_given(SPAWN_WATERMARK), "{\"address\"") >=
	    *(const int *)arg;
}

/* More than a list holds comes by the next; the alarm names the first that
 * failed, with its own reason. */
static void a_list_has_a_thousand_mailboxes_at_most(void)
{
	static const struct rig_program p = {.after_s = 5,
	    .says = "u0@corp.example failed full 0\n"
		    "u1@corp.example failed full 1\n"
		    "u2@corp.example failed full 2\n"};
	const char *given, *second, *first;
	int all = LIST + 3;
	char want[100];

	rig_program(SPAWN_WATERMARK, &(struct rig_program){.full = true});
	rig_rows(all, "legacy");
	rig_sleep(2);
	rig_rows(all, "cloud");
	rig_sleep(20);
	rig_program(SPAWN_WATERMARK, &p);
	rig_until(is_told, &all);
	rig_sleep(20);
	given = rig_program_given(SPAWN_WATERMARK);
	CHECK(lines(given, "run watermark\n") == 2);
	CHECK(lines(given, "{\"address\"") == all);
	second = strstr(given + 1, "run watermark\n");
	CHECK(lines(second, "{\"address\"") == all - LIST);
	for (int i = 0; i < all; i++) {
		snprintf(want, sizeof(want), "\"u%d@corp.example\"", i);
		CHECK(lines(given, want) == 1);
	}
	first = strstr(rig_events(), "first u");
	CHECK(first != NULL && first[7] >= '0' && first[7] <= '2');
	snprintf(want, sizeof(want), "hook.on_watermark failed for 3 of 1000 "
	    "mailboxes, first u%c@corp.example: full %c; see", first[7],
	    first[7]);
	noted(want);
}

/* ---- replays ------------------------------------------------------------ */

/* Of the last hour; `lines`: up to a NULL. */
static const char *replay(int code, const char *legs, bool dry,
    const char *const *lines)
{
	int64_t now = clock_wall_us(rig_app()->shared.clock);
	char args[400];

	snprintf(args, sizeof(args), "{%s,\"who\":\"\",\"command\":\"replay\","
	    "\"note\":\"n\",\"since_us\":%lld,\"until_us\":%lld,"
	    "\"dry_run\":%s}", legs, (long long)(now - 3600000000),
	    (long long)now, dry ? "true" : "false");
	return rig_ctl_lines(code, "replay.start", args, lines);
}

#define BACK "\"from_leg\":\"cloud\",\"to_leg\":\"legacy\""

static bool replayed(void *arg)
{
	(void)arg;
	return strstr(rig_ctl(0, "replay.list", "{}"),
	    "\"state\":\"done\"") != NULL;
}

/* Mail that cloud got while the route was there comes to legacy, once. */
static void what_one_leg_got_comes_to_the_other(void)
{
	static const char *const lines[] = {
	    "{\"addresses\":[\"" U(0) "\",\"" U(1) "\"]}", "{\"end\":true}",
	    NULL};
	const char *shown;

	rig_rows(3, "cloud");
	goes_to(U(0), LEG_CLOUD);
	goes_to(U(0), LEG_CLOUD);
	goes_to(U(1), LEG_CLOUD);
	goes_to(U(2), LEG_CLOUD);
	rig_rows(3, "legacy");
	rig_sleep(5);
	rig_has(replay(0, BACK, true, lines), "{\"kind\":\"dry-run\","
	    "\"deliveries\":3,\"messages\":3,\"there\":0,\"waits\":0,"
	    "\"unread\":0,\"users\":2}");
	CHECK(rig_leg_taken(LEG_LEGACY) == 0);
	rig_has(replay(0, BACK, false, lines), "{\"kind\":\"replay\","
	    "\"number\":1,\"users\":2}");
	rig_leg_takes(LEG_LEGACY, 3);
	rig_until(replayed, NULL);
	shown = rig_ctl(0, "replay.show", "{\"number\":1}");
	rig_has(shown, "\"from_leg\":\"cloud\",\"to_leg\":\"legacy\"");
	rig_has(shown, "\"users\":2,\"replayed\":3,\"delivered\":3,"
	    "\"waiting\":0,\"failed\":0,\"there\":0,\"waits\":0,"
	    "\"came_from\":0,\"gone\":0,\"unread\":0");
	noted("\"event\":\"replay\"");
	/* Again: nothing goes twice. */
	replay(0, BACK, false, lines);
	rig_sleep(30);
	CHECK(rig_leg_taken(LEG_LEGACY) == 3);
	rig_has(rig_ctl(0, "replay.show", "{\"number\":2}"),
	    "\"replayed\":0,\"delivered\":0,\"waiting\":0,\"failed\":0,"
	    "\"there\":3");
}

enum { MAILS = 36, BURST = 30 };

/* Microsoft takes 3600 an hour: half of it, a minute's at once. */
static void a_mailbox_gets_no_more_than_its_platform_takes(void)
{
	static const char *const lines[] = {
	    "{\"addresses\":[\"" U(0) "\",\"" U(1) "\"]}", "{\"end\":true}",
	    NULL};
	char id[16];

	rig_rows(2, "cloud");
	for (int i = 0; i < MAILS; i++)
		rig_mail("a@client.sim", U(0), id);
	rig_mail("a@client.sim", U(1), id);
	rig_leg_takes(LEG_CLOUD, MAILS + 1);
	rig_rows(2, "legacy");
	rig_sleep(5);
	replay(0, BACK, false, lines);
	rig_sleep(7);
	/* The other mailbox does not wait for the first. */
	CHECK(strstr(rig_leg_said(LEG_LEGACY), "<" U(1) ">") != NULL);
	CHECK(rig_leg_taken(LEG_LEGACY) >= BURST + 1);
	CHECK(rig_leg_taken(LEG_LEGACY) < MAILS);
	rig_sleep(2 * (MAILS - BURST) + 10);
	CHECK(rig_leg_taken(LEG_LEGACY) == MAILS + 1);
}

static void what_makes_no_replay_is_refused(void)
{
	static const char *const none[] = {"{\"end\":true}", NULL};
	static const char *const one[] = {
	    "{\"addresses\":[\"" U(0) "\"]}", "{\"end\":true}", NULL};

	rig_rows(1, "cloud");
	replay(2, BACK, false, none);
	rig_has(rig_ctl_error(), "no recipient is named");
	replay(1, "\"from_leg\":\"moon\",\"to_leg\":\"legacy\"", false, one);
	rig_has(rig_ctl_error(), "no leg is called \"moon\"");
	replay(1, "\"from_leg\":\"cloud\",\"to_leg\":\"moon\"", false, one);
	rig_has(rig_ctl_error(), "no leg is called \"moon\"");
	replay(1, "\"from_leg\":\"cloud\",\"to_leg\":\"cloud\"", false, one);
	rig_has(rig_ctl_error(), "both legs are \"cloud\"");
	rig_ctl(2, "replay.start", "{" BACK ",\"since_us\":5,\"until_us\":5}");
	rig_has(rig_ctl_error(), "since_us must be before until_us");
	rig_ctl(2, "replay.show", "{}");
	rig_has(rig_ctl_error(), "is the number of a replay");
	rig_ctl(1, "replay.show", "{\"number\":4}");
	rig_has(rig_ctl_error(), "there is no replay 4");
	CHECK(strcmp(rig_ctl(0, "replay.list", "{}"), "") == 0);
}

/* The leg is away: it waits, over a restart, and goes on. */
static void a_replay_outlives_a_restart(void)
{
	static const char *const lines[] = {
	    "{\"addresses\":[\"" U(0) "\"]}", "{\"end\":true}", NULL};

	rig_rows(1, "cloud");
	goes_to(U(0), LEG_CLOUD);
	goes_to(U(0), LEG_CLOUD);
	rig_rows(1, "legacy");
	rig_leg_down(LEG_LEGACY, true);
	rig_sleep(1); /* the result is on record */
	replay(0, BACK, false, lines);
	rig_sleep(20);
	rig_has(rig_ctl(0, "replay.show", "{\"number\":1}"),
	    "\"replayed\":2,\"delivered\":0,\"waiting\":2");
	rig_stop();
	rig_start();
	rig_leg_down(LEG_LEGACY, false);
	rig_leg_takes(LEG_LEGACY, 2);
	rig_until(replayed, NULL);
	rig_has(rig_ctl(0, "replay.show", "{\"number\":1}"),
	    "\"replayed\":2,\"delivered\":2,\"waiting\":0");
	rig_ctl(1, "replay.cancel", "{\"number\":1}");
	rig_has(rig_ctl_error(), "replay 1 has ended");
	rig_ctl(1, "replay.cancel", "{\"number\":9}");
	rig_ctl(2, "replay.cancel", "{}");
	rig_has(rig_ctl_error(), "is the number of a replay");
}

/* ---- a configuration that takes something away -------------------------- */

#define LEG(name) "leg \"" name "\" { hosts = \"" name ".sim:25\" " \
	"tls = \"none\" }\n"

static void a_leg_with_rows_is_not_taken_away(void)
{
	static const struct rig_conf without = {.legs = LEG("legacy")
	    "egress \"outside\" { hosts = \"" SIM_OUTSIDE_IP ":25\"\n"
	    "    tls = \"none\" }\n"};

	CHECK(rig_reload(&without));
	CHECK(rig_reload(NULL));
	rig_rows(1, "cloud");
	rig_sleep(2);
	CHECK(!rig_reload(&without));
	rig_rows(1, "legacy");
	CHECK(rig_reload(&without));
}

/* A notice waits for the egress. */
static void an_egress_with_mail_is_not_taken_away(void)
{
	static const struct rig_rule refuses[] = {
	    {".", "554 5.6.0 no", 0}, {NULL, NULL, 0}};
	static const struct rig_conf without = {
	    .legs = LEG("legacy") LEG("cloud"), .dsn = ""};
	char id[16];

	CHECK(rig_reload(&without));
	CHECK(rig_reload(NULL));
	rig_rows(1, "legacy");
	rig_leg_down(LEG_OUTSIDE, true);
	rig_leg_script(LEG_LEGACY, refuses);
	rig_mail("a@client.sim", U(0), id);
	rig_sleep(5);
	CHECK(!rig_reload(&without));
	rig_has(rig_ctl(0, "queue.act", "{\"action\":\"delete\","
	    "\"leg\":\"outside\",\"ids\":[]}"), "\"done\":true");
	rig_sleep(2);
	CHECK(rig_reload(&without));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST(a_wave_moves_slice_by_slice_and_back, NULL),
	    RIG_TEST(a_rollback_in_slices_goes_on_by_itself, NULL),
	    RIG_TEST(waves_outlive_a_restart, NULL),
	    RIG_TEST(what_no_wave_can_do_is_refused, NULL),
	    RIG_TEST(a_start_may_be_followed, NULL),
	    RIG_TEST(a_leg_that_was_left_gets_a_watermark, NULL),
	    RIG_TEST(a_hold_waits_for_the_move_of_each_member, NULL),
	    RIG_TEST(a_member_that_is_held_may_be_flipped_by_hand, NULL),
	    RIG_TEST(a_list_has_a_thousand_mailboxes_at_most, NULL),
	    RIG_TEST(what_one_leg_got_comes_to_the_other, NULL),
	    RIG_TEST(a_mailbox_gets_no_more_than_its_platform_takes, &platform),
	    RIG_TEST(what_makes_no_replay_is_refused, NULL),
	    RIG_TEST(a_replay_outlives_a_restart, NULL),
	    RIG_TEST(a_leg_with_rows_is_not_taken_away, NULL),
	    RIG_TEST(an_egress_with_mail_is_not_taken_away, NULL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
