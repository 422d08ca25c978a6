/* SPDX-License-Identifier: ISC
 *
 * Waves of a test.
 */
#include "tests/unit/wave_tmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/wave/file/exclude.h"
#include "relay/base/mem.h"

enum { NOW = WAVE_TMP_NOW, TEXT = WAVE_TMP_TEXT };

static const struct change_by by = {.who = "ann", .host = "host",
	.command = "wave", .note = "why"};
static const struct change_row keep = {.held = -1};

/* ---- a table with a wave ---------------------------------------------- */

struct table_tmp *wave_tmp_table(void **state)
{
	static const char *const mailbox[] = {"amy@example.com",
	    "amy.b@example.com", "zoe@example.com"};
	struct table_tmp *t = table_tmp_new(*state);
	struct change_row row = {.route = "legacy", .held = -1,
	    .mailbox = "amy"};

	table_tmp_route(t, "ann@example.com", "legacy");
	table_tmp_route(t, "bob@example.com", "legacy");
	table_tmp_route(t, "cid@example.com", "legacy");
	for (size_t i = 0; i < ARRAY_LEN(mailbox); i++)
		table_tmp_set(t, mailbox[i], &row);
	return t;
}

struct change *wave_tmp_staged(struct table_tmp *t, const char *names)
{
	struct change *ch = table_tmp_change(t);
	struct slice rest = slice_str(names), name;
	struct change_row row = keep;
	struct error err;
	char address[ADDR_MAX];

	while (slice_next(&rest, ' ', &name)) {
		row.line++;
		snprintf(address, sizeof(address), "%.*s%s", (int)name.n,
		    name.p, slice_find(name, '@') < 0 ? "@example.com" : "");
		if (change_set(ch, slice_str(address), &row, &err) < 0)
			fail_msg("%s: %s", address, err.text);
	}
	return ch;
}

int wave_tmp_try(struct table_tmp *t, const char *name,
    const char *names, struct wave_made *made, struct error *err)
{
	const struct wave_new w = {.name = name, .route = "cloud", .by = &by,
	    .now_us = NOW};
	struct change *ch = wave_tmp_staged(t, names);
	int rc = wave_create(ch, &w, made, err);

	change_close(ch);
	return rc;
}

struct wave_made wave_tmp_create(struct table_tmp *t, const char *name,
    const char *names)
{
	struct wave_made made;
	struct error err;

	if (wave_tmp_try(t, name, names, &made, &err) < 0)
		fail_msg("%s", err.text);
	return made;
}

struct wave_file *wave_tmp_open(struct table_tmp *t, bool write)
{
	struct error err;
	struct wave_file *f = wave_file_open(t->path, write, &err);

	if (f == NULL)
		fail_msg("%s", err.text);
	return f;
}

int wave_tmp_said(struct table_tmp *t, const char *name,
    struct wave_said said, struct error *err)
{
	struct wave_file *f = wave_tmp_open(t, true);
	int rc;

	said.now_us = NOW;
	assert_int_equal(wave_begin(f, err), 0);
	rc = wave_end(f, wave_move(f, name, &said, NULL, err), err);
	wave_file_close(f);
	return rc;
}

void wave_tmp_move(struct table_tmp *t, const char *name, enum wave_event event)
{
	const struct wave_said said = {.event = event, .by = &by};
	struct error err;

	if (wave_tmp_said(t, name, said, &err) < 0)
		fail_msg("%s", err.text);
}

void wave_tmp_refused(struct table_tmp *t, const char *name,
    enum wave_event event, const char *says)
{
	const struct wave_said said = {.event = event, .by = &by};
	struct error err;

	assert_int_equal(wave_tmp_said(t, name, said, &err), -1);
	assert_string_equal(err.text, says);
}

/* ---- what is there, as text ------------------------------------------- */

static void add_member(void *arg, const struct member *m)
{
	char *text = arg;
	size_t n = strlen(text);
	long at = slice_find(m->address, '@');

	snprintf(text + n, TEXT - n, "%s%.*s %s%s%s", n == 0 ? "" : ", ",
	    (int)at, m->address.p, member_state_text(m->state),
	    m->reason[0] == '\0' ? "" : " ", m->reason);
}

void wave_tmp_members(struct table_tmp *t, const char *name,
    const char *want)
{
	struct wave_file *f = wave_tmp_open(t, false);
	char text[TEXT] = "";
	struct member_page page = {.state = -1, .fn = add_member,
	    .arg = text};
	struct error err;
	struct wave w;

	assert_int_equal(wave_need(f, name, &w, &err), 0);
	page.id = w.id;
	assert_int_equal(wave_members(f, &page, &err), 0);
	assert_string_equal(text, want);
	wave_file_close(f);
}

/* ---- a slice, as the daemon makes it ----------------------------------- */

static void take_member(void *arg, const struct member *m)
{
	struct wave_tmp_run *run = arg;
	struct change_row row = {.route = "cloud", .held = -1};
	struct error err;

	add_member(run->text, m);
	if (m->state == MEMBER_DONE)
		assert_int_equal(change_set(run->ch, m->address, &row, &err),
		    0);
}

static int on_also(void *arg, struct db *db, const struct change_done *done,
    struct error *err)
{
	struct wave_tmp_run *run = arg;
	struct wave_file *f = wave_file_on(db, err);
	int rc;

	assert_non_null(f);
	run->slice.change = done->change;
	rc = wave_slice_done(f, run->name, &run->slice, err);
	wave_file_close(f);
	return rc;
}

void wave_tmp_look(struct table_tmp *t, struct wave_tmp_run *run,
    uint64_t limit, bool force)
{
	struct wave_file *f = wave_tmp_open(t, false);
	const struct wave_take take = {.conf = t->c, .limit = limit,
	    .force = force, .fn = take_member, .arg = run};
	uint64_t seen;
	struct error err;
	struct wave w;

	run->ch = table_tmp_change(t);
	run->slice = (struct wave_slice){.now_us = NOW, .force = force};
	run->text[0] = '\0';
	assert_int_equal(wave_need(f, run->name, &w, &err), 0);
	assert_int_equal(wave_slice_next(f, &w, &run->slice.slice, &err), 0);
	if (exclude_mark(f, &run->slice.rules, &err) < 0 ||
	    wave_take(f, &w, &take, &seen, &err) < 0)
		fail_msg("%s", err.text);
	wave_file_close(f);
}

int wave_tmp_make(struct wave_tmp_run *run, struct error *err)
{
	const struct change_part part = {.also = on_also, .arg = run};
	const struct change_how how = {.as_of = -1, .mailboxes = true,
	    .create = run->slice.force, .kind = "wave", .part = &part};
	struct change_by said = by;
	struct change_done done;
	int rc;

	said.wave = run->name;
	rc = change_commit(run->ch, &how, &said, &done, err);
	change_close(run->ch);
	return rc;
}

uint64_t wave_tmp_slice(struct table_tmp *t, struct wave_tmp_run *run,
    uint64_t limit)
{
	struct error err;

	wave_tmp_look(t, run, limit, false);
	if (wave_tmp_make(run, &err) < 0)
		fail_msg("%s", err.text);
	return run->slice.members;
}
