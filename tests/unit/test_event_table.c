/* SPDX-License-Identifier: ISC
 *
 * The table of events and alarm kinds, held against the pages that describe
 * them and the sentences of `trace`: each name is in both, and none beside.
 * And how sure an event is of what it tells.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "relay/audit/event.h"
#include "relay/audit/event_table.h"
#include "relay/base/mem.h"
#include "relay/cli/audit/event_words.h"
#include "relay/mail/result.h"

enum { PAGE_MAX = 1 << 20, LINE_MAX_BYTES = 4096 };

/* Fields that events of a message or a delivery have: the page says it once. */
static const char common[] = " id to leg role change uncertain ";

static char *read_page(const char *name)
{
	const char *top = getenv("srcdir");
	char *text = mem_new(PAGE_MAX);
	char path[500];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", top != NULL ? top : ".", name);
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s can not be read", path);
	assert_int_not_equal(fread(text, 1, PAGE_MAX - 1, f), 0);
	fclose(f);
	return text;
}

/* The part of a page from the line `from` to the next that begins with
 * `until`; cut out of `page`. */
static char *section(char *page, const char *from, const char *until)
{
	char *begin = strstr(page, from), *end;

	if (begin == NULL)
		fail_msg("there is no %s", from);
	begin += strlen(from);
	end = strstr(begin, until);
	if (end != NULL)
		*end = '\0';
	return begin;
}

static int event_named(struct slice name)
{
	for (int i = 0; i < EVENTS; i++)
		if (slice_eq(name, slice_str(event_table[i].name)))
			return i;
	return -1;
}

static int alarm_named(struct slice name)
{
	for (int i = 0; i < ALARMS; i++)
		if (slice_eq(name, slice_str(alarm_table[i].kind)))
			return i;
	return -1;
}

static void rows_are_whole_and_differ(void **state)
{
	(void)state;
	for (int i = 0; i < EVENTS; i++) {
		const struct event_row *e = &event_table[i];

		assert_non_null(e->name);
		print_message("%s\n", e->name);
		assert_non_null(e->fields);
		assert_in_range(e->meaning[0], 'A', 'Z');
		assert_int_not_equal(e->meaning[strlen(e->meaning) - 1], '.');
		assert_int_equal(event_named(slice_str(e->name)), i);
	}
	for (int i = 0; i < ALARMS; i++) {
		const struct alarm_row *a = &alarm_table[i];

		assert_non_null(a->kind);
		print_message("%s\n", a->kind);
		assert_int_equal(strspn(a->kind, "abcdefghijklmnopqrstuvwxyz-"),
		    strlen(a->kind));
		assert_in_range(a->meaning[0], 'A', 'Z');
		assert_int_equal(alarm_named(slice_str(a->kind)), i);
	}
}

/* ---- doc/audit.md ---- */

/* Marks the events that the first cell of a row names. */
static void see_names(struct slice cell, bool seen[EVENTS], bool row[EVENTS])
{
	struct slice part;

	for (unsigned k = 0; slice_next(&cell, '`', &part); k++) {
		int i = event_named(part);

		if (k % 2 == 0)
			continue; /* between the names */
		if (i < 0)
			fail_msg("doc/audit.md: %.*s is no event",
			    (int)part.n, part.p);
		seen[i] = row[i] = true;
	}
}

static bool has_word(struct slice text, struct slice word)
{
	for (size_t i = 0; i + word.n <= text.n; i++) {
		bool begins = i == 0 || !(isalnum((uint8_t)text.p[i - 1]) ||
					     text.p[i - 1] == '_');
		bool ends = i + word.n == text.n ||
			    !(isalnum((uint8_t)text.p[i + word.n]) ||
				text.p[i + word.n] == '_');

		if (begins && ends && memcmp(text.p + i, word.p, word.n) == 0)
			return true;
	}
	return false;
}

/* All rows that name the event say each of its fields. */
static void check_fields(int event, const char *rows)
{
	struct slice left = slice_str(event_table[event].fields), field;

	while (slice_next(&left, ' ', &field)) {
		char is_common[64];

		snprintf(is_common, sizeof(is_common), " %.*s ", (int)field.n,
		    field.p);
		if (strstr(common, is_common) == NULL &&
		    !has_word(slice_str(rows), field))
			fail_msg("doc/audit.md: %s has no field %.*s",
			    event_table[event].name, (int)field.n, field.p);
	}
}

static void the_page_of_the_trail_has_each_event_and_field(void **state)
{
	char *page = read_page("doc/audit.md");
	struct slice left = slice_str(section(page, "\n## Events\n", "\n## "));
	bool seen[EVENTS] = {0};
	struct strbuf rows[EVENTS];
	struct slice line, cell;

	(void)state;
	for (int i = 0; i < EVENTS; i++)
		strbuf_init(&rows[i], PAGE_MAX);
	while (slice_next(&left, '\n', &line)) {
		bool row[EVENTS] = {0};

		if (!slice_starts(line, slice_str("| `")))
			continue;
		line = slice_from(line, 2);
		assert_true(slice_next(&line, '|', &cell));
		see_names(cell, seen, row);
		for (int i = 0; i < EVENTS; i++)
			if (row[i])
				strbuf_addsl(&rows[i], line);
	}
	for (int i = 0; i < EVENTS; i++) {
		if (!seen[i])
			fail_msg("doc/audit.md: there is no %s",
			    event_table[i].name);
		check_fields(i, strbuf_cstr(&rows[i]));
		strbuf_fini(&rows[i]);
	}
	mem_free(page);
}

/* ---- the manual pages ---- */

/* The names behind each ".It Li", which commas part. */
static void see_items(const char *text, int (*named)(struct slice name),
    bool *seen)
{
	static const char item[] = "\n.It Li ";

	while ((text = strstr(text, item)) != NULL) {
		struct slice left = slice_str(text += sizeof(item) - 1), name;

		left.n = strcspn(left.p, "\n");
		while (slice_next(&left, ' ', &name)) {
			int i = named(name);

			if (name.n == 0 || slice_eq(name, slice_str(",")))
				continue;
			if (i < 0)
				fail_msg("%.*s is in no table", (int)name.n,
				    name.p);
			seen[i] = true;
		}
	}
}

static void the_daemons_page_has_each_alarm(void **state)
{
	char *page = read_page("doc/posthoused.8");
	bool seen[ALARMS] = {0};

	(void)state;
	see_items(section(page, "\n.Sh ALARMS\n", "\n.Sh "), alarm_named,
	    seen);
	for (int i = 0; i < ALARMS; i++)
		if (!seen[i])
			fail_msg("posthoused(8): there is no %s",
			    alarm_table[i].kind);
	mem_free(page);
}

/* With line ends as blanks. */
static void the_commands_page_has_each_event_and_its_meaning(void **state)
{
	char *page = read_page("doc/posthouse.1");
	char *text = section(page, "\n.Sh EVENTS\n", "\n.Sh ");
	bool seen[EVENTS] = {0};
	char item[LINE_MAX_BYTES];

	(void)state;
	see_items(text, event_named, seen);
	for (char *p = text; *p != '\0'; p++)
		if (*p == '\n')
			*p = ' ';
	for (int i = 0; i < EVENTS; i++) {
		snprintf(item, sizeof(item), ".It Li %s %s. ",
		    event_table[i].name, event_table[i].meaning);
		if (!seen[i] || strstr(text, item) == NULL)
			fail_msg("posthouse(1): there is no \"%s\"", item);
	}
	mem_free(page);
}

/* ---- how sure ---- */

/* After an attempt of which its result says that it may have gone out, and
 * after one of which the delivery still does. */
static void an_event_says_whether_the_mail_may_arrive_twice(void **state)
{
	static const struct {
		enum uncertain mark;
		bool now;
		const char *said; /* NULL: nothing */
	} cases[] = {
	    {UNC_NO, false, NULL},
	    {UNC_NO, true, "\"uncertain\":\"yes\""},
	    {UNC_POSSIBLE, false, "\"uncertain\":\"possible\""},
	    {UNC_POSSIBLE, true, "\"uncertain\":\"yes\""},
	    {UNC_YES, false, "\"uncertain\":\"yes\""},
	    {UNC_YES, true, "\"uncertain\":\"yes\""},
	};
	struct strbuf detail, out;

	(void)state;
	strbuf_init(&detail, LINE_MAX_BYTES);
	strbuf_init(&out, LINE_MAX_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct event_place at = {.node = 1};
		struct delivery_event m = {.kind = EV_DEFERRED, .id = 1,
		    .to = "ann@example.com", .leg = "cloud",
		    .why = WHY_ATTEMPT, .uncertain = (uint8_t)cases[i].mark};
		struct result r = {.outcome = OUT_DEFERRED, .remote = "",
		    .text = "", .tls = "", .tls_failed = "", .address = "",
		    .uncertain = cases[i].now};

		strbuf_reset(&detail);
		strbuf_reset(&out);
		result_pack(&r, &detail);
		m.detail = strbuf_view(&detail);
		event_print_delivery(&out, &at, &m);
		if (cases[i].said != NULL)
			assert_non_null(
			    strstr(strbuf_cstr(&out), cases[i].said));
		else
			assert_null(strstr(strbuf_cstr(&out), "uncertain"));
	}
	strbuf_fini(&detail);
	strbuf_fini(&out);
}

static void what_is_forged_has_a_reply_and_a_reason(void **state)
{
	const struct event_place at = {.node = 1};
	struct delivery_event m = {.kind = EV_PARKED, .id = 1,
	    .to = "ann@example.com", .leg = "cloud", .why = WHY_FORGED};
	struct result r = {.outcome = OUT_PARKED, .code = 550, .remote = "",
	    .text = "5.7.26 no", .tls = "", .tls_failed = "", .address = "",
	    .class = CLASS_AUTHENTICATION};
	struct strbuf detail, out;

	(void)state;
	strbuf_init(&detail, LINE_MAX_BYTES);
	strbuf_init(&out, LINE_MAX_BYTES);
	result_pack(&r, &detail);
	m.detail = strbuf_view(&detail);
	event_print_delivery(&out, &at, &m);
	assert_non_null(strstr(strbuf_cstr(&out), "\"code\":550"));
	assert_non_null(strstr(strbuf_cstr(&out), "\"reason\":\"forged\""));
	strbuf_fini(&detail);
	strbuf_fini(&out);
}

/* ---- trace ---- */

/* Events without a sentence are shown by their names and fields. */
static void each_event_has_a_sentence_but_two(void **state)
{
	(void)state;
	for (int i = 0; i < EVENTS; i++) {
		const char *name = event_table[i].name;
		json_t *e = json_pack("{s:s, s:s}", "event", name, "field",
		    "value");
		struct strbuf out;
		bool bare;

		strbuf_init(&out, LINE_MAX_BYTES);
		words_event(e, &out);
		bare = strstr(strbuf_cstr(&out), "field=value") != NULL;
		print_message("%s: %s\n", name, strbuf_cstr(&out));
		assert_int_equal(bare, i == EVENT_TOKEN || i == EVENT_SPOOL);
		strbuf_fini(&out);
		json_decref(e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_are_whole_and_differ),
	    cmocka_unit_test(the_page_of_the_trail_has_each_event_and_field),
	    cmocka_unit_test(the_daemons_page_has_each_alarm),
	    cmocka_unit_test(the_commands_page_has_each_event_and_its_meaning),
	    cmocka_unit_test(an_event_says_whether_the_mail_may_arrive_twice),
	    cmocka_unit_test(what_is_forged_has_a_reply_and_a_reason),
	    cmocka_unit_test(each_event_has_a_sentence_but_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
