/* SPDX-License-Identifier: ISC
 *
 * Recounts the ledger.
 */
#include "relay/queue/queue_check.h"

#include <stdio.h>

static const char *slots_wrong(const struct ledger *l, int leg)
{
	const unsigned known =
	    GATE_SUSPENDED | GATE_BREAKER | GATE_STOP | GATE_DOUBT;

	if (ledger_used(l, leg) < 0)
		return "a slot was given back twice";
	if (ledger_limit(l, leg) < 0)
		return "its limit is below none";
	if ((ledger_gates(l, leg) & ~known) != 0)
		return "a gate that does not exist";
	return NULL;
}

const char *ledger_check(const struct ledger *l, const int held[NAMES_MAX],
    struct queue_checker *c)
{
	for (int leg = 0; leg < NAMES_MAX; leg++) {
		const char *why = slots_wrong(l, leg);

		if (why != NULL)
			snprintf(c->text, sizeof(c->text), "leg %d: %s", leg,
			    why);
		else if (held != NULL && held[leg] != ledger_used(l, leg))
			snprintf(c->text, sizeof(c->text), "leg %d: %d slots "
			    "taken, %d in hands", leg, ledger_used(l, leg),
			    held[leg]);
		else
			continue;
		return c->text;
	}
	return NULL;
}
