/* SPDX-License-Identifier: ISC
 *
 * Figures of the cutover table: 2,100,000 rows imported, 83,000 scattered
 * ones flipped by list and by tag, a lookup, rows found by tags; and an import
 * with two tags a row beside one without any. Prints one line a figure.
 *
 *   tests/bench/table [ROWS [DIRECTORY]]
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "policy/change/change.h"
#include "policy/change/table_make.h"
#include "policy/route.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/base/rng.h"

enum { LOOKUPS = 1000000, WAVE = 83000 };

static const char conf_text[] =
    "hostname = \"relay.example.com\"\n"
    "leg \"legacy\" { hosts = { \"192.0.2.10:25\" } }\n"
    "leg \"cloud\" { hosts = { \"192.0.2.20:25\" } }\n"
    "domain \"example.com\" { route = \"legacy\" both = \"cloud+legacy\" }\n";

struct bench {
	char dir[200], conf_path[256], path[256], csv[256], list[256];
	uint64_t rows;
	struct names *names;
	struct conf *c;
	int64_t begun;
};

static PH_NORETURN void die(const struct error *err)
{
	fprintf(stderr, "bench: %s\n", err->text);
	exit(1);
}

static void begin(struct bench *b)
{
	b->begun = clock_system.mono_us(&clock_system);
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int64_t figure(struct bench *b, const char *what)
{
	int64_t us = clock_system.mono_us(&clock_system) - b->begun;

	/* The processor time shows what a busy machine hides. */
	printf("%-62s %8.3f s  (cpu so far %.1f s)\n", what,
	    (double)us / 1e6, cpu_s());
	fflush(stdout);
	return us;
}

static void file_of(const char *path, FILE **f)
{
	*f = fopen(path, "w");
	if (*f == NULL) {
		perror(path);
		exit(1);
	}
}

/* Rows in no order; every 25th or so is in the wave. */
static void make_files(struct bench *b)
{
	uint64_t step = b->rows / WAVE == 0 ? 1 : b->rows / WAVE, wave = 0;
	FILE *f;

	file_of(b->conf_path, &f);
	fputs(conf_text, f);
	fclose(f);
	file_of(b->csv, &f);
	fputs("address,route,mailbox,tags,cloud_address\n", f);
	for (uint64_t i = 0; i < b->rows; i++) {
		/* A permutation: 7,368,787 is prime. */
		uint64_t n = i * 7368787 % b->rows;
		bool in = n % step == 0 && wave < WAVE;

		wave += in;
		fprintf(f, "user%07" PRIu64 "@example.com,legacy,mb%07" PRIu64
			",%s,u%07" PRIu64 "@tenant.example\n", n, n,
		    in ? "wave-1" : "", n);
	}
	fclose(f);
	file_of(b->list, &f);
	for (uint64_t n = 0, k = 0; n < b->rows && k < WAVE; n += step, k++)
		fprintf(f, "user%07" PRIu64 "@example.com\n", n);
	fclose(f);
}

static struct change *open_change(struct bench *b)
{
	struct error err;
	struct change *ch = change_open(b->path, b->c, &err);

	if (ch == NULL)
		die(&err);
	return ch;
}

static void commit(struct bench *b, struct change *ch,
    const struct change_how *how, const char *what)
{
	struct change_by by = {.who = "bench", .host = "",
	    .command = "bench", .note = ""};
	struct change_done done;
	struct error err;
	char text[80];

	begin(b);
	if (change_commit(ch, how, &by, &done, &err) < 0)
		die(&err);
	snprintf(text, sizeof(text), "  %s: %" PRIu64 " rows in one change",
	    what, done.recipients);
	figure(b, text);
}

static void import(struct bench *b, const char *what)
{
	struct change_how how = {.create = true, .as_of = -1};
	int64_t begun = clock_system.mono_us(&clock_system);
	struct change *ch = open_change(b);
	int fd = open(b->csv, O_RDONLY | O_CLOEXEC);
	struct error err;

	begin(b);
	if (change_csv(ch, fd, &err) < 0)
		die(&err);
	close(fd);
	figure(b, "  staged");
	commit(b, ch, &how, what);
	change_close(ch);
	b->begun = begun;
	figure(b, what);
}

static void flip_list(struct bench *b, const char *route)
{
	struct change_how how = {.mailboxes = true, .as_of = -1};
	struct change_row row = {.route = route, .held = -1};
	int64_t begun = clock_system.mono_us(&clock_system);
	struct change *ch = open_change(b);
	int fd = open(b->list, O_RDONLY | O_CLOEXEC);
	struct error err;

	if (change_list(ch, fd, &row, &err) < 0)
		die(&err);
	close(fd);
	commit(b, ch, &how, "flip by list");
	b->begun = begun;
	figure(b, "flip by list, all of it");
	change_close(ch);
}

static void flip_where(struct bench *b, const char *expr, const char *route)
{
	struct change_how how = {.mailboxes = true, .as_of = -1};
	struct change_row row = {.route = route, .held = -1};
	int64_t begun = clock_system.mono_us(&clock_system);
	struct change *ch = open_change(b);
	struct error err;
	struct where *w = where_parse(slice_str(expr), &err);

	if (w == NULL || change_where(ch, w, &row, &err) < 0)
		die(&err);
	commit(b, ch, &how, expr);
	b->begun = begun;
	figure(b, "flip by expression, all of it");
	where_free(w);
	change_close(ch);
}

static void undo(struct bench *b, uint64_t change)
{
	struct change_how how = {.undo = change, .as_of = -1};
	struct change *ch = open_change(b);

	commit(b, ch, &how, "undo");
	change_close(ch);
}

static void count_row(void *arg, struct slice key,
    const struct table_row *row)
{
	(void)key;
	(void)row;
	++*(uint64_t *)arg;
}

/* As route count does it, in one page. */
static void find(struct bench *b, const char *expr)
{
	struct slice tag[WHERE_NODES];
	struct error err;
	struct where *w = where_parse(slice_str(expr), &err);
	struct table *t = table_open(b->path, b->names, &err);
	uint64_t rows = 0;
	struct table_page page = {.limit = INT32_MAX, .fn = count_row,
	    .arg = &rows, .a = arena_new(), .tag = tag};
	char text[80];

	if (w == NULL || t == NULL)
		die(&err);
	begin(b);
	page.tags = where_tags(w, tag);
	if (table_rows(t, &page, &err) < 0)
		die(&err);
	snprintf(text, sizeof(text), "%s: %" PRIu64 " rows", expr, rows);
	figure(b, text);
	arena_free(page.a);
	table_close(t);
	where_free(w);
}

/* Addresses and routes alone, into a table of its own. */
static void import_tagged(struct bench *b, bool tagged)
{
	struct bench other = *b;
	struct error err;
	FILE *f;

	snprintf(other.path, sizeof(other.path), "%s/%s.db", b->dir,
	    tagged ? "tagged" : "plain");
	file_of(b->csv, &f);
	fprintf(f, "address,route%s\n", tagged ? ",tags" : "");
	for (uint64_t i = 0; i < b->rows; i++) {
		uint64_t n = i * 7368787 % b->rows;

		fprintf(f, "user%07" PRIu64 "@example.com,legacy", n);
		if (tagged)
			fprintf(f, ",client=c%" PRIu64 " site=s%" PRIu64,
			    n % 7, n * 31 % 60);
		fputc('\n', f);
	}
	fclose(f);
	if (table_prepare(other.path, b->c, "bench", &err) < 0)
		die(&err);
	begin(b);
	import(&other, tagged ? "import with two tags a row"
			       : "import without tags");
	unlink(other.path);
}

static void lookups(struct bench *b)
{
	struct rng_seeded rng;
	struct error err;
	struct table *t = table_open(b->path, b->names, &err);
	struct arena *a = NULL;
	struct decision d;
	int64_t us;

	if (t == NULL)
		die(&err);
	rng_seeded_init(&rng, 1);
	begin(b);
	for (int i = 0; i < LOOKUPS; i++) {
		char text[64];
		const char *why;
		struct addr to;

		if (i % 64 == 0) {
			arena_free(a);
			a = arena_new();
		}
		snprintf(text, sizeof(text), "user%07" PRIu64 "@example.com",
		    rng_below(&rng.rng, b->rows));
		if (addr_parse(slice_str(text), false, &to, &why) < 0 ||
		    table_begin(t, &err) < 0)
			die(&err);
		route_decide(b->c, t, &to, a, &d);
		table_end(t);
		if (!d.row.found)
			die(&(struct error){.text = "a row is missing"});
	}
	us = figure(b, "1,000,000 decisions, each in its own transaction");
	printf("%-62s %8.3f us\n", "one decision", (double)us / LOOKUPS);
	arena_free(a);
	table_close(t);
}

int main(int argc, char **argv)
{
	struct bench b = {.rows = 2100000};
	struct error err;

	if (argc > 1)
		b.rows = strtoull(argv[1], NULL, 10);
	snprintf(b.dir, sizeof(b.dir), "%s/posthouse-bench-XXXXXX",
	    argc > 2 ? argv[2] : "/tmp");
	if (mkdtemp(b.dir) == NULL) {
		perror(b.dir);
		return 1;
	}
	snprintf(b.conf_path, sizeof(b.conf_path), "%s/conf", b.dir);
	snprintf(b.path, sizeof(b.path), "%s/cutover.db", b.dir);
	snprintf(b.csv, sizeof(b.csv), "%s/rows.csv", b.dir);
	snprintf(b.list, sizeof(b.list), "%s/wave", b.dir);
	make_files(&b);
	b.names = names_new();
	b.c = conf_load(b.conf_path, b.names, &err);
	if (b.c == NULL || table_prepare(b.path, b.c, "bench", &err) < 0)
		die(&err);
	import(&b, "import, all of it");
	import(&b, "import again, all of it");
	flip_list(&b, "cloud+legacy");
	flip_where(&b, "tag = 'wave-1' and route = 'cloud+legacy'", "cloud");
	flip_where(&b, "route = 'cloud'", "legacy");
	undo(&b, 5);
	lookups(&b);
	find(&b, "tag = 'wave-1' or tag = 'none'");
	import_tagged(&b, false);
	import_tagged(&b, true);
	unlink(b.conf_path);
	unlink(b.path);
	unlink(b.csv);
	unlink(b.list);
	rmdir(b.dir);
	conf_unref(b.c);
	names_free(b.names);
	return 0;
}
