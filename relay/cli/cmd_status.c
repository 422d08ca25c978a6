/* SPDX-License-Identifier: ISC
 *
 * status: one screen. The daemon answers rows with a "section"; legs become
 * a table, the others a line each.
 */
#include "relay/base/mem.h"
#include "relay/cli/cli.h"

enum { LINE_MAX_BYTES = 1 << 16 };

static const struct out_column leg_columns[] = {
	{"leg", "LEG", false},	       {"state", "STATE", false},
	{"created", "CREATED", true},  {"delivered", "DELIVERED", true},
	{"open", "OPEN", true},	       {"parked", "PARKED", true},
	{"bounced", "BOUNCED", true},  {"superseded", "SUPERSEDED", true},
	{"deleted", "DELETED", true},  {"gap", "GAP", true},
	{NULL, NULL, false},
};

static void print_value(const json_t *v, struct strbuf *out)
{
	if (json_is_string(v))
		out_clean(slice_str(json_string_value(v)), out);
	else if (json_is_integer(v))
		strbuf_addf(
		    out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else
		strbuf_adds(out, json_is_true(v) ? "yes" : "no");
}

static void print_line(struct cli *c, const char *section, const json_t *row)
{
	struct strbuf line;
	const char *key;
	json_t *v;

	strbuf_init(&line, LINE_MAX_BYTES);
	strbuf_addf(&line, "%-7s", section);
	json_object_foreach((json_t *)row, key, v) {
		if (strcmp(key, "section") == 0)
			continue;
		strbuf_addc(&line, ' ');
		out_clean(slice_str(key), &line);
		strbuf_addc(&line, ' ');
		print_value(v, &line);
		strbuf_addc(&line, ',');
	}
	if (line.n > 0 && line.p[line.n - 1] == ',')
		line.n--;
	out_say(&c->out, "%s", strbuf_cstr(&line));
	strbuf_fini(&line);
}

static void on_row(void *arg, json_t *row)
{
	json_array_append(arg, row);
}

static bool is_leg(const json_t *row)
{
	const char *s = json_string_value(json_object_get(row, "section"));

	return s != NULL && strcmp(s, "leg") == 0;
}

static void print_screen(struct cli *c, const json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		const char *section =
		    json_string_value(json_object_get(row, "section"));

		if (!is_leg(row))
			print_line(c, section == NULL ? "" : section, row);
	}
	out_say(&c->out, "%s", "");
	out_table(&c->out, leg_columns);
	json_array_foreach(rows, i, row)
		if (is_leg(row))
			out_row_json(&c->out, row);
	out_end(&c->out);
}

static int run_status(struct cli *c)
{
	json_t *rows, *row;
	size_t i;
	int code;

	rows = json_array();
	code = cli_call(c, "status", NULL, on_row, rows);
	if (code == CLI_DONE && !c->json)
		print_screen(c, rows);
	else if (code == CLI_DONE)
		json_array_foreach(rows, i, row)
			out_row_json(&c->out, row);
	json_decref(rows);
	return code;
}

const struct cli_command cmd_status[] = {
	{.name = "status",
	    .args = "",
	    .summary = "One screen: legs, queue, disk, conservation",
	    .details = "GAP is created minus delivered, open, parked, bounced, "
		       "superseded and deleted:\nanything but 0 is mail that "
		       "nobody can account for.",
	    .example = "posthouse status",
	    .run = run_status},
	{.name = NULL},
};
