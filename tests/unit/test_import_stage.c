/* SPDX-License-Identifier: ISC
 *
 * Rows of a directory meet the table: which routes stay, where new addresses of
 * a mailbox go, and entries that contradict each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/import/stage/import_stage.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

static const struct change_by by = {.who = "ann", .host = "host",
    .command = "import", .note = ""};

struct kept {
	char text[400];
};

static void on_kept(void *arg, struct slice key, const char *route,
    const char *said)
{
	struct kept *k = arg;
	size_t n = strlen(k->text);

	snprintf(k->text + n, sizeof(k->text) - n, "%.*s %s %s;", (int)key.n,
	    key.p, route == NULL ? "-" : route, said == NULL ? "-" : said);
}

struct take {
	enum import_format format;
	const char *route;
	int64_t as_of; /* -1: known rows keep their route */
	bool replace;
	char kept[400];
	struct change_done done;
};

/* 0, or -1 and the reason. */
static int take(struct table_tmp *t, const char *text, struct take *what,
    struct error *err)
{
	struct kept kept = {""};
	const struct change_kept tell = {on_kept, &kept};
	const struct import_how how = {.conf = t->c,
	    .format = what->format, .route = what->route};
	struct import_staging s = {.how = &how,
	    .fd = memfd_create("import", MFD_CLOEXEC),
	    .known = what->as_of >= 0};
	const struct change_how change = {.create = true, .inherit = true,
	    .join = true, .keep = true, .as_of = what->as_of,
	    .mailbox_of = what->format == IMPORT_VIRTUAL,
	    .replace = what->replace, .kept = &tell};
	struct change *ch = table_tmp_change(t);
	int rc;

	assert_int_equal(pwrite(s.fd, text, strlen(text), 0), strlen(text));
	rc = import_stage(ch, &s, err);
	if (rc == 0)
		rc = change_commit(ch, &change, &by, &what->done, err);
	memcpy(what->kept, kept.text, sizeof(kept.text));
	close(s.fd);
	change_close(ch);
	return rc;
}

static void taken(struct table_tmp *t, const char *text, struct take *what)
{
	struct error err = {0};

	if (take(t, text, what, &err) < 0)
		fail_msg("%s", err.text);
}

static void route_is(struct table_tmp *t, const char *key, const char *route)
{
	struct table_row row = table_tmp_get(t, key);

	assert_true(row.found);
	assert_string_equal(row.route_text, route);
}

static const char both[] = "PrimarySmtpAddress\nann@example.com\n"
			   "bob@example.com\n";

static void a_known_row_keeps_its_route(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct take what = {.format = IMPORT_EXCHANGE,
	    .route = "cloud", .as_of = -1};

	table_tmp_route(t, "ann@example.com", "third");
	taken(t, both, &what);
	route_is(t, "ann@example.com", "third");
	route_is(t, "bob@example.com", "cloud");
	assert_string_equal(what.kept, "ann@example.com third cloud;");
	assert_int_equal(what.done.kept, 1);
	table_tmp_free(t);
}

static void one_that_was_moved_since_keeps_it_even_then(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct take what = {.format = IMPORT_EXCHANGE,
	    .route = "cloud"};

	table_tmp_route(t, "ann@example.com", "legacy");
	what.as_of = (int64_t)table_tmp_route(t, "bob@example.com", "legacy");
	table_tmp_route(t, "cid@example.com", "legacy");
	table_tmp_route(t, "bob@example.com", "third");
	/* A change of other values is no move. */
	table_tmp_set(t, "ann@example.com", &(struct change_row){.held = -1,
	    .tags = "vip"});
	taken(t, both, &what);
	route_is(t, "ann@example.com", "cloud");
	route_is(t, "bob@example.com", "third");
	assert_string_equal(what.kept, "bob@example.com third cloud;");
	/* Nor is a row deleted that came, or moved, since the file. */
	what.replace = true;
	taken(t, "PrimarySmtpAddress\nann@example.com\n", &what);
	assert_string_equal(what.kept, "bob@example.com third -;"
	    "cid@example.com legacy -;");
	what.as_of += 3;
	taken(t, "PrimarySmtpAddress\nann@example.com\n", &what);
	assert_false(table_tmp_get(t, "bob@example.com").found);
	table_tmp_free(t);
}

static void delete(struct table_tmp *t, const char *key)
{
	const struct change_how how = {.as_of = -1};
	struct change *ch = table_tmp_change(t);
	struct error err = {0};

	assert_int_equal(change_delete(ch, slice_str(key), &err), 0);
	table_tmp_commit(ch, &how);
}

static void one_that_was_deleted_since_is_not_made_again(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct take what = {.format = IMPORT_EXCHANGE, .route = "cloud"};

	table_tmp_route(t, "ann@example.com", "legacy");
	what.as_of = (int64_t)table_tmp_route(t, "bob@example.com", "legacy");
	delete(t, "bob@example.com");
	taken(t, both, &what);
	route_is(t, "ann@example.com", "cloud");
	assert_false(table_tmp_get(t, "bob@example.com").found);
	assert_string_equal(what.kept, "bob@example.com - cloud;");
	assert_int_equal(what.done.kept, 1);
	assert_int_equal(what.done.recipients, 1);
	what.as_of += 1;
	taken(t, both, &what);
	route_is(t, "bob@example.com", "cloud");
	table_tmp_free(t);
}

static void mailbox_is(struct table_tmp *t, const char *key,
    const char *mailbox)
{
	struct table_row row = table_tmp_get(t, key);

	assert_true(row.found);
	assert_string_equal(row.mailbox, mailbox);
}

/* A map knows addresses, and a directory has given the mailbox its name. */
static void an_alias_is_of_the_mailbox_that_its_target_has(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct take what = {.format = IMPORT_VIRTUAL, .route = "third",
	    .as_of = -1};

	table_tmp_set(t, "ann@example.com", &(struct change_row){
	    .route = "cloud", .held = -1, .mailbox = "u1234"});
	table_tmp_route(t, "bob@example.com", "legacy");
	taken(t, "info@example.com ann@example.com\n"
		 "help@example.com info@example.com\n"
		 "b@example.com bob@example.com\n"
		 "c@example.com cid@example.com\n", &what);
	mailbox_is(t, "ann@example.com", "u1234");
	mailbox_is(t, "info@example.com", "u1234");
	mailbox_is(t, "help@example.com", "u1234");
	route_is(t, "info@example.com", "cloud");
	mailbox_is(t, "bob@example.com", "bob@example.com");
	mailbox_is(t, "b@example.com", "bob@example.com");
	route_is(t, "b@example.com", "legacy");
	mailbox_is(t, "c@example.com", "cid@example.com");
	route_is(t, "c@example.com", "third");
	table_tmp_free(t);
}

static void a_new_address_follows_its_mailbox(void **state)
{
	struct table_tmp *t = table_tmp_new(*state);
	struct take what = {.format = IMPORT_EXCHANGE,
	    .route = "legacy", .as_of = -1};
	struct change_row held = {.route = "cloud", .held = 1};

	table_tmp_set(t, "ann@example.com", &held);
	/* Another row of the mailbox, which the file does not name. */
	table_tmp_set(t, "bob.old@example.com", &(struct change_row){
	    .route = "third", .held = -1, .mailbox = "bob@example.com"});
	taken(t, "PrimarySmtpAddress,EmailAddresses\n"
	    "ann@example.com,smtp:a.lee@example.com\n"
	    "bob@example.com,\n"
	    "cid@example.com,smtp:c@example.com\n", &what);
	route_is(t, "a.lee@example.com", "cloud");
	assert_true(table_tmp_get(t, "a.lee@example.com").held);
	route_is(t, "bob@example.com", "third");
	assert_false(table_tmp_get(t, "bob@example.com").held);
	route_is(t, "c@example.com", "legacy");
	table_tmp_free(t);
}

static void entries_that_contradict_name_both_lines(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
	    {"PrimarySmtpAddress,EmailAddresses\n"
	     "ann@example.com,smtp:x@example.com\n"
	     "bob@example.com,smtp:x@example.com\n",
		"line 3: x@example.com is an address of 'bob@example.com' "
		"here and an address of 'ann@example.com' on line 2"},
	    {"PrimarySmtpAddress,RecipientTypeDetails\n"
	     "ann@example.com,RoomMailbox\nann@example.com,GroupMailbox\n",
		"line 3: ann@example.com is tagged 'kind=group' here and "
		"tagged 'kind=room' on line 2"},
	    {"PrimarySmtpAddress,targetAddress\n"
	     "ann@example.com,ann@tenant.example\nann@example.com,\n",
		"line 3: ann@example.com is routed to 'third' here and "
		"routed to 'cloud' on line 2"},
	};
	struct table_tmp *t = table_tmp_new(*state);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct take what = {.format = IMPORT_EXCHANGE,
		    .route = "third", .as_of = -1};
		struct error err = {0};

		assert_int_equal(take(t, cases[i].text, &what, &err), -1);
		print_message("%s\n", err.text);
		assert_non_null(strstr(err.text, cases[i].why));
		assert_false(table_tmp_get(t, "ann@example.com").found);
	}
	table_tmp_free(t);
}

static void tags_of_a_directory_replace_those_of_their_key(void **state)
{
	static const char room[] = "PrimarySmtpAddress,RecipientTypeDetails\n"
				   "ann@example.com,RoomMailbox\n";
	struct table_tmp *t = table_tmp_new(*state);
	struct take what = {.format = IMPORT_EXCHANGE,
	    .route = "cloud", .as_of = -1};

	table_tmp_set(t, "ann@example.com", &(struct change_row){
	    .route = "cloud", .held = -1, .tags = "kind=shared kinder vip"});
	taken(t, room, &what);
	assert_string_equal(table_tmp_get(t, "ann@example.com").tags,
	    "kind=room kinder vip");
	taken(t, "PrimarySmtpAddress\nann@example.com\n", &what);
	assert_int_equal(what.done.recipients, 0);
	table_tmp_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_known_row_keeps_its_route),
	    cmocka_unit_test(one_that_was_moved_since_keeps_it_even_then),
	    cmocka_unit_test(one_that_was_deleted_since_is_not_made_again),
	    cmocka_unit_test(an_alias_is_of_the_mailbox_that_its_target_has),
	    cmocka_unit_test(a_new_address_follows_its_mailbox),
	    cmocka_unit_test(entries_that_contradict_name_both_lines),
	    cmocka_unit_test(tags_of_a_directory_replace_those_of_their_key),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
