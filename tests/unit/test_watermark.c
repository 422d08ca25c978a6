/* SPDX-License-Identifier: ISC
 *
 * Watermarks in ledger.db: each cell of doc/watermark.md, what a restart and
 * the loss of the file leave, a file of format 3, and the reader.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "relay/audit/delivered/watermark_post.h"
#include "relay/audit/delivered/watermark_reader.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/unit/lastfixture.h"

enum { CELLS = WATERMARK_STATES * WATERMARK_EVENTS, CROWD = 5000 };

#define ANN "ann@example.com"

/* ---- posting and reading ------------------------------------------------- */

static void post(struct last_delivery *l, struct watermark_op op)
{
	if (op.leg == NULL)
		op.leg = "legacy";
	if (op.address.n == 0)
		op.address = SLICE(ANN);
	assert_true(watermark_post(l, &op));
}

static void event(struct last_delivery *l, enum watermark_event e,
    uint64_t change, int64_t at_us)
{
	post(l, (struct watermark_op){.what = DO_EVENT, .event = e,
	    .change = change, .at_us = at_us});
}

struct seen {
	struct watermark w;
	char address[64], note[64];
	int n;
};

static void on_row(void *arg, const struct watermark *w)
{
	struct seen *s = arg;

	s->w = *w;
	snprintf(s->address, sizeof(s->address), "%s", w->address);
	snprintf(s->note, sizeof(s->note), "%s", w->note);
	s->n++;
}

static struct watermark_reader *reader(const char *dir)
{
	static struct conf c;
	struct watermark_reader *r;
	struct error err;

	c = conf_of(30, 90);
	r = watermark_reader_open_at(file(dir), &c, &err);
	if (r == NULL)
		fail_msg("%s", err.text);
	return r;
}

static struct seen look(const char *dir)
{
	struct watermark_reader *r = reader(dir);
	struct seen s = {.n = 0};
	struct error err;

	assert_true(watermark_reader_get(r, SLICE(ANN), on_row, &s, &err) >= 0);
	watermark_reader_close(r);
	return s;
}

static int page(const char *dir, enum watermark_which which)
{
	struct watermark_reader *r = reader(dir);
	struct seen s = {.n = 0};
	struct watermark_page p = {.which = which, .recipient = INT64_MIN,
	    .leg = -1, .limit = 7, .fn = on_row, .arg = &s};
	struct error err;
	int n;

	while ((n = watermark_reader_page(r, &p, &err)) > 0)
		;
	assert_int_equal(n, 0);
	watermark_reader_close(r);
	return s.n;
}

/* ---- the page ------------------------------------------------------------ */

static char *page_text(void)
{
	const char *top = getenv("srcdir");
	char path[4096], *text = mem_new(1 << 16);
	FILE *f;

	snprintf(path, sizeof(path), "%s/doc/watermark.md",
	    top == NULL ? "." : top);
	f = fopen(path, "re");
	assert_non_null(f);
	text[fread(text, 1, (1 << 16) - 1, f)] = '\0';
	fclose(f);
	return text;
}

/* The n-th column of a line of a table. */
static struct slice cell(struct slice line, int n)
{
	struct slice part = {NULL, 0};

	for (int i = 0; i <= n + 1; i++)
		assert_true(slice_next(&line, '|', &part));
	return slice_trim(part);
}

static int event_of(struct slice name)
{
	for (int i = 0; i < WATERMARK_EVENTS; i++)
		if (slice_eq(name, slice_str(watermark_event_text(i))))
			return i;
	fail_msg("no event %.*s", (int)name.n, name.p);
	return -1;
}

/* Brings a new watermark into that state. */
static void bring(struct last_delivery *l, int state)
{
	add(l, "legacy", ANN, NOW - 10, 1);
	if (state >= WATERMARK_PENDING)
		event(l, WATERMARK_LEFT, 5, NOW);
	if (state >= WATERMARK_REACHED)
		event(l, WATERMARK_CLEAR, 0, NOW + 1);
	if (state == WATERMARK_SYNCED)
		event(l, WATERMARK_SYNC, 0, NOW + 2);
	commit(l, NOW);
	if (state == WATERMARK_WITHDRAWN)
		add(l, "legacy", ANN, NOW + 3, 2);
	commit(l, NOW);
}

static int state_of(const struct seen *s)
{
	return s->n == 0 ? (int)WATERMARK_NONE : (int)s->w.state;
}

static void run_cell(const char *dir, int state, int e, struct slice want)
{
	bool refused = slice_eq(want, SLICE("refused"));
	int to = refused ? -1 : watermark_state_parse(want);
	struct last_delivery *l = open_in(dir);
	struct seen s;

	assert_true(refused || to >= 0);
	assert_int_equal(watermark_next((enum watermark_state)state,
	    (enum watermark_event)e), to);
	bring(l, state);
	s = look(dir);
	assert_int_equal(state_of(&s), state);
	if (e == WATERMARK_DELIVERED)
		add(l, "legacy", ANN, NOW + 20, 3);
	else
		event(l, (enum watermark_event)e, 6, NOW + 20);
	commit(l, NOW);
	s = look(dir);
	if (state_of(&s) != (refused ? state : to))
		fail_msg("%s, %s: %s", watermark_state_text(state),
		    watermark_event_text(e), watermark_state_text(s.w.state));
	last_delivery_close(l);
	forget(dir);
}

static void each_cell_of_the_page(void **state)
{
	char *text = page_text();
	struct slice all = slice_str(text), line, head = {NULL, 0};
	int cells = 0;

	while (slice_next(&all, '\n', &line)) {
		if (slice_starts(line, SLICE("| state |"))) {
			head = line;
			continue;
		}
		if (head.n == 0 || line.n == 0 || line.p[0] != '|' ||
		    watermark_state_parse(cell(line, 0)) < 0)
			continue;
		for (int i = 1; i <= WATERMARK_EVENTS; i++, cells++)
			run_cell(*state, watermark_state_parse(cell(line, 0)),
			    event_of(cell(head, i)), cell(line, i));
	}
	assert_int_equal(cells, CELLS);
	mem_free(text);
}

/* A run after the one that is known moves its moment on, an older one does
 * not. */
static void synced_again_is_synced_since_then(void **state)
{
	struct last_delivery *l = open_in(*state);

	bring(l, WATERMARK_SYNCED);
	assert_int_equal(look(*state).w.at_us, NOW + 2);
	event(l, WATERMARK_SYNC, 0, NOW + 20);
	commit(l, NOW);
	assert_int_equal(look(*state).w.at_us, NOW + 20);
	event(l, WATERMARK_SYNC, 0, NOW + 10);
	event(l, WATERMARK_CLEAR, 0, NOW + 30);
	commit(l, NOW);
	assert_int_equal(look(*state).w.at_us, NOW + 20);
	assert_int_equal(look(*state).w.state, WATERMARK_SYNCED);
	last_delivery_close(l);
}

/* ---- what the rows say --------------------------------------------------- */

static void it_has_the_last_delivery_of_before(void **state)
{
	struct last_delivery *l = open_in(*state);
	struct seen s;

	event(l, WATERMARK_LEFT, 5, NOW);
	event(l, WATERMARK_CLEAR, 0, NOW + 1);
	add(l, "legacy", ANN, NOW - 5, 7);
	add(l, "cloud", ANN, NOW + 5, 8);
	commit(l, NOW);
	s = look(*state);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.address, ANN);
	assert_int_equal(s.w.state, WATERMARK_REACHED);
	assert_int_equal(s.w.time_us, NOW - 5);
	assert_int_equal(s.w.id, 7);
	assert_int_equal(s.w.change, 5);
	/* The same delivery once more, as after a crash, is no later one. */
	add(l, "legacy", ANN, NOW - 5, 7);
	commit(l, NOW);
	assert_int_equal(look(*state).w.state, WATERMARK_REACHED);
	last_delivery_close(l);
	forget(*state);
}

/* An older one comes from the index when the file was lost. */
static void what_is_read_again_withdraws_nothing(void **state)
{
	struct last_delivered m = {.time_us = NOW - 50, .id = 4,
	    .again = true};
	struct last_delivery *l = open_in(*state);
	struct seen s;

	event(l, WATERMARK_LEFT, 5, NOW);
	event(l, WATERMARK_CLEAR, 0, NOW + 1);
	commit(l, NOW);
	assert_int_equal(look(*state).w.time_us, 0);
	last_delivery_add(l, "legacy", ANN, &m);
	commit(l, NOW);
	s = look(*state);
	assert_int_equal(s.w.state, WATERMARK_REACHED);
	assert_int_equal(s.w.id, 4);
	last_delivery_close(l);
	forget(*state);
}

static void old_news_change_nothing(void **state)
{
	struct last_delivery *l = open_in(*state);

	add(l, "legacy", ANN, NOW + 9, 7);
	event(l, WATERMARK_LEFT, 5, NOW);
	event(l, WATERMARK_CLEAR, 0, NOW + 10);
	event(l, WATERMARK_NAMED, 4, NOW + 11);
	event(l, WATERMARK_SYNC, 0, NOW + 8); /* before the last delivery */
	commit(l, NOW);
	assert_int_equal(look(*state).w.state, WATERMARK_REACHED);
	last_delivery_close(l);
	forget(*state);
}

static void what_is_to_do_is_found(void **state)
{
	struct last_delivery *l = open_in(*state);
	struct seen s;

	event(l, WATERMARK_LEFT, 5, NOW);
	post(l, (struct watermark_op){.what = DO_OPEN, .number = 3});
	commit(l, NOW);
	assert_int_equal(look(*state).w.open, 3);
	assert_int_equal(page(*state, WATERMARKS_TODO), 1);
	event(l, WATERMARK_CLEAR, 0, NOW);
	commit(l, NOW);
	s = look(*state);
	assert_int_equal(s.w.open, 0);
	assert_int_equal(s.w.told, WATERMARK_PENDING);
	assert_int_equal(page(*state, WATERMARKS_TODO), 1);
	assert_int_equal(page(*state, WATERMARKS_HOOK), 0);
	/* Of another state: not told. */
	post(l, (struct watermark_op){.what = DO_TOLD,
	    .number = WATERMARK_SYNCED});
	commit(l, NOW);
	assert_int_equal(page(*state, WATERMARKS_TODO), 1);
	post(l, (struct watermark_op){.what = DO_TOLD,
	    .number = WATERMARK_REACHED, .hook = HOOK_DUE});
	commit(l, NOW);
	assert_int_equal(page(*state, WATERMARKS_TODO), 0);
	assert_int_equal(page(*state, WATERMARKS_HOOK), 1);
	post(l, (struct watermark_op){.what = DO_HOOK, .hook = HOOK_FAILED,
	    .note = "no such mailbox"});
	post(l, (struct watermark_op){.what = DO_WAIVE});
	commit(l, NOW);
	s = look(*state);
	assert_int_equal(page(*state, WATERMARKS_HOOK), 0);
	assert_int_equal(s.w.hook, HOOK_FAILED);
	assert_string_equal(s.note, "no such mailbox");
	assert_true(s.w.waived);
	last_delivery_close(l);
	forget(*state);
}

static void pages_give_each_once(void **state)
{
	struct last_delivery *l = open_in(*state);
	char to[64];

	for (int i = 0; i < CROWD; i++) {
		snprintf(to, sizeof(to), "user%d@example.com", i);
		post(l, (struct watermark_op){.what = DO_EVENT,
		    .event = WATERMARK_LEFT, .change = 1, .at_us = NOW,
		    .address = slice_str(to),
		    .leg = i % 2 == 0 ? "legacy" : "cloud"});
	}
	assert_int_equal(watermark_waits(l), CROWD);
	commit(l, NOW);
	assert_int_equal(watermark_waits(l), 0);
	assert_int_equal(page(*state, WATERMARKS_ALL), CROWD);
	assert_int_equal(page(*state, WATERMARKS_TODO), CROWD);
	last_delivery_close(l);
	forget(*state);
}

/* ---- restarts and losses ------------------------------------------------- */

static void the_place_in_the_change_log_is_kept(void **state)
{
	struct last_delivery *l = open_in(*state);

	assert_int_equal(watermark_marked(l), 0);
	event(l, WATERMARK_LEFT, 5, NOW);
	post(l, (struct watermark_op){.what = DO_MARKED, .change = 5});
	assert_int_equal(watermark_marked(l), 5);
	last_delivery_close(l); /* killed before the commit */
	l = open_in(*state);
	assert_int_equal(watermark_marked(l), 0);
	event(l, WATERMARK_LEFT, 5, NOW);
	post(l, (struct watermark_op){.what = DO_MARKED, .change = 5});
	commit(l, NOW);
	last_delivery_close(l);
	l = open_in(*state);
	assert_int_equal(watermark_marked(l), 5);
	assert_int_equal(look(*state).w.state, WATERMARK_PENDING);
	last_delivery_close(l);
	forget(*state);
	l = open_in(*state); /* lost: from the beginning */
	assert_int_equal(watermark_marked(l), 0);
	last_delivery_close(l);
	forget(*state);
}

/* The file as the last build of format 3 made it. */
static void format_3_is_upgraded(void **state)
{
	struct last_delivery *l = open_in(*state);

	add(l, "legacy", ANN, NOW, 7);
	commit(l, NOW);
	last_delivery_close(l);
	back_to(*state, 3);
	l = open_in(*state);
	assert_false(there(*state, "ledger.db.damaged"));
	assert_int_equal(last(l, "legacy", ANN), 7);
	assert_int_equal(watermark_marked(l), 0);
	/* The addresses are read from the index again. */
	assert_int_equal(last_delivery_refill(l), LAST_REFILL_ALL);
	event(l, WATERMARK_LEFT, 5, NOW);
	event(l, WATERMARK_CLEAR, 0, NOW);
	commit(l, NOW);
	assert_int_equal(look(*state).w.id, 7);
	last_delivery_close(l);
	l = open_in(*state);
	assert_int_equal(look(*state).w.id, 7);
	last_delivery_close(l);
	forget(*state);
}

/* A file of a later version, a damaged one, and none. */
static void a_file_that_is_not_ours_is_not_read(void **state)
{
	static const char *const spoilt[] = {
	    "UPDATE state SET format = format + 1",
	    "UPDATE state SET secret = x'00'", "DELETE FROM state"};
	struct conf c = conf_of(30, 90);
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(spoilt); i++) {
		last_delivery_close(open_in(*state));
		watermark_reader_close(reader(*state));
		alter(*state, spoilt[i]);
		err.text[0] = '\0';
		assert_null(watermark_reader_open_at(file(*state), &c, &err));
		assert_string_not_equal(err.text, "");
		if (i == 0)
			assert_non_null(strstr(err.text,
			    "start the daemon of this version"));
		forget(*state);
	}
	assert_null(watermark_reader_open_at(file(*state), &c, &err));
}

static void on_address(void *arg, struct slice address)
{
	struct strbuf *b = arg;

	strbuf_addsl(b, address);
	strbuf_addc(b, '\n');
}

static int addresses(const char *dir)
{
	sqlite3_stmt *s;
	sqlite3 *db;
	int n;

	assert_int_equal(sqlite3_open(file(dir), &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM address",
	    -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	n = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return n;
}

static void a_domain_knows_its_recipients(void **state)
{
	struct last_delivery *l = open_in(*state);
	struct watermark_domain d = {.domain = SLICE("example.com"),
	    .leg = "legacy", .after = INT64_MIN, .limit = 1,
	    .fn = on_address};
	struct last_delivered again = {.time_us = NOW, .id = 1,
	    .again = true};
	struct watermark_reader *r;
	struct strbuf b;
	struct error err;
	int n;

	add(l, "legacy", ANN, NOW, 1);
	add(l, "cloud", "bob@example.com", NOW, 2);
	add(l, "legacy", "cay@other.example", NOW, 3);
	commit(l, NOW);
	/* A known delivery brings the address that a file of format 3 lacks. */
	alter(*state, "DELETE FROM address WHERE address LIKE 'ann@%'");
	last_delivery_add(l, "legacy", ANN, &again);
	commit(l, NOW);
	r = reader(*state);
	strbuf_init(&b, 4096);
	d.arg = &b;
	while ((n = watermark_reader_domain(r, &d, &err)) > 0)
		;
	assert_int_equal(n, 0);
	assert_string_equal(strbuf_cstr(&b), ANN "\n");
	watermark_reader_close(r);
	strbuf_fini(&b);
	assert_int_equal(addresses(*state), 3);
	/* Addresses go with the last delivery. */
	for (int i = 0; i < 24; i++)
		prune(l, NOW + 200 * DAY_US + i * HOUR_US);
	assert_int_equal(addresses(*state), 0);
	last_delivery_close(l);
	forget(*state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_cell_of_the_page),
		cmocka_unit_test(synced_again_is_synced_since_then),
		cmocka_unit_test(it_has_the_last_delivery_of_before),
		cmocka_unit_test(what_is_read_again_withdraws_nothing),
		cmocka_unit_test(old_news_change_nothing),
		cmocka_unit_test(what_is_to_do_is_found),
		cmocka_unit_test(pages_give_each_once),
		cmocka_unit_test(the_place_in_the_change_log_is_kept),
		cmocka_unit_test(format_3_is_upgraded),
		cmocka_unit_test(a_file_that_is_not_ours_is_not_read),
		cmocka_unit_test(a_domain_knows_its_recipients),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
