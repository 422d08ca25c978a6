/* SPDX-License-Identifier: ISC
 *
 * spf check, spf egress, spf forecast and spf what-if: what each says, word by
 * word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "relay/audit/delivered/spf_counts.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/unit/cli_spf_rig.h"
#include "tests/unit/lastfixture.h"

/* ---- spf check ----------------------------------------------------------- */

static void a_check_shows_what_decided(void **state)
{
	static const struct {
		const char *line, *result, *rest;
	} cases[] = {
		{"spf check " US " ann@ours.example", "result       pass\n"
		    "mechanism    ip4:" US "\ndomain       ours.example\n",
		    "records      ours.example  v=spf1 ip4:" US " -all\n"},
		{"spf check 192.0.2.7 <ann@ours.example>",
		    "result       fail\nmechanism    -all\n"
		    "domain       ours.example\nexplanation  go away\n",
		    "records      ours.example  v=spf1 ip4:" US " -all\n"},
		{"spf check 192.0.2.7 x@bad.example", "result       permerror\n"
		    "mechanism    moon:x\ndomain       bad.example\n"
		    "problem      no such term\n",
		    "records      bad.example  v=spf1 moon:x\n"},
		{"spf check 192.0.2.7 x@none.example", "result       none\n"
		    "domain       none.example\n", ""},
	};
	char want[512];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(run(*state, "", cases[i].line), 0);
		snprintf(want, sizeof(want), "%sidentity     mailfrom\n"
		    "lookups      3 of 10, 1 of 2 without an answer\n"
		    "questions    1 in ", cases[i].result);
		assert_int_equal(strncmp(printed, want, strlen(want)), 0);
		snprintf(want, sizeof(want), " ms\n%s", cases[i].rest);
		assert_string_equal(strstr(printed, " ms\n"), want);
	}
	assert_int_equal(run(*state, "", "spf check " US " '' mx.helo.example"),
	    0);
	says("result       pass\n");
	says("identity     helo\n");
}

static void a_check_for_a_script_is_one_object(void **state)
{
	assert_int_equal(run(*state, "",
	    "spf check 192.0.2.7 ann@ours.example --json"), 0);
	says("{\"result\":\"fail\",\"mechanism\":\"-all\",\"domain\":"
	    "\"ours.example\",\"lookups\":3,\"voids\":1,\"explanation\":"
	    "\"go away\",\"problem\":\"\",\"identity\":\"mailfrom\","
	    "\"queries\":1,");
	says("\"records\":[{\"domain\":\"ours.example\",\"record\":"
	    "\"v=spf1 ip4:" US " -all\"}]}\n");
}

static void what_cannot_be_judged_is_said(void **state)
{
	static const struct {
		const char *more, *line;
		int code;
		const char *says;
	} cases[] = {
		{"", "spf check moon ann@ours.example", 2,
		    "moon is no IPv4 or IPv6 address"},
		{"", "spf check " US " ''", 2, "a null sender is judged by its "
		    "HELO name: give that as well"},
		{"", "spf check " US " <>", 2, "a null sender is judged"},
		{"moon\n", "spf check " US " a@ours.example", 1, "conf:"},
		{"", "spf egress ours.example", 1,
		    "outbound.use names no egress: nothing goes out"},
		{WAYS, "spf egress a@b@", 2, "'a@b@' is no domain and no "
		    "sender: "},
		{WAYS "moon\n", "spf egress ours.example", 1, "conf:"},
		{"", "spf what-if ours.example", 2, "which record would it "
		    "have? --record 'v=spf1 ... -all'"},
		{"", "spf what-if ours.example --record v=spf2", 2,
		    "'v=spf2' is no SPF record: it begins with v=spf1 and a "
		    "blank"},
		{"", "spf what-if ours.example --record v=spf1x", 2,
		    "'v=spf1x' is no SPF record"},
		{"", "spf what-if a..b --record v=spf1", 2,
		    "'a..b' is no domain: "},
		{"", "spf forecast --leg moon", 1,
		    "there is no leg \"moon\" in the configuration"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(run(*state, cases[i].more, cases[i].line),
		    cases[i].code);
		says(cases[i].says);
	}
	program_there = false;
	assert_int_equal(run(*state, "", "spf check " US " a@ours.example"),
	    1);
	says("posthouse: /nowhere/posthouse-spf is not there: install it, ");
	assert_int_equal(run(*state, WAYS, "spf egress ours.example"), 1);
	says("posthouse: /nowhere/posthouse-spf is not there: install it, ");
	program_there = true;
}

/* ---- spf egress ---------------------------------------------------------- */

static void each_egress_is_judged_and_one_chosen(void **state)
{
	/* clang-format off */
	static const struct answer with_srs[] = {
		{"spf egress --json ours.example half.example "
		    "bare.example foreign.example down.example",
		    "{\"sender\":\"ours.example\",\"egress\":\"main\","
		    "\"rewritten\":false,\"reason\":\"pass\",\"dmarc\":"
		    "\"\",\"verdicts\":[{\"egress\":\"main\",\"result\""
		    ":\"pass\",\"mechanism\":\"ip4:192.0.2.10\",\"domai"
		    "n\":\"ours.example\"},{\"egress\":\"tenant\",\"res"
		    "ult\":\"fail\",\"mechanism\":\"-all\",\"domain\":"
		    "\"ours.example\"}]}\n"
		    "{\"sender\":\"half.example\",\"egress\":\"tenant\""
		    ",\"rewritten\":false,\"reason\":\"pass\",\"dmarc\""
		    ":\"none\",\"verdicts\":[{\"egress\":\"main\",\"res"
		    "ult\":\"fail\",\"mechanism\":\"-all\",\"domain\":"
		    "\"half.example\"},{\"egress\":\"tenant\",\"result"
		    "\":\"pass\",\"mechanism\":\"ip4:198.51.100.7\",\"d"
		    "omain\":\"half.example\"}]}\n"
		    "{\"sender\":\"bare.example\",\"egress\":\"main\","
		    "\"rewritten\":true,\"reason\":\"srs\",\"dmarc\":\""
		    "reject\",\"verdicts\":[{\"egress\":\"main\",\"resu"
		    "lt\":\"fail\",\"mechanism\":\"-all\",\"domain\":\""
		    "bare.example\"},{\"egress\":\"tenant\",\"result\":"
		    "\"fail\",\"mechanism\":\"-all\",\"domain\":\"bare."
		    "example\"}]}\n"
		    "{\"sender\":\"foreign.example\",\"egress\":\"main"
		    "\",\"rewritten\":false,\"reason\":\"no-record\",\""
		    "dmarc\":\"\",\"verdicts\":[{\"egress\":\"main\",\""
		    "result\":\"none\",\"mechanism\":\"\",\"domain\":\""
		    "foreign.example\"},{\"egress\":\"tenant\",\"result"
		    "\":\"none\",\"mechanism\":\"\",\"domain\":\"foreig"
		    "n.example\"}]}\n"
		    "{\"sender\":\"down.example\",\"egress\":null,\"rew"
		    "ritten\":false,\"reason\":\"temperror\",\"dmarc\":"
		    "\"\",\"verdicts\":[{\"egress\":\"main\",\"result\""
		    ":\"temperror\",\"mechanism\":\"\",\"domain\":\"dow"
		    "n.example\"},{\"egress\":\"tenant\",\"result\":\"t"
		    "emperror\",\"mechanism\":\"\",\"domain\":\"down.ex"
		    "ample\"}]}\n"},
		{"spf egress bare.example",
		    "bare.example: main, since the sender is rewritten "
		    "at srs.domain; its DMARC policy is reject, so it n"
		    "eeds a signature of its own; add ip4:192.0.2.10/32"
		    " to the record\n"
		    "EGRESS  RESULT  MECHANISM  RECORD OF\n"
		    "main    fail    -all       bare.example\n"
		    "tenant  fail    -all       bare.example\n"},
	}, without[] = {
		{"spf egress bare.example half.example <> '' ann@half.example",
		    "bare.example: it waits: the record forbids every e"
		    "gress; its DMARC policy is reject; add ip4:192.0.2"
		    ".10/32 to the record\n"
		    "EGRESS  RESULT  MECHANISM  RECORD OF\n"
		    "main    fail    -all       bare.example\n"
		    "tenant  fail    -all       bare.example\n"
		    "half.example: tenant, since the record passes this"
		    " egress; its DMARC policy is none\n"
		    "EGRESS  RESULT  MECHANISM         RECORD OF\n"
		    "main    fail    -all              half.example\n"
		    "tenant  pass    ip4:198.51.100.7  half.example\n"
		    "<>: main, since the record passes this egress\n"
		    "EGRESS  RESULT  MECHANISM       RECORD OF\n"
		    "main    pass    ip4:192.0.2.10  mx.helo.example\n"
		    "tenant  none    -               relay.test\n"
		    "<>: main, since the record passes this egress\n"
		    "EGRESS  RESULT  MECHANISM       RECORD OF\n"
		    "main    pass    ip4:192.0.2.10  mx.helo.example\n"
		    "tenant  none    -               relay.test\n"
		    "ann@half.example: tenant, since the record passes "
		    "this egress; its DMARC policy is none\n"
		    "EGRESS  RESULT  MECHANISM         RECORD OF\n"
		    "main    fail    -all              half.example\n"
		    "tenant  pass    ip4:198.51.100.7  half.example\n"},
	};
	/* clang-format on */

	answers_are(*state, WAYS SRS, with_srs, ARRAY_LEN(with_srs));
	answers_are(*state, WAYS, without, ARRAY_LEN(without));
}

/* ---- counted mail -------------------------------------------------------- */

static void tally(struct spf_counts *c, const char *leg, const char *domain,
    enum spf_share share, int n)
{
	for (int i = 0; i < n; i++)
		spf_counts_message(c, clock_wall_us(&clock_system), leg,
		    domain, share);
}

static void count_mail(const char *dir)
{
	int64_t now = clock_wall_us(&clock_system);
	struct spf_counts *c = spf_counts_new(dir, now);
	char name[32];

	tally(c, "legacy", "a.example", SHARE_SPF, 3);
	tally(c, "legacy", "a.example", SHARE_SIGNATURE, 2);
	tally(c, "legacy", "b.example", SHARE_FAIL_NONE, 1);
	tally(c, "legacy", "", SHARE_UNCLEAR, 1);
	tally(c, "third", "a.example", SHARE_FAIL_QUARANTINE, 1);
	tally(c, "third", "a.example", SHARE_FAIL_REJECT, 7);
	for (int i = 0; i < 22; i++) {
		snprintf(name, sizeof(name), "m%02d.example", i);
		tally(c, "many", name, SHARE_SPF, 30 - i);
	}
	for (int i = 0; i < 3; i++)
		spf_counts_client(c, now, "ours.example", US);
	spf_counts_client(c, now, "ours.example", CLOUD);
	spf_counts_client(c, now, "ours.example", "203.0.113.9");
	spf_counts_client(c, now, "ours.example", "203.0.113.9");
	spf_counts_client(c, now - 7 * DAY_US, "ours.example", "203.0.113.1");
	spf_counts_client(c, now, "half.example", "203.0.113.2");
	spf_counts_write(c, now);
	spf_counts_free(c);
}

static void a_week_is_summed_by_leg(void **state)
{
	/* clang-format off */
	static const struct answer answers[] = {
		{"spf forecast",
		    "LEG     MESSAGES  BY SPF  BY SIGNATURE  FAIL, NONE"
		    "  QUARANTINE  REJECT  UNCLEAR\n"
		    "legacy         7   42.8%         28.5%       14.2%"
		    "        0.0%    0.0%    14.2%\n"
		    "many         429  100.0%          0.0%        0.0%"
		    "        0.0%    0.0%     0.0%\n"
		    "third          8    0.0%          0.0%        0.0%"
		    "       12.5%   87.5%     0.0%\n"
		    "\n"
		    "LEG     FROM         MESSAGES  BY SPF  BY SIGNATUR"
		    "E  FAIL, NONE  QUARANTINE  REJECT  UNCLEAR\n"
		    "legacy  a.example           5       3             "
		    "2           0           0       0        0\n"
		    "legacy  (others)            1       0             "
		    "0           0           0       0        1\n"
		    "legacy  b.example           1       0             "
		    "0           1           0       0        0\n"
		    "many    m00.example        30      30             "
		    "0           0           0       0        0\n"
		    "many    m01.example        29      29             "
		    "0           0           0       0        0\n"
		    "many    m02.example        28      28             "
		    "0           0           0       0        0\n"
		    "many    m03.example        27      27             "
		    "0           0           0       0        0\n"
		    "many    m04.example        26      26             "
		    "0           0           0       0        0\n"
		    "many    m05.example        25      25             "
		    "0           0           0       0        0\n"
		    "many    m06.example        24      24             "
		    "0           0           0       0        0\n"
		    "many    m07.example        23      23             "
		    "0           0           0       0        0\n"
		    "many    m08.example        22      22             "
		    "0           0           0       0        0\n"
		    "many    m09.example        21      21             "
		    "0           0           0       0        0\n"
		    "many    m10.example        20      20             "
		    "0           0           0       0        0\n"
		    "many    m11.example        19      19             "
		    "0           0           0       0        0\n"
		    "many    m12.example        18      18             "
		    "0           0           0       0        0\n"
		    "many    m13.example        17      17             "
		    "0           0           0       0        0\n"
		    "many    m14.example        16      16             "
		    "0           0           0       0        0\n"
		    "many    m15.example        15      15             "
		    "0           0           0       0        0\n"
		    "many    m16.example        14      14             "
		    "0           0           0       0        0\n"
		    "many    m17.example        13      13             "
		    "0           0           0       0        0\n"
		    "many    m18.example        12      12             "
		    "0           0           0       0        0\n"
		    "many    m19.example        11      11             "
		    "0           0           0       0        0\n"
		    "third   a.example           8       0             "
		    "0           0           1       7        0\n"
		    "7 days, counted since NOW; signatures were seen, n"
		    "ot verified\n"},
		{"spf forecast --leg legacy",
		    "LEG     MESSAGES  BY SPF  BY SIGNATURE  FAIL, NONE"
		    "  QUARANTINE  REJECT  UNCLEAR\n"
		    "legacy         7   42.8%         28.5%       14.2%"
		    "        0.0%    0.0%    14.2%\n"
		    "\n"
		    "LEG     FROM       MESSAGES  BY SPF  BY SIGNATURE "
		    " FAIL, NONE  QUARANTINE  REJECT  UNCLEAR\n"
		    "legacy  a.example         5       3             2 "
		    "          0           0       0        0\n"
		    "legacy  (others)          1       0             0 "
		    "          0           0       0        1\n"
		    "legacy  b.example         1       0             0 "
		    "          1           0       0        0\n"
		    "7 days, counted since NOW; signatures were seen, n"
		    "ot verified\n"},
		{"spf forecast --json --leg legacy",
		    "{\"kind\":\"leg\",\"leg\":\"legacy\",\"messages\":"
		    "7,\"by_spf\":3,\"by_signature\":2,\"fail_none\":1,"
		    "\"fail_quarantine\":0,\"fail_reject\":0,\"unclear"
		    "\":1,\"share\":{\"by_spf\":\"42.8%\",\"by_signatur"
		    "e\":\"28.5%\",\"fail_none\":\"14.2%\",\"fail_quara"
		    "ntine\":\"0.0%\",\"fail_reject\":\"0.0%\",\"unclea"
		    "r\":\"14.2%\"}}\n"
		    "{\"kind\":\"sender\",\"leg\":\"legacy\",\"domain\""
		    ":\"a.example\",\"messages\":5,\"by_spf\":3,\"by_si"
		    "gnature\":2,\"fail_none\":0,\"fail_quarantine\":0,"
		    "\"fail_reject\":0,\"unclear\":0}\n"
		    "{\"kind\":\"sender\",\"leg\":\"legacy\",\"domain\""
		    ":null,\"messages\":1,\"by_spf\":0,\"by_signature\""
		    ":0,\"fail_none\":0,\"fail_quarantine\":0,\"fail_re"
		    "ject\":0,\"unclear\":1}\n"
		    "{\"kind\":\"sender\",\"leg\":\"legacy\",\"domain\""
		    ":\"b.example\",\"messages\":1,\"by_spf\":0,\"by_si"
		    "gnature\":0,\"fail_none\":1,\"fail_quarantine\":0,"
		    "\"fail_reject\":0,\"unclear\":0}\n"
		    "{\"kind\":\"total\",\"days\":7,\"since\":\"NOW\","
		    "\"signatures_verified\":false}\n"},
	};
	/* clang-format on */

	assert_int_equal(run(*state, "", "spf forecast"), 1);
	says("/ledger.db: No such file or directory\n");
	last_delivery_close(open_in(*state));
	assert_int_equal(run(*state, "", "spf forecast"), 0);
	assert_string_equal(printed, "nothing was counted yet\n");
	count_mail(*state);
	answers_are(*state, "", answers, ARRAY_LEN(answers));
	assert_int_equal(run(*state, "leg \"idle\" { hosts = "
	    "\"127.0.0.1:1\" }\n", "spf forecast --leg idle"), 0);
	assert_int_equal(strncmp(printed, "no mail was counted in 7 days\n"
	    "7 days, counted since ", 52), 0);
	forget(*state);
}

/* Those that change first, then the busiest; what is older than a week, or of
 * another domain, counts for nothing. */
static void another_record_is_tried_on_who_sent(void **state)
{
	/* clang-format off */
	static const struct answer plain[] = {
		{"spf what-if ours.example --record 'v=spf1 "
		    "ip4:203.0.113.9 -all'",
		    "KIND    NAME          MESSAGES  BEFORE  BY        "
		    "      AFTER  BY\n"
		    "client  192.0.2.10           3  pass    ip4:192.0."
		    "2.10  fail   -all\n"
		    "client  203.0.113.9          2  fail    -all      "
		    "      pass   ip4:203.0.113.9\n"
		    "client  198.51.100.7         1  fail    -all      "
		    "      fail   -all\n"
		    "3 clients in 7 days, of which 2 change (5 messages"
		    "); counted since NOW\n"},
	}, ways[] = {
		{"spf what-if ours.example --record 'v=spf1 "
		    "ip4:203.0.113.9 moon' --json",
		    "{\"kind\":\"egress\",\"name\":\"main\",\"before\":"
		    "\"pass\",\"before_mechanism\":\"ip4:192.0.2.10\","
		    "\"after\":\"permerror\",\"after_mechanism\":\"moon"
		    "\"}\n"
		    "{\"kind\":\"egress\",\"name\":\"tenant\",\"before"
		    "\":\"fail\",\"before_mechanism\":\"-all\",\"after"
		    "\":\"permerror\",\"after_mechanism\":\"moon\"}\n"
		    "{\"kind\":\"client\",\"name\":\"192.0.2.10\",\"mes"
		    "sages\":3,\"before\":\"pass\",\"before_mechanism\""
		    ":\"ip4:192.0.2.10\",\"after\":\"permerror\",\"afte"
		    "r_mechanism\":\"moon\"}\n"
		    "{\"kind\":\"client\",\"name\":\"203.0.113.9\",\"me"
		    "ssages\":2,\"before\":\"fail\",\"before_mechanism"
		    "\":\"-all\",\"after\":\"pass\",\"after_mechanism\""
		    ":\"ip4:203.0.113.9\"}\n"
		    "{\"kind\":\"client\",\"name\":\"198.51.100.7\",\"m"
		    "essages\":1,\"before\":\"fail\",\"before_mechanism"
		    "\":\"-all\",\"after\":\"permerror\",\"after_mechan"
		    "ism\":\"moon\"}\n"
		    "{\"kind\":\"total\",\"clients\":3,\"changed\":3,\""
		    "messages\":6,\"not_judged\":0,\"since\":\"NOW\",\""
		    "problem\":\"no such term\"}\n"},
	};
	/* clang-format on */

	assert_int_equal(run(*state, "", "spf what-if ours.example --record "
	    "'v=spf1 -all'"), 0);
	says("no clients are known: ");
	says("/ledger.db: No such file or directory\n");
	last_delivery_close(open_in(*state));
	assert_int_equal(run(*state, "", "spf what-if ours.example --record "
	    "'v=spf1 moon'"), 0);
	assert_string_equal(printed, "no clients are known: no mail was "
	    "counted yet\nthe record is in error: no such term\n");
	count_mail(*state);
	answers_are(*state, "", plain, ARRAY_LEN(plain));
	answers_are(*state, WAYS, ways, ARRAY_LEN(ways));
	assert_int_equal(run(*state, "", "spf what-if half.example --record "
	    "'v=spf1 ip4:203.0.113.2 -all'"), 0);
	says("\n1 client in 7 days, of which 1 changes (1 message); counted ");
	forget(*state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_check_shows_what_decided),
	    cmocka_unit_test(a_check_for_a_script_is_one_object),
	    cmocka_unit_test(what_cannot_be_judged_is_said),
	    cmocka_unit_test(each_egress_is_judged_and_one_chosen),
	    cmocka_unit_test(a_week_is_summed_by_leg),
	    cmocka_unit_test(another_record_is_tried_on_who_sent),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
