/* SPDX-License-Identifier: ISC
 *
 * wave_next() against doc/waves.md: every cell of the page's table; names and
 * options.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "policy/wave/wave_options.h"
#include "policy/wave/wave_state.h"
#include "relay/base/mem.h"

enum { PAGE_MAX = 1 << 20, COLUMNS = WAVE_EVENTS + 1 };

static char *read_page(void)
{
	const char *top = getenv("srcdir");
	char *text = mem_new(PAGE_MAX);
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/doc/waves.md",
	    top != NULL ? top : ".");
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s can not be read", path);
	assert_int_not_equal(fread(text, 1, PAGE_MAX - 1, f), 0);
	fclose(f);
	return text;
}

static unsigned cut_row(struct slice line, struct slice cell[COLUMNS])
{
	unsigned n = 0;

	if (line.n < 2 || line.p[0] != '|')
		return 0;
	line = slice_head(slice_from(line, 1), line.n - 2);
	while (n < COLUMNS && slice_next(&line, '|', &cell[n])) {
		cell[n] = slice_trim(cell[n]);
		n++;
	}
	return line.p == NULL ? n : 0;
}

/* ---- a cell ----------------------------------------------------------- */

static void set_fact(struct slice word, struct wave_facts *f)
{
	if (slice_eq(word, SLICE("begun")))
		f->begun = true;
	else if (slice_eq(word, SLICE("again")))
		f->again = true;
	else if (slice_eq(word, SLICE("pending")))
		f->pending = 7;
	else if (slice_eq(word, SLICE("held")))
		f->held = 2;
	else if (slice_eq(word, SLICE("part")))
		f->part = true;
	else
		fail_msg("no fact is called '%.*s'", (int)word.n, word.p);
}

/* The state that a cell names for these facts: of its parts the last whose
 * words are all true. */
static struct slice state_in(struct slice cell, const struct wave_facts *f)
{
	struct slice part, words, word, found = {0};

	while (slice_next(&cell, ';', &part)) {
		struct wave_facts want = {0};
		long colon = slice_find(part, ':');

		words = slice_head(part, colon < 0 ? 0 : (size_t)colon);
		while (words.n > 0 && slice_next(&words, ',', &word))
			set_fact(slice_trim(word), &want);
		if ((want.begun && !f->begun) || (want.again && !f->again) ||
		    (want.part && !f->part) ||
		    (want.pending > 0 && f->pending == 0) ||
		    (want.held > 0 && f->held == 0))
			continue;
		found = slice_trim(slice_from(part, (size_t)(colon + 1)));
	}
	return found;
}

static void run_cell(enum wave_state state, enum wave_event event,
    struct slice cell)
{
	for (int bits = 0; bits < 32; bits++) {
		const struct wave_facts f = {
		    .name = "w7", .state = state,
		    .begun = (bits & 1) != 0, .again = (bits & 2) != 0,
		    .part = (bits & 4) != 0, .pending = (bits & 8) != 0,
		    .held = (bits & 16) != 0};
		struct slice want = state_in(cell, &f);
		struct error err = {0};
		int next = -1;
		int rc = wave_next(&f, event, &next, &err);
		const char *got = rc < 0 ? "refused" : wave_state_text(next);

		if (!slice_eq(want, slice_str(got)))
			fail_msg("%s, %s, facts %d: %s, the page says '%.*s'",
			    wave_state_text((int)state),
			    wave_event_text(event), bits, got, (int)want.n,
			    want.p);
	}
}

static void every_cell_of_the_page_is_what_a_wave_does(void **state)
{
	char *text = read_page();
	struct slice rest = slice_str(text), line, cell[COLUMNS];
	struct slice head[COLUMNS];
	unsigned cells = 0;

	(void)state;
	while (slice_next(&rest, '\n', &line)) {
		if (cut_row(line, cell) != COLUMNS)
			continue;
		if (slice_eq(cell[0], SLICE("state")))
			memcpy(head, cell, sizeof(head));
		if (wave_state_named(cell[0]) < 0)
			continue;
		for (unsigned i = 1; i < COLUMNS; i++, cells++) {
			int event = wave_event_named(head[i]);

			assert_true(event >= 0);
			run_cell((enum wave_state)wave_state_named(cell[0]),
			    (enum wave_event)event, cell[i]);
		}
	}
	mem_free(text);
	assert_int_equal(cells, WAVE_STATES * WAVE_EVENTS);
}

/* ---- what the table does not show ------------------------------------- */

static void a_refusal_names_what_is_allowed(void **state)
{
	static const struct {
		struct wave_facts facts;
		enum wave_event event;
		const char *says;
	} cases[] = {
	    {{.state = WAVE_PLANNED}, WAVE_PAUSE,
		"wave w7 is planned: pause is refused; possible now: "
		"schedule, start, delete"},
	    {{.state = WAVE_RUNNING, .begun = true}, WAVE_SCHEDULE,
		"wave w7 is running: schedule is refused; possible now: "
		"pause, rollback"},
	    {{.state = WAVE_PAUSED}, WAVE_START,
		"wave w7 is paused: start is refused; possible now: "
		"schedule, resume"},
	    {{.state = WAVE_DONE, .begun = true}, WAVE_DELETE,
		"wave w7 is done: delete is refused; possible now: "
		"rollback"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct wave_facts f = cases[i].facts;
		struct error err;
		int next;

		f.name = "w7";
		assert_int_equal(
		    wave_next(&f, cases[i].event, &next, &err), -1);
		assert_string_equal(err.text, cases[i].says);
	}
}

static void names_and_words_are_read_back(void **state)
{
	static const char *const bad[] = {"", "a b", "x/y", "-n", "\xc3\xa4",
	    ("0123456789012345678901234567890123456789"
	     "0123456789012345678901234")};
	static const char *const good[] = {"w7", "2026-12-01", "A_b.c-d"};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(wave_name_check(bad[i], &err), -1);
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(wave_name_check(good[i], &err), 0);
	for (int i = 0; i < WAVE_STATES; i++)
		assert_int_equal(wave_state_named(
		    slice_str(wave_state_text(i))), i);
	for (int i = 0; i < MEMBER_STATES; i++)
		assert_int_equal(member_state_named(slice_str(
		    member_state_text((enum member_state)i))), i);
	assert_int_equal(wave_state_named(SLICE("gone")), -1);
}

static void options_are_kept_as_text(void **state)
{
	struct wave_options o = wave_options_default(), back;
	struct strbuf text;

	(void)state;
	strbuf_init(&text, WAVE_OPTIONS_TEXT);
	o.slice = 500;
	o.pause_s = 60;
	o.late_s = 0;
	o.hold = true;
	o.deadline_s = 7200;
	o.force = true;
	snprintf(o.zone, sizeof(o.zone), "Europe/London");
	wave_options_print(&o, &text);
	wave_options_parse(strbuf_view(&text), &back);
	assert_int_equal(back.slice, 500);
	assert_int_equal(back.pause_s, 60);
	assert_int_equal(back.late_s, 0);
	assert_true(back.hold && back.force);
	assert_int_equal(back.deadline_s, 7200);
	assert_string_equal(back.zone, "Europe/London");
	strbuf_fini(&text);
	wave_options_parse(SLICE("slice=0\npause=x\nsoak=5\nlate"), &back);
	assert_int_equal(back.slice, WAVE_SLICE_DEFAULT);
	assert_int_equal(back.pause_s, 0);
	assert_int_equal(back.late_s, WAVE_LATE_DEFAULT_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_cell_of_the_page_is_what_a_wave_does),
	    cmocka_unit_test(a_refusal_names_what_is_allowed),
	    cmocka_unit_test(names_and_words_are_read_back),
	    cmocka_unit_test(options_are_kept_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
