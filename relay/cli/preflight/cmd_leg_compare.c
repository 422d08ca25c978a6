/* SPDX-License-Identifier: ISC
 *
 * leg compare: which recipients only one of two legs takes.
 */
#include <inttypes.h>

#include "relay/cli/common/human.h"
#include "relay/cli/preflight/preflight_commands.h"
#include "relay/cli/preflight/preflight_open.h"

static const struct out_column columns[] = {
	{"address", "ADDRESS", false},
	{"verdict", "TAKEN BY", false},
	{"route", "ROUTE", false},
	{"leg", "LEG", false},
	{"class", "ITS ANSWER", false},
	{"other_class", "THE OTHER'S", false},
	{"reply", "REPLY", false},
	{NULL, NULL, false},
};

enum taken_by { BY_BOTH, BY_NEITHER, BY_OTHER, BY_LEG, BY_UNKNOWN, BYS };

static const char *const by_texts[BYS] = {"both", "neither", "other", "leg",
	"undecided"};

/* Of one address: its rows come one after the other. */
struct compared {
	struct cli *c;
	const struct asking *asking;
	bool all;
	struct strbuf address, route, reply, other_reply;
	enum preflight_class leg, other;
	uint64_t by[BYS];
	uint64_t unseen; /* on the other leg, and this one takes them already */
	uint64_t class[2][PREFLIGHT_CLASSES];
};

static bool is_no(enum preflight_class c)
{
	return preflight_fails(c);
}

static enum taken_by taken_by(const struct compared *q)
{
	bool leg = q->leg == PREFLIGHT_TAKEN;
	bool other = q->other == PREFLIGHT_TAKEN;

	if ((!leg && !is_no(q->leg)) || (!other && !is_no(q->other)))
		return BY_UNKNOWN;
	if (leg && other)
		return BY_BOTH;
	return leg ? BY_LEG : other ? BY_OTHER : BY_NEITHER;
}

/* The platform's own mail reaches them there, unseen by us. */
static bool is_unseen(struct compared *q, enum taken_by by)
{
	struct slice route = slice_str(strbuf_cstr(&q->route)), leg;

	if (by != BY_BOTH && by != BY_LEG)
		return false;
	while (slice_next(&route, '+', &leg))
		if (slice_eq(leg, slice_str(q->asking->about)))
			return false;
	return true;
}

static void put(struct compared *q, enum taken_by by, bool unseen)
{
	const char *named = by == BY_LEG ? q->asking->about
			  : by == BY_OTHER ? q->asking->route : by_texts[by];
	struct jout *j = out_row(&q->c->out);

	jout_str(j, "address", strbuf_cstr(&q->address));
	jout_str(j, "verdict", named);
	jout_str(j, "route", strbuf_cstr(&q->route));
	jout_str(j, "leg", q->asking->about);
	jout_str(j, "class", preflight_class_text((int)q->leg));
	jout_str(j, "other", q->asking->route);
	jout_str(j, "other_class", preflight_class_text((int)q->other));
	jout_bool(j, "unseen", unseen);
	jout_str(j, "reply", strbuf_cstr(by == BY_LEG ? &q->other_reply
						       : &q->reply));
	out_row_end(&q->c->out);
}

static void end_address(struct compared *q)
{
	enum taken_by by;
	bool unseen;

	if (q->address.n == 0)
		return;
	by = taken_by(q);
	unseen = is_unseen(q, by);
	q->by[by]++;
	q->unseen += unseen;
	q->class[0][q->leg]++;
	q->class[1][q->other]++;
	if (q->all || q->c->json || by != BY_BOTH || unseen)
		put(q, by, unseen);
	strbuf_reset(&q->address);
	q->leg = q->other = PREFLIGHT_UNASKED;
}

static void keep(struct strbuf *b, const char *text)
{
	strbuf_reset(b);
	strbuf_adds(b, text);
}

static void on_row(void *arg, const struct asked_row *row)
{
	struct compared *q = arg;

	if (row->kind == ASKED_RANDOM)
		return;
	if (strcmp(strbuf_cstr(&q->address), row->address) != 0) {
		end_address(q);
		keep(&q->address, row->address);
		keep(&q->route, row->tag);
		keep(&q->reply, "");
		keep(&q->other_reply, "");
	}
	if (strcmp(row->leg, q->asking->about) == 0) {
		q->leg = preflight_row_class(row);
		keep(&q->reply, row->reply);
	} else {
		q->other = preflight_row_class(row);
		keep(&q->other_reply, row->reply);
	}
}

/* ---- what it comes to ---------------------------------------------------- */

static void say_classes(const struct compared *q, int which)
{
	const char *leg = which == 0 ? q->asking->about : q->asking->route;
	struct strbuf b;

	strbuf_init(&b, OUT_LINE_MAX);
	for (int i = 0; i < PREFLIGHT_CLASSES; i++)
		if (q->class[which][i] > 0)
			strbuf_addf(&b, "%s%" PRIu64 " %s",
			    b.n > 0 ? ", " : "", q->class[which][i],
			    preflight_class_text(i));
	out_say(&q->c->out, "%s answers: %s", leg,
	    b.n > 0 ? strbuf_cstr(&b) : "nothing");
	strbuf_fini(&b);
}

static void say(const struct compared *q)
{
	const char *leg = q->asking->about, *other = q->asking->route;
	struct out *o = &q->c->out;

	out_say(o, "%" PRIu64 " taken by both, %" PRIu64 " by %s only, %"
	    PRIu64 " by %s only, %" PRIu64 " by neither, %" PRIu64
	    " undecided", q->by[BY_BOTH], q->by[BY_OTHER], other,
	    q->by[BY_LEG], leg, q->by[BY_NEITHER], q->by[BY_UNKNOWN]);
	say_classes(q, 0);
	say_classes(q, 1);
	if (q->unseen > 0)
		out_say(o, "%" PRIu64 " have no route to %s, which takes them "
		    "already: mail that begins there reaches them there, "
		    "unseen here; posthouse export coexist gives the rule "
		    "against it", q->unseen, leg);
}

static void compared_init(struct compared *q, const struct preflight_open *o)
{
	*q = (struct compared){.c = o->c, .asking = &o->asking,
	    .all = cli_flag(o->c, "all")};
	strbuf_init(&q->address, OUT_LINE_MAX);
	strbuf_init(&q->route, OUT_LINE_MAX);
	strbuf_init(&q->reply, OUT_LINE_MAX);
	strbuf_init(&q->other_reply, OUT_LINE_MAX);
}

static void compared_fini(struct compared *q)
{
	strbuf_fini(&q->address);
	strbuf_fini(&q->route);
	strbuf_fini(&q->reply);
	strbuf_fini(&q->other_reply);
}

static int report(struct cli *c, const struct preflight_open *o)
{
	struct compared q;
	struct asked_page page = {.number = o->asking.number, .fn = on_row,
	    .arg = &q};
	struct error err;
	int rc;

	compared_init(&q, o);
	out_table(&c->out, columns);
	rc = asked_rows(o->o, &page, &err);
	if (rc >= 0) {
		end_address(&q);
		out_end(&c->out);
		preflight_say_asking(o);
		say(&q);
	}
	compared_fini(&q);
	if (rc < 0)
		return cli_fail(c, "%s", err.text);
	return q.by[BY_OTHER] > 0 || o->asking.stop != PREFLIGHT_GO
		   ? CLI_NO : CLI_DONE;
}

static json_t *order(struct cli *c)
{
	const char *against = cli_value(c, "against");
	const char *sample = cli_value(c, "sample");
	const char *wave = cli_value(c, "wave");
	json_t *args = json_pack("{s:s}", "leg", c->arg[0]);
	uint64_t n = 0;

	if (against != NULL)
		json_object_set_new(args, "against", json_string(against));
	if (wave != NULL)
		json_object_set_new(args, "wave", json_string(wave));
	if (sample != NULL &&
	    (!slice_uint(slice_str(sample), 200000, &n) || n == 0)) {
		cli_usage(c, "--sample wants a number from 1 to 200000");
		json_decref(args);
		return NULL;
	}
	if (n > 0)
		json_object_set_new(args, "sample",
		    json_integer((json_int_t)n));
	return args;
}

static int run_compare(struct cli *c)
{
	const struct asking_which which = {.kind = ASKING_COMPARE,
	    .about = c->arg[0]};
	json_t *args = cli_flag(c, "show") ? NULL : order(c);

	if (args == NULL && !cli_flag(c, "show"))
		return CLI_USAGE;
	return preflight_show(c, args, which, report);
}

static const struct cli_option options[] = {
	{"against", "LEG", "The other leg, where there are more than two."},
	{"sample", "N", "That many recipients, drawn at random."},
	{"wave", "W", "The members of this wave alone."},
	{"all", NULL, "Those that both take, too."},
	{"show", NULL, "The last answers, without asking; needs no daemon."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_leg_compare[] = {
	{
	    .name = "leg compare",
	    .args = "NAME",
	    .summary = "Asks two legs about recipients, and shows which only "
		       "one takes",
	    .details = "Shown are those that one of them does not take, and "
		       "those that NAME takes although\nno route leads "
		       "there. It is asked as by wave preflight. Exit 1: "
		       "the other leg takes\na recipient that NAME does "
		       "not.",
	    .example = "posthouse leg compare cloud --against legacy "
		       "--sample 2000",
	    .options = options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_compare,
	},
	{.name = NULL},
};
