/* SPDX-License-Identifier: ISC
 *
 * Lines of recipient.legs.
 */
#include "relay/audit/leg_states.h"

void leg_states_print(struct strbuf *out, const struct recipient_leg *l)
{
	strbuf_addu(out, l->number);
	strbuf_addc(out, ' ');
	strbuf_addsl(out, l->leg);
	strbuf_addc(out, ' ');
	strbuf_adds(out, role_text(l->role));
	strbuf_addc(out, ' ');
	strbuf_adds(out, dstate_text(l->state));
	if (l->before != D_NONE) {
		strbuf_addc(out, ' ');
		strbuf_adds(out, dstate_text(l->before));
	}
	strbuf_addc(out, '\n');
}

/* Takes the last word off; false when there is only one. */
static bool cut_last(struct slice *s, struct slice *word_out)
{
	long at = slice_rfind(*s, ' ');

	if (at < 0)
		return false;
	*word_out = slice_from(*s, (size_t)at + 1);
	*s = slice_head(*s, (size_t)at);
	return true;
}

static bool cut_state(struct slice *line, enum dstate *state_out)
{
	struct slice word;
	int parsed;

	if (!cut_last(line, &word))
		return false;
	parsed = dstate_parse(word);
	*state_out = parsed < 0 ? D_NONE : (enum dstate)parsed;
	return parsed >= 0;
}

static bool parse(struct slice line, struct recipient_leg *l)
{
	struct slice number, role, rest;
	uint64_t n;

	l->before = D_NONE;
	if (!cut_state(&line, &l->state))
		return false;
	rest = line;
	if (cut_state(&rest, &l->before)) { /* two states end the line */
		enum dstate last = l->state;

		l->state = l->before;
		l->before = last;
		line = rest;
	}
	if (!cut_last(&line, &role) || !slice_next(&line, ' ', &number) ||
	    !slice_uint(number, UINT32_MAX, &n))
		return false;
	l->number = (uint32_t)n;
	l->role = slice_eq(role, SLICE("primary")) ? ROLE_PRIMARY : ROLE_COPY;
	l->leg = line;
	return true;
}

bool leg_states_next(struct slice *text, struct recipient_leg *leg_out)
{
	struct slice line;

	while (text->n > 0 && slice_next(text, '\n', &line))
		if (parse(line, leg_out))
			return true;
	return false;
}
