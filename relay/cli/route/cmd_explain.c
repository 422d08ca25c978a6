/* SPDX-License-Identifier: ISC
 *
 * explain: what would be decided of a recipient, by the function that the
 * server asks, without sending anything.
 */
#include <inttypes.h>
#include <stdio.h>

#include "policy/origin.h"
#include "policy/return_addr.h"
#include "policy/route.h"
#include "policy/row.h"
#include "policy/srs.h"
#include "relay/base/clock.h"
#include "relay/base/id.h"
#include "relay/base/mem.h"
#include "relay/cli/route/explain_mail.h"
#include "relay/cli/route/route_commands.h"
#include "relay/cli/table/cli_table.h"

struct lookup_query {
	struct addr to;
	struct explained_mail mail;
	const char *led_back; /* what an SRS address stands for; NULL */
	uint64_t message; /* whose sender it stands for; 0 */
};

static int parse_client(struct cli *c, const char *text,
    struct explained_mail *m)
{
	if (netaddr_parse(&m->client, slice_str(text), 0) != 0)
		return cli_usage(c, "'%s' is no IP address", text);
	m->has_client = true;
	m->from_leg = origin_leg(c->conf, &m->client.sa);
	m->right = explain_right(c->conf, &m->client);
	return CLI_DONE;
}

static int parse_from(struct cli *c, const char *text,
    struct explained_mail *m)
{
	const char *why;

	m->has_from = true;
	if (text[0] == '\0' || strcmp(text, "<>") == 0)
		return CLI_DONE;
	if (addr_parse(slice_str(text), true, &m->from, &why) < 0)
		return cli_usage(c, "'%s' is no sender: %s", text, why);
	return CLI_DONE;
}

static int parse_question(struct cli *c, struct lookup_query *q)
{
	const char *client = cli_value(c, "client");
	const char *from = cli_value(c, "from");
	const char *text = c->arg[0], *why;
	int code = CLI_DONE;

	*q = (struct lookup_query){0};
	if (slice_case_eq(slice_str(text), SLICE("postmaster")))
		q->to = (struct addr){.text = slice_str(text),
		    .local = slice_str(text), .domain = slice_of("", 0)};
	else if (addr_parse(slice_str(text), true, &q->to, &why) < 0)
		return cli_usage(c, "'%s' is no address: %s", text, why);
	if (client != NULL)
		code = parse_client(c, client, &q->mail);
	if (code == CLI_DONE && from != NULL)
		code = parse_from(c, from, &q->mail);
	return code;
}

/* ---- the answer ------------------------------------------------------- */

static void put_legs(struct cli *c, struct jout *j,
    const struct lookup_query *q, const struct decision *d)
{
	jout_array(j, "legs");
	for (unsigned i = 0;
	     d->route.kind == ROUTE_LEGS && i < d->route.legs; i++) {
		const struct conf_leg *leg =
		    conf_leg_by_id(c->conf, d->route.leg[i]);
		struct strbuf address;

		strbuf_init(&address, 2 * ADDR_MAX);
		route_address(d, d->route.leg[i], &q->to, c->conf, &address);
		jout_object(j, NULL);
		jout_str(j, "leg", names_text(c->names, d->route.leg[i]));
		jout_str(j, "role",
		    role_text(i == 0 ? ROLE_PRIMARY : ROLE_COPY));
		jout_slice(j, "address", strbuf_view(&address));
		jout_bool(j, "configured", leg != NULL);
		jout_object_end(j);
		strbuf_fini(&address);
	}
	jout_array_end(j);
}

/* The leg that the server would ask first (unknown = "probe"); NULL: none. */
static const char *asked(struct cli *c, const struct decision *d)
{
	return d->ask ? names_text(c->names, d->route.leg[0]) : NULL;
}

static void put_decision(struct cli *c, const struct lookup_query *q,
    const struct decision *d)
{
	struct jout *j = out_row(&c->out);
	struct strbuf route;

	strbuf_init(&route, ROW_TEXT_MAX);
	route_print(&d->route, c->names, &route);
	jout_str(j, "address", c->arg[0]);
	jout_str(j, "verdict",
	    d->verdict == VERDICT_ACCEPT ? "accept" : "refuse");
	jout_str(j, "rule", rule_name(d->rule));
	jout_str(j, "row", d->row.found ? d->key : NULL);
	jout_str(j, "route", strbuf_cstr(&route));
	jout_bool(j, "held", d->held);
	jout_int(j, "code", d->verdict == VERDICT_REFUSE ? d->reply.code : 250);
	jout_str(j, "enhanced",
	    d->verdict == VERDICT_REFUSE ? d->reply.enh : "2.1.5");
	jout_str(j, "reply",
	    d->verdict == VERDICT_REFUSE ? d->reply.text : "");
	jout_str(j, "ask", asked(c, d));
	put_legs(c, j, q, d);
	jout_str(j, "from_leg",
	    q->mail.from_leg == NULL ? NULL : q->mail.from_leg->name);
	jout_str(j, "led_back", q->led_back);
	explain_mail_put(c, &q->mail, j);
	jout_int(j, "change", (int64_t)d->change);
	out_row_end(&c->out);
	strbuf_fini(&route);
}

static const char *const rule_texts[DECISION_RULES] = {
	[RULE_ADDRESS] = "a row of its own",
	[RULE_SUBADDRESS] = "the row of the address without its detail",
	[RULE_DOMAIN] = "no row of its own: the domain's row",
	[RULE_UNKNOWN] = "no row of its own: the domain's `unknown` policy",
	[RULE_POSTMASTER] = "always taken, for the configuration's postmaster",
	[RULE_LEG_DOMAIN] = "an address of a leg itself",
	[RULE_RELAY] = "not a domain of ours",
	[RULE_ONWARD] = "the local part names another host",
	[RULE_RETURN] = "the domain of our return addresses, `return`",
	[RULE_SRS] = "the domain of our SRS addresses, `srs`",
	[RULE_TABLE] = "the cutover table can not be read",
};

static void say_legs(struct cli *c, const struct lookup_query *q,
    const struct decision *d)
{
	for (unsigned i = 0;
	     d->route.kind == ROUTE_LEGS && i < d->route.legs; i++) {
		int leg = d->route.leg[i];
		struct strbuf address;

		strbuf_init(&address, 2 * ADDR_MAX);
		route_address(d, leg, &q->to, c->conf, &address);
		out_say(&c->out, "%-9s %s (%s) as %s%s", i == 0 ? "legs" : "",
		    names_text(c->names, leg),
		    role_text(i == 0 ? ROLE_PRIMARY : ROLE_COPY),
		    strbuf_cstr(&address),
		    conf_leg_by_id(c->conf, leg) == NULL
			? "; the configuration has no such leg: it waits"
			: "");
		strbuf_fini(&address);
	}
}

static void say_decision(struct cli *c, const struct lookup_query *q,
    const struct decision *d)
{
	out_say(&c->out, "address   %s", c->arg[0]);
	if (d->verdict == VERDICT_ACCEPT)
		out_say(&c->out, "verdict   accept%s%s%s",
		    d->held ? ", held: it waits for a release" : "",
		    d->ask ? ", if the recipient is known: the leg would "
			     "be asked, " : "",
		    d->ask ? asked(c, d) : "");
	else
		out_say(&c->out, "verdict   refuse: %d %s %s", d->reply.code,
		    d->reply.enh, d->reply.text);
	out_say(&c->out, "rule      %s (%s)", rule_name(d->rule),
	    rule_texts[d->rule]);
	if (d->row.found)
		out_say(&c->out, "row       %s: %s, change %" PRIu64, d->key,
		    d->row.route_text, d->row.change);
	say_legs(c, q, d);
	if (q->led_back != NULL)
		out_say(&c->out, "leads to  %s", q->led_back);
	if (q->mail.from_leg != NULL)
		out_say(&c->out, "client    belongs to the leg %s: nothing "
		    "goes back there", q->mail.from_leg->name);
	explain_mail_say(c, &q->mail);
}

/* As at RCPT (relay/intake/srs_rcpt.c). True: *d is the decision. */
static bool lead_back(struct cli *c, struct lookup_query *q, int64_t now_us,
    struct decision *d)
{
	enum srs_verdict verdict;
	struct strbuf back;
	char id[ID_TEXT], text[64];
	const char *why;

	strbuf_init(&back, 2 * ADDR_MAX);
	verdict = srs_check(c->conf, &q->to, now_us, &back, &q->message);
	if (verdict == SRS_ADDRESS) {
		q->led_back = arena_slicedup(c->arena, strbuf_view(&back));
		if (addr_parse(slice_str(q->led_back), true, &q->to, &why) < 0)
			verdict = SRS_FORGED;
	}
	strbuf_fini(&back);
	if (verdict == SRS_MESSAGE) {
		id_text(q->message, id);
		snprintf(text, sizeof(text), "the sender of %s", id);
		q->led_back = arena_strdup(c->arena, text);
		*d = (struct decision){.verdict = VERDICT_ACCEPT,
		    .rule = RULE_SRS, .row.route_text = ""};
		return true;
	}
	return srs_refuses(verdict, d);
}

static void decide_outbound(struct cli *c, const struct lookup_query *q,
    struct decision *d)
{
	bool back = q->led_back != NULL;

	if (outbound_may(c->conf, &q->to, q->mail.right, back, d))
		outbound_take(c->conf, &q->to, back, d);
}

/* Only such mail could go back to the leg that it comes from. */
static bool by_table(const struct cli *c, const struct decision *d)
{
	const struct conf_leg *leg = d->route.kind == ROUTE_LEGS
		? conf_leg_by_id(c->conf, d->route.leg[0]) : NULL;

	return d->rule != RULE_RETURN && d->rule != RULE_SRS &&
	       (leg == NULL || !leg->egress);
}

static int decide(struct cli *c, struct lookup_query *q)
{
	struct table *t = cli_table(c);
	struct arena *a = arena_new();
	struct return_addr ret;
	struct decision d;
	struct error err = {0};
	int64_t now_us = clock_wall_us(&clock_system);
	bool reads = t != NULL && table_begin(t, &err) == 0;

	/* Without a table the server's answer is a decision too. */
	if (!lead_back(c, q, now_us, &d) &&
	    !return_addr_decide(c->conf, &q->to, now_us, &ret, &d))
		route_decide(c->conf, reads ? t : NULL, &q->to, a, &d);
	decide_outbound(c, q, &d);
	if (reads && q->mail.from_leg != NULL && by_table(c, &d))
		origin_decide(c->conf, t,
		    &(struct origin_mail){q->mail.from_leg->id, &q->to, now_us},
		    &d);
	explain_mail(c, &q->mail, &q->to, &d);
	if (c->json)
		put_decision(c, q, &d);
	else
		say_decision(c, q, &d);
	if (reads)
		table_end(t);
	table_close(t);
	arena_free(a);
	return reads ? CLI_DONE : CLI_NO;
}

static int run_explain(struct cli *c)
{
	struct lookup_query q;
	int code;

	if (cli_conf(c) == NULL)
		return CLI_NO;
	code = parse_question(c, &q);
	return code == CLI_DONE ? decide(c, &q) : code;
}

static const struct cli_option options[] = {
	{"from", "SENDER", "The sender; <> is the null sender."},
	{"client", "IP", "The client's address."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_explain[] = {
	{
	    .name = "explain",
	    .args = "ADDR",
	    .summary = "Says what would become of a recipient, and why, "
		       "without sending",
	    .details = "Where a leg would be asked whether it knows the "
		       "recipient (unknown = \"probe\"), it says so, and "
		       "asks nobody. With --from and --client the sender is "
		       "judged by SPF; with --from, mail to the outside by "
		       "the egress that it would take. The DNS is asked, by "
		       "the resolvers of the configuration, not the daemon.",
	    .example = "posthouse explain ann+news@example.com "
		       "--client 192.0.2.10",
	    .options = options,
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_explain,
	},
	{.name = NULL},
};
