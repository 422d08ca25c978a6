/* SPDX-License-Identifier: ISC
 *
 * The options of a wave as the table has them: what is read is written, and
 * read again as it was.
 */
#include "policy/wave/wave_options.h"
#include "tests/fuzz/fuzz.h"

static void print(const struct wave_options *o, struct strbuf *out)
{
	strbuf_init(out, WAVE_OPTIONS_TEXT);
	wave_options_print(o, out);
	must(strbuf_ok(out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wave_options o, again;
	struct strbuf text, same;

	wave_options_parse(slice_of(data, size), &o);
	must(o.slice > 0 && o.pause_s >= 0 && o.late_s >= 0 &&
	    o.deadline_s >= 0);
	print(&o, &text);
	wave_options_parse(strbuf_view(&text), &again);
	print(&again, &same);
	must(slice_eq(strbuf_view(&text), strbuf_view(&same)));
	strbuf_fini(&text);
	strbuf_fini(&same);
	return 0;
}
