/* SPDX-License-Identifier: ISC
 *
 * Asks before a change of the table is made: when it moves more than a
 * thousand rows (on a terminal; a script knows what it does), and, terminal
 * or not, when it deletes what the command line does not name, or moves
 * addresses of several customers that one expression selected.
 */
#include "relay/cli/table/cli_agree.h"

#include <inttypes.h>
#include <unistd.h>

#include "policy/row.h"
#include "relay/cli/common/human.h"
#include "relay/cli/table/cli_change.h"

enum { CUSTOMERS_NAMED = 5 };

struct customers_met {
	const struct conf *conf;
	const char *customer[CUSTOMERS_NAMED + 1]; /* those that were met */
	int customers;
};

static void see(void *arg, struct slice key, const struct table_value *before,
    const struct table_value *after)
{
	struct customers_met *s = arg;
	const struct conf_domain *d = conf_domain(s->conf, row_domain(key));
	const char *name = d == NULL ? "" : d->customer;

	(void)before;
	(void)after;
	for (int i = 0; i < s->customers; i++)
		if (strcmp(s->customer[i], name) == 0)
			return;
	if (s->customers <= CUSTOMERS_NAMED)
		s->customer[s->customers++] = name;
}

static void add_count(struct strbuf *out, uint64_t n, const char *what)
{
	if (n == 0)
		return;
	strbuf_adds(out, out->n == 0 ? "" : ", ");
	human_count((int64_t)n, out);
	strbuf_addf(out, " %s", what);
}

static void add_customers(struct strbuf *out, const struct customers_met *s)
{
	if (s->customers < 2)
		return;
	strbuf_addf(out, "; of the customers ");
	for (int i = 0; i < s->customers && i < CUSTOMERS_NAMED; i++)
		strbuf_addf(out, "%s%s", i == 0 ? "" : ", ",
		    s->customer[i][0] == '\0' ? "(none)" : s->customer[i]);
	if (s->customers > CUSTOMERS_NAMED)
		strbuf_adds(out, " and others");
}

/* "This changes 1,200 rows: 1,000 altered, 200 deleted. Go on?" */
static bool ask(struct cli *c, const struct change_done *done,
    const struct customers_met *s)
{
	struct strbuf parts, question;
	bool yes;

	strbuf_init(&parts, 400);
	strbuf_init(&question, 1000);
	add_count(&parts, done->made, "made");
	add_count(&parts, done->recipients - done->made - done->deleted,
	    "altered");
	add_count(&parts, done->deleted, "deleted");
	strbuf_adds(&question, "This changes ");
	human_count((int64_t)done->recipients, &question);
	strbuf_addf(&question, " row%s: %s", done->recipients == 1 ? "" : "s",
	    strbuf_cstr(&parts));
	add_customers(&question, s);
	if (done->defaults > 0)
		strbuf_addf(&question, "; %" PRIu64 " of the deleted %s of a "
		    "domain: without it recipients that have no row of their "
		    "own have no route", done->defaults,
		    done->defaults == 1 ? "is the row" : "are rows");
	strbuf_adds(&question, ". Go on?");
	yes = cli_confirm(c, strbuf_cstr(&question));
	strbuf_fini(&question);
	strbuf_fini(&parts);
	return yes;
}

/* Several customers by one tag or expression: --customer or --yes says that
 * it is meant. Beside addresses or a file, --tag is a value that is set. */
static bool spans(const struct cli *c, const struct customers_met *s)
{
	return s->customers > 1 && c->args < 2 && !cli_flag(c, "file") &&
	       (cli_flag(c, "tag") || cli_flag(c, "where"));
}

static bool has_customers(const struct conf *c)
{
	for (int i = 0; i < c->domains; i++)
		if (c->domain[i].customer[0] != '\0')
			return true;
	return false;
}

int cli_agree(struct cli *c, struct change *ch, const struct change_how *how)
{
	bool terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	bool customers = has_customers(c->conf);
	struct customers_met s = {.conf = c->conf};
	const struct change_show show = {see, &s};
	struct change_done done;
	struct error err = {0};

	if (cli_flag(c, "yes") ||
	    (!terminal && !how->replace && how->undo == 0 && !customers))
		return CLI_DONE;
	if (change_preview(ch, how, customers ? &show : NULL, &done, &err) < 0)
		return cli_change_fail(c, ch, &err);
	if (!(terminal && done.recipients > CLI_ASK_ABOVE) && !spans(c, &s) &&
	    !(how->replace && done.deleted > 0) &&
	    !(how->undo != 0 && done.defaults > 0))
		return CLI_DONE;
	progress_clear(&c->bar);
	if (ask(c, &done, &s))
		return CLI_DONE;
	return cli_fail(c, "nothing was changed");
}
