/* SPDX-License-Identifier: ISC
 *
 * leg probe: what each address of a leg says, and whether mail would go
 * there. The daemon looks; here it is shown: a table, then what is behind
 * each row.
 */
#include "relay/cli/leg/leg_commands.h"

static const struct out_column columns[] = {
	{"host", "HOST", false},
	{"address", "ADDRESS", false},
	{"state", "STATE", false},
	{"connect_ms", "CONNECT MS", true},
	{"tls", "TLS", false},
	{"verified_by", "VERIFIED BY", false},
	{"certificate.days_left", "DAYS LEFT", true},
	{NULL, NULL, false},
};

/* The lines about an address under the table, in this order. */
static const struct {
	const char *key, *title;
} details[] = {
	{"problem", "problem"},
	{"note", "note"},
	{"stage", "came to"},
	{"greeting", "greeting"},
	{"greeting_ms", "greeted after ms"},
	{"offers", "offers"},
	{"auth", "AUTH"},
	{"size", "largest message"},
	{"max_recipients", "recipients a transaction"},
	{"max_messages", "messages a connection"},
	{"tls_ms", "handshake ms"},
	{"dane", "TLSA records"},
	{"fingerprint_fits", "fingerprint fits"},
	{"verify_error", "not verified"},
};

static const struct {
	const char *key, *title;
} certificate[] = {
	{"subject", "certificate of"},
	{"names", "names"},
	{"issuer", "issued by"},
	{"key", "key"},
	{"expires", "expires"},
	{"days_left", "days left"},
	{"chain", "certificates sent"},
	{"fingerprint", "SHA-256"},
};

static void add_value(struct strbuf *line, const json_t *v)
{
	const json_t *item;
	size_t i;

	if (json_is_string(v))
		utf8_show(slice_str(json_string_value(v)), line);
	else if (json_is_integer(v))
		strbuf_addf(
		    line, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_array(v))
		json_array_foreach(v, i, item)
		{
			strbuf_adds(line, i > 0 ? ", " : "");
			add_value(line, item);
		}
	else
		strbuf_adds(line, json_is_true(v) ? "yes" : "no");
}

static bool is_empty(const json_t *v)
{
	return v == NULL || json_is_null(v) ||
	       (json_is_string(v) && json_string_length(v) == 0) ||
	       (json_is_array(v) && json_array_size(v) == 0);
}

static void print_detail(struct cli *c, const char *title, const json_t *v)
{
	struct strbuf line;

	if (is_empty(v))
		return;
	strbuf_init(&line, OUT_LINE_MAX);
	add_value(&line, v);
	out_say(&c->out, "  %-24s %s", title, strbuf_cstr(&line));
	strbuf_fini(&line);
}

static void print_details(struct cli *c, const json_t *row)
{
	const json_t *cert = json_object_get(row, "certificate");
	struct strbuf line;

	strbuf_init(&line, OUT_LINE_MAX);
	add_value(&line, json_object_get(row, "host"));
	strbuf_addc(&line, ' ');
	add_value(&line, json_object_get(row, "address"));
	strbuf_adds(&line, " port ");
	add_value(&line, json_object_get(row, "port"));
	out_say(&c->out, "%s", "");
	out_say(&c->out, "%s", strbuf_cstr(&line));
	strbuf_fini(&line);
	for (size_t i = 0; i < ARRAY_LEN(details); i++)
		print_detail(c, details[i].title,
		    json_object_get(row, details[i].key));
	for (size_t i = 0; cert != NULL && i < ARRAY_LEN(certificate); i++)
		print_detail(c, certificate[i].title,
		    json_object_get(cert, certificate[i].key));
}

static int run_probe(struct cli *c)
{
	json_t *rows = json_array(), *row;
	const char *to = cli_value(c, "to");
	size_t i;
	int code;

	code = cli_call(c, "leg.probe",
	    json_pack("{s:s, s:s, s:s}", "leg", c->arg[0], "domain",
		c->args > 1 ? c->arg[1] : "", "to", to == NULL ? "" : to),
	    cli_append_row, rows);
	out_table(&c->out, columns);
	json_array_foreach(rows, i, row)
		out_row_json(&c->out, row);
	out_end(&c->out);
	if (!c->json)
		json_array_foreach(rows, i, row)
			print_details(c, row);
	json_decref(rows);
	return code;
}

static const struct cli_option probe_options[] = {
	{"to", "ADDR", "The recipient to try instead."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_leg_probe[] = {
	{.name = "leg probe",
	    .args = "NAME [DOMAIN]",
	    .summary = "Connects to each address of a leg and tells what it "
		       "finds",
	    .details = "Name, connection, greeting, STARTTLS, certificate, "
		       "what is offered, login, then MAIL,\nRCPT, RSET from "
		       "our postmaster to the last recipient whose mail the "
		       "leg took (or\nthe postmaster); no mail is sent. Works "
		       "for a leg that is suspended or down. Exit 0:\nat "
		       "least one address took the transaction. An egress "
		       "that goes to the MX of each\ndomain wants to know of "
		       "which.",
	    .options = probe_options,
	    .example = "posthouse leg probe cloud\n"
		       "posthouse leg probe cloud --to ann@example.com\n"
		       "posthouse leg probe direct example.org",
	    .min_args = 1,
	    .max_args = 2,
	    .run = run_probe},
	{.name = NULL},
};
