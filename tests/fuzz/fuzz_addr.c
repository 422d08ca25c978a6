/* SPDX-License-Identifier: ISC
 *
 * Addresses: what is taken keeps within its limits and has no control
 * character; a key is an address and is its own key; a rewrite with a detail
 * stays an address.
 */
#include "relay/mail/addr.h"
#include "tests/fuzz/fuzz.h"

static void check_key(const struct addr *a)
{
	struct strbuf key, again;
	struct addr back;
	const char *why;

	strbuf_init(&key, ADDR_MAX + 1);
	strbuf_init(&again, ADDR_MAX + 1);
	must(addr_key(a, '\0', &key));
	must(addr_parse(strbuf_view(&key), true, &back, &why) == 0);
	must(addr_key(&back, '\0', &again));
	must(slice_eq(strbuf_view(&key), strbuf_view(&again)));
	strbuf_reset(&key);
	must(addr_key(a, '+', &key));
	must(addr_parse(strbuf_view(&key), true, &back, &why) == 0);
	strbuf_fini(&key);
	strbuf_fini(&again);
}

static void check_detail(const struct addr *a)
{
	struct slice detail = addr_detail(a, '+');
	struct strbuf out;
	struct addr back;
	const char *why;

	must(within(detail, a->local));
	strbuf_init(&out, 1000);
	addr_with_detail(SLICE("new@x.example"), detail, &out);
	must(addr_parse(strbuf_view(&out), true, &back, &why) == 0);
	strbuf_reset(&out);
	addr_with_detail(a->text, detail, &out);
	must(addr_parse(strbuf_view(&out), true, &back, &why) == 0);
	strbuf_fini(&out);
}

static void check(struct slice in, bool utf8)
{
	struct addr a;
	const char *why = NULL;

	if (addr_parse(in, utf8, &a, &why) < 0) {
		must(why != NULL);
		return;
	}
	must(slice_starts(in, a.text) && !has_control(in));
	must(in.n - a.text.n <= 1); /* the final dot */
	must(a.local.n + 1 + a.domain.n == a.text.n);
	must(a.local.n > 0 && a.local.n <= 2 * ADDR_LOCAL_MAX + 2);
	must(a.domain.n > 0 && a.domain.n <= ADDR_DOMAIN_MAX);
	must(utf8 || !a.utf8);
	check_key(&a);
	check_detail(&a);
}

static void check_printed(const struct addr *a)
{
	struct strbuf out;
	struct addr back;
	const char *why;

	strbuf_init(&out, ADDR_MAX);
	must(addr_print(a, false, &out));
	must(addr_parse(strbuf_view(&out), true, &back, &why) == 0);
	must(slice_eq(back.domain, a->domain));
	strbuf_reset(&out);
	must(addr_print(a, true, &out));
	must(addr_parse(strbuf_view(&out), true, &back, &why) == 0);
	must(back.utf8 == back.utf8_local && back.utf8 == a->utf8_local);
	strbuf_fini(&out);
}

/* An address that is accepted is one by RFC 5321, whatever was read. */
static void check_path(struct slice in, enum path_kind kind)
{
	char room[ADDR_MAX];
	struct addr a, back;
	const char *why = NULL;
	long n = addr_path_parse(in, kind, room, &a, &why);

	must(n < 0 ? why != NULL : n > 0 && (size_t)n <= in.n);
	if (n < 0) {
		must(within(a.text, in));
		return;
	}
	must(within(a.text, slice_head(in, (size_t)n)) ||
	     within(a.text, slice_of(room, sizeof(room))));
	must(!has_control(a.text));
	must(kind == PATH_REVERSE || a.text.n > 0);
	if (a.domain.n == 0)
		return;
	must(addr_parse(a.text, true, &back, &why) == 0);
	must(slice_eq(back.local, a.local) && slice_eq(back.domain, a.domain));
	must(back.utf8 == a.utf8 && back.utf8_local == a.utf8_local);
	check_printed(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);

	check(in, false);
	check(in, true);
	check_path(in, PATH_REVERSE);
	check_path(in, PATH_FORWARD);
	return 0;
}
