/* SPDX-License-Identifier: ISC
 *
 * wave.order, asked from the command line.
 */
#include "relay/cli/wave/wave_ask.h"

#include <stdio.h>

static const struct out_column kept_columns[] = {
	{"address", "KEEPS WHAT IT HAS", false},
	{"keeps", "BECAUSE", false},
	{NULL, NULL, false},
};

static void on_row(void *arg, json_t *row)
{
	struct wave_answer *a = arg;
	const char *state = json_string_value(json_object_get(row, "state"));
	const char *preflight =
	    json_string_value(json_object_get(row, "preflight"));

	if (state == NULL) {
		if (a->kept++ == 0)
			out_table(&a->c->out, kept_columns);
		out_row_json(&a->c->out, row);
		return;
	}
	snprintf(a->state, sizeof(a->state), "%s", state);
	a->no_preflight = preflight != NULL && strcmp(preflight, "none") == 0;
	a->change = json_integer_value(json_object_get(row, "change"));
	a->recipients = json_integer_value(
	    json_object_get(row, "recipients"));
	if (a->c->json)
		out_row_json(&a->c->out, row);
}

json_t *wave_order_args(const struct cli *c, const char *event)
{
	const char *note = cli_value(c, "note");
	json_t *args = json_pack("{s:s, s:s, s:s, s:s}", "name", c->arg[0],
	    "event", event, "host", c->host, "command", c->command->name);

	if (note != NULL)
		json_object_set_new(args, "note", json_string(note));
	return args;
}

int wave_ask(struct cli *c, json_t *args, struct wave_answer *a)
{
	int code;

	*a = (struct wave_answer){.c = c};
	code = cli_call(c, "wave.order", args, on_row, a);
	if (a->kept > 0)
		out_end(&c->out);
	return code;
}

int wave_ask_move(struct cli *c, json_t *args, struct wave_answer *a)
{
	int code = args == NULL ? CLI_USAGE : wave_ask(c, args, a);

	if (code == CLI_DONE)
		out_say(&c->out, "wave %s is %s", c->arg[0], a->state);
	return code;
}
