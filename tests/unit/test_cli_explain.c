/* SPDX-License-Identifier: ISC
 *
 * explain with a client and a sender: SPF, and the egress.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "relay/base/mem.h"
#include "tests/unit/cli_spf_rig.h"
#include "tests/unit/conf_tmp.h"

/* The table is made by the first of them. */
static void explain_judges_as_the_server_does(void **state)
{
	/* clang-format off */
	static const struct answer answers[] = {
		{"explain bob@strict.example --client 203.0.113.9 "
		    "--from u@bare.example",
		    "address   bob@strict.example\n"
		    "verdict   refuse: 550 5.7.23 The sender's domain d"
		    "oes not let this client send in its name (SPF)\n"
		    "rule      domain (no row of its own: the domain's "
		    "row)\n"
		    "row       @strict.example: legacy, change 1\n"
		    "legs      legacy (primary) as bob@strict.example\n"
		    "SPF       fail (-all of bare.example), which the r"
		    "ecipient's domain refuses\n"},
		{"explain bob@strict.example --client 203.0.113.9 "
		    "--from u@down.example",
		    "address   bob@strict.example\n"
		    "verdict   refuse: 451 4.7.24 SPF cannot be checked"
		    " now\n"
		    "rule      domain (no row of its own: the domain's "
		    "row)\n"
		    "row       @strict.example: legacy, change 1\n"
		    "legs      legacy (primary) as bob@strict.example\n"
		    "SPF       temperror (down.example), so the "
		    "recipient's domain takes it later\n"},
		{"explain bob@strict.example --client 192.0.2.10 "
		    "--from u@ours.example",
		    "address   bob@strict.example\n"
		    "verdict   accept\n"
		    "rule      domain (no row of its own: the domain's "
		    "row)\n"
		    "row       @strict.example: legacy, change 1\n"
		    "legs      legacy (primary) as bob@strict.example\n"
		    "SPF       pass (ip4:192.0.2.10 of ours.example)\n"},
		{"explain bob@strict.example --client 10.0.0.1 "
		    "--from u@bare.example",
		    "address   bob@strict.example\n"
		    "verdict   accept\n"
		    "rule      domain (no row of its own: the domain's "
		    "row)\n"
		    "row       @strict.example: legacy, change 1\n"
		    "legs      legacy (primary) as bob@strict.example\n"
		    "SPF       fail (-all of bare.example)\n"},
		{"explain ann@ours.example --client 203.0.113.9 "
		    "--from u@bare.example",
		    "address   ann@ours.example\n"
		    "verdict   accept, if the recipient is known: the leg would be"
		    " asked, legacy\n"
		    "rule      domain (no row of its own: the domain's "
		    "row)\n"
		    "row       @ours.example: legacy, change 1\n"
		    "legs      legacy (primary) as ann@ours.example\n"
		    "SPF       fail (-all of bare.example)\n"},
		{"explain x@away.example --client 192.0.2.99 --from "
		    "u@bare.example",
		    "address   x@away.example\n"
		    "verdict   accept\n"
		    "rule      relay (not a domain of ours)\n"
		    "legs      main (primary) as x@away.example\n"
		    "right     its address is in outbound.clients: it m"
		    "ay send to the outside\n"
		    "egress    main, since the sender is rewritten at s"
		    "rs.domain; its DMARC policy is reject, so it needs"
		    " a signature of its own; add ip4:192.0.2.10/32 to "
		    "the record\n"},
		{"explain x@away.example --client 192.0.2.99 --from "
		    "<>",
		    "address   x@away.example\n"
		    "verdict   accept\n"
		    "rule      relay (not a domain of ours)\n"
		    "legs      main (primary) as x@away.example\n"
		    "right     its address is in outbound.clients: it m"
		    "ay send to the outside\n"
		    "egress    main, since the record passes this egres"
		    "s\n"},
		{"explain x@away.example --client 203.0.113.9 --from "
		    "u@bare.example",
		    "address   x@away.example\n"
		    "verdict   refuse: 550 5.7.1 Relaying denied\n"
		    "rule      relay (not a domain of ours)\n"
		    "SPF       fail (-all of bare.example)\n"},
		{"explain --json x@away.example --client 192.0.2.99 "
		    "--from u@bare.example",
		    "{\"address\":\"x@away.example\",\"verdict\":\"acce"
		    "pt\",\"rule\":\"relay\",\"row\":null,\"route\":\"m"
		    "ain\",\"held\":false,\"code\":250,\"enhanced\":\"2"
		    ".1.5\",\"reply\":\"\",\"ask\":null,"
		    "\"legs\":[{\"leg\":\"main\",\"role\":\"primary\","
		    "\"address\":\"x@away.example\",\"configured\":true"
		    "}],\"from_leg\":null,\"led_back\":null,\"right\":"
		    "\"client\",\"spf\":null,\"outbound\":{\"egress\":"
		    "\"main\",\"rewritten\":true,\"reason\":\"srs\",\"d"
		    "marc\":\"reject\",\"verdicts\":[{\"egress\":\"main"
		    "\",\"result\":\"fail\",\"mechanism\":\"-all\",\"do"
		    "main\":\"bare.example\"},{\"egress\":\"tenant\",\""
		    "result\":\"fail\",\"mechanism\":\"-all\",\"domain"
		    "\":\"bare.example\"}]},\"change\":1}\n"},
		{"explain --json bob@strict.example --client "
		    "203.0.113.9 --from u@bare.example",
		    "{\"address\":\"bob@strict.example\",\"verdict\":\""
		    "refuse\",\"rule\":\"domain\",\"row\":\"@strict.exa"
		    "mple\",\"route\":\"legacy\",\"held\":false,\"code"
		    "\":550,\"enhanced\":\"5.7.23\",\"reply\":\"The sen"
		    "der's domain does not let this client send in its "
		    "name (SPF)\",\"ask\":null,\"legs\":[{\"leg\":\"leg"
		    "acy\",\"role\":\"primary\",\"address\":\"bob@stric"
		    "t.example\",\"configured\":true}],\"from_leg\":nul"
		    "l,\"led_back\":null,\"right\":\"none\",\"spf\":{\""
		    "result\":\"fail\",\"mechanism\":\"-all\",\"domain"
		    "\":\"bare.example\"},\"outbound\":null,\"change\":"
		    "1}\n"},
		{"explain --json bob@strict.example",
		    "{\"address\":\"bob@strict.example\",\"verdict\":\""
		    "accept\",\"rule\":\"domain\",\"row\":\"@strict.exa"
		    "mple\",\"route\":\"legacy\",\"held\":false,\"code"
		    "\":250,\"enhanced\":\"2.1.5\",\"reply\":\"\",\"ask"
		    "\":null,\"legs\":[{\"leg\":\"legacy\",\"role\":\"p"
		    "rimary\",\"address\":\"bob@strict.example\",\"conf"
		    "igured\":true}],\"from_leg\":null,\"led_back\":nul"
		    "l,\"right\":null,\"spf\":null,\"outbound\":null,\""
		    "change\":1}\n"},
	};
	/* clang-format on */

	answers_are(*state, WAYS SRS, answers, ARRAY_LEN(answers));
	program_there = false;
	assert_int_equal(run(*state, WAYS SRS, "explain x@away.example "
	    "--client 192.0.2.99 --from <>"), 0);
	says("SPF       is not judged: /nowhere/posthouse-spf is not there");
	assert_null(strstr(printed, "egress    "));
	program_there = true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(explain_judges_as_the_server_does),
	};

	return cmocka_run_group_tests(tests, conf_tmp_setup,
	    conf_tmp_teardown);
}
