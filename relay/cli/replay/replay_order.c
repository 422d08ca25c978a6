/* SPDX-License-Identifier: ISC
 *
 * The conversation with the daemon about a replay.
 */
#include "relay/cli/replay/replay_order.h"

#include <inttypes.h>
#include <stdio.h>

#include "policy/wave/file/decided.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/cli/common/json_get.h"
#include "relay/cli/replay/replay_mx.h"
#include "relay/cli/table/cli_table.h"

enum {
	PART = 10000,	/* addresses a line */
	SHOWN_MAX = 20, /* users that lack mail, for people */
	TEXT_MAX = 1024,
};

struct ordering {
	struct cli *c;
	const struct replay_wish *w;
	size_t sent;
	bool ended;
	json_t *head; /* the row that is not of a user */
	uint64_t lacking;
};

static json_t *more(void *arg)
{
	struct ordering *o = arg;
	size_t n = json_array_size(o->w->addresses);
	json_t *part;

	if (o->sent == n)
		return json_pack("{s:b}", "end", 1);
	part = json_array();
	for (int i = 0; i < PART && o->sent < n; i++)
		json_array_append(part,
		    json_array_get(o->w->addresses, o->sent++));
	return json_pack("{s:o}", "addresses", part);
}

static void say_lacking(struct ordering *o, const json_t *row)
{
	if (o->lacking == 1)
		out_say(&o->c->out, "Mail of that time is not all kept any "
		    "more; what came before it cannot be replayed:");
	if (o->lacking <= SHOWN_MAX)
		out_say(&o->c->out, "  %s  from %s until %s",
		    json_text(row, "address"), json_text(row, "from"),
		    json_text(row, "until"));
}

static void on_row(void *arg, json_t *row)
{
	struct ordering *o = arg;

	if (o->w->dry_run && o->c->json)
		out_row_json(&o->c->out, row);
	if (strcmp(json_text(row, "kind"), "lacks") != 0) {
		o->head = json_incref(row);
		return;
	}
	o->lacking++;
	if (o->w->dry_run)
		say_lacking(o, row);
}

static int ask_daemon(struct ordering *o, bool dry_run)
{
	const struct replay_wish *w = o->w;
	struct cli_talk t = {.command = "replay.start", .about = "replay",
	    .row = on_row, .more = more, .arg = o};

	t.args = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:b}",
	    "command", o->c->command->name, "who", o->c->who,
	    "note", w->note, "wave", w->wave, "from_leg", w->from_leg,
	    "to_leg", w->to_leg, "since_us", (json_int_t)w->since_us,
	    "until_us", (json_int_t)w->until_us, "dry_run", dry_run);
	o->sent = 0;
	return cli_converse(o->c, &t);
}

/* ---- preview ----------------------------------------------------------- */

static void say_preview(struct ordering *o)
{
	struct cli *c = o->c;
	int64_t unread = json_number(o->head, "unread");
	int64_t deliveries = json_number(o->head, "deliveries");
	int64_t messages = json_number(o->head, "messages");

	if (o->lacking > SHOWN_MAX)
		out_say(&c->out, "  and %" PRIu64 " more",
		    o->lacking - SHOWN_MAX);
	out_say(&c->out, "%" PRId64 " deliver%s of %" PRId64 " message%s %s "
	    "missing on %s that %s got; %" PRId64 " are there already, %"
	    PRId64 " may still get there by their route.", deliveries,
	    deliveries == 1 ? "y" : "ies", messages,
	    messages == 1 ? "" : "s", deliveries == 1 ? "is" : "are",
	    o->w->to_leg, o->w->from_leg,
	    json_number(o->head, "there"), json_number(o->head, "waits"));
	if (unread > 0)
		out_say(&c->out, "Parts of the journal cannot be read now (%"
		    PRId64 " segments).", unread);
	out_say(&c->out, "Not covered: mail that did not pass here or stayed "
	    "in the cloud, sent items,");
	out_say(&c->out, "read flags; and what comes by an MX that points "
	    "elsewhere.");
	replay_mx_say(c, o->w->addresses);
}

static int confirm(struct ordering *o)
{
	int64_t n = json_number(o->head, "deliveries");
	char question[160];

	if (o->lacking == 0 && n <= CLI_ASK_ABOVE)
		return CLI_DONE;
	snprintf(question, sizeof(question), "replay %" PRId64
	    " deliver%s%s?", n, n == 1 ? "y" : "ies",
	    o->lacking > 0 ? ", without what is not kept" : "");
	return cli_confirm(o->c, question) ? CLI_DONE : CLI_NO;
}

int replay_preview(struct cli *c, const struct replay_wish *w)
{
	struct replay_wish seen = *w;
	struct ordering o = {.c = c, .w = &seen};
	bool json = c->json;
	int code;

	seen.dry_run = true;
	c->json = json && w->dry_run; /* one object a line: the replay's */
	code = ask_daemon(&o, true);
	if (code == CLI_DONE && !json)
		say_preview(&o);
	c->json = json;
	if (code == CLI_DONE && !w->dry_run)
		code = confirm(&o);
	json_decref(o.head);
	return code;
}

/* ---- start ------------------------------------------------------------- */

void replay_decided(struct cli *c, int64_t number, const char *note,
    const char *detail)
{
	const char *path = cli_table_path(c);
	struct wave_file *f;
	char about[64];
	struct error err = {0};
	int rc = -1;

	if (path == NULL)
		return;
	snprintf(about, sizeof(about), "replay %" PRId64, number);
	f = wave_file_open(path, true, &err);
	if (f != NULL && wave_begin(f, &err) == 0)
		rc = wave_end(f, decided_add(f, &(struct decided){
		    .time_us = clock_wall_us(&clock_system), .who = c->who,
		    .host = c->host, .command = c->command->name,
		    .note = note, .about = about, .detail = detail}, &err),
		    &err);
	wave_file_close(f);
	if (rc < 0)
		cli_fail(c, "warning: the decision is not in the table: %s",
		    err.text);
}

static void record(struct cli *c, const struct replay_wish *w, int64_t number)
{
	char detail[TEXT_MAX];

	snprintf(detail, sizeof(detail), "%s to %s, %zu recipients%s%s",
	    w->from_leg, w->to_leg, json_array_size(w->addresses),
	    w->wave[0] != '\0' ? " of wave " : "", w->wave);
	replay_decided(c, number, w->note, detail);
}

int replay_start(struct cli *c, const struct replay_wish *w)
{
	struct ordering o = {.c = c, .w = w};
	int code = ask_daemon(&o, false);

	if (code == CLI_DONE) {
		int64_t number = json_number(o.head, "number");

		if (c->json)
			out_row_json(&c->out, o.head);
		out_say(&c->out, "replay %" PRId64 ": %zu recipient%s, from "
		    "%s to %s; see `posthouse replay show %" PRId64 "`",
		    number, json_array_size(w->addresses),
		    json_array_size(w->addresses) == 1 ? "" : "s",
		    w->from_leg, w->to_leg, number);
		record(c, w, number);
	}
	json_decref(o.head);
	return code;
}
