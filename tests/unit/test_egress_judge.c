/* SPDX-License-Identifier: ISC
 *
 * Questions about ways out, one after the other: each has its own verdicts,
 * though the memory of the last one serves the next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/egress/egress_judge.h"
#include "tests/unit/checker_rig.h"
#include "tests/unit/conf_tmp.h"
#include "tests/unit/fakejudge.h"

static const struct dnsserver_row zone[] = {
	{ "pass.example", "TXT", 0,
	    "@ 60 TXT v=spf1 ip4:198.51.100.7 ip4:192.0.2.200 -all" },
	{ "one.example", "TXT", 0, "@ 60 TXT v=spf1 ip4:192.0.2.200 ~all" },
	{ "fail.example", "TXT", 0, "@ 60 TXT v=spf1 -all" },
	{ 0 },
};

static const char text[] = CONF_BASE
    "public_address = { \"198.51.100.7\" }\n"
    "egress \"main\" { direct = true }\n"
    "egress \"other\" { direct = true spf_address = { \"192.0.2.200\" } }\n"
    "outbound { clients = { \"192.0.2.0/24\" }\n"
    "    use = { \"main\", \"other\" } }\n";

struct world {
	struct checker_rig rig;
	struct rig_checker spf;
	struct names *names;
	struct conf *conf;
	struct egress_judge *judge;
	struct egress_judged told;
	int done;
};

static void begin(struct world *w, const char *dir)
{
	memset(w, 0, sizeof(*w));
	w->names = names_new();
	w->conf = conf_tmp_good(dir, text, w->names);
	checker_rig_open(&w->rig, zone);
	rig_checker_open(&w->spf, &w->rig, fakejudge, NULL, NULL);
	w->judge = egress_judge_new(w->rig.loop, w->spf.dns, w->spf.checker);
}

static void end(struct world *w)
{
	egress_judge_free(w->judge);
	rig_checker_close(&w->spf);
	checker_rig_close(&w->rig);
	conf_unref(w->conf);
	names_free(w->names);
}

static void on_done(void *arg, const struct egress_judged *judged)
{
	struct world *w = arg;

	w->told = *judged;
	w->done++;
}

/* `leg` NULL: the egresses in use. */
static const struct egress_judged *ask(struct world *w, const char *from,
    const struct conf_leg *leg)
{
	struct egress_subject s = {.conf = w->conf, .leg = leg};
	const struct egress_judged *judged;
	struct egress_question *q;
	const char *why;

	assert_int_equal(addr_parse(slice_str(from), true, &s.from, &why), 0);
	w->done = 0;
	judged = egress_judge(w->judge, &s, on_done, w, &q);
	if (judged != NULL) {
		w->told = *judged;
		return &w->told;
	}
	checker_rig_until(&w->rig, &w->done, 1);
	return &w->told;
}

static void check(const struct egress_verdict *v, enum spf_result result,
    const char *mechanism, const char *domain)
{
	assert_int_equal(v->result, result);
	assert_string_equal(v->mechanism, mechanism);
	assert_string_equal(v->domain, domain);
}

/* Asked of the DNS first, then known; in memory that another question had. */
static void each_question_has_its_own_verdicts(void **state)
{
	const struct egress_judged *j;
	struct world w;

	begin(&w, *state);
	for (int round = 0; round < 2; round++) {
		j = ask(&w, "a@fail.example", NULL);
		assert_int_equal(j->n, 2);
		check(&j->way[0], SPF_FAIL, "-all", "fail.example");
		check(&j->way[1], SPF_FAIL, "-all", "fail.example");
		assert_int_equal(j->leg, -1);
		j = ask(&w, "a@one.example", NULL);
		assert_int_equal(j->n, 2);
		check(&j->way[0], SPF_SOFTFAIL, "~all", "one.example");
		check(&j->way[1], SPF_PASS, "ip4:192.0.2.200", "one.example");
		assert_int_equal(j->leg, names_find(w.names, SLICE("other")));
		j = ask(&w, "a@pass.example", NULL);
		check(&j->way[0], SPF_PASS, "ip4:198.51.100.7",
		    "pass.example");
		assert_int_equal(j->leg, names_find(w.names, SLICE("main")));
		j = ask(&w, "a@none.example", NULL);
		check(&j->way[0], SPF_NONE, "", "none.example");
	}
	end(&w);
}

/* A leg of the table is one way, whatever was asked before. */
static void a_leg_is_judged_alone(void **state)
{
	const struct egress_judged *j;
	const struct conf_leg *leg;
	struct world w;

	begin(&w, *state);
	leg = &w.conf->leg[0];
	assert_int_equal(leg->seen.count, 1);
	ask(&w, "a@fail.example", NULL);
	j = ask(&w, "a@pass.example", leg);
	assert_int_equal(j->n, 1);
	assert_int_equal(j->leg, leg->id);
	check(&j->way[0], SPF_PASS, "ip4:198.51.100.7", "pass.example");
	j = ask(&w, "a@fail.example", NULL);
	assert_int_equal(j->n, 2);
	check(&j->way[1], SPF_FAIL, "-all", "fail.example");
	end(&w);
}

/* It is not known which address the leg sees. */
static void what_is_not_judged_has_no_verdict(void **state)
{
	const struct egress_judged *j;
	struct conf_leg unseen;
	struct world w;

	begin(&w, *state);
	unseen = w.conf->leg[0];
	unseen.seen.count = 0;
	ask(&w, "a@fail.example", NULL);
	j = ask(&w, "a@fail.example", &unseen);
	assert_int_equal(j->n, 1);
	check(&j->way[0], SPF_NONE, "", "");
	end(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_question_has_its_own_verdicts),
		cmocka_unit_test(a_leg_is_judged_alone),
		cmocka_unit_test(what_is_not_judged_has_no_verdict),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
