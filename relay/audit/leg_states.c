/* SPDX-License-Identifier: ISC
 *
 * Lines of recipient.legs.
 */
#include "relay/audit/leg_states.h"

#include <stdio.h>

void leg_states_print(struct strbuf *out, const struct recipient_leg *l)
{
	char number[16];
	int n = snprintf(number, sizeof(number), "%u ", l->number);

	strbuf_add(out, number, (size_t)n);
	strbuf_addsl(out, l->leg);
	strbuf_addc(out, ' ');
	strbuf_adds(out, role_text(l->role));
	strbuf_addc(out, ' ');
	strbuf_adds(out, dstate_text(l->state));
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

static bool parse(struct slice line, struct recipient_leg *l)
{
	struct slice number, role, state;
	uint64_t n;
	int parsed;

	if (!cut_last(&line, &state) || !cut_last(&line, &role) ||
	    !slice_next(&line, ' ', &number) ||
	    !slice_uint(number, UINT32_MAX, &n))
		return false;
	parsed = dstate_parse(state);
	if (parsed < 0)
		return false;
	l->number = (uint32_t)n;
	l->state = (enum dstate)parsed;
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
