/* SPDX-License-Identifier: ISC
 *
 * status and leg list: one screen. The daemon answers rows with a "section";
 * legs become tables, the others a line each, with figures for people; below
 * stands what is wrong and what to do. --json gives the rows as they are.
 */
#include <inttypes.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/cli/common/human.h"
#include "relay/cli/common/json_get.h"
#include "relay/cli/common/leg_advice.h"
#include "relay/cli/leg/leg_commands.h"
#include "relay/cli/straggler/straggler_status.h"
#include "relay/cli/wave/wave_status.h"

static const struct out_column state_columns[] = {
	{"leg", "LEG", false},		{"state", "STATE", false},
	{"since_age", "FOR", true},	{"open_h", "OPEN", true},
	{"waiting_h", "WAITING", true}, {"held_h", "HELD", true},
	{"oldest_age", "OLDEST", true}, {"parked_h", "PARKED", true},
	{"slots", "CONNECTIONS", true}, {"reason", "REASON", false},
	{NULL, NULL, false},
};

static const struct out_column book_columns[] = {
	{"leg", "LEG", false},	       {"created", "CREATED", true},
	{"delivered", "DELIVERED", true}, {"open", "OPEN", true},
	{"parked", "PARKED", true},    {"bounced", "BOUNCED", true},
	{"superseded", "SUPERSEDED", true}, {"deleted", "DELETED", true},
	{"gap", "GAP", true},	       {NULL, NULL, false},
};

/* ---- one line a section ------------------------------------------------ */

static bool ends_with(const char *key, const char *end)
{
	size_t n = strlen(key), m = strlen(end);

	return n > m && strcmp(key + n - m, end) == 0;
}

/* used_bytes 1024: "used 1.0 KiB". */
static void print_pair(const char *key, const json_t *v, struct strbuf *out)
{
	struct slice name = slice_str(key);
	int64_t n = json_integer_value(v);

	if (ends_with(key, "_bytes"))
		name.n -= strlen("_bytes");
	else if (ends_with(key, "_s"))
		name.n -= strlen("_s");
	for (size_t i = 0; i < name.n; i++)
		strbuf_addc(out, name.p[i] == '_' ? ' ' : name.p[i]);
	strbuf_addc(out, ' ');
	if (json_is_string(v))
		utf8_show(slice_str(json_string_value(v)), out);
	else if (!json_is_integer(v))
		strbuf_adds(out, json_is_true(v) ? "yes" : "no");
	else if (ends_with(key, "_bytes"))
		human_bytes(n, out);
	else if (ends_with(key, "_s"))
		human_age(n, out);
	else if (strcmp(key, "pid") == 0)
		strbuf_addf(out, "%" PRId64, n);
	else
		human_count(n, out);
}

static void print_line(struct cli *c, const json_t *row)
{
	struct strbuf line;
	const char *key;
	bool first = true;
	json_t *v;

	strbuf_init(&line, OUT_LINE_MAX);
	strbuf_addf(&line, "%-11s", json_text(row, "section"));
	json_object_foreach((json_t *)row, key, v) {
		if (strcmp(key, "section") == 0 || json_is_null(v))
			continue;
		strbuf_adds(&line, first ? " " : ", ");
		first = false;
		print_pair(key, v, &line);
	}
	out_say(&c->out, "%s", strbuf_cstr(&line));
	strbuf_fini(&line);
}

/* ---- legs -------------------------------------------------------------- */

static const struct {
	const char *key, *shown;
} counts[] = {
	{"open", "open_h"},
	{"waiting", "waiting_h"},
	{"held", "held_h"},
	{"parked", "parked_h"},
};

static void set_text(json_t *row, const char *key, struct strbuf *text)
{
	json_object_set_new(row, key, json_string(strbuf_cstr(text)));
	strbuf_reset(text);
}

/* Adds the columns for people beside the daemon's own. */
static void add_human(json_t *row)
{
	int64_t now_us = clock_wall_us(&clock_system), since_us;
	struct strbuf b;

	strbuf_init(&b, 256);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		human_count(json_number(row, counts[i].key), &b);
		set_text(row, counts[i].shown, &b);
	}
	strbuf_addf(&b, "%" PRId64 "/%" PRId64, json_number(row, "concurrency"),
	    json_number(row, "limit"));
	if (json_number(row, "configured") > json_number(row, "limit"))
		strbuf_addf(&b, " of %" PRId64, json_number(row, "configured"));
	set_text(row, "slots", &b);
	if (json_is_integer(json_object_get(row, "oldest_s"))) {
		human_age(json_number(row, "oldest_s"), &b);
		set_text(row, "oldest_age", &b);
	}
	if (clock_parse(slice_str(json_text(row, "since")), now_us,
		&since_us) == 0 && since_us <= now_us) {
		human_age((now_us - since_us) / 1000000, &b);
		set_text(row, "since_age", &b);
	}
	strbuf_fini(&b);
}

static void print_legs(struct cli *c, const json_t *rows,
    const struct out_column *columns)
{
	json_t *row;
	size_t i;

	out_table(&c->out, columns);
	json_array_foreach(rows, i, row)
		if (json_object_get(row, "leg") != NULL)
			out_row_json(&c->out, row);
	out_end(&c->out);
}

/* ---- what to do -------------------------------------------------------- */

static void advise_leg(struct cli *c, const json_t *row)
{
	const char *leg = json_text(row, "leg");
	int64_t parked = json_number(row, "parked");

	leg_advice(c, row);
	if (parked > 0)
		out_say(&c->out, "%" PRId64 " %s of %s %s parked: posthouse "
		    "queue list --state parked --leg %s", parked,
		    parked == 1 ? "delivery" : "deliveries", leg,
		    parked == 1 ? "is" : "are", leg);
	if (json_number(row, "gap") != 0)
		out_say(&c->out, "the books of %s are not even: posthouse "
		    "audit verify", leg);
}

static void say_degraded(struct cli *c, const json_t *row)
{
	const char *missing = json_text(row, "missing_generations");

	out_say(&c->out, "the spool is %s; spool.damage, spool.unread and "
	    "audit.spool_replaced in the log say where", json_text(row,
	    "health"));
	if (missing[0] != '\0')
		out_say(&c->out, "generations of the journal that are not "
		    "whole: %s", missing);
	out_say(&c->out, "posthouse audit verify --lost names the messages "
	    "that were lost");
}

static void advise(struct cli *c, const json_t *row)
{
	const char *section = json_text(row, "section");

	if (json_object_get(row, "leg") != NULL)
		advise_leg(c, row);
	else if (strcmp(section, "table") == 0 &&
		 strcmp(json_text(row, "state"), "unusable") == 0)
		out_say(&c->out, "the cutover table cannot be used, mail is "
		    "answered 451: if a backup was put back, posthouse table "
		    "accept");
	else if (strcmp(section, "spool") == 0 &&
		 strncmp(json_text(row, "health"), "degraded", 8) == 0)
		say_degraded(c, row);
	else if (strcmp(section, "spool") == 0 &&
		 json_object_get(row, "health") != NULL &&
		 strcmp(json_text(row, "health"), "ok") != 0)
		out_say(&c->out, "the spool is not well (%s): give the disk "
		    "room, or raise spool.max", json_text(row, "health"));
}

static void advise_all(struct cli *c, const json_t *rows)
{
	json_t *row;
	size_t i;

	out_say(&c->out, "%s", "");
	json_array_foreach(rows, i, row)
		advise(c, row);
}

/* ---- the commands ------------------------------------------------------ */

static void print_screen(struct cli *c, const json_t *rows, bool whole)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		if (json_object_get(row, "leg") != NULL)
			add_human(row);
		else if (whole)
			print_line(c, row);
	}
	if (whole)
		out_say(&c->out, "%s", "");
	print_legs(c, rows, state_columns);
	if (whole) {
		out_say(&c->out, "%s", "");
		print_legs(c, rows, book_columns);
	}
	advise_all(c, rows);
}

static int show(struct cli *c, const char *command, bool whole)
{
	json_t *rows = json_array(), *row;
	size_t i;
	int code = cli_call(c, command, NULL, cli_append_row, rows);

	if (code == CLI_DONE && !c->json)
		print_screen(c, rows, whole);
	else if (code == CLI_DONE)
		json_array_foreach(rows, i, row)
			out_row_json(&c->out, row);
	json_decref(rows);
	return code;
}

static int run_status(struct cli *c)
{
	int code = show(c, "status", true);

	if (code == CLI_DONE) {
		wave_status(c);
		straggler_status(c);
	}
	return code;
}

static int run_leg_list(struct cli *c)
{
	return show(c, "leg.list", false);
}

const struct cli_command cmd_status[] = {
	{.name = "status",
	    .args = "",
	    .summary = "One screen: legs, queue, disk, conservation, waves, "
		       "stragglers",
	    .details = "OPEN mail is under way, WAITING for its time or the "
		       "leg, or HELD. OLDEST is how long the\noldest mail "
		       "waits that a leg could have had. disk: room where "
		       "spool, table and audit\nindex are; index: how much "
		       "later than mail trace is; spf: checks, and how often "
		       "posthouse-spf died or was silent; outbound:\nwhat "
		       "went out by the egresses of outbound.use, which stand "
		       "among the legs;\nold-tls: clients "
		       "that needed TLS below 1.2 since the start. GAP is "
		       "created minus "
		       "delivered,\n"
		       "open, parked, bounced, superseded and deleted: "
		       "anything but 0 is mail that\nnobody can account for. "
		       "Below stands what is wrong, and what to do.",
	    .example = "posthouse status",
	    .run = run_status},
	{.name = "leg list",
	    .args = "",
	    .summary = "The legs, what waits for each and how it does",
	    .details = "CONNECTIONS is how many there are of how many a leg "
		       "gets for now: a leg that asks for\nless gets half, "
		       "and one more each time that so many deliveries were "
		       "made; the last\nfigure is what the configuration "
		       "allows. A leg that suspended itself is tried again "
		       "by\nitself.",
	    .example = "posthouse leg list",
	    .run = run_leg_list},
	{.name = NULL},
};
