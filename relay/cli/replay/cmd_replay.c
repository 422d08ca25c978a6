/* SPDX-License-Identifier: ISC
 *
 * replay, replay list, replay show, replay cancel.
 */
#include <inttypes.h>
#include <unistd.h>

#include "policy/csv/textfile.h"
#include "policy/row.h"
#include "policy/wave/file/wave_file.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/cli/common/json_get.h"
#include "relay/cli/replay/replay_commands.h"
#include "relay/cli/replay/replay_mx.h"
#include "relay/cli/replay/replay_order.h"
#include "relay/cli/replay/replay_show.h"
#include "relay/cli/table/cli_table.h"

enum { LINE_MAX_BYTES = 4096 };

/* ---- recipients -------------------------------------------------------- */

/* -1 and err: it is none. */
static int add_address(json_t *list, struct slice text, struct error *err)
{
	struct strbuf key;
	int rc;

	strbuf_init(&key, LINE_MAX_BYTES);
	rc = row_key(text, &key, err);
	if (rc == 0 && strbuf_cstr(&key)[0] == '@')
		rc = error_set(err, "it is a domain: name recipients");
	if (rc == 0)
		json_array_append_new(list, json_string(strbuf_cstr(&key)));
	strbuf_fini(&key);
	return rc;
}

static int add_operand(struct cli *c, json_t *list, const char *text)
{
	struct error err;

	if (add_address(list, slice_str(text), &err) == 0)
		return CLI_DONE;
	return cli_usage(c, "'%s' is no recipient: %s", text, err.text);
}

static int add_named(struct cli *c, json_t *list)
{
	const char *to;
	int code = CLI_DONE;

	for (int i = 0; code == CLI_DONE &&
	     (to = cli_value_at(c, "to", i)) != NULL; i++)
		code = add_operand(c, list, to);
	for (int i = 0; code == CLI_DONE && i < c->args; i++)
		code = add_operand(c, list, c->arg[i]);
	return code;
}

struct lines {
	struct cli *c;
	json_t *list;
	const char *file;
	uint64_t line;
	struct strbuf text; /* of the line at hand */
};

static int end_line(struct lines *l)
{
	struct slice text = slice_trim(strbuf_view(&l->text));
	struct error err;
	int rc = 0;

	l->line++;
	if (!strbuf_ok(&l->text))
		rc = error_set(&err, "the line is longer than %d bytes",
		    LINE_MAX_BYTES);
	else if (text.n > 0)
		rc = add_address(l->list, text, &err);
	strbuf_reset(&l->text);
	return rc == 0 ? CLI_DONE : cli_fail(l->c, "%s:%" PRIu64 ": %s",
	    l->file, l->line, err.text);
}

static int take_bytes(struct lines *l, const char *p, size_t n)
{
	int code = CLI_DONE;

	for (size_t i = 0; i < n && code == CLI_DONE; i++) {
		if (p[i] == '\n')
			code = end_line(l);
		else if (p[i] != '\r')
			strbuf_addc(&l->text, p[i]);
	}
	return code;
}

static int add_file(struct cli *c, json_t *list, const char *file)
{
	struct lines l = {.c = c, .list = list, .file = file};
	struct textfile t;
	struct error err;
	char part[TEXTFILE_BLOCK];
	int fd = cli_open_input(c, file), code = CLI_DONE;
	ssize_t n = 0;

	if (fd < 0)
		return CLI_NO;
	textfile_init(&t, fd);
	strbuf_init(&l.text, LINE_MAX_BYTES);
	while (code == CLI_DONE &&
	       (n = textfile_read(&t, part, sizeof(part), &err)) > 0)
		code = take_bytes(&l, part, (size_t)n);
	if (code == CLI_DONE && n < 0)
		code = cli_fail(c, "%s: %s", file, err.text);
	if (code == CLI_DONE && l.text.n > 0)
		code = end_line(&l);
	strbuf_fini(&l.text);
	textfile_fini(&t);
	close(fd);
	return code;
}

static void on_member(void *arg, const struct member *m)
{
	json_array_append_new(arg,
	    json_stringn_nocheck(m->address.p, m->address.n));
}

static int add_wave(struct cli *c, json_t *list, const char *name)
{
	const char *path = cli_table_path(c);
	struct wave_file *f;
	struct wave w;
	struct error err = {0};
	int rc = -1;

	if (path == NULL)
		return CLI_NO;
	f = wave_file_open(path, false, &err);
	if (f != NULL && wave_need(f, name, &w, &err) >= 0)
		rc = wave_members(f, &(struct member_page){.id = w.id,
		    .state = -1, .fn = on_member, .arg = list}, &err);
	wave_file_close(f);
	return rc < 0 ? cli_fail(c, "%s", err.text) : CLI_DONE;
}

static int recipients(struct cli *c, json_t *list)
{
	const char *wave = cli_value(c, "wave"), *file = cli_value(c, "file");
	int code;

	if ((wave != NULL) + (file != NULL) +
		(cli_flag(c, "to") || c->args > 0) != 1)
		return cli_usage(c, "say which recipients in one way: "
		    "--wave, --file or --to");
	if (wave != NULL)
		code = add_wave(c, list, wave);
	else if (file != NULL)
		code = add_file(c, list, file);
	else
		code = add_named(c, list);
	if (code == CLI_DONE && json_array_size(list) == 0)
		code = cli_fail(c, "no recipient is named");
	return code;
}

/* ---- replay ------------------------------------------------------------ */

static int time_of(struct cli *c, const char *name, int64_t now_us,
    int64_t *us_out)
{
	const char *text = cli_value(c, name);

	if (text == NULL ||
	    clock_parse(slice_str(text), now_us, us_out) == 0)
		return CLI_DONE;
	return cli_usage(c, "--%s %s: a time is 2026-11-22T05:00:00Z, "
	    "'2026-11-22 05:00' (local), -2h, -3d, yesterday or now", name,
	    text);
}

static int read_wish(struct cli *c, struct replay_wish *w)
{
	int64_t now_us = clock_wall_us(&clock_system);
	const char *note = cli_value(c, "note"), *wave = cli_value(c, "wave");
	int code;

	*w = (struct replay_wish){.from_leg = cli_value(c, "from-leg"),
	    .to_leg = cli_value(c, "to-leg"), .until_us = now_us,
	    .note = note == NULL ? "" : note,
	    .wave = wave == NULL ? "" : wave,
	    .dry_run = cli_flag(c, "dry-run")};
	if (w->from_leg == NULL || w->to_leg == NULL ||
	    !cli_flag(c, "since"))
		return cli_usage(c, "say --from-leg, --to-leg and --since");
	code = time_of(c, "since", now_us, &w->since_us);
	if (code == CLI_DONE)
		code = time_of(c, "until", now_us, &w->until_us);
	if (code == CLI_DONE && w->since_us >= w->until_us)
		code = cli_usage(c, "--since is not before --until");
	return code;
}

static int run_replay(struct cli *c)
{
	struct replay_wish w;
	int code = read_wish(c, &w);

	w.addresses = json_array();
	if (code == CLI_DONE)
		code = recipients(c, w.addresses);
	if (code == CLI_DONE)
		code = replay_preview(c, &w);
	if (code == CLI_DONE && !w.dry_run)
		code = replay_start(c, &w);
	json_decref(w.addresses);
	return code;
}

/* ---- list, show -------------------------------------------------------- */

static const struct out_column list_columns[] = {
	{"number", "NUMBER", true},    {"state", "STATE", false},
	{"started", "STARTED", false}, {"from_leg", "FROM", false},
	{"to_leg", "TO", false},       {"users", "USERS", true},
	{"replayed", "REPLAYED", true}, {"delivered", "DELIVERED", true},
	{"waiting", "WAITING", true},  {"failed", "FAILED", true},
	{"who", "WHO", false},	       {NULL, NULL, false},
};

/* False: the reason was said. */
static bool read_number(struct cli *c, uint64_t *number_out)
{
	if (slice_uint(slice_str(c->arg[0]), INT64_MAX, number_out))
		return true;
	cli_usage(c, "'%s' is no number of a replay", c->arg[0]);
	return false;
}

static int run_list(struct cli *c)
{
	int code;

	out_table(&c->out, list_columns);
	code = cli_call(c, "replay.list", NULL, NULL, NULL);
	out_end(&c->out);
	return code;
}

static int run_show(struct cli *c)
{
	struct replay_shown shown = {.c = c};
	uint64_t number;
	int code;

	if (!read_number(c, &number))
		return CLI_USAGE;
	code = cli_call(c, "replay.show", json_pack("{s:I}", "number",
	    (json_int_t)number), replay_show_row, &shown);
	replay_mx_more(c, shown.domains);
	return code;
}

/* ---- cancel ------------------------------------------------------------ */

static int run_cancel(struct cli *c)
{
	const char *note = cli_value(c, "note");
	uint64_t number;
	int code;

	if (!read_number(c, &number))
		return CLI_USAGE;
	note = note == NULL ? "" : note;
	code = cli_call(c, "replay.cancel", json_pack("{s:I, s:s, s:s}",
	    "number", (json_int_t)number, "who", c->who, "note", note), NULL,
	    NULL);
	if (code != CLI_DONE)
		return code;
	out_say(&c->out, "replay %" PRIu64 " is cancelled: it queues no more; "
	    "what it queued goes out, see `posthouse replay show %" PRIu64 "`",
	    number, number);
	replay_decided(c, (int64_t)number, note, "cancelled");
	return CLI_DONE;
}

static const struct cli_option cancel_options[] = {
	{"note", "TEXT", "Why, for the record."},
	{NULL, NULL, NULL},
};

static const struct cli_option replay_options[] = {
	{"to", "ADDR", "A recipient; may be given more than once."},
	{"file", "F", "A file with one recipient a line; - is standard input."},
	{"wave", "W", "The members of that wave."},
	{"from-leg", "L", "The leg that got the mail."},
	{"to-leg", "L", "The leg that did not, and is to get it."},
	{"since", "T", "Mail that was delivered from then on."},
	{"until", "T", "Mail that was delivered before then; now."},
	{"note", "TEXT", "Why, for the record."},
	{"dry-run", NULL, "Counts, and queues nothing."},
	{"yes", NULL, "Do not ask."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_replay[] = {
	/* The first whose words fit is taken. */
	{.name = "replay list", .args = "",
	    .summary = "Shows the replays and how far they are",
	    .example = "posthouse replay list", .run = run_list},
	{.name = "replay show", .args = "NUMBER",
	    .summary = "Shows the report of a replay",
	    .details = "What was queued and what came of it, what was there "
		"already, what is outside the\nretention, and what it cannot "
		"cover: also where the MX of each domain\nleads (`posthouse "
		"propagation`).",
	    .example = "posthouse replay show 7", .min_args = 1,
	    .max_args = 1, .run = run_show},
	{.name = "replay cancel", .args = "NUMBER",
	    .summary = "Ends a replay: it queues no more",
	    .details = "What it queued goes out; `posthouse replay show` "
		"names it and `posthouse queue delete`\ntakes it away. "
		"Ordered again, a replay goes on where this one was.",
	    .example = "posthouse replay cancel 7 --note 'wrong leg'",
	    .options = cancel_options, .min_args = 1, .max_args = 1,
	    .run = run_cancel},
	{.name = "replay", .args = "[ADDR...]",
	    .summary = "Queues for one leg what another got and it did not",
	    .details = "Says first what is not kept any more, by recipient and "
		"span, and then asks;\nwithout a terminal --yes is wanted "
		"then. However often it is run, nothing goes\ntwice. It goes "
		"on by itself, also after a restart.",
	    .example = "posthouse replay --to ann@example.com --from-leg cloud "
		       "--to-leg legacy --since -2d\n"
		       "posthouse replay --wave w7 --from-leg cloud --to-leg "
		       "legacy --since 2026-11-22T20:00:00Z --dry-run",
	    .options = replay_options, .max_args = -1, .run = run_replay},
	{.name = NULL},
};
