/* SPDX-License-Identifier: ISC
 *
 * While the world is calm: mail does not wait for anything. And at the end:
 * the audit index counts what the journal holds.
 */
#include "tests/sim/sim_recount.h"

#include <jansson.h>
#include <stdio.h>

#include "relay/base/mem.h"
#include "relay/base/strbuf.h"
#include "relay/daemon/app.h"
#include "tests/sim/sim_admin.h"
#include "tests/sim/sim_leg.h"
#include "tests/sim/sim_recount_int.h"
#include "tests/sim/sim_task.h"
#include "tests/sim/sim_trace.h"

#define S_US INT64_C(1000000)
/* So long a leg must have been up for all old trouble to be over, and so long
 * a new mail may take then. */
enum { CALM_S = 240, SOON_S = 30, ROWS_MAX = 1 << 20 };

/* ---- D2 ---- */

static bool is_calm(int leg, int64_t since_us)
{
	int64_t now = sim_now_us();

	/* The effects of a trouble may delay a new mail for a while. */
	return witness_calm_since() < since_us - CALM_S * S_US &&
	       witness_leg_calm_since(leg) < since_us - CALM_S * S_US &&
	       since_us < now - SOON_S * S_US;
}

/* Waits for its leg, though nothing is in the way? */
static void check_soon(const struct read_message *m,
    const struct read_delivery *d)
{
	const struct witness_mail *mail = m->mail;
	int user = d->d.rcpt < MAIL_RCPTS ? m->user[d->d.rcpt] : -1;
	struct witness_route route;

	if (d->leg < 0 || d->d.state != D_QUEUED || d->d.attempts > 0 ||
	    mail->promise != PROMISE_TAKEN || user < 0 || d->by_admin ||
	    !is_calm(d->leg, mail->answered_us) ||
	    !witness_route_since(user, mail->answered_us - SOON_S * S_US,
		&route) || route.held)
		return;
	if (route.leg[0] == d->leg || route.leg[1] == d->leg)
		sim_fail("mail %u for u%d waits for %s, which is up (D2)",
		    mail->tag, user, leg_name(d->leg));
}

void recount_check_calm(void)
{
	const struct read_message *m;

	if (!daemon_up() || recount_blind())
		return;
	for (unsigned i = 0; (m = recount_message(i)) != NULL; i++)
		for (unsigned k = 0; m->mail != NULL && k < m->n; k++)
			check_soon(m, &m->d[k]);
}

/* ---- A1, A2 ---- */

static void check_row(const char *line)
{
	json_t *row = json_loads(line, 0, NULL);
	const char *leg = json_string_value(json_object_get(row, "counted"));
	const json_t *journal = json_object_get(row, "journal"), *value;
	const char *key;

	if (row == NULL)
		sim_fail("no JSON: %s", line);
	if (json_integer_value(json_object_get(row, "gap")) != 0 ||
	    json_object_get(row, "lost") != NULL)
		sim_fail("the audit index does not add up: %s", line);
	json_object_foreach((json_t *)journal, key, value)
		if (!json_equal(value, json_object_get(row, key)))
			sim_fail("index and journal differ: %s", line);
	if (json_integer_value(json_object_get(row, "missing_deliveries")) != 0)
		sim_fail("the journal lost deliveries: %s", line);
	trace_line("audit of %s: %s", leg == NULL ? "all" : leg, line);
	json_decref(row);
}

/* Compares the counts of the records read with the writer's totals. */
static void check_totals(void)
{
	uint64_t mine[NAMES_MAX][TOTALS] = {{0}};
	struct spool_stats *st = NEW(struct spool_stats);
	const struct read_message *m;

	for (unsigned i = 0; (m = recount_message(i)) != NULL; i++)
		for (unsigned k = 0; k < m->n; k++) {
			const struct spool_delivery *d = &m->d[k].d;

			mine[d->leg][T_CREATED]++;
			mine[d->leg][dstate_total((enum dstate)d->state)]++;
		}
	spool_stats(daemon_app()->shared.spool, st);
	for (int leg = 0; leg < names_count(daemon_app()->shared.names); leg++)
		for (int t = 0; t < TOTALS; t++)
			if (mine[leg][t] != st->leg[leg].total[t])
				sim_fail("%s: %s is %u in the journal, and "
				    "the writer says %u (A2)",
				    names_text(daemon_app()->shared.names, leg),
				    total_text((enum total)t),
				    (unsigned)mine[leg][t],
				    (unsigned)st->leg[leg].total[t]);
	mem_free(st);
}

void audit_check(void)
{
	struct slice rest, line;
	struct strbuf rows;

	if (recount_blind())
		return;
	check_totals();
	strbuf_init(&rows, ROWS_MAX);
	if (sim_ctl("audit.count", NULL, &rows) != 0)
		sim_fail("audit.count failed");
	rest = strbuf_view(&rows);
	while (rest.n > 0 && slice_next(&rest, '\n', &line)) {
		char text[2000];

		snprintf(text, sizeof(text), "%.*s", (int)line.n, line.p);
		if (line.n > 0)
			check_row(text);
	}
	strbuf_fini(&rows);
	for (int i = 0; i < names_count(daemon_app()->shared.names); i++)
		if (ledger_used(daemon_app()->shared.ledger, i) != 0)
			sim_fail("%s: %d slots are taken, and nothing is sent",
			    names_text(daemon_app()->shared.names, i),
			    ledger_used(daemon_app()->shared.ledger, i));
}
