/* SPDX-License-Identifier: ISC
 *
 * wave pause, resume, flip: what is done about a wave that stands still, and
 * about members whose mail it holds.
 */
#include <inttypes.h>

#include "relay/cli/wave/wave_ask.h"
#include "relay/cli/wave/wave_commands.h"

static int run_pause(struct cli *c)
{
	struct wave_answer a;

	return wave_ask_move(c, wave_order_args(c, "pause"), &a);
}

static int run_resume(struct cli *c)
{
	json_t *args = wave_order_args(c, "resume");
	struct wave_answer a;

	if (cli_flag(c, "accept")) {
		json_object_set_new(args, "accept", json_true());
		json_object_set_new(args, "command",
		    json_string("wave resume --accept"));
	}
	if (cli_flag(c, "release")) {
		json_object_set_new(args, "release", json_true());
		json_object_set_new(args, "command",
		    json_string("wave resume --release"));
	}
	return wave_ask_move(c, args, &a);
}

static int run_flip(struct cli *c)
{
	json_t *args = wave_order_args(c, "flip"), *list = json_array();
	struct wave_answer a;
	int code;

	for (int i = 1; i < c->args; i++)
		json_array_append_new(list, json_string(c->arg[i]));
	json_object_set_new(args, "addresses", list);
	code = wave_ask(c, args, &a);
	if (code == CLI_DONE)
		out_say(&c->out, "change %" PRId64 ": %" PRId64 " recipient%s "
		    "flipped; wave %s is %s", a.change, a.recipients,
		    a.recipients == 1 ? "" : "s", c->arg[0], a.state);
	return code;
}

static const struct cli_option note_options[] = {
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

static const struct cli_option resume_options[] = {
	{"accept", NULL, "Goes on after a slice that stopped it; that is "
	    "written down with your name."},
	{"release", NULL, "What it holds goes to its old route; these members "
	    "have failed."},
	{"note", "TEXT", "Why, for the history."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_wave_hold[] = {
	{
	    .name = "wave pause",
	    .args = "NAME",
	    .summary = "Makes no further slice of a wave until it is resumed",
	    .example = "posthouse wave pause w7 --note 'the new leg is slow'",
	    .options = note_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_pause,
	},
	{
	    .name = "wave resume",
	    .args = "NAME",
	    .summary = "Goes on with a wave that is paused",
	    .details = "A hold that is past its deadline waits as long again, "
		       "or with --release goes on without\nits members. A "
		       "slice that stopped the wave is watched anew, or with "
		       "--accept taken\nas it is.",
	    .example = "posthouse wave resume w7\n"
		       "posthouse wave resume w7 --accept --note 'known, an "
		       "old alias'\n"
		       "posthouse wave resume w7 --release",
	    .options = resume_options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_resume,
	},
	{
	    .name = "wave flip",
	    .args = "NAME ADDR...",
	    .summary = "Flips members that a wave holds, whose own move ended",
	    .details = "Then their mail is released. Their watermarks are not "
		       "asked.",
	    .example = "posthouse wave flip w7 ann@example.com",
	    .options = note_options,
	    .min_args = 2,
	    .max_args = -1,
	    .run = run_flip,
	},
	{.name = NULL},
};
