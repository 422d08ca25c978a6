/* SPDX-License-Identifier: ISC
 *
 * Staged rows meet the table: how those that keep their route are counted, and
 * which route new rows of a mailbox get.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

static const struct change_how directory = {.create = true, .join = true,
    .keep = true, .as_of = -1};

struct known {
	const char *address, *route, *mailbox, *tags;
};

static void set_all(struct table_tmp *t, const struct known *k, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct change_row row = TABLE_TMP_ROW(k[i].route, -1,
		    k[i].mailbox, k[i].tags, NULL);

		table_tmp_set(t, k[i].address, &row);
	}
}

/* A CSV file whose rows get the route legacy if they are new. */
static struct change *csv_read(struct table_tmp *t, const char *text)
{
	struct change *ch = table_tmp_change(t);
	int fd = memfd_create("csv", MFD_CLOEXEC);
	struct error err;

	assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
	change_csv_route(ch, "legacy", false);
	if (change_csv(ch, fd, &err) < 0)
		fail_msg("%s", err.text);
	close(fd);
	return ch;
}

static void a_row_that_keeps_its_route_may_be_changed_all_the_same(
    void **state)
{
	static const struct known known[] = {
	    {"ann@example.com", "cloud", NULL, "a"},
	    {"bob@example.com", "legacy", NULL, "b"},
	    {"cid@example.com", "cloud", NULL, "b"},
	};
	struct table_tmp *t = table_tmp_new(*state);
	struct change *ch;
	struct change_done done;
	struct error err;

	set_all(t, known, ARRAY_LEN(known));
	ch = csv_read(t, "address,tags\nann@example.com,b\n"
	    "bob@example.com,b\ncid@example.com,b\n");
	assert_int_equal(change_preview(ch, &directory, NULL, &done, &err),
	    0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(done.recipients, 1); /* ann's tags */
		assert_int_equal(done.kept, 2);	      /* ann, cid */
		assert_int_equal(done.same, 1);	      /* bob */
		if (i == 0)
			done = table_tmp_commit(ch, &directory);
	}
	assert_string_equal(table_tmp_get(t, "ann@example.com").tags, "b");
	table_tmp_free(t);
}

static void new_rows_go_where_the_row_named_like_the_mailbox_goes(
    void **state)
{
	static const struct known known[] = {
	    {"abc@example.com", "legacy", "ann@example.com", NULL},
	    {"ann@example.com", "cloud", "ann@example.com", NULL},
	    {"xxx@example.com", "third", "box", NULL},
	    {"yyy@example.com", "cloud", "box", NULL},
	};
	static const struct {
		const char *csv, *route;
	} cases[] = {
	    /* The row of that name is not in the file, … */
	    {"new@example.com,ann@example.com\n", "cloud"},
	    /* … nor when another alias is. */
	    {"new@example.com,ann@example.com\n"
	     "abc@example.com,ann@example.com\n", "cloud"},
	    {"new@example.com,ann@example.com\n"
	     "abc@example.com,ann@example.com\n"
	     "ann@example.com,ann@example.com\n", "cloud"},
	    /* No row is named like the mailbox. */
	    {"new@example.com,box\n", "third"},
	    {"new@example.com,box\nyyy@example.com,box\n", "cloud"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct table_tmp *t = table_tmp_new(*state);
		char text[200];

		set_all(t, known, ARRAY_LEN(known));
		snprintf(text, sizeof(text), "address,mailbox\n%s",
		    cases[i].csv);
		print_message("%s", text);
		table_tmp_commit(csv_read(t, text), &directory);
		assert_string_equal(table_tmp_get(t, "new@example.com")
		    .route_text, cases[i].route);
		table_tmp_free(t);
	}
}

/* The form of the route before is taken where text and domain are the same. */
static void a_route_is_read_by_the_domain_of_its_row(void **state)
{
	static const struct {
		const char *address, *given, *route; /* NULL: refused */
	} rows[] = {
	    {"a@example.com", "both", "cloud+legacy"},
	    {"b@example.com", "both", "cloud+legacy"},
	    {"c@bare.example", "both", NULL},
	    {"d@example.com", "both", "cloud+legacy"},
	    {"e@example.com", " Third ", "third"},
	    {"f@acme.example", " Third ", NULL},
	    {"g@acme.example", " Third ", NULL},
	    {"h@example.com", " Third ", "third"},
	    {"i@example.com", "", NULL},
	    {"j@example.com", "cloud", "cloud"},
	};
	const struct change_how how = {.create = true, .as_of = -1};
	struct table_tmp *t = table_tmp_new(*state);
	struct change *ch = table_tmp_change(t);
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct change_row row = {.route = rows[i].given,
		    .held = -1};

		print_message("%s\n", rows[i].address);
		assert_int_equal(change_set(ch, slice_str(rows[i].address),
				     &row, &err), rows[i].route ? 0 : -1);
	}
	table_tmp_commit(ch, &how);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].route != NULL)
			assert_string_equal(table_tmp_get(t,
				rows[i].address).route_text, rows[i].route);
	table_tmp_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_route_is_read_by_the_domain_of_its_row),
	    cmocka_unit_test(
		a_row_that_keeps_its_route_may_be_changed_all_the_same),
	    cmocka_unit_test(
		new_rows_go_where_the_row_named_like_the_mailbox_goes),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
