/* SPDX-License-Identifier: ISC
 *
 * Policy records of DMARC: what is one, and what it asks for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/base/strbuf.h"
#include "relay/spf/dmarc_record.h"

/* clang-format off */
static const struct {
	const char *in;
	/* the policies at itself, below, without a name; psd; what is strict;
	 * NULL: no record */
	const char *out;
} cases[] = {
	{ "v=DMARC1; p=none; rua=mailto:a@b.example", "none none none - " },
	{ "v=DMARC1;p=reject", "reject reject reject - " },
	{ "v=DMARC1; p=quarantine; sp=none", "quarantine none none - " },
	{ "v=DMARC1; p=none; sp=quarantine; np=reject", "none quarantine reject - " },
	{ "v=DMARC1; p=none; np=reject", "none none reject - " },
	{ "v = DMARC1 ; p = REJECT ; psd = Y ; ", "reject reject reject y " },
	{ "V=DMARC1; P=reject; PSD=n", "reject reject reject n " },
	{ "v=DMARC1; p=reject; psd=u", "reject reject reject - " },
	{ "v=DMARC1; p=reject; adkim=s; aspf=S", "reject reject reject - dkim spf " },
	{ "v=DMARC1; p=reject; adkim=r; aspf=x", "reject reject reject - " },
	/* testing: a step milder */
	{ "v=DMARC1; p=reject; sp=quarantine; np=none; t=y", "quarantine none none - " },
	{ "v=DMARC1; p=reject; t=n; pct=0", "reject reject reject - " },
	/* tags in any order, and unknown ones */
	{ "v=DMARC1; x=1; fo=1; sp=none; p=reject", "reject none none - " },
	{ "v=DMARC1; pp=none; p=reject; p=none", "reject reject reject - " },
	{ "v=DMARC1; ;; nonsense; p=reject", "reject reject reject - " },
	/* without a policy, or with an unknown one */
	{ "v=DMARC1", "none none none - " },
	{ "v=DMARC1; sp=reject", "none reject reject - " },
	{ "v=DMARC1; p=discard", "none none none - " },
	{ "v=DMARC1; p=reject; sp=discard", "none none none - " },
	{ "v=DMARC1; p=reject; np=", "reject reject reject - " },
	/* no records */
	{ "", NULL },
	{ "v=DMARC2; p=reject", NULL },
	{ "v=dmarc1; p=reject", NULL },
	{ "v=DMARC1 p=reject", NULL },
	{ "v=DMARC12; p=reject", NULL },
	{ " v=DMARC1; p=reject", NULL },
	{ "p=reject; v=DMARC1", NULL },
	{ ";v=DMARC1; p=reject", NULL },
	{ "vv=DMARC1; p=reject", NULL },
	{ "v=spf1 -all", NULL },
};
/* clang-format on */

static void print(const struct dmarc_record *r, struct strbuf *out)
{
	static const char *const psd[] = {"-", "y", "n"};

	for (int place = DMARC_SELF; place <= DMARC_NO_NAME; place++)
		strbuf_addf(out, "%s ", dmarc_policy_name(dmarc_record_policy(
		    r, (enum dmarc_place)place)));
	strbuf_addf(out, "%s %s%s", psd[r->psd], r->strict_dkim ? "dkim " : "",
	    r->strict_spf ? "spf " : "");
}

static void records_are_read(void **state)
{
	struct dmarc_record r;
	struct strbuf text;

	(void)state;
	strbuf_init(&text, 200);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool is = dmarc_record_parse(slice_str(cases[i].in), &r) == 0;

		print_message("%s\n", cases[i].in);
		assert_int_equal(is, cases[i].out != NULL);
		if (!is)
			continue;
		strbuf_reset(&text);
		print(&r, &text);
		assert_string_equal(strbuf_cstr(&text), cases[i].out);
	}
	strbuf_fini(&text);
}

static void a_long_one_is_none(void **state)
{
	static char text[DMARC_RECORD_MAX + 1] = "v=DMARC1; p=reject;";
	struct dmarc_record r;
	size_t n = strlen(text);

	(void)state;
	memset(text + n, ' ', sizeof(text) - n);
	assert_int_equal(
	    dmarc_record_parse(slice_of(text, DMARC_RECORD_MAX), &r), 0);
	assert_int_equal(
	    dmarc_record_parse(slice_of(text, DMARC_RECORD_MAX + 1), &r), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_read),
		cmocka_unit_test(a_long_one_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
