/* SPDX-License-Identifier: ISC
 *
 * Looks at name servers are kept and read, what people state stands beside
 * them, and a file that is not there is an error, not a clean domain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/observed/spread/spread_of.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/table_tmp.h"

#define NOW (20000 * DAY_US)
#define DOMAIN "example.com"

struct spread_rig {
	struct table_tmp *table;
	struct conf conf;
	struct arena *a;
	char path[400];
};

static struct spread_rig rig_of(const char *dir)
{
	struct spread_rig r = {.table = table_tmp_new(dir), .a = arena_new()};

	r.conf.audit.path = (char *)(uintptr_t)dir;
	r.conf.table.path = r.table->path;
	r.conf.propagation.interval_ms = HOUR_MS;
	r.conf.propagation.stale_ms = 3 * DAY_MS;
	snprintf(r.path, sizeof(r.path), "%s/" OBSERVED_NAME, dir);
	return r;
}

static void end(struct spread_rig *r)
{
	char path[420];

	unlink(r->path);
	snprintf(path, sizeof(path), "%s-wal", r->path);
	unlink(path);
	arena_free(r->a);
	table_tmp_free(r->table);
}

static const struct spread_heard to_us = {WAY_US, "", 300};
static const struct spread_heard to_leg = {WAY_LEG, "legacy", 3600};
static const struct spread_heard both[2] = {{WAY_US, "", 300},
    {WAY_LEG, "legacy", 60}};
static const struct spread_heard ns = {WAY_SERVER, "ns1", 86400};

static struct spread_seen seen(enum spread_kind k, const char *name,
    const struct spread_heard *heard)
{
	return (struct spread_seen){.kind = k, .name = name,
	    .address = "192.0.2.1", .said = SAID_ANSWER, .why = "",
	    .serial = 7, .answer = "[]", .ttl_s = 300, .heard = heard,
	    .n = 1};
}

static void put(struct spread_rig *r, struct spread_look *l)
{
	struct error err;
	struct observed *o = observed_open(r->conf.audit.path, l->at_us, &err);

	assert_non_null(o);
	if (spread_put(o, l, &err) != 0)
		fail_msg("%s", err.text);
	observed_close(o);
}

/* ns1 has `heard`, all others are clean. */
static void look(struct spread_rig *r, int64_t at_us,
    const struct spread_seen *ns1)
{
	struct spread_seen all[3] = {*ns1, seen(SPREAD_RESOLVER, "", &to_us),
	    seen(SPREAD_PARENT, "a.example", &ns)};
	struct spread_look l = {.domain = DOMAIN, .zone = DOMAIN,
	    .at_us = at_us, .seen = all, .n = 3};

	put(r, &l);
}

static struct spread_found found(struct spread_rig *r, int64_t now_us)
{
	struct spread_found f;
	struct error err = {0};

	if (spread_of(&(struct spread_asked){&r->conf, DOMAIN, "legacy",
		now_us}, r->a, &f, &err) != 0)
		fail_msg("%s", err.text);
	f.facts.server = NULL; /* it is in the frame that ends */
	return f;
}

/* In the order of the list: by kind. */
enum { AT_RESOLVER, AT_NS, AT_PARENT };

static void a_look_is_read_as_it_was_put(void **state)
{
	struct spread_rig r = rig_of(*state);
	struct spread_seen ns1 = seen(SPREAD_AUTHORITATIVE, "ns1", &to_leg);
	struct spread_found f;
	const struct spread_server *s;

	look(&r, NOW, &ns1);
	f = found(&r, NOW);
	s = &f.rows.server[AT_NS];
	assert_int_equal(f.rows.n, 3);
	assert_int_equal(f.rows.looked_us, NOW);
	assert_string_equal(f.rows.zone, DOMAIN);
	assert_false(f.rows.more);
	assert_int_equal(s->kind, SPREAD_AUTHORITATIVE);
	assert_string_equal(s->name, "ns1");
	assert_string_equal(s->address, "192.0.2.1");
	assert_int_equal(s->said, SAID_ANSWER);
	assert_int_equal(s->at_us, NOW);
	assert_int_equal(s->since_us, NOW);
	assert_int_equal(s->targets, 1);
	assert_int_equal(s->target[0].way, WAY_LEG);
	assert_string_equal(s->target[0].name, "legacy");
	assert_int_equal(s->target[0].ttl_s, 3600);
	assert_int_equal(f.rows.detail[AT_NS].serial, 7);
	assert_string_equal(f.rows.detail[AT_NS].answer, "[]");
	assert_int_equal(f.rows.detail[AT_NS].ttl_s, 300);
	assert_int_equal(f.judged.state, SPREAD_OLD);
	end(&r);
}

static void a_change_is_seen_with_its_time(void **state)
{
	struct spread_rig r = rig_of(*state);
	struct spread_seen ns1 = seen(SPREAD_AUTHORITATIVE, "ns1", &to_leg);
	struct spread_found f;

	look(&r, NOW, &ns1);
	ns1.heard = both;
	ns1.n = 2;
	look(&r, NOW + HOUR_US, &ns1);
	ns1.said = SAID_SILENT; /* says nothing of its MX */
	ns1.n = 0;
	look(&r, NOW + 2 * HOUR_US, &ns1);
	f = found(&r, NOW + 2 * HOUR_US);
	assert_int_equal(f.rows.server[AT_NS].target[0].ended_us, 0);
	assert_int_equal(f.rows.server[AT_NS].since_us, NOW + 2 * HOUR_US);
	ns1 = seen(SPREAD_AUTHORITATIVE, "ns1", &to_us);
	look(&r, NOW + 3 * HOUR_US, &ns1);
	look(&r, NOW + 4 * HOUR_US, &ns1);
	f = found(&r, NOW + 4 * HOUR_US);
	assert_int_equal(f.rows.server[AT_NS].since_us, NOW + 3 * HOUR_US);
	assert_int_equal(f.rows.server[AT_NS].targets, 2);
	assert_int_equal(f.judged.changed_us, NOW + 3 * HOUR_US);
	assert_int_equal(f.judged.ttl_s, 3600); /* the largest that it had */
	assert_int_equal(f.judged.until_us, NOW + 4 * HOUR_US + 3 * DAY_US);
	assert_int_equal(f.judged.state, SPREAD_WAITS);
	/* It comes again. */
	ns1.heard = &to_leg;
	look(&r, NOW + 5 * HOUR_US, &ns1);
	f = found(&r, NOW + 5 * HOUR_US);
	assert_int_equal(f.judged.state, SPREAD_OLD);
	assert_int_equal(f.judged.until_us, 0);
	end(&r);
}

static void one_that_retires_keeps_what_it_said(void **state)
{
	struct spread_rig r = rig_of(*state);
	struct spread_seen ns1 = seen(SPREAD_AUTHORITATIVE, "ns1", &to_leg);
	struct spread_found f;

	look(&r, NOW, &ns1);
	ns1.kind = SPREAD_RETIRED;
	ns1.said = SAID_REFUSED;
	ns1.why = "REFUSED";
	look(&r, NOW + HOUR_US, &ns1);
	f = found(&r, NOW + HOUR_US);
	assert_int_equal(f.rows.n, 3);
	for (size_t i = 0; i < 3; i++)
		if (f.rows.server[i].kind == SPREAD_RETIRED) {
			assert_int_equal(f.rows.server[i].targets, 1);
			assert_string_equal(f.rows.detail[i].why, "REFUSED");
		}
	assert_int_equal(f.judged.count[SPREAD_OLD], 0);
	end(&r);
}

/* A row that is never looked at again would be unknown for ever. */
static void a_resolver_that_is_left_is_forgotten(void **state)
{
	struct spread_rig r = rig_of(*state);
	struct spread_seen all[3] = {
	    seen(SPREAD_AUTHORITATIVE, "ns1", &to_us),
	    seen(SPREAD_RESOLVER, "", &to_us),
	    seen(SPREAD_PARENT, "com", &ns)};
	struct spread_look l = {.domain = DOMAIN, .zone = DOMAIN,
	    .at_us = NOW, .seen = all, .n = 3};
	struct spread_found f;

	all[1].address = "192.0.2.7";
	all[2].address = "";
	put(&r, &l);
	/* Without a zone nothing is known of the one above. */
	l.at_us = NOW + HOUR_US;
	l.zone = "";
	l.n = 2;
	all[0].address = ""; /* its name has none */
	all[1].address = "192.0.2.8";
	put(&r, &l);
	f = found(&r, NOW + HOUR_US);
	assert_int_equal(f.rows.n, 4);
	assert_string_equal(f.rows.server[0].address, "192.0.2.8");
	l.at_us = NOW + 2 * HOUR_US;
	l.zone = DOMAIN;
	all[0].address = "192.0.2.1";
	put(&r, &l);
	f = found(&r, NOW + 2 * HOUR_US);
	assert_int_equal(f.rows.n, 2);
	end(&r);
}

static void what_is_missing_is_never_clean(void **state)
{
	struct spread_rig r = rig_of(*state);
	struct spread_found f;
	struct error err;
	const struct spread_asked q = {&r.conf, DOMAIN, "legacy", NOW};
	struct observed *o;

	assert_int_equal(spread_of(&q, r.a, &f, &err), -1);
	assert_non_null(strstr(err.text, OBSERVED_NAME));
	o = observed_open(*state, NOW, &err);
	assert_int_equal(spread_of(&q, r.a, &f, &err), 0);
	assert_int_equal(f.judged.state, SPREAD_UNKNOWN);
	assert_int_equal(observed_do(o, "DROP TABLE spread_target", &err), 0);
	assert_int_equal(spread_of(&q, r.a, &f, &err), -1);
	observed_close(o);
	end(&r);
}

static void past_the_ceiling_it_says_so(void **state)
{
	struct spread_rig r = rig_of(*state);
	struct spread_seen many[SPREAD_SERVERS_MAX + 1];
	char name[SPREAD_SERVERS_MAX + 1][16];
	struct spread_look l = {.domain = DOMAIN, .zone = "", .at_us = NOW,
	    .seen = many, .n = SPREAD_SERVERS_MAX + 1};
	struct spread_found f;

	for (size_t i = 0; i < l.n; i++) {
		snprintf(name[i], sizeof(name[i]), "ns%zu", i);
		many[i] = seen(SPREAD_AUTHORITATIVE, name[i], &to_us);
	}
	put(&r, &l);
	f = found(&r, NOW);
	assert_int_equal(f.rows.n, SPREAD_SERVERS_MAX);
	assert_true(f.rows.more);
	end(&r);
}

static void a_server_has_a_ceiling_of_ways(void **state)
{
	struct spread_rig r = rig_of(*state);
	struct spread_heard many[SPREAD_TARGETS_MAX + 9];
	char name[SPREAD_TARGETS_MAX + 9][16];
	struct spread_seen ns1 = seen(SPREAD_AUTHORITATIVE, "ns1", many);
	struct spread_found f;

	ns1.n = SPREAD_TARGETS_MAX + 9;
	for (size_t i = 0; i < ns1.n; i++) {
		snprintf(name[i], sizeof(name[i]), "leg%zu", i);
		many[i] = (struct spread_heard){WAY_LEG, name[i], 1};
	}
	look(&r, NOW, &ns1);
	f = found(&r, NOW);
	assert_int_equal(f.rows.server[AT_NS].targets, SPREAD_TARGETS_MAX);
	end(&r);
}

static void assert_decided(const char *path, int n)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM decision"
	    " WHERE about = '" DOMAIN "' AND detail LIKE 'MX changed at %' AND"
	    " note = 'by the registrar'", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(st, 0), n);
	sqlite3_finalize(st);
	sqlite3_close(db);
}

static void what_is_stated_is_kept_with_its_decision(void **state)
{
	struct spread_rig r = rig_of(*state);
	struct spread_seen ns1 = seen(SPREAD_AUTHORITATIVE, "ns1", &to_us);
	struct stated s = {.domain = DOMAIN, .what = {NOW - DAY_US, 3600},
	    .time_us = NOW, .who = "root", .host = "h", .command = "set",
	    .note = "by the registrar"};
	struct spread_found f;
	struct error err;

	look(&r, NOW, &ns1);
	f = found(&r, NOW);
	assert_int_equal(f.stated.what.changed_us, 0);
	assert_true(f.judged.unseen);
	for (int i = 0; i < 2; i++, s.what.ttl_s *= 2)
		if (stated_put(r.table->path, &s, &err) != 0)
			fail_msg("%s", err.text);
	f = found(&r, NOW);
	assert_int_equal(f.stated.what.changed_us, NOW - DAY_US);
	assert_int_equal(f.stated.what.ttl_s, 7200);
	assert_string_equal(f.stated.note, "by the registrar");
	assert_string_equal(f.stated.who, "root");
	assert_true(f.judged.stated);
	assert_int_equal(f.judged.until_us,
	    NOW + 2 * DAY_US + 2 * HOUR_US);
	assert_decided(r.table->path, 2);
	/* Of this domain alone. */
	assert_int_equal(stated_get(r.table->path, "other.example", r.a, &s,
	    &err), 0);
	assert_int_equal(stated_get("/nonexistent", DOMAIN, r.a, &s, &err),
	    -1);
	end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_look_is_read_as_it_was_put),
	    cmocka_unit_test(a_change_is_seen_with_its_time),
	    cmocka_unit_test(one_that_retires_keeps_what_it_said),
	    cmocka_unit_test(a_resolver_that_is_left_is_forgotten),
	    cmocka_unit_test(what_is_missing_is_never_clean),
	    cmocka_unit_test(past_the_ceiling_it_says_so),
	    cmocka_unit_test(a_server_has_a_ceiling_of_ways),
	    cmocka_unit_test(what_is_stated_is_kept_with_its_decision),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
