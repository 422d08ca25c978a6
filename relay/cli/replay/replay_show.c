/* SPDX-License-Identifier: ISC
 *
 * The report of a replay: what came of it, and what it cannot cover.
 */
#include "relay/cli/replay/replay_show.h"

#include <inttypes.h>

#include "policy/wave/file/decided.h"
#include "relay/cli/common/json_get.h"
#include "relay/cli/replay/replay_mx.h"

static const struct {
	const char *key, *meaning;
} figures[] = {
	{"replayed", "queued for the other leg"},
	{"delivered", "of these, it has by now"},
	{"waiting", "of these, wait"},
	{"failed", "of these, it did not take (they are parked) or were ended"},
	{"there", "it had already, or gets by their route"},
	{"waits", "may still get there by their route"},
	{"came_from", "that leg brought them itself"},
	{"gone", "given up meanwhile, for space or age"},
	{"unread", "cannot be read, or are of too many deliveries"},
};

/* By which a report that was kept is found again in the history of the table,
 * should that be made anew (doc/table.md). */
static void add_heads(struct cli *c, json_t *row)
{
	const struct conf *conf = cli_conf_try(c);
	struct chain_heads heads;
	struct wave_file *f = NULL;
	struct error err;

	if (conf == NULL)
		error_set(&err, "the configuration cannot be read");
	else
		f = wave_file_open(conf->table.path, false, &err);
	if (f != NULL && wave_heads(f, &heads, &err) == 0) {
		json_object_set_new(row, "change",
		    json_integer((json_int_t)heads.change));
		json_object_set_new(row, "head",
		    json_string(heads.change_head));
		json_object_set_new(row, "decision",
		    json_integer((json_int_t)heads.decision));
		json_object_set_new(row, "decision_head",
		    json_string(heads.decision_head));
	} else {
		json_object_set_new(row, "heads_unknown",
		    json_string(err.text));
	}
	wave_file_close(f);
}

static void say_heads(struct out *o, const json_t *row)
{
	if (json_text(row, "heads_unknown")[0] != '\0')
		out_say(o, "  Heads of the chain: not known: %s",
		    json_text(row, "heads_unknown"));
	if (json_text(row, "head")[0] != '\0')
		out_say(o, "  Head of the chain: change %" PRId64 ", %s",
		    json_number(row, "change"), json_text(row, "head"));
	if (json_text(row, "decision_head")[0] != '\0')
		out_say(o, "  and decision %" PRId64 ", %s",
		    json_number(row, "decision"),
		    json_text(row, "decision_head"));
}

static void say_head(struct cli *c, const json_t *row)
{
	struct out *o = &c->out;

	out_say(o, "replay %" PRId64 " from %s to %s: %s",
	    json_number(row, "number"), json_text(row, "from_leg"),
	    json_text(row, "to_leg"), json_text(row, "state"));
	out_say(o, "  ordered %s by %s%s%s", json_text(row, "started"),
	    json_text(row, "who"), json_text(row, "note")[0] != '\0' ? ": "
								     : "",
	    json_text(row, "note"));
	out_say(o, "  %" PRId64 " recipient%s, delivered from %s until %s",
	    json_number(row, "users"), json_number(row, "users") == 1 ? ""
	    : "s", json_text(row, "since"),
	    json_text(row, "until"));
	if (json_text(row, "reason")[0] != '\0')
		out_say(o, "  %s", json_text(row, "reason"));
	for (size_t i = 0; i < ARRAY_LEN(figures); i++)
		out_say(o, "  %8" PRId64 "  %s",
		    json_number(row, figures[i].key), figures[i].meaning);
	out_say(o, "  Not covered: mail that did not pass here or stayed in "
	    "the cloud, sent items,");
	out_say(o, "  read flags; and what comes by an MX that points "
	    "elsewhere.");
	if (json_text(row, "covered")[0] != '\0')
		out_say(o, "  Mail of before %s is not all kept any more.",
		    json_text(row, "covered"));
	say_heads(o, row);
}

void replay_show_row(void *arg, json_t *row)
{
	struct replay_shown *shown = arg;
	struct cli *c = shown->c;
	const char *kind = json_text(row, "kind");

	if (strcmp(kind, "replay") == 0)
		add_heads(c, row);
	if (strcmp(kind, "domain") == 0)
		replay_mx_row(c, row, shown->domains++);
	else if (c->json)
		out_row_json(&c->out, row);
	else if (strcmp(kind, "replay") == 0)
		say_head(c, row);
	else if (strcmp(kind, "lacks") == 0)
		out_say(&c->out, "  outside the retention: %s from %s until "
		    "%s", json_text(row, "address"), json_text(row, "from"),
		    json_text(row, "until"));
	else
		out_say(&c->out, "  %s  %s  %s", json_text(row, "id"),
		    json_text(row, "to"), json_text(row, "state"));
}
