/* SPDX-License-Identifier: ISC
 *
 * Advises an administrator about a leg that takes no mail.
 */
#include "relay/cli/common/leg_advice.h"

#include <string.h>

#include "relay/base/utf8.h"
#include "relay/cli/common/json_get.h"

enum { REASON_BYTES = 1 << 16 };

void leg_advice(struct cli *c, const json_t *row)
{
	const char *state = json_text(row, "state");
	const char *leg = json_text(row, "leg");

	if (strcmp(state, "suspended") == 0)
		out_say(&c->out, "%s is suspended, its mail waits and does not "
		    "age; when it is well: posthouse leg resume %s", leg, leg);
	else if (strcmp(state, "down") == 0 || strcmp(state, "probing") == 0)
		out_say(&c->out, "%s takes nothing for now, its mail waits; "
		    "what it says: posthouse leg probe %s", leg, leg);
	else if (strcmp(state, "absent") == 0 && json_number(row, "open") > 0)
		out_say(&c->out, "the configuration has no leg %s, its mail "
		    "waits: write it there again, or move its recipients: "
		    "posthouse flip", leg);
}

static void say_leg(struct cli *c, const json_t *row)
{
	const char *state = json_text(row, "state");
	struct strbuf reason;

	if (strcmp(state, "up") == 0 || strcmp(state, "absent") == 0) {
		leg_advice(c, row);
		return;
	}
	strbuf_init(&reason, REASON_BYTES);
	utf8_show(slice_str(json_text(row, "reason")), &reason);
	out_say(&c->out, "%s", "");
	if (reason.n > 0)
		out_say(&c->out, "%s: %s", json_text(row, "leg"),
		    strbuf_cstr(&reason));
	leg_advice(c, row);
	strbuf_fini(&reason);
}

void leg_advice_waiting(struct cli *c, const json_t *legs)
{
	json_t *rows = json_array(), *row;
	size_t i;

	if (!c->json && json_object_size(legs) > 0 &&
	    cli_call(c, "leg.list", NULL, cli_append_row, rows) == CLI_DONE)
		json_array_foreach(rows, i, row)
			if (json_object_get(legs,
				json_text(row, "leg")) != NULL)
				say_leg(c, row);
	json_decref(rows);
}
