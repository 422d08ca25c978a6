/* SPDX-License-Identifier: ISC
 *
 * Imports of a test.
 */
#include "tests/unit/import_shown.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/import_conf.h"

struct import_shown {
	void *dir; /* of conf_tmp.h */
	struct names *names;
	struct conf *c;
	struct strbuf rows, fault;
	uint64_t faults;
};

int import_shown_setup(void **state)
{
	struct import_shown *s = NEW(struct import_shown);

	if (conf_tmp_setup(&s->dir) != 0)
		return -1;
	s->names = names_new();
	s->c = conf_tmp_good(s->dir, import_conf, s->names);
	strbuf_init(&s->rows, 1 << 20);
	strbuf_init(&s->fault, 1 << 12);
	*state = s;
	return 0;
}

int import_shown_teardown(void **state)
{
	struct import_shown *s = *state;

	conf_unref(s->c);
	names_free(s->names);
	strbuf_fini(&s->rows);
	strbuf_fini(&s->fault);
	conf_tmp_teardown(&s->dir);
	mem_free(s);
	return 0;
}

static void put(struct strbuf *out, const char *name, const char *text)
{
	if (text == NULL)
		return;
	while (*text == ' ')
		text++;
	strbuf_addf(out, " %s=%s", name, text);
	while (out->n > 0 && out->p[out->n - 1] == ' ')
		out->n--;
}

static int on_row(void *arg, const struct import_row *row, struct error *err)
{
	struct import_shown *s = arg;

	(void)err;
	strbuf_addf(&s->rows, "%" PRIu64 " %s", row->line, row->key);
	put(&s->rows, "mailbox", row->mailbox);
	put(&s->rows, "route", row->route);
	put(&s->rows, "tags", row->tags);
	if (row->keys != NULL && row->keys[0] != '\0')
		put(&s->rows, "keys", row->keys);
	put(&s->rows, "at", row->addresses);
	strbuf_addc(&s->rows, '\n');
	return 0;
}

static void on_fault(void *arg, uint64_t line, const char *why)
{
	struct import_shown *s = arg;

	assert_true(why[0] != '\0');
	assert_true(line > 0);
	if (s->faults++ == 0)
		strbuf_addf(&s->fault, "%" PRIu64 ": %s", line, why);
}

static void run(struct import_shown *s, enum import_format format,
    struct slice text)
{
	const struct import_how how = {.conf = s->c, .format = format,
	    .domain = "example.com", .uid_min = 1000, .uid_max = 60000};
	const struct import_sink sink = {on_row, on_fault, NULL, s};
	struct import_counts n;
	int fd = memfd_create("import", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text.p, text.n, 0), text.n);
	strbuf_reset(&s->rows);
	strbuf_reset(&s->fault);
	s->faults = 0;
	import_read(&how, fd, &sink, &n);
	close(fd);
	strbuf_addf(&s->rows, "left %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
	    n.foreign, n.nameless, n.passed);
}

void import_shown_is(void *state, enum import_format format,
    struct slice text, const char *want)
{
	struct import_shown *s = state;

	run(s, format, text);
	assert_string_equal(strbuf_cstr(&s->fault), "");
	assert_string_equal(strbuf_cstr(&s->rows), want);
}

void import_fault_is(void *state, enum import_format format,
    struct slice text, const char *why)
{
	struct import_shown *s = state;

	run(s, format, text);
	assert_true(s->faults > 0);
	print_message("%s\n", strbuf_cstr(&s->fault));
	assert_non_null(strstr(strbuf_cstr(&s->fault), why));
}

/* Line ends with a byte behind them, as those of UTF-16 have. */
static uint64_t lines_of(struct slice text)
{
	uint64_t n = 0;

	for (size_t i = 0; i + 1 < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

/* A row as it is shown: its line, and its key as " KEY". False: it is the
 * count of what is left out. */
static bool cut_shown(struct slice row, uint64_t *line_out, char key[])
{
	struct slice number, name;

	assert_true(slice_next(&row, ' ', &number));
	if (!slice_uint(number, UINT64_MAX, line_out))
		return false;
	assert_true(slice_next(&row, ' ', &name));
	snprintf(key, ADDR_MAX + 2, " %.*s", (int)name.n, name.p);
	return true;
}

/* The beginning of `rows` that is of the first `lines` of the file. */
static struct slice rows_until(struct slice rows, uint64_t lines)
{
	struct slice rest = rows, row;
	char key[ADDR_MAX + 2];
	size_t n = 0;
	uint64_t line;

	while (slice_next(&rest, '\n', &row) &&
	       cut_shown(row, &line, key) && line <= lines)
		n += row.n + 1;
	return slice_head(rows, n);
}

void import_cut_is_well(void *state, enum import_format format,
    struct slice text, size_t n)
{
	bool map = format == IMPORT_TRANSPORT || format == IMPORT_VIRTUAL;
	struct import_shown *s = state;
	struct slice rest, row, same;
	uint64_t line, lines = lines_of(slice_head(text, n));
	char *whole, key[ADDR_MAX + 2];

	run(s, format, text);
	assert_int_equal(s->faults, 0);
	whole = mem_strdup(strbuf_cstr(&s->rows));
	run(s, format, slice_head(text, n));
	rest = strbuf_view(&s->rows);
	/* The last line of a map may go on; an alias may lead to a later one,
	 * and its row be another then. */
	same = rows_until(slice_str(whole),
	    format == IMPORT_VIRTUAL ? 0 : lines - (map && lines > 0));
	assert_true(slice_starts(rest, same));
	rest = slice_from(rest, same.n);
	while (slice_next(&rest, '\n', &row) && cut_shown(row, &line, key))
		assert_non_null(strstr(whole, key));
	mem_free(whole);
}

void import_recode(const char *text, int form, struct strbuf *out)
{
	bool big = form > 2, mark = form % 2 == 1;

	if (form == 0) {
		strbuf_adds(out, "\xef\xbb\xbf");
		strbuf_adds(out, text);
		return;
	}
	if (mark)
		strbuf_add(out, big ? "\xfe\xff" : "\xff\xfe", 2);
	for (; *text != '\0'; text++) {
		char pair[2] = {big ? '\0' : *text, big ? *text : '\0'};

		strbuf_add(out, pair, 2);
	}
}
