/* SPDX-License-Identifier: ISC
 *
 * Files of events in a backup, while they are rotated: no line is lost. What
 * rotates is called from within closedir(), which is wrapped: behind each list
 * of the folder, before the first file of it is opened.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/cli/backup/backup_files.h"
#include "relay/cli/backup/restore_files.h"
#include "tests/unit/conf_tmp.h"

enum {
	LINES = 4, /* of before the backup: line 0 in events.jsonl, … */
	LISTS = 6, /* of the folder, by a backup; or more */
};

struct place {
	void *dir;
	char log[200], backup[200], events[250];
};

/* ---- rotation ------------------------------------------------------------ */

static void path_of(const struct place *p, int n, const char *more,
    char out[300])
{
	if (n == 0)
		snprintf(out, 300, "%s", p->events);
	else
		snprintf(out, 300, "%s.%d%s", p->events, n, more);
}

static void write_file(const struct place *p, int n, const char *more,
    const char *text)
{
	char path[300];
	FILE *f;

	path_of(p, n, more, path);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void shift(const struct place *p)
{
	char from[300], to[300];

	for (int n = 2 * LINES; n-- > 0;) {
		path_of(p, n, "", from);
		path_of(p, n + 1, "", to);
		rename(from, to);
	}
	write_file(p, 0, "", "of after it\n");
}

static void compress(const struct place *p)
{
	char path[300];

	path_of(p, 1, "", path);
	unlink(path);
	write_file(p, 1, ".gz", "line 1\n");
}

/* The oldest is given up, and its inode may be the new file's. */
static void give_up(const struct place *p)
{
	char path[300];

	path_of(p, LINES - 1, "", path);
	unlink(path);
	shift(p);
}

/* As copytruncate of logrotate. */
static void begin_anew(const struct place *p)
{
	write_file(p, 2 * LINES, "", "line 0\n");
	assert_int_equal(truncate(p->events, 0), 0);
}

/* The daemon still writes the file that was rotated. */
static void goes_on(const struct place *p)
{
	char path[300];
	FILE *f;

	path_of(p, 1, "", path);
	f = fopen(path, "ae");
	assert_non_null(f);
	fputs("line 9\n", f);
	fclose(f);
}

static void breaks(const struct place *p)
{
	char path[300];

	path_of(p, LINES, "", path);
	assert_int_equal(symlink(path, path), 0);
}

static struct {
	const struct place *p;
	int lists; /* until then */
	void (*then)(const struct place *p);
	bool always; /* again after each */
	int listed;
} rotation;

int __real_closedir(DIR *d);
int __wrap_closedir(DIR *d);
int __wrap_closedir(DIR *d)
{
	int rc = __real_closedir(d);

	if (rotation.p == NULL)
		return rc;
	rotation.listed++;
	if (rotation.listed == rotation.lists ||
	    (rotation.always && rotation.listed > rotation.lists))
		rotation.then(rotation.p);
	return rc;
}

/* ---- a backup ------------------------------------------------------------ */

static int begin(void **state)
{
	struct place *p = NEW(struct place);

	if (conf_tmp_setup(&p->dir) != 0)
		return -1;
	snprintf(p->log, sizeof(p->log), "%s/log", (char *)p->dir);
	snprintf(p->backup, sizeof(p->backup), "%s/backup", (char *)p->dir);
	snprintf(p->events, sizeof(p->events), "%s/events.jsonl", p->log);
	*state = p;
	return 0;
}

static void remove_all(const char *folder)
{
	char path[700];
	struct dirent *e;
	DIR *d = opendir(folder);

	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		unlink(path);
	}
	if (d != NULL)
		closedir(d);
	rmdir(folder);
}

static int end(void **state)
{
	struct place *p = *state;
	void *dir = p->dir;

	remove_all(p->log);
	remove_all(p->backup);
	mem_free(p);
	return conf_tmp_teardown(&dir);
}

/* The copies' lines, and how many copies there are; a restore takes each. */
static int copies(const struct place *p, struct strbuf *out)
{
	char path[700];
	struct dirent *e;
	DIR *d = opendir(p->backup);
	int n = 0, c;
	FILE *f;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		assert_int_equal(restore_place(e->d_name), TO_EVENTS);
		snprintf(path, sizeof(path), "%s/%s", p->backup, e->d_name);
		f = fopen(path, "re");
		assert_non_null(f);
		while ((c = fgetc(f)) != EOF)
			strbuf_addc(out, (char)c);
		fclose(f);
		n++;
	}
	closedir(d);
	return n;
}

/* Takes one. `then` comes behind that list, from 1. */
static int take(struct place *p, int lists,
    void (*then)(const struct place *p), bool always)
{
	struct conf conf = {.audit = {.events = p->events}};
	struct cli c = {.conf_file = ""};
	struct backing_up b = {.c = &c, .conf = &conf, .dir = p->backup,
	    .files = json_array(), .names = json_object(),
	    .copied = json_object()};
	char text[32];
	int code;

	remove_all(p->log);
	remove_all(p->backup);
	assert_int_equal(mkdir(p->log, 0700), 0);
	assert_int_equal(mkdir(p->backup, 0700), 0);
	for (int i = 0; i < LINES; i++) {
		snprintf(text, sizeof(text), "line %d\n", i);
		write_file(p, i, "", text);
	}
	memset(&rotation, 0, sizeof(rotation));
	rotation.p = p;
	rotation.lists = lists;
	rotation.then = then;
	rotation.always = always;
	code = backup_events_rotated(&b);
	if (code == CLI_DONE)
		code = backup_events_rest(&b);
	rotation.p = NULL;
	json_decref(b.files);
	json_decref(b.names);
	json_decref(b.copied);
	return code;
}

/* Lines 0 to `kept` are in it. */
static void has_lines(const struct place *p, int kept)
{
	struct strbuf all;
	char text[32];

	strbuf_init(&all, 4096);
	copies(p, &all);
	for (int i = 0; i < kept; i++) {
		snprintf(text, sizeof(text), "line %d\n", i);
		if (!slice_case_has(strbuf_view(&all), slice_str(text)))
			fail_msg("after list %d: line %d is lost",
			    rotation.lists, i);
	}
	strbuf_fini(&all);
}

static void no_line_is_lost_by_a_rotation(void **state)
{
	static const struct {
		void (*then)(const struct place *p);
		int kept;
	} cases[] = {{shift, LINES}, {compress, LINES}, {give_up, LINES - 1},
	    {begin_anew, LINES}};
	struct place *p = *state;

	for (int lists = 1; lists < LISTS; lists++)
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			assert_int_equal(take(p, lists, cases[i].then, false),
			    CLI_DONE);
			has_lines(p, cases[i].kept);
		}
}

/* A copy of before the hold is made again under it only when the file is
 * another by now. */
static void each_is_copied_once_without_one(void **state)
{
	struct place *p = *state;
	struct strbuf all;

	assert_int_equal(take(p, 0, NULL, false), CLI_DONE);
	strbuf_init(&all, 4096);
	assert_int_equal(copies(p, &all), LINES);
	assert_int_equal(all.n, LINES * strlen("line 0\n"));
	/* The second list is the first one under the hold. */
	strbuf_reset(&all);
	assert_int_equal(take(p, 2, goes_on, false), CLI_DONE);
	assert_int_equal(copies(p, &all), LINES + 1);
	assert_true(slice_case_has(strbuf_view(&all), SLICE("line 9\n")));
	strbuf_fini(&all);
}

/* Only events.jsonl itself: lists leave such names out. */
static void a_name_with_a_dot_before_it_is_copied(void **state)
{
	struct place *p = *state;
	struct strbuf all;

	snprintf(p->events, sizeof(p->events), "%s/.events.jsonl", p->log);
	assert_int_equal(take(p, 0, NULL, false), CLI_DONE);
	strbuf_init(&all, 4096);
	assert_int_equal(copies(p, &all), 1);
	assert_string_equal(strbuf_cstr(&all), "line 0\n");
	strbuf_fini(&all);
	snprintf(p->events, sizeof(p->events), "%s/events.jsonl", p->log);
}

static void one_that_never_ends_is_said(void **state)
{
	assert_int_equal(take(*state, 1, shift, true), CLI_NO);
}

static void one_that_cannot_be_read_is_said(void **state)
{
	assert_int_equal(take(*state, 1, breaks, false), CLI_NO);
}

static void names_that_are_none_of_them(void **state)
{
	static const char *const names[] = {"", "x", ".", ".a b", ".restoring",
	    ".1.restoring", "-20261130.gz.restoring"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_false(backup_is_rotated(names[i]));
	assert_true(backup_is_rotated(".1"));
	assert_true(backup_is_rotated("-20261130.gz"));
	assert_true(backup_is_rotated(".restoring.1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_line_is_lost_by_a_rotation),
		cmocka_unit_test(each_is_copied_once_without_one),
		cmocka_unit_test(one_that_never_ends_is_said),
		cmocka_unit_test(a_name_with_a_dot_before_it_is_copied),
		cmocka_unit_test(one_that_cannot_be_read_is_said),
		cmocka_unit_test(names_that_are_none_of_them),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
