/* SPDX-License-Identifier: ISC
 *
 * SRS: any address at our domain is judged; what leads back is an address;
 * what we make is short, is an address, is believed, and leads to where it
 * came from.
 */
#include "policy/srs.h"
#include "tests/fuzz/fuzz.h"

#define NOW INT64_C(1788480000000001)

static char *keys[] = {(char *)"0123456789abcdef"};
static const struct conf conf = {.srs = {.domain = (char *)"srs.example.com",
    .lifetime_ms = 21 * 86400000LL, .hash = 8, .key = {keys, 1}}};

/* Addresses as the lookup knows them: domains and quotes are written anew. */
static void must_be_same(struct slice a, struct slice b)
{
	struct strbuf x, y;
	struct addr one, two;
	const char *why;

	must(addr_parse(a, true, &one, &why) == 0);
	must(addr_parse(b, true, &two, &why) == 0);
	strbuf_init(&x, 2 * ADDR_MAX);
	strbuf_init(&y, 2 * ADDR_MAX);
	must(addr_key(&one, '\0', &x) == addr_key(&two, '\0', &y));
	must(slice_eq(strbuf_view(&x), strbuf_view(&y)));
	strbuf_fini(&x);
	strbuf_fini(&y);
}

static void check_made(const struct addr *from, struct slice made)
{
	struct strbuf back;
	struct addr to;
	const char *why;
	uint64_t id;

	strbuf_init(&back, 4 * ADDR_MAX);
	must(addr_parse(made, false, &to, &why) == 0);
	if (domain_is(from->domain, SLICE("srs.example.com"))) {
		must(slice_eq(made, from->text));
		strbuf_fini(&back);
		return;
	}
	must(to.local.n <= ADDR_LOCAL_SAFE);
	switch (srs_check(&conf, &to, NOW, &back, &id)) {
	case SRS_MESSAGE:
		must(id == 7);
		break;
	case SRS_ADDRESS:
		if (slice_starts(made, SLICE("SRS0")) ||
		    slice_starts(made, SLICE("\"SRS0")))
			must_be_same(strbuf_view(&back), from->text);
		break;
	default:
		must(false);
	}
	strbuf_fini(&back);
}

static void check_back(const struct addr *to)
{
	struct strbuf back;
	struct addr a;
	const char *why;
	uint64_t id;

	strbuf_init(&back, 4 * ADDR_MAX);
	if (srs_check(&conf, to, NOW, &back, &id) != SRS_ADDRESS)
		must(back.n == 0);
	else if (addr_parse(strbuf_view(&back), true, &a, &why) == 0)
		must(a.local.n != 0);
	strbuf_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = {(const char *)data, size};
	struct strbuf made;
	struct addr a;
	const char *why;

	if (addr_parse(in, true, &a, &why) < 0 || a.text.n == 0 ||
	    a.domain.n == 0)
		return 0;
	check_back(&a);
	strbuf_init(&made, 4 * ADDR_MAX);
	if (srs_make(&conf, &(struct srs_sender){&a, 7, NOW}, &made)) {
		must(strbuf_ok(&made));
		if (!a.utf8_local || made.n != a.text.n)
			check_made(&a, strbuf_view(&made));
	}
	strbuf_fini(&made);
	return 0;
}
