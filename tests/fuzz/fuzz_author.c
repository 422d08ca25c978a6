/* SPDX-License-Identifier: ISC
 *
 * From and signatures: what is said of a header are domains in normal form, a
 * bounded number of them, and nothing when it is unclear.
 */
#include "relay/base/mem.h"
#include "relay/mail/author.h"
#include "relay/mail/domain.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice message = slice_of(data, size), rest, one;
	struct strbuf from, signers;
	struct author_fields f;
	bool clear;
	int n = 0;

	strbuf_init(&from, AUTHOR_DOMAIN_MAX);
	strbuf_init(&signers, AUTHOR_SIGNERS_MAX);
	author_read(message, &f);
	must(f.rest.n <= message.n);
	clear = author_domain(&f, &from);
	must(clear == (from.n > 0) && strbuf_ok(&from));
	must(!clear || domain_is(strbuf_view(&from), strbuf_view(&from)));
	author_signers(&f, clear ? strbuf_view(&from) :
	    SLICE("corp.example"), &signers);
	must(strbuf_ok(&signers));
	rest = strbuf_view(&signers);
	while (rest.n > 0 && slice_next(&rest, ' ', &one)) {
		must(domain_is(one, one) && one.p[0] != '[');
		n++;
	}
	must(n <= AUTHOR_SIGNERS);
	strbuf_fini(&from);
	strbuf_fini(&signers);
	return 0;
}
