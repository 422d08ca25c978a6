/* SPDX-License-Identifier: ISC
 *
 * The filter of forged Authentication-Results: in whatever pieces a message
 * comes, the same bytes go on, whole lines are all that is missing of them,
 * and going through once more changes nothing.
 */
#include "relay/base/mem.h"
#include "relay/mail/auth_results.h"
#include "tests/fuzz/fuzz.h"

static const char us[] = "r.example";

/* Pieces as long as the bytes of `cuts` say, again and again; none: at once. */
static unsigned run(struct slice in, struct slice cuts, struct strbuf *got)
{
	struct auth_results f;
	struct strbuf out;
	unsigned stripped;

	strbuf_init(&out, in.n + AUTH_RESULTS_HELD);
	auth_results_init(&f, us);
	for (size_t i = 0; in.n > 0; i++) {
		size_t n = cuts.n == 0
			       ? in.n : (uint8_t)cuts.p[i % cuts.n] + 1u;

		strbuf_reset(&out);
		strbuf_addsl(got,
		    auth_results_next(&f, slice_head(in, n), &out));
		must(f.held.n <= AUTH_RESULTS_HELD);
		in = slice_from(in, n);
	}
	strbuf_reset(&out);
	strbuf_addsl(got, auth_results_end(&f, &out));
	must(strbuf_ok(&out) && strbuf_ok(got));
	stripped = f.stripped;
	auth_results_fini(&f);
	strbuf_fini(&out);
	return stripped;
}

/* Is `part` what is left of `whole` when some of its lines are taken out? */
static void check_lines(struct slice part, struct slice whole)
{
	while (whole.n > 0) {
		long lf = slice_find(whole, '\n');
		struct slice line =
		    slice_head(whole, lf < 0 ? whole.n : (size_t)lf + 1);

		if (slice_starts(part, line))
			part = slice_from(part, line.n);
		whole = slice_from(whole, line.n);
	}
	must(part.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = size > 0 ? data[0] % 8 : 0;
	struct slice all = slice_of(data, size);
	struct slice cuts = slice_head(slice_from(all, 1), n);
	struct slice in = slice_from(all, 1 + n);
	struct strbuf once, pieces, again;
	unsigned stripped;

	strbuf_init(&once, size);
	strbuf_init(&pieces, size);
	strbuf_init(&again, size);
	stripped = run(in, slice_of("", 0), &once);
	must(run(in, cuts, &pieces) == stripped);
	must(slice_eq(strbuf_view(&once), strbuf_view(&pieces)));
	must((once.n == in.n) == (stripped == 0));
	check_lines(strbuf_view(&once), in);
	must(run(strbuf_view(&once), cuts, &again) == 0);
	must(slice_eq(strbuf_view(&once), strbuf_view(&again)));
	strbuf_fini(&once);
	strbuf_fini(&pieces);
	strbuf_fini(&again);
	return 0;
}
