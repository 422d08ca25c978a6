/* SPDX-License-Identifier: ISC
 *
 * Envelopes and results read back from disk: bytes that are taken come out
 * again the same when packed, and memory stays in proportion.
 */
#include "relay/mail/envelope.h"
#include "relay/mail/trace_block.h"
#include "relay/mail/result.h"
#include "tests/fuzz/fuzz.h"

static void check_trace(const struct envelope *e)
{
	struct strbuf out;

	strbuf_init(&out, 1 << 16);
	trace_print(e, &(struct trace_names){"h.example", "h.example",
	    "0123456789ABC", "t"}, &out);
	must(strbuf_ok(&out) && out.n <= TRACE_MAX);
	for (size_t i = 0; i < out.n; i++)
		must(out.p[i] > 0 && out.p[i] < 127);
	must(memmem(out.p, out.n, "\r\n\r\n", 4) == NULL);
	strbuf_fini(&out);
}

/* An envelope that this version writes is read again as the same. */
static void check_again(struct slice packed)
{
	struct arena *a = arena_new();
	struct envelope e;
	struct strbuf out;

	strbuf_init(&out, ENVELOPE_MAX);
	must(envelope_unpack(packed, a, &e) == 0);
	envelope_pack(&e, &out);
	must(slice_eq(strbuf_view(&out), packed));
	strbuf_fini(&out);
	arena_free(a);
}

static void check_envelope(struct slice in)
{
	struct arena *a = arena_new();
	struct envelope e;
	struct strbuf out;

	if (envelope_unpack(in, a, &e) == 0) {
		strbuf_init(&out, ENVELOPE_MAX);
		envelope_pack(&e, &out);
		/* From version 3 on values may stand in another order. */
		if (in.p[0] < 3)
			must(slice_eq(strbuf_view(&out), in));
		if (strbuf_ok(&out))
			check_again(strbuf_view(&out));
		strbuf_fini(&out);
		/* A year that the calendar knows is the clock's business. */
		e.accepted_us = 0;
		check_trace(&e);
	}
	must(arena_bytes(a) <= 4096 + 32 * in.n);
	arena_free(a);
}

static void check_result(struct slice in)
{
	struct arena *a = arena_new();
	struct result r;
	struct strbuf out;

	/* An unknown stage, as of a newer version, comes out as none. */
	if (result_unpack(in, a, &r) == 0 && r.stage != STAGE_NONE) {
		strbuf_init(&out, 1 << 20);
		result_pack(&r, &out);
		/* Version 1 lacks the last value, and is written as 2. */
		if (in.p[0] == 2)
			must(slice_eq(strbuf_view(&out), in));
		else
			must(slice_eq(slice_head(slice_from(strbuf_view(&out),
			    1), in.n - 1), slice_from(in, 1)));
		must(reply_class_text(r.class)[0] != '?');
		strbuf_fini(&out);
	}
	arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_envelope(slice_of(data, size));
	check_result(slice_of(data, size));
	return 0;
}
