/* SPDX-License-Identifier: ISC
 *
 * The members of a plan are read, and written down with its waves or not at
 * all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay/cli/wave/plan_write.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/wave_tmp.h"

enum { TEXT_MAX = 400 };

/* A plan for all recipients of the table. */
struct planned {
	struct table_tmp *t;
	struct table *table;
	struct where *where;
	struct plan_choice choice;
	struct plan_members m;
};

static void read_plan(struct planned *p, struct table_tmp *t, const char *where)
{
	struct wave_file *f = wave_tmp_open(t, true);
	struct error err;

	*p = (struct planned){.t = t};
	p->table = table_open(t->path, t->names, &err);
	assert_non_null(p->table);
	p->where = where_parse(slice_str(where), &err);
	assert_non_null(p->where);
	p->choice = (struct plan_choice){
	    .conf = t->c, .where = p->where, .to = "cloud"};
	if (plan_members_read(&p->m, &p->choice, p->table, f, &err) < 0)
		fail_msg("%s", err.text);
	wave_file_close(f);
}

static void end_plan(struct planned *p)
{
	plan_members_fini(&p->m);
	where_free(p->where);
	table_close(p->table);
	table_tmp_free(p->t);
}

static int add_text(void *arg, uint32_t member, struct slice address,
    const char *route, struct error *err)
{
	struct strbuf *b = arg;

	(void)err;
	strbuf_addf(b, "%s%u %.*s %s", b->n == 0 ? "" : ", ", member,
	    (int)address.n - (int)sizeof("@example.com") + 1, address.p, route);
	return 0;
}

static void members_are(struct planned *p, const char *want)
{
	struct strbuf b;
	const struct plan_each each = {add_text, &b};
	struct error err = {0};

	strbuf_init(&b, TEXT_MAX);
	if (plan_members_each(&p->m, &each, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(strbuf_cstr(&b), want);
	strbuf_fini(&b);
}

static int write_plan(
    struct planned *p, const char *first, const char *second, struct error *err)
{
	static const struct change_by by = {
	    .who = "ann", .host = "host", .command = "wave plan"};
	const struct wave_options options = wave_options_default();
	struct plan_wave wave[2] = {{.at_s = 2000000000, .members = 1},
	    {.at_s = 2000086400, .members = 1}};
	const struct plan_writing w = {.members = &p->m,
	    .wave = wave,
	    .waves = 2,
	    .route = "cloud",
	    .options = &options,
	    .by = &by,
	    .detail = "planned"};
	struct wave_file *f = wave_tmp_open(p->t, true);
	int rc;

	snprintf(wave[0].name, sizeof(wave[0].name), "%s", first);
	snprintf(wave[1].name, sizeof(wave[1].name), "%s", second);
	rc = plan_write(f, &w, err);
	wave_file_close(f);
	return rc;
}

static void split_plan(struct planned *p)
{
	static const uint32_t size[] = {3, 3};
	const struct split_how how = {1, size, 2, 1};
	uint32_t member;
	struct error err;

	assert_int_equal(split_run(p->m.split, &how, &member, &err), 0);
}

static void count_wave(void *arg, const struct wave *w)
{
	(void)w;
	++*(int *)arg;
}

static int waves(struct table_tmp *t)
{
	struct wave_file *f = wave_tmp_open(t, false);
	struct error err;
	int n = 0;

	assert_int_equal(wave_each(f, count_wave, &n, &err), 0);
	wave_file_close(f);
	return n;
}

static void members_are_chosen_rows_and_their_mailboxes(void **state)
{
	struct planned p;

	read_plan(&p, wave_tmp_table(state),
	    "address = 'zoe@example.com' or address = 'bob@example.com'");
	members_are(&p, "0 amy.b legacy, 1 amy legacy, 2 bob legacy, "
			"3 zoe legacy");
	end_plan(&p);
}

static void rows_with_the_route_stay_out(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct planned p;

	table_tmp_route(t, "bob@example.com", "cloud");
	read_plan(&p, t, "domain = example.com");
	assert_int_equal(p.m.there, 1);
	members_are(&p, "0 amy.b legacy, 1 amy legacy, 2 ann legacy, "
			"3 cid legacy, 4 zoe legacy");
	end_plan(&p);
}

static void members_of_active_waves_stay_out(void **state)
{
	struct table_tmp *t = wave_tmp_table(state);
	struct planned p;

	wave_tmp_create(t, "w1", "ann");
	wave_tmp_create(t, "w2", "cid");
	wave_tmp_move(t, "w2", WAVE_START);
	read_plan(&p, t, "domain = example.com");
	assert_int_equal(p.m.elsewhere, 1);
	assert_string_equal(p.m.elsewhere_first, "cid@example.com");
	members_are(&p, "0 amy.b legacy, 1 amy legacy, 2 ann legacy, "
			"3 bob legacy, 4 zoe legacy");
	end_plan(&p);
}

static void a_plan_is_written(void **state)
{
	struct planned p;
	struct error err = {0};
	struct wave_file *f;
	struct wave w;

	read_plan(&p, wave_tmp_table(state), "domain = example.com");
	split_plan(&p);
	if (write_plan(&p, "a", "b", &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(waves(p.t), 2);
	f = wave_tmp_open(p.t, false);
	assert_int_equal(wave_need(f, "b", &w, &err), 0);
	assert_int_equal(w.state, WAVE_PLANNED);
	assert_true(w.at_us == INT64_C(2000086400000000));
	wave_file_close(f);
	end_plan(&p);
}

static void a_table_that_was_changed_meanwhile_is_noticed(void **state)
{
	struct planned p;
	struct error err = {0};

	read_plan(&p, wave_tmp_table(state), "domain = example.com");
	split_plan(&p);
	/* as many members as before, but others */
	table_tmp_route(p.t, "bob@example.com", "cloud");
	table_tmp_route(p.t, "new@example.com", "legacy");
	assert_int_equal(write_plan(&p, "a", "b", &err), -1);
	assert_string_equal(err.text, "the cutover table was changed while the "
				      "plan was made; plan again");
	assert_int_equal(waves(p.t), 0);
	end_plan(&p);
}

static void all_waves_are_written_or_none(void **state)
{
	struct planned p;
	struct error err = {0};

	read_plan(&p, wave_tmp_table(state), "domain = example.com");
	split_plan(&p);
	assert_int_equal(write_plan(&p, "a", "a", &err), -1);
	assert_non_null(strstr(err.text, "there is a wave a already"));
	assert_int_equal(waves(p.t), 0);
	end_plan(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(members_are_chosen_rows_and_their_mailboxes),
	    cmocka_unit_test(rows_with_the_route_stay_out),
	    cmocka_unit_test(members_of_active_waves_stay_out),
	    cmocka_unit_test(a_plan_is_written),
	    cmocka_unit_test(a_table_that_was_changed_meanwhile_is_noticed),
	    cmocka_unit_test(all_waves_are_written_or_none),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup, conf_tmp_teardown);
}
