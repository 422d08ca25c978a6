/* SPDX-License-Identifier: ISC
 *
 * The choice of an egress: each cell of the table in doc/egress.md, and what
 * must never happen, for every combination of verdicts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/egress.h"

/* A way is written as its kind and two verdicts: "d=fail/pass" is direct or a
 * smart host, "c=…" a cloud that relays our own domains alone; behind the
 * slash the verdict for the SRS domain, which need not be there. */
static struct egress_way way_of(struct slice text)
{
	struct egress_way w = {.ours_only = text.p[0] == 'c',
	    .srs = SPF_FAIL};
	struct slice rest = slice_from(text, 2), word;

	assert_true(slice_next(&rest, '/', &word) ||
		    (word = rest).n != 0);
	assert_true(spf_result_parse(word, &w.sender));
	if (rest.n != 0 && rest.p != word.p)
		assert_true(spf_result_parse(rest, &w.srs));
	return w;
}

enum { SRS = 1, WAITED = 2, DMARC = 4 };

static const char *choose(enum egress_sender from, unsigned flags,
    const char *ways, char out[80])
{
	struct egress_way way[EGRESSES_MAX];
	struct egress_case e = {.from = from, .srs = flags & SRS,
	    .waited = flags & WAITED, .dmarc_fails = flags & DMARC,
	    .way = way};
	struct slice rest = slice_str(ways), text;
	struct egress_choice c;

	while (rest.n != 0) {
		if (!slice_next(&rest, ' ', &text)) {
			text = rest;
			rest.n = 0;
		}
		way[e.n++] = way_of(text);
	}
	c = egress_choose(&e);
	snprintf(out, 80, "%d %s%s%s%s", c.way, egress_why_name(c.why),
	    c.rewrite ? " rewritten" : "",
	    c.own_record ? " own-record" : "",
	    c.dmarc_would_fail ? " dmarc" : "");
	return out;
}

/* clang-format off */
#define O EGRESS_OWN
#define F EGRESS_FOREIGN
#define N EGRESS_NULL
static const struct {
	enum egress_sender from;
	unsigned flags;
	const char *ways, *chosen;
} cells[] = {
	/* The first that passes. */
	{ O, 0, "d=pass", "0 pass" },
	{ F, 0, "d=pass", "0 pass" },
	{ N, 0, "d=pass", "0 pass" },
	{ O, 0, "c=pass", "0 pass" },
	{ N, 0, "c=pass", "0 pass" },
	{ O, 0, "d=none d=pass d=pass", "1 pass" },
	{ O, SRS, "d=fail/pass d=softfail/pass d=pass", "2 pass" },
	{ O, 0, "d=temperror c=pass", "1 pass" },
	{ F, 0, "c=pass d=pass", "1 pass" },
	/* A cloud relays no foreign sender, but our SRS domain. */
	{ F, SRS, "c=pass/pass", "0 srs rewritten" },
	{ F, SRS, "c=none/none", "0 srs rewritten" },
	{ F, SRS, "c=permerror/neutral", "0 srs rewritten" },
	{ F, SRS, "c=softfail/pass", "0 srs rewritten" },
	{ F, SRS, "c=fail/pass", "0 srs rewritten" },
	{ F, SRS, "c=temperror/pass", "0 srs rewritten" },
	{ F, 0, "c=pass/pass", "-1 foreign-sender" },
	{ F, SRS, "c=pass/fail", "-1 srs-fails" },
	{ F, SRS, "c=pass/pass d=none/fail", "1 no-record" },
	/* none and neutral, if none passes. */
	{ O, 0, "d=none", "0 no-record" },
	{ F, 0, "d=neutral", "0 no-record" },
	{ N, 0, "d=none", "0 no-record" },
	{ O, 0, "d=permerror d=neutral d=none", "1 no-record" },
	{ O, SRS, "d=softfail/pass c=neutral", "1 no-record" },
	{ O, 0, "d=temperror d=none", "1 no-record" },
	/* permerror behind those. */
	{ O, 0, "d=permerror", "0 permerror" },
	{ F, SRS, "d=fail/pass d=permerror", "1 permerror" },
	{ O, SRS, "d=temperror/pass d=permerror", "1 permerror" },
	/* softfail. */
	{ O, SRS, "d=softfail/pass", "0 srs rewritten own-record" },
	{ F, SRS, "d=softfail/pass", "0 srs rewritten" },
	{ O, 0, "d=softfail", "0 softfail own-record" },
	{ F, 0, "d=softfail", "0 softfail" },
	{ N, SRS, "d=softfail/pass", "0 softfail" },
	{ O, 0, "d=fail d=softfail", "1 softfail own-record" },
	/* fail. */
	{ O, SRS, "d=fail/pass", "0 srs rewritten own-record" },
	{ F, SRS, "d=fail/pass", "0 srs rewritten" },
	{ O, 0, "d=fail", "-1 fail own-record" },
	{ F, 0, "d=fail", "-1 fail" },
	{ N, SRS, "d=fail/pass", "-1 fail" },
	/* temperror: the next one, else it waits, then SRS. */
	{ O, SRS, "d=temperror/pass", "-1 temperror" },
	{ O, 0, "d=temperror", "-1 temperror" },
	{ O, SRS, "d=fail/pass d=temperror/pass", "-1 temperror" },
	{ O, SRS | WAITED, "d=temperror/pass", "0 srs rewritten" },
	{ O, SRS | WAITED, "d=fail/fail d=temperror/pass",
	  "1 srs rewritten own-record" },
	{ F, WAITED, "d=temperror", "-1 temperror" },
	{ N, SRS | WAITED, "d=temperror/pass", "-1 temperror" },
	{ O, WAITED, "d=temperror d=softfail", "1 softfail own-record" },
	/* SRS goes by the way that the SRS domain passes, else is silent of. */
	{ O, SRS, "d=fail/none c=fail/pass", "1 srs rewritten own-record" },
	{ O, SRS, "d=fail/fail c=fail/neutral", "1 srs rewritten own-record" },
	{ O, SRS, "d=fail/fail", "-1 srs-fails own-record" },
	{ F, SRS, "d=fail/softfail d=fail/permerror", "-1 srs-fails" },
	{ F, SRS, "d=fail/temperror", "-1 temperror" },
	/* DMARC. */
	{ O, SRS | DMARC, "d=fail/pass", "-1 dmarc own-record" },
	{ O, SRS | DMARC, "d=softfail/pass", "-1 dmarc own-record" },
	{ F, SRS | DMARC, "d=fail/pass", "0 srs rewritten dmarc" },
	{ O, SRS | DMARC, "d=pass", "0 pass" },
	/* A reload has emptied outbound.use while mail waits. */
	{ F, 0, "", "-1 no-egress" },
	{ O, SRS, "", "-1 no-egress" },
};
/* clang-format on */

static void each_cell(void **state)
{
	char got[80];

	(void)state;
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		print_message("%d %u %s\n", cells[i].from, cells[i].flags,
		    cells[i].ways);
		assert_string_equal(choose(cells[i].from, cells[i].flags,
		    cells[i].ways, got), cells[i].chosen);
	}
}

static void check_one(const struct egress_case *e)
{
	struct egress_choice c = egress_choose(e);
	const struct egress_way *w = c.way < 0 ? NULL : &e->way[c.way];

	assert_in_range(c.way + 1, 0, e->n);
	if (w == NULL) {
		assert_false(c.rewrite);
		return;
	}
	if (c.rewrite) {
		assert_true(e->srs && e->from != EGRESS_NULL);
		assert_true(w->srs == SPF_PASS || w->srs == SPF_NONE ||
			    w->srs == SPF_NEUTRAL);
		return;
	}
	assert_int_not_equal(w->sender, SPF_FAIL);
	assert_int_not_equal(w->sender, SPF_TEMPERROR);
	assert_false(w->ours_only && e->from == EGRESS_FOREIGN);
	/* A doubt is passed over only where nothing can be rewritten. */
	if (w->sender == SPF_SOFTFAIL)
		assert_true(!e->srs || e->from == EGRESS_NULL);
}

/* Two ways, all kinds, all verdicts, all senders and settings. */
static void what_must_never_happen(void **state)
{
	enum { KINDS = 2 * SPF_RESULTS * SPF_RESULTS };
	struct egress_way way[2];
	unsigned tried = 0;

	(void)state;
	for (unsigned a = 0; a < KINDS; a++)
		for (unsigned b = 0; b < KINDS; b++)
			for (unsigned f = 0; f < 3 * 8; f++) {
				const unsigned k[2] = {a, b};
				struct egress_case e = {.from = f % 3,
				    .srs = f / 3 & SRS,
				    .waited = f / 3 & WAITED,
				    .dmarc_fails = f / 3 & DMARC, .way = way,
				    .n = 2};

				for (unsigned i = 0; i < 2; i++)
					way[i] = (struct egress_way){
					    .ours_only = k[i] % 2,
					    .sender = k[i] / 2 % SPF_RESULTS,
					    .srs = k[i] / 2 / SPF_RESULTS};
				check_one(&e);
				tried++;
			}
	assert_int_equal(tried, KINDS * KINDS * 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_cell),
		cmocka_unit_test(what_must_never_happen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
