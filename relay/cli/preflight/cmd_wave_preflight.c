/* SPDX-License-Identifier: ISC
 *
 * wave preflight: what the new legs of a wave say of its members.
 */
#include <inttypes.h>

#include "relay/cli/common/human.h"
#include "relay/cli/preflight/preflight_commands.h"
#include "relay/cli/preflight/preflight_open.h"

static const struct out_column columns[] = {
	{"address", "ADDRESS", false},
	{"leg", "LEG", false},
	{"class", "CLASS", false},
	{"said", "ASKED AS", false},
	{"kind", "KIND", false},
	{"code", "CODE", true},
	{"reply", "REPLY", false},
	{NULL, NULL, false},
};

struct preflight_report {
	struct cli *c;
	bool all; /* those that are taken, too */
	uint64_t class[PREFLIGHT_CLASSES];
	uint64_t rows, aliases, tagged, tagged_bad;
};

static void put_row(struct preflight_report *p, const struct asked_row *row,
    enum preflight_class class)
{
	struct jout *j = out_row(&p->c->out);

	jout_str(j, "address", row->address);
	jout_str(j, "leg", row->leg);
	jout_str(j, "class", preflight_class_text((int)class));
	jout_str(j, "said", row->said);
	jout_str(j, "kind", row->kind == ASKED_ALIAS ? "alias" : row->tag);
	jout_bool(j, "settled", row->settled);
	preflight_put_reply(j, row);
	out_row_end(&p->c->out);
}

static void on_row(void *arg, const struct asked_row *row)
{
	struct preflight_report *p = arg;
	enum preflight_class class = preflight_row_class(row);

	if (row->kind == ASKED_RANDOM)
		return;
	p->rows++;
	p->class[class]++;
	p->aliases += row->kind == ASKED_ALIAS;
	if (row->tag[0] != '\0') {
		p->tagged++;
		p->tagged_bad += preflight_fails(class);
	}
	if (p->all || p->c->json || class != PREFLIGHT_TAKEN)
		put_row(p, row, class);
}

/* ---- what it comes to ---------------------------------------------------- */

static const char *const meanings[PREFLIGHT_CLASSES] = {
	[PREFLIGHT_UNASKED] = "not asked yet",
	[PREFLIGHT_TAKEN] = "taken",
	[PREFLIGHT_UNKNOWN] = "unknown there: a start leaves them out",
	[PREFLIGHT_REFUSED] = "refused there: a start leaves them out",
	[PREFLIGHT_UNDECIDED] = "undecided: neither good nor bad",
	[PREFLIGHT_ANY_NAME] = "taken, as any name is: this proves nothing",
};

static void say_counts(struct cli *c, const struct preflight_report *p)
{
	struct strbuf b;

	if (p->rows == 0)
		out_say(&c->out, "there was nothing to ask: no member gets a "
		    "leg that it does not have");
	strbuf_init(&b, OUT_LINE_MAX);
	for (int i = 0; i < PREFLIGHT_CLASSES; i++) {
		if (p->class[i] == 0)
			continue;
		strbuf_reset(&b);
		human_count((int64_t)p->class[i], &b);
		out_say(&c->out, "%8s %s", strbuf_cstr(&b), meanings[i]);
	}
	strbuf_fini(&b);
	if (p->aliases > 0)
		out_say(&c->out, "%" PRIu64 " of them are aliases of members' "
		    "mailboxes that are no members themselves; they move with "
		    "the mailbox", p->aliases);
	if (p->tagged > 0)
		out_say(&c->out, "%" PRIu64 " of them are groups, rooms or "
		    "another kind, by the tag kind; %" PRIu64 " of these would "
		    "fail", p->tagged, p->tagged_bad);
}

static void say_notes(struct cli *c, const char *notes)
{
	struct slice rest = slice_str(notes), line;

	while (slice_next(&rest, '\n', &line))
		if (line.n > 0)
			out_say(&c->out, "note: %.*s", (int)line.n, line.p);
}

static int report(struct cli *c, const struct preflight_open *o)
{
	struct preflight_report p = {.c = c, .all = cli_flag(c, "all")};
	const struct asked_page page = {.number = o->asking.number,
	    .fn = on_row, .arg = &p};
	struct error err;

	out_table(&c->out, columns);
	if (asked_rows(o->o, &page, &err) < 0)
		return cli_fail(c, "%s", err.text);
	out_end(&c->out);
	preflight_say_asking(o);
	say_counts(c, &p);
	say_notes(c, o->asking.notes);
	if (p.class[PREFLIGHT_UNKNOWN] + p.class[PREFLIGHT_REFUSED] > 0 ||
	    o->asking.stop != PREFLIGHT_GO)
		return CLI_NO;
	return CLI_DONE;
}

static int run_preflight(struct cli *c)
{
	const struct asking_which which = {.kind = ASKING_WAVE,
	    .about = c->arg[0]};
	json_t *args = cli_flag(c, "show") ? NULL
	    : json_pack("{s:s}", "wave", c->arg[0]);

	if (args != NULL && c->args > 1)
		json_object_set_new(args, "route", json_string(c->arg[1]));
	return preflight_show(c, args, which, report);
}

static const struct cli_option options[] = {
	{"all", NULL, "Those that are taken, too."},
	{"show", NULL, "The last answers, without asking; needs no daemon."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_wave_preflight[] = {
	{
	    .name = "wave preflight",
	    .args = "NAME [ROUTE]",
	    .summary = "Asks the new legs of a wave whether they take its "
		       "members",
	    .details = "By MAIL, RCPT and RSET: no mail is sent. The daemon "
		       "asks behind mail, as fast as the\nleg's ask_rate, "
		       "and goes on when the command is ended; answers are "
		       "used for a day.\nIt stops by itself at the first sign "
		       "that the leg minds. Exit 1: some would fail.",
	    .example = "posthouse wave preflight w7 cloud",
	    .options = options,
	    .min_args = 1,
	    .max_args = 2,
	    .run = run_preflight,
	},
	{.name = NULL},
};
