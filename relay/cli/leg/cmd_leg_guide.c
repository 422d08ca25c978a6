/* SPDX-License-Identifier: ISC
 *
 * leg guide: what to set up at the platform of a leg, so that it believes what
 * `trust` says. From the configuration alone: nothing is asked or logged in to.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <time.h>

#include "relay/cli/leg/guide_steps.h"
#include "relay/cli/leg/leg_commands.h"
#include "relay/net/tls_look.h"

enum { TEXT_MAX = 16 << 10, NET_TEXT = INET6_ADDRSTRLEN + 4 };

/* By what a leg knows us. */
struct guide {
	struct cli *c;
	const struct conf_leg *leg;
	const struct tls_certificate *cert; /* NULL: it is shown none */
	unsigned facts;
	int steps; /* shown so far */
};

static const char *const trust_words[] = {[TRUST_NONE] = "none",
	[TRUST_ADDRESS] = "address", [TRUST_CERTIFICATE] = "certificate",
	[TRUST_SKIP_LISTING] = "skip-listing",
	[TRUST_INBOUND_GATEWAY] = "inbound-gateway"};

/* ---- what stands for what ---- */

static void net_text(const struct conf_net *n, char out[NET_TEXT])
{
	char ip[INET6_ADDRSTRLEN] = "";

	inet_ntop(n->family, n->addr, ip, sizeof(ip));
	if (n->bits == (n->family == AF_INET ? 32 : 128))
		snprintf(out, NET_TEXT, "%s", ip);
	else
		snprintf(out, NET_TEXT, "%s/%d", ip, n->bits);
}

/* Each with `quote` around it and `between` them. */
static void add_addresses(const struct guide *g, const char *between,
    const char *quote, struct strbuf *to)
{
	const struct conf_nets *seen = &g->leg->seen;
	char text[NET_TEXT];

	if (seen->count == 0)
		strbuf_addf(to, "%sOUR-ADDRESS%s", quote, quote);
	for (int i = 0; i < seen->count; i++) {
		net_text(&seen->net[i], text);
		strbuf_addf(to, "%s%s%s%s", i > 0 ? between : "", quote, text,
		    quote);
	}
}

/* As Postfix has them in a list: [2001:db8::]/32 */
static void add_for_postfix(const struct guide *g, struct strbuf *to)
{
	const struct conf_nets *seen = &g->leg->seen;
	char text[NET_TEXT];

	if (seen->count == 0)
		strbuf_adds(to, "OUR-ADDRESS");
	for (int i = 0; i < seen->count; i++) {
		bool v6 = seen->net[i].family == AF_INET6;
		struct slice ip, bits;

		net_text(&seen->net[i], text);
		ip = slice_str(text);
		bits = slice_from(ip, strcspn(text, "/"));
		ip.n -= bits.n;
		strbuf_addf(to, "%s%s%.*s%s%s", i > 0 ? ", " : "",
		    v6 ? "[" : "", (int)ip.n, ip.p, v6 ? "]" : "", bits.p);
	}
}

/* As Postfix writes it: AB:CD: … */
static void add_fingerprint(const struct guide *g, struct strbuf *to)
{
	const char *hex = g->cert == NULL ? "" : g->cert->fingerprint;

	for (size_t i = 0; hex[i] != '\0'; i++) {
		if (i > 0 && i % 2 == 0)
			strbuf_addc(to, ':');
		strbuf_addc(to, hex[i] < 'a' ? hex[i] :
					       (char)(hex[i] - 'a' + 'A'));
	}
}

/* The first name that it is for, else its subject. */
static const char *cert_name(const struct guide *g)
{
	if (g->cert == NULL)
		return "";
	return g->cert->names > 0 ? g->cert->name[0] : g->cert->subject;
}

static bool add_value(const struct guide *g, struct slice word,
    struct strbuf *to)
{
	if (slice_eq(word, SLICE("leg")))
		strbuf_adds(to, g->leg->name);
	else if (slice_eq(word, SLICE("addresses")))
		add_addresses(g, ", ", "", to);
	else if (slice_eq(word, SLICE("list")))
		add_addresses(g, ",", "", to);
	else if (slice_eq(word, SLICE("spaced")))
		add_addresses(g, " ", "", to);
	else if (slice_eq(word, SLICE("quoted")))
		add_addresses(g, ", ", "\"", to);
	else if (slice_eq(word, SLICE("postfix")))
		add_for_postfix(g, to);
	else if (slice_eq(word, SLICE("name")))
		strbuf_adds(to, cert_name(g));
	else if (slice_eq(word, SLICE("fingerprint")))
		add_fingerprint(g, to);
	else if (slice_eq(word, SLICE("id")))
		strbuf_adds(to, g->c->conf->spf.authserv_id);
	else
		return false;
	return true;
}

/* `text` with each {word}; {address} is `address`. Other braces stay. */
static void fill(const struct guide *g, struct slice text,
    const char *address, struct strbuf *to)
{
	while (text.n > 0) {
		long end = text.p[0] == '{' ? slice_find(text, '}') : -1;
		struct slice word = slice_of(text.p + 1,
		    end < 1 ? 0 : (size_t)end - 1);

		if (end > 0 && slice_eq(word, SLICE("address"))) {
			strbuf_adds(to, address);
		} else if (end < 0 || !add_value(g, word, to)) {
			strbuf_addc(to, text.p[0]);
			end = 0;
		}
		text = slice_from(text, (size_t)end + 1);
	}
}

static void fill_line(const struct guide *g, struct slice line,
    struct strbuf *to)
{
	const struct conf_nets *seen = &g->leg->seen;
	char address[NET_TEXT] = "OUR-ADDRESS";
	bool each = memmem(line.p, line.n, "{address}", 9) != NULL;

	for (int i = 0; i == 0 || (each && i < seen->count); i++) {
		if (i < seen->count)
			net_text(&seen->net[i], address);
		if (to->n > 0)
			strbuf_addc(to, '\n');
		fill(g, line, address, to);
	}
}

static void fill_command(const struct guide *g, const char *command,
    struct strbuf *to)
{
	struct slice left = slice_str(command == NULL ? "" : command);

	while (left.n > 0) {
		long end = slice_find(left, '\n');
		size_t n = end < 0 ? left.n : (size_t)end;

		fill_line(g, slice_of(left.p, n), to);
		left = slice_from(left, end < 0 ? n : n + 1);
	}
}

/* ---- what is shown ---- */

static const struct out_column none[] = {{NULL, NULL, false}};

static struct jout *row(struct guide *g, const char *kind)
{
	struct jout *j;

	out_table(&g->c->out, none);
	j = out_row(&g->c->out);
	jout_str(j, "leg", g->leg->name);
	jout_str(j, "profile", g->leg->profile);
	jout_str(j, "trust", trust_words[g->leg->trust]);
	jout_str(j, "kind", kind);
	return j;
}

static void show_us(struct guide *g, const char *name, const char *value)
{
	struct jout *j;

	if (!g->c->json) {
		out_say(&g->c->out, "  %-20s %s", name, value);
		return;
	}
	j = row(g, "us");
	jout_str(j, "name", name);
	jout_str(j, "value", value);
	out_row_end(&g->c->out);
	out_end(&g->c->out);
}

static void say_lines(struct guide *g, const char *text)
{
	struct slice left = slice_str(text);

	while (left.n > 0) {
		long end = slice_find(left, '\n');
		size_t n = end < 0 ? left.n : (size_t)end;

		out_say(&g->c->out, "       %.*s", (int)n, left.p);
		left = slice_from(left, end < 0 ? n : n + 1);
	}
}

/* In lines of about 75 columns. */
static void say_wrapped(struct guide *g, const char *text)
{
	enum { WIDTH = 71 };
	struct slice left = slice_str(text);

	while (left.n > 0) {
		size_t n = left.n, next;

		if (n > WIDTH) {
			n = WIDTH;
			while (n > 0 && left.p[n] != ' ')
				n--;
			if (n == 0)
				n = WIDTH;
		}
		out_say(&g->c->out, "    %.*s", (int)n, left.p);
		next = n < left.n && left.p[n] == ' ' ? n + 1 : n;
		left = slice_from(left, next);
	}
}

static void show_step(struct guide *g, const struct guide_step *s)
{
	struct strbuf place, action, command;
	struct jout *j;

	strbuf_init(&place, TEXT_MAX);
	strbuf_init(&action, TEXT_MAX);
	strbuf_init(&command, TEXT_MAX);
	fill(g, slice_str(s->place), "", &place);
	fill(g, slice_str(s->action), "", &action);
	fill_command(g, s->command, &command);
	g->steps++;
	if (g->c->json) {
		j = row(g, "step");
		jout_int(j, "number", g->steps);
		jout_str(j, "place", strbuf_cstr(&place));
		jout_str(j, "action", strbuf_cstr(&action));
		jout_str(j, "command", strbuf_cstr(&command));
		out_row_end(&g->c->out);
		out_end(&g->c->out);
	} else {
		out_say(&g->c->out, "%s", "");
		out_say(&g->c->out, "%2d. %s", g->steps, strbuf_cstr(&place));
		say_wrapped(g, strbuf_cstr(&action));
		say_lines(g, strbuf_cstr(&command));
	}
	strbuf_fini(&command);
	strbuf_fini(&action);
	strbuf_fini(&place);
}

static void show_certificate(struct guide *g)
{
	const struct tls_certificate *cert = g->cert;
	time_t until = (time_t)cert->until_s;
	struct strbuf names;
	char day[32];
	struct tm tm;

	strbuf_init(&names, TEXT_MAX);
	for (int i = 0; i < cert->names; i++)
		strbuf_addf(&names, "%s%s", i > 0 ? ", " : "", cert->name[i]);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&until, &tm));
	show_us(g, "certificate", cert->subject);
	show_us(g, "certificate names", strbuf_cstr(&names));
	show_us(g, "certificate SHA-256", cert->fingerprint);
	show_us(g, "certificate ends", day);
	strbuf_fini(&names);
}

static void show(struct guide *g)
{
	const struct conf *c = g->c->conf;
	struct strbuf addresses;

	strbuf_init(&addresses, TEXT_MAX);
	add_addresses(g, ", ", "", &addresses);
	out_say(&g->c->out, "leg %s: profile %s, trust %s. It knows us by:",
	    g->leg->name, g->leg->profile, trust_words[g->leg->trust]);
	show_us(g, "addresses", strbuf_cstr(&addresses));
	show_us(g, "EHLO", g->leg->helo[0] != '\0' ? g->leg->helo :
						     c->hostname);
	if (g->cert != NULL)
		show_certificate(g);
	strbuf_fini(&addresses);
	for (const struct guide_step *s = guide_steps(g->leg->profile);
	     s->trust != 0; s++)
		if ((s->trust & 1U << g->leg->trust) != 0 &&
		    (s->facts & ~g->facts) == 0 && (s->lacks & g->facts) == 0)
			show_step(g, s);
}

static unsigned facts_of(const struct guide *g)
{
	const struct conf_leg *l = g->leg;
	unsigned facts = l->seen.count == 0 ? FACT_NO_ADDRESS : 0;

	for (int i = 0; i < l->seen.count; i++)
		if (l->seen.net[i].family == AF_INET6)
			facts |= FACT_IPV6;
	if (l->xclient)
		facts |= FACT_XCLIENT;
	if (g->cert != NULL)
		facts |= FACT_CERTIFICATE;
	if (l->rewrite_sender != REWRITE_NEVER)
		facts |= FACT_REWRITES;
	if (l->copy_return == RETURN_NOTIFY)
		facts |= FACT_NOTIFY;
	return facts;
}

static int run_guide(struct cli *c)
{
	struct guide g = {.c = c};
	struct tls_certificate cert;
	struct error err;

	if (cli_conf(c) == NULL)
		return CLI_NO;
	g.leg = conf_leg_by_name(c->conf, slice_str(c->arg[0]));
	if (g.leg == NULL)
		return cli_fail(c, "no leg is called \"%s\"; see "
				   "`posthouse leg list`", c->arg[0]);
	if (g.leg->egress)
		return cli_fail(c, "%s is an egress; what its receivers need "
				   "is in the DNS: see `posthoused -t --dns` "
				   "and `posthouse spf egress DOMAIN`",
		    c->arg[0]);
	if (g.leg->certificate[0] != '\0') {
		if (tls_certificate_file(g.leg->certificate, c->arena, &cert,
			&err) != 0)
			return cli_fail(c, "%s", err.text);
		g.cert = &cert;
	}
	g.facts = facts_of(&g);
	show(&g);
	return CLI_DONE;
}

const struct cli_command cmd_leg_guide[] = {
	{.name = "leg guide",
	    .args = "NAME",
	    .summary = "Says what to set up at the platform of a leg",
	    .details = "By the leg's profile and trust: connectors, filters, "
		       "gateway lists and configuration lines, with our "
		       "addresses (public_address, else a public source) and "
		       "our certificate filled in. It is read from the "
		       "configuration; the daemon is not needed, nothing is "
		       "asked, and nothing is logged in to. With --json, rows "
		       "of kind us (name, value) and step (number, place, "
		       "action, command).",
	    .example = "posthouse leg guide cloud",
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_guide},
	{.name = NULL},
};
