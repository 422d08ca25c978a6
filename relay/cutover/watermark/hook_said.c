/* SPDX-License-Identifier: ISC
 *
 * The output of a hook, line by line.
 */
#include "relay/cutover/watermark/hook_said.h"

struct hook_report hook_report_read(struct slice line)
{
	struct hook_report r = {.word = HOOK_SAYS_NOTHING};
	struct slice rest = slice_trim(line), address, word;

	if (line.n > HOOK_LINE_MAX || !slice_next(&rest, ' ', &address))
		return r;
	rest = slice_trim(rest);
	if (!slice_next(&rest, ' ', &word))
		return r;
	rest = slice_trim(rest);
	if (slice_eq(word, SLICE("synced")) && rest.n == 0) {
		r.word = HOOK_SAYS_SYNCED;
	} else if (slice_eq(word, SLICE("failed"))) {
		r.word = HOOK_SAYS_FAILED;
		r.why = slice_head(rest, HOOK_WHY_MAX);
	} else {
		return r;
	}
	r.address = address;
	return r;
}

void hook_lines_init(struct hook_lines *l)
{
	strbuf_init(&l->line, HOOK_LINE_MAX);
}

void hook_lines_fini(struct hook_lines *l)
{
	strbuf_fini(&l->line);
}

void hook_lines_reset(struct hook_lines *l)
{
	strbuf_reset(&l->line);
}

/* A line that is too long is none of ours. */
void hook_lines_end(struct hook_lines *l)
{
	if (strbuf_ok(&l->line) && l->line.n > 0)
		l->fn(l->arg, strbuf_view(&l->line));
	strbuf_reset(&l->line);
}

void hook_lines_take(struct hook_lines *l, struct slice bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		if (bytes.p[i] == '\n')
			hook_lines_end(l);
		else
			strbuf_addc(&l->line, bytes.p[i]);
	}
}

int64_t hook_pause_again(struct hook_pause *p, int64_t now_ms)
{
	int64_t wait = HOOK_AGAIN_MS;

	for (unsigned i = 0; i < p->tries && wait < HOOK_AGAIN_MAX_MS; i++)
		wait *= 2;
	p->tries++;
	if (wait > HOOK_AGAIN_MAX_MS)
		wait = HOOK_AGAIN_MAX_MS;
	p->next_ms = now_ms + wait;
	return wait;
}

void hook_pause_over(struct hook_pause *p)
{
	*p = (struct hook_pause){.next_ms = 0};
}

bool hook_pause_due(const struct hook_pause *p, int64_t now_ms)
{
	return now_ms >= p->next_ms;
}
