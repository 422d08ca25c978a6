/* SPDX-License-Identifier: ISC
 *
 * The output of a hook. The lines are the same however the bytes come, and a
 * report that is written anew is read as the same.
 */
#include "relay/cutover/watermark/hook_said.h"
#include "tests/fuzz/fuzz.h"

enum { OUT_MAX = 1 << 20 };

static void read_again(const struct hook_report *r)
{
	static const char *const words[] = {[HOOK_SAYS_SYNCED] = "synced",
	    [HOOK_SAYS_FAILED] = "failed"};
	struct hook_report again;
	struct strbuf line;

	strbuf_init(&line, HOOK_LINE_MAX);
	strbuf_addsl(&line, r->address);
	strbuf_addc(&line, ' ');
	strbuf_adds(&line, words[r->word]);
	strbuf_addc(&line, ' ');
	strbuf_addsl(&line, slice_trim(r->why));
	if (strbuf_ok(&line)) {
		again = hook_report_read(strbuf_view(&line));
		must(again.word == r->word);
		must(slice_eq(again.address, r->address));
		must(slice_eq(again.why, slice_trim(r->why)));
	}
	strbuf_fini(&line);
}

static void on_line(void *arg, struct slice line)
{
	struct hook_report r = hook_report_read(line);

	must(line.n <= HOOK_LINE_MAX && slice_find(line, '\n') < 0);
	must(r.why.n <= HOOK_WHY_MAX);
	must((r.word == HOOK_SAYS_NOTHING) == (r.address.n == 0));
	strbuf_addsl(arg, line);
	strbuf_addc(arg, '\n');
	if (r.word != HOOK_SAYS_NOTHING)
		read_again(&r);
}

static void take(struct slice bytes, size_t piece, struct strbuf *out)
{
	struct hook_lines l = {.fn = on_line, .arg = out};

	hook_lines_init(&l);
	for (size_t at = 0; at < bytes.n; at += piece)
		hook_lines_take(&l, slice_head(slice_from(bytes, at), piece));
	hook_lines_end(&l);
	hook_lines_fini(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = slice_of(data, size);
	struct strbuf whole, pieces;

	strbuf_init(&whole, OUT_MAX);
	strbuf_init(&pieces, OUT_MAX);
	take(bytes, size + 1, &whole);
	take(bytes, 7, &pieces);
	must(slice_eq(strbuf_view(&whole), strbuf_view(&pieces)));
	strbuf_fini(&whole);
	strbuf_fini(&pieces);
	return 0;
}
