/* SPDX-License-Identifier: ISC
 *
 * The rows of leg.probe: what is said of an address depends on how far the
 * look came, and on what the leg asks for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "relay/base/clock.h"
#include "relay/control/probe_print.h"

enum { ROW_MAX = 4096 };
#define NOW_S INT64_C(1700000000)

static char *pins[] = {"aa11"};

static struct conf_leg leg(enum tls_level tls, int fingerprints)
{
	struct conf_leg c = {.name = "cloud", .tls = tls};

	c.fingerprint = (struct conf_strings){pins, fingerprints};
	return c;
}

/* Nothing was reached. */
static struct probe_row silent(void)
{
	return (struct probe_row){.host = "mx.cloud.test", .port = 25,
	    .preference = -1, .address = "", .stage = STAGE_DNS,
	    .problem = "it has no address", .note = "", .connect_ms = -1,
	    .greeting_ms = -1, .tls_ms = -1, .greeting = ""};
}

/* All of it went well. */
static struct probe_row secured(void)
{
	struct probe_row row = silent();

	row.preference = 0;
	row.address = "192.0.2.1";
	row.stage = STAGE_DONE;
	row.problem = "";
	row.note = "it ends soon";
	row.connect_ms = 0;
	row.greeting_ms = 0;
	row.tls_ms = 3;
	row.greeting = "220 mx";
	row.offer[row.offers++] = "PIPELINING";
	row.offer[row.offers++] = "auth PLAIN";
	row.ehlo.size = 1;
	row.ehlo.limit_rcpt = 1;
	row.ehlo.limit_mail = 1;
	row.starttls = row.in_tls = true;
	row.tls = (struct tls_look){.text = "TLSv1.3", .chain = 2,
	    .verified = true, .why = "", .by = "*.cloud.test", .dane_why = "",
	    .cert = {.subject = "CN=mx", .issuer = "CN=ca",
		.name = {"*.cloud.test", "mx"}, .names = 2, .key = "EC 256",
		.fingerprint = "bb22", .from_s = NOW_S - DAY_S,
		.until_s = NOW_S + 2 * DAY_S - 1}};
	return row;
}

static void print(const struct conf_leg *c, const struct probe_row *row,
    struct strbuf *out)
{
	struct client_probe p = {.leg = c, .now_s = NOW_S};
	struct jout j;

	strbuf_init(out, ROW_MAX);
	jout_init(&j, out);
	jout_object(&j, NULL);
	probe_print(&j, &p, row);
	jout_object_end(&j);
}

static void is(const struct conf_leg *c, const struct probe_row *row,
    const char *want)
{
	struct strbuf b;

	print(c, row, &b);
	assert_string_equal(strbuf_cstr(&b), want);
	strbuf_fini(&b);
}

/* A ! before the text: it is not said. */
static void has(const struct conf_leg *c, const struct probe_row *row,
    const char *text)
{
	bool want = *text != '!';
	struct strbuf b;

	print(c, row, &b);
	if ((strstr(strbuf_cstr(&b), want ? text : text + 1) != NULL) != want)
		fail_msg("%s\nin: %s", text, strbuf_cstr(&b));
	strbuf_fini(&b);
}

static void one_without_an_address_says_so_and_no_more(void **state)
{
	struct conf_leg c = leg(TLS_MAY, 0);
	struct probe_row row = silent();

	(void)state;
	is(&c, &row,
	    "{\"leg\":\"cloud\",\"host\":\"mx.cloud.test\",\"port"
	    "\":25,\"address\":\"\",\"state\":\"bad\",\"stage\":"
	    "\"dns\",\"problem\":\"it has no address\",\"note\":"
	    "\"\",\"tried_last\":false}");
}

static void all_that_an_address_offers_is_told(void **state)
{
	struct conf_leg c = leg(TLS_MAY, 0);
	struct probe_row row = secured();

	(void)state;
	is(&c, &row,
	    "{\"leg\":\"cloud\",\"host\":\"mx.cloud.test\",\"port"
	    "\":25,\"preference\":0,\"address\":\"192.0.2.1\",\"s"
	    "tate\":\"good\",\"stage\":\"done\",\"problem\":\"\","
	    "\"note\":\"it ends soon\",\"tried_last\":false,\"con"
	    "nect_ms\":0,\"greeting_ms\":0,\"greeting\":\"220 mx"
	    "\",\"offers\":[\"PIPELINING\",\"auth PLAIN\"],\"auth"
	    "\":\"PLAIN\",\"size\":1,\"max_recipients\":1,\"max_m"
	    "essages\":1,\"starttls\":true,\"tls\":\"TLSv1.3\",\""
	    "tls_ms\":3,\"verified\":true,\"verified_by\":\"*.clo"
	    "ud.test\",\"verify_error\":\"\",\"certificate\":{\"s"
	    "ubject\":\"CN=mx\",\"issuer\":\"CN=ca\",\"names\":["
	    "\"*.cloud.test\",\"mx\"],\"key\":\"EC 256\",\"finger"
	    "print\":\"bb22\",\"from\":\"2023-11-13T22:13:20.0000"
	    "00Z\",\"expires\":\"2023-11-16T22:13:19.000000Z\",\""
	    "days_left\":1,\"chain\":2}}");
}


static void what_a_leg_does_not_ask_for_is_not_told(void **state)
{
	struct conf_leg c = leg(TLS_VERIFY, 1);
	struct probe_row row = secured();

	(void)state;
	has(&c, &row, "\"fingerprint_fits\":false");
	row.tls.pinned = true;
	has(&c, &row, "\"fingerprint_fits\":true");
	has(&c, &row, "!dane");
	has(&c, &row, "!tlsa");
	row.ehlo = (struct ehlo){.limit_rcpt = 0};
	has(&c, &row, "!\"size\"");
	has(&c, &row, "!max_");
	row.in_tls = false;
	has(&c, &row, "\"starttls\":true,\"tls\":\"\"}");
	row.greeting_ms = -1;
	has(&c, &row, "\"connect_ms\":0}");
}

static void the_records_of_dane_are_judged(void **state)
{
	static const struct {
		bool secure, dane;
		int tlsas;
		const char *why, *head, *says;
	} cases[] = {
	    {false, false, 0, "", "\"signed\":false,\"tlsa\":0",
		"\"dane\":\"no record\""},
	    {true, false, 1, "", "\"signed\":true,\"tlsa\":1",
		"\"dane\":\"no usable record\""},
	    {true, true, 2, "", "\"tlsa\":2", "\"dane\":\"fits\""},
	    {true, true, 2, "another key", "\"tlsa\":2",
		"\"dane\":\"another key\""},
	};
	struct conf_leg c = leg(TLS_DANE, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct probe_row row = secured();

		row.secure = cases[i].secure;
		row.tlsas = cases[i].tlsas;
		row.tls.dane = cases[i].dane;
		row.tls.dane_why = cases[i].why;
		has(&c, &row, cases[i].head);
		has(&c, &row, cases[i].says);
		has(&c, &row, "!fingerprint_fits");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_without_an_address_says_so_and_no_more),
	    cmocka_unit_test(all_that_an_address_offers_is_told),
	    cmocka_unit_test(what_a_leg_does_not_ask_for_is_not_told),
	    cmocka_unit_test(the_records_of_dane_are_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
