/* SPDX-License-Identifier: ISC
 *
 * audit verify beside a running daemon: it says how far the journal is
 * synced, and the count waits until the index is there. Members of the
 * control socket's group may not read the index: the daemon counts for them.
 */
#include <errno.h>
#include <poll.h>

#include "relay/base/clock.h"
#include "relay/base/id.h"
#include "relay/base/mem.h"
#include "relay/cli/audit/verify.h"
#include "relay/cli/common/json_get.h"

/* Once it has begun an hour file, the index is some 200 ms behind. */
enum { LOOK_AGAIN_MS = 50 };

static struct spool_pos place_of(json_t *row)
{
	return (struct spool_pos){(uint64_t)json_number(row, "generation"),
	    (uint64_t)json_number(row, "offset")};
}

static json_t *place_args(struct spool_pos at)
{
	return json_pack("{s:I,s:I}", "generation", (json_int_t)at.generation,
	    "offset", (json_int_t)at.offset);
}

/* ---- the daemon's recount ---------------------------------------------- */

static void take_totals(const json_t *from, int64_t total_out[TOTALS])
{
	for (int t = 0; t < TOTALS; t++)
		total_out[t] = json_number(from, total_text((enum total)t));
}

static void take_leg(struct verifying *v, const char *leg, json_t *row)
{
	int id = names_id(v->c->names, slice_str(leg));
	struct conserve_leg *l;

	if (id < 0)
		return;
	l = &v->count.leg[id];
	take_totals(row, l->total);
	take_totals(json_object_get(row, "journal"), l->journal);
	l->rows = json_number(row, "rows");
	l->gap = json_number(row, "gap");
}

static void take_sums(struct verifying *v, json_t *row)
{
	struct conserve *n = &v->count;

	n->reached = json_is_true(json_object_get(row, "reached"));
	n->known = json_is_true(json_object_get(row, "known"));
	n->at = place_of(row);
	n->messages = (uint64_t)json_number(row, "messages");
	n->recipients = (uint64_t)json_number(row, "recipients");
	n->skipped = (uint64_t)json_number(row, "skipped");
	n->lost = (uint64_t)json_number(row, "lost_recipients");
	n->missing = (uint64_t)json_number(row, "missing_deliveries");
}

static void on_counted(void *arg, json_t *row)
{
	struct verifying *v = arg;
	const char *leg = json_text(row, "counted");
	const char *lost = json_text(row, "lost");
	const char *missing = json_text(row, "missing");
	struct conserve_missing m = {.to = json_text(row, "to"),
	    .from = json_text(row, "from"), .leg = json_text(row, "leg")};

	if (leg[0] != '\0')
		take_leg(v, leg, row);
	else if (id_parse(slice_str(lost), &m.id) == 0)
		verify_on_lost(v, m.id, m.to);
	else if (id_parse(slice_str(missing), &m.id) == 0)
		verify_on_missing(v, &m);
	else
		take_sums(v, row);
}

/* ---- the wait ---------------------------------------------------------- */

static int count_once(struct verifying *v, struct spool_pos want)
{
	struct error err;
	int code;

	verify_reset(v, want);
	if (conserve_run(v->conf->audit.path, v->c->names, &v->count, &err) ==
	    0)
		return CLI_DONE;
	if (err.no != EACCES)
		return cli_fail(v->c, "%s", err.text);
	verify_reset(v, want);
	code = cli_call_if_running(v->c, "audit.count", place_args(want),
	    on_counted, v);
	return code == CLI_NO_DAEMON ? cli_fail(v->c, "%s", err.text) : code;
}

static int64_t now_ms(void)
{
	return clock_mono_ms(&clock_system);
}

static int wait_for_index(struct verifying *v, struct spool_pos want)
{
	int64_t until = now_ms() + v->wait_ms;
	int code = count_once(v, want);

	progress_begin(&v->c->bar, "", 0);
	while (code == CLI_DONE && !v->count.reached && now_ms() < until) {
		progress_phase(&v->c->bar, "waiting for the index");
		poll(NULL, 0, LOOK_AGAIN_MS);
		code = count_once(v, want);
	}
	progress_end(&v->c->bar);
	return code;
}

static void on_position(void *arg, json_t *row)
{
	*(struct spool_pos *)arg = place_of(row);
}

static void on_behind(void *arg, json_t *row)
{
	*(uint64_t *)arg = (uint64_t)json_number(row, "records");
}

/* Counts what the index has by now, and how much it does not have yet. */
static int count_late(struct verifying *v)
{
	struct spool_pos any = {0};
	int code = cli_call_if_running(v->c, "audit.behind",
	    place_args(v->count.at), on_behind, &v->behind);

	v->late = true;
	return code == CLI_DONE ? count_once(v, any) : code;
}

int verify_with_daemon(struct verifying *v)
{
	struct spool_pos want = {0};
	int code = cli_call_if_running(v->c, "audit.position", NULL,
	    on_position, &want);

	if (code != CLI_DONE)
		return code;
	v->daemon = true;
	code = wait_for_index(v, want);
	if (code == CLI_DONE && !v->count.reached)
		code = count_late(v);
	return code;
}
