/* SPDX-License-Identifier: ISC
 *
 * spf forecast: how last week's mail fares at each leg that asks for DMARC.
 */
#include <errno.h>

#include "relay/audit/delivered/spf_ledger.h"
#include "relay/base/clock.h"
#include "relay/cli/spf/spf_commands.h"

enum { DAYS = 7, TOP = 20, CELL = 32 };

struct forecasting {
	struct cli *c;
	const char *leg; /* this one alone; NULL: each */
	struct spf_ledger *ledger;
	int64_t day;
	/* The leg whose rows come. */
	char name[256];
	uint64_t n[SPF_SHARES];
	unsigned shown; /* senders of it */
	bool any;
};

static const struct out_column leg_columns[] = {
	{"leg", "LEG", false},
	{"messages", "MESSAGES", true},
	{"share.by_spf", "BY SPF", true},
	{"share.by_signature", "BY SIGNATURE", true},
	{"share.fail_none", "FAIL, NONE", true},
	{"share.fail_quarantine", "QUARANTINE", true},
	{"share.fail_reject", "REJECT", true},
	{"share.unclear", "UNCLEAR", true},
	{NULL, NULL, false},
};

static const struct out_column sender_columns[] = {
	{"leg", "LEG", false},
	{"domain", "FROM", false},
	{"messages", "MESSAGES", true},
	{"by_spf", "BY SPF", true},
	{"by_signature", "BY SIGNATURE", true},
	{"fail_none", "FAIL, NONE", true},
	{"fail_quarantine", "QUARANTINE", true},
	{"fail_reject", "REJECT", true},
	{"unclear", "UNCLEAR", true},
	{NULL, NULL, false},
};

static uint64_t sum(const uint64_t n[SPF_SHARES])
{
	uint64_t all = 0;

	for (int i = 0; i < SPF_SHARES; i++)
		all += n[i];
	return all;
}

static void put_counts(struct jout *j, const uint64_t n[SPF_SHARES])
{
	jout_int(j, "messages", (int64_t)sum(n));
	for (int i = 0; i < SPF_SHARES; i++)
		jout_int(j, spf_share_name((enum spf_share)i), (int64_t)n[i]);
}

/* ---- a leg --------------------------------------------------------------- */

/* "62.5%": rounded down, so that all of it is never said of less. */
static void put_shares(struct jout *j, const uint64_t n[SPF_SHARES])
{
	uint64_t all = sum(n);
	char cell[CELL];

	jout_object(j, "share");
	for (int i = 0; i < SPF_SHARES; i++) {
		uint64_t tenths = n[i] * 1000 / all;

		snprintf(cell, sizeof(cell), "%llu.%llu%%",
		    (unsigned long long)tenths / 10,
		    (unsigned long long)tenths % 10);
		jout_str(j, spf_share_name((enum spf_share)i), cell);
	}
	jout_object_end(j);
}

static void end_leg(struct forecasting *f)
{
	struct jout *j;

	if (sum(f->n) == 0)
		return;
	j = out_row(&f->c->out);
	jout_str(j, "kind", "leg");
	jout_str(j, "leg", f->name);
	put_counts(j, f->n);
	put_shares(j, f->n);
	out_row_end(&f->c->out);
	memset(f->n, 0, sizeof(f->n));
	f->any = true;
}

static bool is_wanted(const struct forecasting *f, const char *leg)
{
	return f->leg == NULL || strcmp(f->leg, leg) == 0;
}

static void add_row(void *arg, const struct spf_forecast *row)
{
	struct forecasting *f = arg;

	if (!is_wanted(f, row->leg))
		return;
	if (strcmp(f->name, row->leg) != 0) {
		end_leg(f);
		snprintf(f->name, sizeof(f->name), "%s", row->leg);
	}
	for (int i = 0; i < SPF_SHARES; i++)
		f->n[i] += row->n[i];
}

/* ---- senders ------------------------------------------------------------- */

static void put_sender(void *arg, const struct spf_forecast *row)
{
	struct forecasting *f = arg;
	struct jout *j;

	if (!is_wanted(f, row->leg))
		return;
	if (strcmp(f->name, row->leg) != 0) {
		f->shown = 0;
		snprintf(f->name, sizeof(f->name), "%s", row->leg);
	}
	if (f->shown++ >= TOP)
		return;
	j = out_row(&f->c->out);
	jout_str(j, "kind", "sender");
	jout_str(j, "leg", row->leg);
	jout_str(j, "domain", row->domain[0] != '\0' ? row->domain
		: f->c->json ? NULL : "(others)");
	put_counts(j, row->n);
	out_row_end(&f->c->out);
}

/* ---- the command --------------------------------------------------------- */

static int show_rows(struct forecasting *f, const struct out_column *columns,
    void (*each)(void *arg, const struct spf_forecast *row))
{
	int rc;

	f->name[0] = '\0';
	out_table(&f->c->out, columns);
	rc = spf_ledger_forecast(f->ledger, f->day, each, f);
	end_leg(f);
	out_end(&f->c->out);
	return rc == 0 ? CLI_DONE : cli_fail(f->c, "ledger.db: %s",
		    spf_ledger_error(f->ledger));
}

static void put_total(struct forecasting *f, int64_t since_us)
{
	static const struct out_column none[] = {{NULL, NULL, false}};
	char since[CLOCK_RFC3339_MAX];
	struct jout *j;

	clock_rfc3339(since_us, since);
	out_table(&f->c->out, none);
	j = out_row(&f->c->out);
	jout_str(j, "kind", "total");
	jout_int(j, "days", DAYS);
	jout_str(j, "since", since_us == 0 ? NULL : since);
	jout_bool(j, "signatures_verified", false);
	out_row_end(&f->c->out);
	out_end(&f->c->out);
}

static void say_total(struct forecasting *f, int64_t since_us)
{
	char since[CLOCK_LOCAL_MAX];

	clock_local(since_us, since);
	if (since_us == 0) {
		out_say(&f->c->out, "nothing was counted yet");
		return;
	}
	if (!f->any)
		out_say(&f->c->out, "no mail was counted in %d days", DAYS);
	out_say(&f->c->out, "%d days, counted since %s; signatures were seen, "
	    "not verified", DAYS, since);
}

static int show(struct forecasting *f)
{
	int64_t since_us = spf_ledger_since(f->ledger);
	int code = show_rows(f, leg_columns, add_row);

	if (code == CLI_DONE && f->any) {
		out_say(&f->c->out, "%s", "");
		code = show_rows(f, sender_columns, put_sender);
	}
	if (code != CLI_DONE)
		return code;
	if (f->c->json)
		put_total(f, since_us);
	else
		say_total(f, since_us);
	return CLI_DONE;
}

static int run_forecast(struct cli *c)
{
	struct forecasting f = {.c = c, .leg = cli_value(c, "leg"),
	    .day = clock_wall_us(&clock_system) / DAY_US - DAYS + 1};
	struct error err;
	int code;

	if (cli_conf(c) == NULL)
		return CLI_NO;
	if (f.leg != NULL &&
	    conf_leg_by_name(c->conf, slice_str(f.leg)) == NULL)
		return cli_fail(c, "there is no leg \"%s\" in the "
				   "configuration", f.leg);
	f.ledger = spf_ledger_open(c->conf->audit.path, &err);
	if (f.ledger == NULL)
		return cli_fail(c, "%s", err.text);
	code = show(&f);
	spf_ledger_close(f.ledger);
	return code;
}

static const struct cli_option options[] = {
	{"leg", "LEG", "Mail to this leg alone."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_spf_forecast[] = {
	{.name = "spf forecast",
	    .args = "",
	    .summary = "Says how mail would fare by DMARC at each leg",
	    .details =
		"Of the messages that were delivered in the last seven days "
		"to recipients with a row, and whose SPF was not fail: the "
		"share that passes DMARC at the leg by SPF (of the true "
		"client where the leg looks through us, else of our address), "
		"the share that rests on a signature, and the share that "
		"would fail, by the policy of the From domain (none: no "
		"record, too). Signatures were seen, not verified. Unclear "
		"are messages without one clear From, and those of which the "
		"DNS said nothing. Then the senders with the most messages, "
		"20 a leg. Counted in ledger.db, which says since when; the "
		"daemon is not needed.",
	    .example = "posthouse spf forecast --leg cloud",
	    .options = options,
	    .min_args = 0,
	    .max_args = 0,
	    .run = run_forecast},
	{.name = NULL},
};
