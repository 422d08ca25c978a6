/* SPDX-License-Identifier: ISC
 *
 * The time that listeners were open: only what truly passed, with mail taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/cutover/verdict/observer.h"
#include "relay/observed/watched.h"
#include "relay/watch/from_legs.h"
#include "tests/unit/conf_tmp.h"

#define LISTEN(name, more) "listen \"" name "\" { " \
	"address = { \"127.0.0.1:0\" } " more " }\n"
#define SECOND 1000000LL

static struct clock_fake hands; /* of all tests: time goes on */

struct world {
	struct shared shared;
	struct names *names;
	struct from_legs *from_legs;
	struct observer *o;
	bool takes;
	char dir[64];
};

static bool takes_mail(void *arg)
{
	return ((struct world *)arg)->takes;
}

static struct conf_snapshot *load(struct world *w, const char *dir,
    const char *listens)
{
	struct strbuf text;
	struct conf *c;
	struct conf_snapshot *s;
	struct error err;

	strbuf_init(&text, 4000);
	strbuf_addf(&text, "%s%s", CONF_BASE, listens);
	c = conf_tmp_good(dir, strbuf_cstr(&text), w->names);
	strbuf_fini(&text);
	s = snapshot_new(c, &err);
	assert_non_null(s);
	return s;
}

static void begin(struct world *w, const char *dir, const char *listens)
{
	struct observer_config c = {.shared = &w->shared,
	    .takes_mail = takes_mail, .arg = w};

	snprintf(w->dir, sizeof(w->dir), "%s", dir);
	w->shared.clock = &hands.clock;
	w->takes = true;
	w->names = names_new();
	w->from_legs = c.from_legs = from_legs_new();
	c.dir = w->dir;
	c.snapshot = load(w, dir, listens);
	w->o = observer_new(&c);
	snapshot_unref(c.snapshot);
}

static void end(struct world *w)
{
	char path[100];

	observer_free(w->o);
	from_legs_free(w->from_legs);
	names_free(w->names);
	for (int i = 0; i < 3; i++) {
		static const char *const ends[] = {"", "-wal", "-shm"};

		snprintf(path, sizeof(path), "%s/" OBSERVED_NAME "%s", w->dir,
		    ends[i]);
		unlink(path);
	}
}

static void pass(struct world *w, int seconds)
{
	for (int i = 0; i < seconds; i++) {
		clock_fake_step(&hands, SECOND);
		observer_step(w->o, false);
	}
}

struct seen {
	const char *listen;
	int64_t observed_us;
	int rows;
};

static void add(void *arg, const struct watched_row *row)
{
	struct seen *s = arg;

	if (strcmp(row->listen, s->listen) != 0)
		return;
	assert_true(row->to_us - row->from_us >= row->observed_us - SECOND);
	s->observed_us += row->observed_us;
	s->rows++;
}

/* The time that is on the disk of that listener, in seconds. */
static struct seen on_disk(struct world *w, const char *listen)
{
	struct seen s = {.listen = listen};
	struct error err;
	struct observed *o;

	observer_step(w->o, true);
	o = observed_read(w->dir, &err);
	assert_non_null(o);
	assert_int_equal(watched_each(o, add, &s, &err), 0);
	observed_close(o);
	s.observed_us /= SECOND;
	return s;
}

static void it_counts_what_passes(void **state)
{
	struct world w = {0};

	begin(&w, *state, LISTEN("a", "") LISTEN("b", "closed = true"));
	observer_step(w.o, false);
	pass(&w, 100);
	assert_int_equal(on_disk(&w, "a").observed_us, 100);
	assert_int_equal(on_disk(&w, "b").observed_us, 0);
	end(&w);
}

static void a_clock_that_is_set_adds_nothing(void **state)
{
	struct world w = {0};

	begin(&w, *state, LISTEN("a", ""));
	observer_step(w.o, false);
	pass(&w, 10);
	hands.wall += 14 * 86400 * SECOND;
	pass(&w, 11); /* the first of them spans the jump */
	assert_int_equal(on_disk(&w, "a").observed_us, 20);
	assert_int_equal(on_disk(&w, "a").rows, 2);
	hands.wall -= 30 * 86400 * SECOND;
	pass(&w, 11);
	assert_int_equal(on_disk(&w, "a").observed_us, 30);
	end(&w);
}

static void a_stall_adds_nothing(void **state)
{
	struct world w = {0};

	begin(&w, *state, LISTEN("a", ""));
	observer_step(w.o, false);
	pass(&w, 10);
	clock_fake_step(&hands, 3600 * SECOND);
	observer_step(w.o, false);
	pass(&w, 10);
	assert_int_equal(on_disk(&w, "a").observed_us, 20);
	end(&w);
}

static void mail_that_is_not_taken_is_no_silence(void **state)
{
	struct world w = {0};

	begin(&w, *state, LISTEN("a", ""));
	observer_step(w.o, false);
	pass(&w, 10);
	w.takes = false;
	pass(&w, 50);
	w.takes = true;
	pass(&w, 11); /* the first of them began without */
	assert_int_equal(on_disk(&w, "a").observed_us, 20);
	end(&w);
}

static void a_listener_that_is_closed_ends_its_span(void **state)
{
	struct world w = {0};
	struct conf_snapshot *s;

	begin(&w, *state, LISTEN("a", "") LISTEN("b", ""));
	observer_step(w.o, false);
	pass(&w, 10);
	s = load(&w, *state, LISTEN("a", "closed = true") LISTEN("b", ""));
	observer_configure(w.o, s);
	snapshot_unref(s);
	pass(&w, 20);
	assert_int_equal(on_disk(&w, "a").observed_us, 10);
	assert_int_equal(on_disk(&w, "b").observed_us, 30);
	end(&w);
}

static void a_long_time_is_a_row_an_hour(void **state)
{
	struct world w = {0};

	begin(&w, *state, LISTEN("a", ""));
	observer_step(w.o, false);
	pass(&w, 3 * 3600);
	assert_in_range(on_disk(&w, "a").observed_us, 3 * 3600 - 5, 3 * 3600);
	assert_in_range(on_disk(&w, "a").rows, 3, 4);
	end(&w);
}

static void another_daemon_goes_on_behind_the_first(void **state)
{
	struct world w = {0}, next = {0};

	begin(&w, *state, LISTEN("a", ""));
	observer_step(w.o, false);
	pass(&w, 10);
	assert_int_equal(on_disk(&w, "a").observed_us, 10);
	begin(&next, *state, LISTEN("a", ""));
	hands.mono = 5 * SECOND; /* the machine was started again */
	hands.wall += 600 * SECOND;
	observer_step(next.o, false);
	pass(&next, 10);
	assert_int_equal(on_disk(&next, "a").observed_us, 20);
	assert_int_equal(on_disk(&next, "a").rows, 2);
	observer_free(w.o);
	from_legs_free(w.from_legs);
	names_free(w.names);
	end(&next);
}

/* ---- mail of legs ---- */

static void check_came(void *arg, const struct came_row *row)
{
	int *rows = arg;

	++*rows;
	assert_string_equal(row->leg, "legacy");
	assert_string_equal(row->domain, "example.com");
	assert_string_equal(row->hop, "203.0.113.9");
	assert_int_equal(row->kind, FROM_LEG_WAY_BACK);
	assert_int_equal(row->first_us, 100);
	assert_int_equal(row->last_us, 300);
	assert_int_equal(row->messages, 3);
	assert_int_equal(row->id, 7);
}

static void mail_of_a_leg_is_added_up(void **state)
{
	struct from_leg one = {.leg = "legacy", .kind = FROM_LEG_WAY_BACK,
	    .domain = "example.com", .last_us = 100, .id = 5,
	    .hop = "203.0.113.9"};
	struct world w = {0};
	struct observed *o;
	struct error err;
	int rows = 0;

	begin(&w, *state, LISTEN("a", ""));
	assert_true(from_legs_add(w.from_legs, &one));
	one.last_us = 200;
	assert_false(from_legs_add(w.from_legs, &one));
	observer_step(w.o, true);
	one.last_us = 300;
	one.id = 7;
	one.hop = "";
	assert_false(from_legs_add(w.from_legs, &one));
	observer_step(w.o, true);
	o = observed_read(w.dir, &err);
	assert_non_null(o);
	assert_int_equal(came_each(o, check_came, &rows, &err), 0);
	assert_int_equal(rows, 1);
	observed_close(o);
	one.last_us += 3601 * SECOND;
	assert_true(from_legs_add(w.from_legs, &one));
	end(&w);
}

static int start(void **state)
{
	clock_fake_init(&hands, 1800000000 * SECOND);
	clock_fake_step(&hands, 1000 * SECOND);
	return conf_tmp_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_counts_what_passes),
		cmocka_unit_test(a_clock_that_is_set_adds_nothing),
		cmocka_unit_test(a_stall_adds_nothing),
		cmocka_unit_test(mail_that_is_not_taken_is_no_silence),
		cmocka_unit_test(a_listener_that_is_closed_ends_its_span),
		cmocka_unit_test(a_long_time_is_a_row_an_hour),
		cmocka_unit_test(another_daemon_goes_on_behind_the_first),
		cmocka_unit_test(mail_of_a_leg_is_added_up),
	};

	return cmocka_run_group_tests(tests, start, conf_tmp_teardown);
}
