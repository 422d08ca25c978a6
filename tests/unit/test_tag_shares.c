/* SPDX-License-Identifier: ISC
 *
 * Shares of failed mail by tag, each against all others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "relay/cli/brake/tag_shares.h"

struct seen {
	char text[1000];
	size_t n;
};

/* "tag recipients failed/tried times complaints; " */
static void on_share(void *arg, const struct tag_share *s)
{
	struct seen *seen = arg;

	seen->n += (size_t)snprintf(seen->text + seen->n,
	    sizeof(seen->text) - seen->n, "%s %u %u/%u %.1f %u; ",
	    s->tag == NULL ? "all" : s->tag, (unsigned)s->recipients,
	    (unsigned)s->met.share.failed, (unsigned)s->met.share.tried,
	    s->times, (unsigned)s->met.complaints);
}

static void add(struct tag_shares *t, const char *tags, uint64_t tried,
    uint64_t failed, uint64_t complaints)
{
	tag_shares_add(t, slice_str(tags), &(struct tag_met){{tried, failed},
	    complaints});
}

static void tags_stand_by_what_is_certain(void **state)
{
	struct tag_shares *t = tag_shares_new();
	struct seen seen = {.n = 0};

	(void)state;
	add(t, "client=apple-mail floor=2", 100, 10, 1);
	add(t, "client=outlook", 400, 8, 0);
	add(t, "client=outlook floor=2", 100, 2, 2);
	/* A large share of little mail is less certain. */
	add(t, "client=mutt", 9, 1, 0);
	add(t, "", 0, 0, 0);
	tag_shares_each(t, on_share, &seen);
	assert_string_equal(seen.text, "all 5 21/609 -1.0 3; "
	    "client=apple-mail 1 10/100 4.6 1; floor=2 2 12/200 2.7 3; "
	    "client=mutt 1 1/9 3.3 0; client=outlook 2 10/500 0.2 2; ");
	tag_shares_free(t);
}

static void a_share_of_nothing_has_no_ratio(void **state)
{
	struct tag_shares *t = tag_shares_new();
	struct seen seen = {.n = 0};

	(void)state;
	add(t, "a", 10, 5, 0);
	add(t, "b", 10, 0, 0);
	add(t, "c", 0, 0, 1);
	tag_shares_each(t, on_share, &seen);
	assert_string_equal(seen.text, "all 3 5/20 -1.0 1; "
	    "a 1 5/10 -1.0 0; c 1 0/0 -1.0 1; b 1 0/10 0.0 0; ");
	tag_shares_free(t);
	tag_shares_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tags_stand_by_what_is_certain),
	    cmocka_unit_test(a_share_of_nothing_has_no_ratio),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
