/* SPDX-License-Identifier: ISC
 *
 * When a certificate is worth an alarm, and what it says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/watch/alarm.h"
#include "relay/watch/certificates.h"
#include "tests/unit/testcert.h"

enum { HOUR = 3600, DAY = 24 * HOUR };

/* clang-format off */
static const struct {
	int left_s;
	bool renewed;
	const char *says; /* NULL: nothing */
} cases[] = {
	{ 15 * DAY, false, NULL },
	{ 14 * DAY + 1, false, NULL },
	{ 14 * DAY, false,
	  "the certificate of leg cloud ends in 14 days, renew it and reload posthoused" },
	{ 2 * DAY - 1, false,
	  "the certificate of leg cloud ends in 1 day, renew it and reload posthoused" },
	{ DAY - 1, false,
	  "the certificate of leg cloud ends in 23 hours, renew it and reload posthoused" },
	{ 1, true,
	  "the certificate of leg cloud ends in 0 hours, and its file holds a newer one: reload "
	  "posthoused" },
	{ 0, false, "the certificate of leg cloud has expired, renew it and reload posthoused" },
	{ -9 * DAY, true,
	  "the certificate of leg cloud has expired, and its file holds a newer one: reload "
	  "posthoused" },
};
/* clang-format on */

static void the_end_is_announced(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool told;

		strbuf_reset(&out);
		told = certificate_alarm(&(struct certificate_end){
		    .left_s = cases[i].left_s, .before_s = 14 * DAY,
		    .used_by = "leg cloud", .renewed = cases[i].renewed},
		    &out);
		assert_int_equal(told, cases[i].says != NULL);
		assert_string_equal(strbuf_cstr(&out),
		    cases[i].says == NULL ? "" : cases[i].says);
	}
	strbuf_fini(&out);
}

/* ---- the files of a configuration ---------------------------------------- */

static char told[4000]; /* alarms: "file: text", a line each */

void alarm_raise(struct alarms *s, enum alarm_kind kind, const char *about,
    const char *text)
{
	size_t n = strlen(told);

	assert_null(s);
	assert_int_equal(kind, ALARM_CERTIFICATE);
	snprintf(told + n, sizeof(told) - n, "%s: %s\n", about, text);
}

/* A certificate that ends in so many days. */
static void write_file(int days, const char *names, char path[TESTCERT_PATH])
{
	struct testcert *c = testcert_new(&(struct testcert_spec){
	    .cn = "mx.example", .names = names, .to_days = days}, NULL);

	testcert_file(c, path);
	testcert_free(c);
}

struct watched {
	struct loop *loop;
	struct clock_fake clock;
	struct conf conf;
	struct conf_listen listen[2];
	struct conf_leg leg[3];
	struct conf_certificate own[2];
	char path[4][TESTCERT_PATH];
};

/* mx: 30 and 3 days; leg cloud 20 days; egress out 1 day; leg legacy and the
 * listener sub have none. */
static struct watched *watched_new(void)
{
	static const int days[] = {30, 3, 20, 1};
	struct watched *w = NEW(struct watched);

	for (int i = 0; i < 4; i++)
		write_file(days[i], i == 0 ? "DNS:a.example,IP:127.0.0.1"
					   : NULL, w->path[i]);
	clock_fake_init(&w->clock, clock_wall_us(&clock_system));
	w->loop = loop_new(&w->clock.clock);
	w->own[0].cert = w->path[0];
	w->own[1].cert = w->path[1];
	w->listen[0] = (struct conf_listen){.name = "sub"};
	w->listen[1] = (struct conf_listen){.name = "mx",
	    .certificate = w->own, .certificates = 2};
	w->leg[0] = (struct conf_leg){.name = "legacy", .certificate = ""};
	w->leg[1] = (struct conf_leg){.name = "cloud",
	    .certificate = w->path[2]};
	w->leg[2] = (struct conf_leg){.name = "out", .egress = true,
	    .certificate = w->path[3]};
	w->conf.listen = w->listen;
	w->conf.listens = 2;
	w->conf.leg = w->leg;
	w->conf.legs = 3;
	w->conf.alarm.certificate_ms = 14 * DAY_MS;
	told[0] = '\0';
	return w;
}

static void watched_free(struct watched *w)
{
	for (int i = 0; i < 4; i++)
		unlink(w->path[i]);
	loop_free(w->loop);
	mem_free(w);
}

static void has(const struct certificates *c, unsigned i, const char *want)
{
	struct strbuf text;
	struct jout j;

	strbuf_init(&text, 4000);
	jout_init(&j, &text);
	jout_object(&j, NULL);
	certificates_print(c, i, &j);
	jout_object_end(&j);
	if (strstr(strbuf_cstr(&text), want) == NULL)
		fail_msg("%s has no %s", strbuf_cstr(&text), want);
	strbuf_fini(&text);
}

static void has_of(const struct certificates *c, unsigned i, const char *fmt,
    const char *path)
{
	char want[400];

	snprintf(want, sizeof(want), fmt, path);
	has(c, i, want);
}

static void each_of_the_configuration_is_listed(void **state)
{
	struct watched *w = watched_new();
	struct certificates *c = certificates_new(w->loop, &w->clock.clock,
	    NULL, &w->conf);

	(void)state;
	assert_int_equal(certificates_count(NULL), 0);
	assert_int_equal(certificates_count(c), 4);
	has_of(c, 0, "{\"used_by\":\"listen mx\",\"file\":\"%s\",\"names\":"
	    "\"a.example 127.0.0.1\",\"expires\":\"20",
	    w->path[0]);
	has_of(c, 1, "{\"used_by\":\"listen mx\",\"file\":\"%s\",\"names\":"
	    "\"\",",
	    w->path[1]);
	has_of(c, 2, "{\"used_by\":\"leg cloud\",\"file\":\"%s\",",
	    w->path[2]);
	has_of(c, 3, "{\"used_by\":\"egress out\",\"file\":\"%s\",",
	    w->path[3]);
	/* Half a day on, so that it is no matter of seconds. */
	clock_fake_step(&w->clock, DAY_S / 2 * INT64_C(1000000));
	has(c, 0, "\"days_left\":29,\"state\":\"ok\"}");
	has(c, 1, "\"days_left\":2,\"state\":\"ends soon\"}");
	has(c, 3, "\"days_left\":0,\"state\":\"ends soon\"}");
	clock_fake_step(&w->clock, DAY_S * INT64_C(1000000));
	has(c, 3, "\"state\":\"expired\"}");
	certificates_free(c);
	certificates_free(NULL);
	/* One that is not there is left out. */
	unlink(w->path[1]);
	c = certificates_new(w->loop, &w->clock.clock, NULL, &w->conf);
	assert_int_equal(certificates_count(c), 3);
	has(c, 1, "leg cloud");
	certificates_free(c);
	watched_free(w);
}

static void alarms_are(const struct watched *w, bool leg)
{
	char want[1000];
	size_t n = 0;

	n += (size_t)snprintf(want, sizeof(want), "%s: the certificate of "
	    "listen mx ends in 2 days, renew it and reload posthoused\n",
	    w->path[1]);
	if (leg)
		n += (size_t)snprintf(want + n, sizeof(want) - n, "%s: the "
		    "certificate of leg cloud ends in 19 days, renew it and "
		    "reload posthoused\n", w->path[2]);
	snprintf(want + n, sizeof(want) - n, "%s: the certificate of egress "
	    "out ends in 12 hours, and its file holds a newer one: reload "
	    "posthoused\n", w->path[3]);
	assert_string_equal(told, want);
	told[0] = '\0';
}

static void those_that_end_are_told_now_and_each_day(void **state)
{
	struct watched *w = watched_new();
	struct certificates *c = certificates_new(w->loop, &w->clock.clock,
	    NULL, &w->conf);
	char renewed[TESTCERT_PATH];

	(void)state;
	write_file(90, NULL, renewed);
	assert_int_equal(rename(renewed, w->path[3]), 0);
	/* Half a day less a minute: 12 hours are left. */
	clock_fake_step(&w->clock, (DAY_S / 2 - 60) * INT64_C(1000000));
	assert_string_equal(told, "");
	certificates_watch(c);
	alarms_are(w, false);
	clock_fake_step(&w->clock, (DAY_S - 1) * INT64_C(1000000));
	loop_once(w->loop, 0);
	assert_string_equal(told, "");
	clock_fake_step(&w->clock, INT64_C(2000000));
	loop_once(w->loop, 0);
	assert_non_null(strstr(told, "of listen mx ends in 1 day, "));
	assert_non_null(strstr(told, "of egress out has expired, and its "));
	told[0] = '\0';
	/* It counts as read anew, and is told at once. */
	w->conf.alarm.certificate_ms = 0;
	certificates_configure(c, &w->conf);
	assert_string_equal(told, "");
	assert_int_equal(certificates_count(c), 4);
	certificates_free(c);
	watched_free(w);
}

static void another_configuration_is_looked_at_at_once(void **state)
{
	struct watched *w = watched_new();
	struct certificates *c;
	char renewed[TESTCERT_PATH];

	(void)state;
	clock_fake_step(&w->clock, (DAY_S / 2 - 60) * INT64_C(1000000));
	w->conf.alarm.certificate_ms = 0;
	c = certificates_new(w->loop, &w->clock.clock, NULL, &w->conf);
	certificates_watch(c);
	assert_string_equal(told, "");
	w->conf.alarm.certificate_ms = 20 * DAY_MS;
	certificates_configure(c, &w->conf);
	write_file(90, NULL, renewed);
	assert_int_equal(rename(renewed, w->path[3]), 0);
	told[0] = '\0';
	clock_fake_step(&w->clock, 0);
	certificates_watch(c);
	alarms_are(w, true);
	certificates_free(c);
	watched_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_end_is_announced),
	    cmocka_unit_test(each_of_the_configuration_is_listed),
	    cmocka_unit_test(those_that_end_are_told_now_and_each_day),
	    cmocka_unit_test(another_configuration_is_looked_at_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
