/* SPDX-License-Identifier: ISC
 *
 * Rows from CSV files and lists: what is taken, what keeps and clears, and
 * the line that is named when one is bad.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

static const struct change_how create = {.create = true, .as_of = -1};
static const struct change_by by = {.who = "ann", .host = "host",
    .command = "import", .note = ""};

static int open_text(const char *dir, struct slice text)
{
	char path[320];
	FILE *f;
	int fd;

	snprintf(path, sizeof(path), "%s/rows.csv", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
	fclose(f);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	return fd;
}

/* 0, or -1 with the reason; `done_out` is of the change. */
static int import(struct table_tmp *t, const char *dir, struct slice text,
    const struct change_how *how, struct change_done *done_out,
    struct error *err)
{
	struct change *ch = table_tmp_change(t);
	int fd = open_text(dir, text);
	int rc = change_csv(ch, fd, err);

	if (rc == 0)
		rc = change_commit(ch, how, &by, done_out, err);
	close(fd);
	change_close(ch);
	return rc;
}

static void good(struct table_tmp *t, const char *dir, const char *text,
    const struct change_how *how, uint64_t recipients)
{
	struct change_done done;
	struct error err;

	if (import(t, dir, slice_str(text), how, &done, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(done.recipients, recipients);
}

static void a_file_is_taken_as_spreadsheets_write_it(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct table_row row;

	good(t, *state, "\xef\xbb\xbfTags,Address , ROUTE,mailbox,"
	    "cloud_address\r\n"
	    "\"b, a\",Ann@example.com,both,\"m \"\"1\"\"\","
	    "ann@tenant.example\r\n"
	    "\r\n"
	    ",\"\"\"o'x y\"\"@example.com\",legacy,,\r\n"
	    ",@example.com,cloud,,@tenant.example", &create, 3);
	row = table_tmp_get(t, "ann@example.com");
	assert_string_equal(row.route_text, "cloud+legacy");
	assert_string_equal(row.tags, "a b");
	assert_string_equal(row.mailbox, "m \"1\"");
	assert_string_equal(row.address[0].address, "ann@tenant.example");
	assert_true(table_tmp_get(t, "\"o'x y\"@example.com").found);
	assert_string_equal(table_tmp_get(t, "@example.com").route_text,
	    "cloud");
	table_tmp_free(t);
}

static void absent_columns_keep_and_empty_cells_clear(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct table_row row;

	good(t, *state, "address,route,mailbox,tags,cloud_address,"
	    "legacy_address\n"
	    "ann@example.com,cloud,m,a,x@tenant.example,y@l.example\n",
	    &create, 1);
	good(t, *state, "address,tags,cloud_address\nann@example.com,,\n",
	    &create, 1);
	row = table_tmp_get(t, "ann@example.com");
	assert_string_equal(row.route_text, "cloud");
	assert_string_equal(row.mailbox, "m");
	assert_string_equal(row.tags, "");
	assert_int_equal(row.addresses, 1);
	assert_string_equal(row.address[0].address, "y@l.example");
	good(t, *state, "address,tags,cloud_address\nann@example.com,,\n",
	    &create, 0);
	table_tmp_free(t);
}

static void the_first_bad_line_is_named_and_nothing_is_imported(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
	    {"", "the file is empty"},
	    {"route\ncloud\n", "line 1: the header has no column 'address'"},
	    {"address,colour\n", "line 1: the column 'colour'"},
	    {"address,moon_address\n", "line 1: the column 'moon_address'"},
	    {"address,out_address\n", "line 1: the column 'out_address'"},
	    {"address,route,Route\n",
		"line 1: the column 'Route' stands twice"},
	    {"address,route\na@example.com,cloud\nb@example.com\n",
		"line 3: 1 cells where the header has 2"},
	    {"address,route\na@example.com,cloud,x\n",
		"line 2: 3 cells where the header has 2"},
	    {"address,route\na@example.com,cloud\n\nb@example.com,moon\n",
		"line 4: 'moon' is no leg"},
	    {"address,route\na@example.com,\n", "line 2: the route is empty"},
	    {"address,route\na,cloud\n", "line 2: 'a' is no address"},
	    {"address,route\na@example.com,cloud\nA@EXAMPLE.com,legacy\n",
		"line 3: a@example.com stands on line 2 too"},
	    {"address,tags\n\"a\nb\",x\n", "line 2: "},
	    {"address,route\n\"a@example.com\"x,cloud\n",
		"line 2: a quote stands in the wrong place"},
	    {"address,route\n\"a@example.com,cloud\n",
		"line 2: a quote is not closed"},
	    {"address,route\na@example.com,5\" disk\nb@example.com,cloud\n",
		"line 2: a quote stands in the wrong place"},
	    {"address,route,\na@example.com,cloud,x\n",
		"line 2: cell 3 stands under no heading"},
	    {"mail,PrimarySmtpAddress,route\n",
		"line 1: the column 'PrimarySmtpAddress' stands twice "
		"(column 1 means the same)"},
	    {"PrimarySmtpAddress,EmailAddresses\n",
		"'EmailAddresses': a cell with several addresses"},
	    {"address,targetAddress\n", "call it LEG_address"},
	    {"DisplayName,route\n", "the header has no column 'address'"},
	    {"address,route\n*@example.com,cloud\n",
		"the row of a domain is written @example.com"},
	    {"address,route\nexample.com,cloud\n",
		"(the row of a domain is @DOMAIN)"},
	    {"address,route\nX500:/o=Org/cn=a,cloud\n",
		"line 2: 'X500:/o=Org/cn=a' is no mail address"},
	    {"address,route,tags\na@example.com,cloud,w1;vip\n",
		"'w1;vip' is no tag: tags are separated by a blank or a comma, "
		"'w1 vip'"},
	    {"address;route;tags\na@example.com;cloud;\"w1;;vip;\"\n",
		"'w1;;vip;' is no tag: tags are separated by a blank or a "
		"comma, 'w1 vip'"},
	    {"address,route,mailbox\na@example.com,cloud,J\xfcrgen\n",
		"line 2: it is not UTF-8 (near '.com,cloud,J\xfcrgen'), most "
		"likely Windows-1252 (cp1252)"},
	    {"PK\3\4zip", "line 1: it is a workbook"},
	    {"address,tags\nnew@example.com,x\n",
		"line 2: new@example.com is new and needs a route"},
	    {"address,cloud_address\nann@example.com,nonsense\n",
		"line 2: 'nonsense' is no address"},
	};
	struct table_tmp *t = table_tmp_new(*state);

	table_tmp_route(t, "ann@example.com", "legacy");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct change_done done;
		struct error err = {0};

		assert_int_equal(import(t, *state, slice_str(cases[i].text),
				     &create, &done, &err), -1);
		print_message("%s\n", err.text);
		assert_non_null(strstr(err.text, cases[i].why));
		assert_false(table_tmp_get(t, "a@example.com").found);
	}
	table_tmp_free(t);
}

static void a_nul_in_a_cell_is_refused(void **state)
{
	static const char text[] =
	    "address,route,mailbox\na@example.com,cloud,x\0y\n";
	struct table_tmp *t = table_tmp_new(*state);
	struct change_done done;
	struct error err = {0};

	assert_int_equal(import(t, *state, slice_of(text, sizeof(text) - 1),
			     &create, &done, &err), -1);
	assert_non_null(strstr(err.text, "line 2: "));
	assert_non_null(strstr(err.text, "NUL"));
	assert_false(table_tmp_get(t, "a@example.com").found);
	table_tmp_free(t);
}

/* ---- what spreadsheets, shells and directories write ------------------ */

/* The text in UTF-16, with its mark or without. */
static void utf16(const char *text, bool big, bool mark, struct strbuf *out)
{
	if (mark)
		strbuf_add(out, big ? "\xfe\xff" : "\xff\xfe", 2);
	for (; *text != '\0'; text++) {
		char pair[2] = {big ? '\0' : *text, big ? *text : '\0'};

		strbuf_add(out, pair, 2);
	}
}

static void one_form(struct table_tmp *t, const char *dir,
    struct slice text, const char *mailbox)
{
	const struct change_how how = {.create = true, .as_of = -1};
	struct change *ch = table_tmp_change(t);
	struct change_done done;
	struct table_row row;
	struct error err = {0};

	/* Each form writes the row anew. */
	assert_int_equal(change_delete(ch, SLICE("ann@example.com"), &err), 0);
	table_tmp_commit(ch, &how);
	if (import(t, dir, text, &how, &done, &err) < 0)
		fail_msg("%s", err.text);
	row = table_tmp_get(t, "ann@example.com");
	assert_true(row.found);
	assert_string_equal(row.route_text, "cloud");
	assert_string_equal(row.mailbox, mailbox);
}

static void every_form_of_a_file_is_understood(void **state)
{
	static const char *const forms[] = {
	    "address,route\nann@example.com,cloud\n",
	    "address;route\r\nann@example.com;cloud\r\n;\r\n",
	    "address\troute\nann@example.com\tcloud\n\t\n",
	    "address;\"route\"\n \"ann@example.com\" ; \"cloud\" \n",
	    "sep=;\naddress;route\nann@example.com;cloud\n",
	    "sep=,\r\naddress,route\r\nann@example.com,cloud\r\n",
	    "\"sep=\t\"\naddress\troute\nann@example.com\tcloud\n",
	    "sep=|\naddress|route\nann@example.com|cloud\n",
	    "#TYPE System.Management.Automation.PSCustomObject\r\n"
	    "\"address\",\"route\"\r\n\"ann@example.com\",\"cloud\"\r\n",
	    "\n\n# of Monday\naddress,route\nann@example.com,cloud\n",
	    "\xef\xbb\xbfsep=;\naddress;route\nann@example.com;cloud\n",
	    "address,route,tags\n,,\nann@example.com,cloud,w1\n , ,\n,,",
	    "address,route,,\nann@example.com,cloud,,\n",
	    "address,route\nann@example.com,cloud,,,\n",
	    "Email Address [Required],route,First Name [Required]\n"
	    "ann@example.com,cloud,Ann\n",
	    "PrimarySmtpAddress,DisplayName,Route\n"
	    "ann@example.com,\"Lee, Ann\",cloud\n",
	    "E-Mail;Tag;route\nann@example.com;;cloud\n",
	    "primaryEmail,route,Cloud Address\n"
	    "ann@example.com,cloud,SMTP:ann@tenant.example\n",
	    "address,route\nann@example.com,Cloud\n",
	    "address,route\nSMTP:ann@example.com,cloud\n",
	    "address,route\nsmtp: ann@example.com,cloud\n",
	    "address,route\nmailto:Ann@example.com,cloud\n",
	    "address,route\n<ann@example.com>,cloud\n",
	    "address,route\n<mailto:ann@example.com>,cloud\n",
	    "address,route\n\"Lee, Ann <ann@example.com>\",cloud\n",
	    "address,route\n\"\"\"Ann\"\" < ann@example.com >\",cloud\n",
	    "address,route\n\xc2\xa0" "ann@example.com\xe2\x80\x8b,cloud\n",
	    "address,route\nann@example.com\xc2\xa0\xef\xbb\xbf ,cloud\n",
	};
	struct table_tmp *t = table_tmp_new(*state);

	table_tmp_route(t, "ann@example.com", "legacy");
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct strbuf wide;

		print_message("%s\n", forms[i]);
		one_form(t, *state, slice_str(forms[i]), "");
		if ((unsigned char)forms[i][0] >= 0x80)
			continue;
		/* Those with a no-break space are no ASCII to be widened. */
		for (int form = 0; form < 4 && i < ARRAY_LEN(forms) - 2;
		     form++) {
			strbuf_init(&wide, 4096);
			utf16(forms[i], form % 2 != 0, form < 2, &wide);
			one_form(t, *state, strbuf_view(&wide), "");
			strbuf_fini(&wide);
		}
	}
	assert_string_equal(table_tmp_get(t, "ann@example.com").tags, "");
	table_tmp_free(t);
}

static void utf_16_is_one_mailbox_with_utf_8(void **state)
{
	/* "é" and, beyond the first 65,536, U+1F600. */
	static const char head[] = "\xff\xfe"
	    "a\0d\0d\0r\0e\0s\0s\0,\0r\0o\0u\0t\0e\0,\0"
	    "m\0a\0i\0l\0b\0o\0x\0\n\0"
	    "a\0n\0n\0@\0e\0x\0a\0m\0p\0l\0e\0.\0c\0o\0m\0,\0"
	    "c\0l\0o\0u\0d\0,\0\xe9\0\x3d\xd8\x00\xde";
	struct table_tmp *t = table_tmp_new(*state);
	struct change_done done;
	struct error err = {0};
	struct slice text = slice_of(head, sizeof(head) - 1);

	table_tmp_route(t, "ann@example.com", "legacy");
	one_form(t, *state, text, "\xc3\xa9\xf0\x9f\x98\x80");
	/* Half a character, and half a pair. */
	for (size_t cut = 1; cut <= 2; cut++) {
		assert_int_equal(import(t, *state,
				     slice_head(text, text.n - cut), &create,
				     &done, &err), -1);
		assert_non_null(strstr(err.text, "broken UTF-16"));
	}
	/* The later half of a pair does not begin one. */
	assert_int_equal(import(t, *state,
			     SLICE("\xff\xfe\x00\xdc\x00\xdc"), &create,
			     &done, &err), -1);
	assert_non_null(strstr(err.text, "broken UTF-16"));
	/* One character shows it, too. */
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(import(t, *state,
				     slice_of(i == 0 ? "a\0" : "\0a", 2),
				     &create, &done, &err), -1);
		assert_non_null(strstr(err.text, "line 1: the column 'a'"));
	}
	table_tmp_free(t);
}

struct heard {
	uint64_t line[40];
	size_t n;
};

static void hear(void *arg, uint64_t line, const char *why)
{
	struct heard *h = arg;

	print_message("line %d: %s\n", (int)line, why);
	assert_true(why[0] != '\0');
	if (h->n < ARRAY_LEN(h->line))
		h->line[h->n] = line;
	h->n++;
}

static void every_bad_line_is_told(void **state)
{
	static const char text[] =
	    "address,route\n"
	    "ann@example.com,cloud\n"
	    "bob(at)example.com,cloud\n"	/* 3 */
	    "cat@example.com,cloud\n"
	    "dan@example.com,nowhere\n"		/* 5 */
	    "eve\n"				/* 6 */
	    "\"fay@example.com,cloud\n"		/* 7: swallows no other */
	    "gus@example.com,cloud,\"x\"\n"	/* 8 */
	    "J\xfcrgen@example.com,cloud\n"	/* 9 */
	    "ANN@example.com,cloud\n"		/* 10: on line 2 too */
	    "hal@example.com,\"cloud";		/* 11 */
	static const uint64_t want[] = {3, 5, 6, 7, 8, 9, 11, 10};
	struct table_tmp *t = table_tmp_new(*state);
	struct heard h = {.n = 0};
	struct change_watch watch = {.arg = &h, .fault = hear};
	struct change *ch = table_tmp_change(t);
	struct error err = {0};
	int fd = open_text(*state, SLICE(text));

	change_watch(ch, &watch);
	assert_int_equal(change_csv(ch, fd, &err), -1);
	assert_int_equal(h.n, ARRAY_LEN(want));
	assert_memory_equal(h.line, want, sizeof(want));
	assert_int_equal(change_faults(ch), ARRAY_LEN(want));
	assert_non_null(strstr(err.text, "line 3: "));
	assert_non_null(strstr(err.text, "(and 7 more)"));
	change_close(ch);
	close(fd);
	table_tmp_free(t);
}

static void new_rows_without_a_route_are_all_told(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct heard h = {.n = 0};
	struct change_watch watch = {.arg = &h, .fault = hear};
	struct change *ch = table_tmp_change(t);
	struct change_done done;
	struct error err = {0};
	int fd;

	table_tmp_route(t, "ann@example.com", "legacy");
	fd = open_text(*state, SLICE("address,tags\nzoe@example.com,a\n"
				     "ann@example.com,b\nbob@example.com,c\n"));
	change_watch(ch, &watch);
	assert_int_equal(change_csv(ch, fd, &err), 0);
	assert_int_equal(change_commit(ch, &create, &by, &done, &err), -1);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.line[0], 2);
	assert_int_equal(h.line[1], 4);
	change_close(ch);
	close(fd);
	assert_string_equal(table_tmp_get(t, "ann@example.com").tags, "");
	table_tmp_free(t);
}

static void an_endless_line_is_refused_in_bounded_memory(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct strbuf text;
	struct change_done done;
	struct error err = {0};

	strbuf_init(&text, 1 << 20);
	strbuf_adds(&text, "address,tags\nann@example.com,\"");
	while (text.n < 300000)
		strbuf_adds(&text, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
	assert_int_equal(import(t, *state, strbuf_view(&text), &create, &done,
			     &err), -1);
	assert_non_null(strstr(err.text,
	    "line 2: it does not end (is a quote open?)"));
	strbuf_fini(&text);
	table_tmp_free(t);
}

static void rows_in_any_order_and_number_are_one_change(void **state)
{
	enum { ROWS = 20000 };
	struct table_tmp *t = table_tmp_new(*state);
	struct strbuf text;
	struct change_done done;
	struct error err;

	strbuf_init(&text, 4 << 20);
	strbuf_adds(&text, "address,route,tags\n");
	for (unsigned i = 0; i < ROWS; i++)
		strbuf_addf(&text, "u%u@example.com,cloud,t%u\n",
		    i * 7919 % ROWS, i % 3);
	if (import(t, *state, strbuf_view(&text), &create, &done, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(done.recipients, ROWS);
	assert_int_equal(done.change, 2);
	assert_true(table_tmp_get(t, "u19999@example.com").found);
	strbuf_fini(&text);
	table_tmp_free(t);
}

static void replace_deletes_what_is_not_in_the_file(void **state)
{
	struct change_how how = {.create = true, .replace = true, .as_of = -1};
	struct table_tmp *t = table_tmp_new(*state);

	table_tmp_route(t, "ann@example.com", "cloud");
	table_tmp_route(t, "bob@example.com", "cloud");
	good(t, *state, "address,route\nbob@example.com,cloud\n"
			"cid@example.com,legacy\n", &how, 2);
	assert_false(table_tmp_get(t, "ann@example.com").found);
	assert_true(table_tmp_get(t, "bob@example.com").found);
	assert_true(table_tmp_get(t, "@example.com").found);
	table_tmp_free(t);
}

static void an_old_file_does_not_take_a_flip_back(void **state)
{
	struct change_how how = {.create = true, .as_of = 2};
	struct change_how all = {.create = true, .replace = true, .as_of = 2};
	static const char old[] = "address,route,tags\n"
				  "ann@example.com,legacy,x\n";
	struct table_tmp *t = table_tmp_new(*state);
	struct change_done done;
	struct error err = {0};

	table_tmp_route(t, "ann@example.com", "legacy"); /* 2: the export */
	table_tmp_route(t, "ann@example.com", "cloud");	 /* 3: the flip */
	assert_int_equal(import(t, *state, slice_str(old), &how, &done, &err),
	    -1);
	assert_non_null(strstr(err.text, "ann@example.com"));
	assert_non_null(strstr(err.text, "after change 2"));
	assert_string_equal(table_tmp_get(t, "ann@example.com").route_text,
	    "cloud");
	/* A row made since then is not deleted either. */
	table_tmp_route(t, "new@example.com", "cloud");
	assert_int_equal(import(t, *state, SLICE("address,route\n"
					     "ann@example.com,cloud\n"), &all,
			     &done, &err), -1);
	assert_non_null(strstr(err.text, "new@example.com"));
	/* A file that leaves the route alone is no conflict, nor is a newer
	 * one. */
	good(t, *state, "address,tags\nann@example.com,x\n", &how, 1);
	how.as_of = 4;
	good(t, *state, old, &how, 1);
	table_tmp_free(t);
}

static void a_list_takes_one_address_a_line(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct change_row row = {.route = "cloud", .held = -1};
	struct change *ch = table_tmp_change(t);
	struct error err;
	int fd = open_text(*state, SLICE("# wave 1\nann@example.com\r\n\n"
					 " bob@example.com \nann@example.com"));

	assert_int_equal(change_list(ch, fd, &row, &err), 0);
	assert_int_equal(table_tmp_commit(ch, &create).recipients, 2);
	close(fd);
	fd = open_text(*state, SLICE("ann@example.com\n\nnonsense\n"));
	ch = table_tmp_change(t);
	assert_int_equal(change_list(ch, fd, &row, &err), -1);
	assert_non_null(strstr(err.text, "line 3: 'nonsense' is no address"));
	change_close(ch);
	close(fd);
	table_tmp_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_is_taken_as_spreadsheets_write_it),
	    cmocka_unit_test(absent_columns_keep_and_empty_cells_clear),
	    cmocka_unit_test(
		the_first_bad_line_is_named_and_nothing_is_imported),
	    cmocka_unit_test(a_nul_in_a_cell_is_refused),
	    cmocka_unit_test(every_form_of_a_file_is_understood),
	    cmocka_unit_test(utf_16_is_one_mailbox_with_utf_8),
	    cmocka_unit_test(every_bad_line_is_told),
	    cmocka_unit_test(new_rows_without_a_route_are_all_told),
	    cmocka_unit_test(an_endless_line_is_refused_in_bounded_memory),
	    cmocka_unit_test(rows_in_any_order_and_number_are_one_change),
	    cmocka_unit_test(replace_deletes_what_is_not_in_the_file),
	    cmocka_unit_test(an_old_file_does_not_take_a_flip_back),
	    cmocka_unit_test(a_list_takes_one_address_a_line),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
