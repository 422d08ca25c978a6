/* SPDX-License-Identifier: ISC
 *
 * audit verify: recounts the deliveries of each leg from the index, and
 * compares with what the daemon counted in journal order, when it runs.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>

#include "relay/audit/conserve.h"
#include "relay/base/id.h"
#include "relay/base/mem.h"
#include "relay/cli/audit/audit_commands.h"
#include "relay/cli/common/json_get.h"
#include "relay/ops/ctl.h"

/* The index is a fraction of a second behind the daemon. */
enum { TRIES = 8, BEHIND_MS = 250 };

static const struct out_column columns[] = {
	{"leg", "LEG", false},	       {"created", "CREATED", true},
	{"delivered", "DELIVERED", true}, {"open", "OPEN", true},
	{"parked", "PARKED", true},    {"bounced", "BOUNCED", true},
	{"superseded", "SUPERSEDED", true}, {"deleted", "DELETED", true},
	{"gap", "GAP", true},	       {NULL, NULL, false},
};

struct verifying {
	struct cli *c;
	struct conserve count;
	struct conserve_leg daemon[NAMES_MAX];
	bool has[NAMES_MAX]; /* the daemon named this leg */
	bool tell;	     /* name what is lost         */
};

static void on_lost(void *arg, uint64_t id, const char *to)
{
	struct verifying *v = arg;
	char text[ID_TEXT];

	if (!v->tell)
		return;
	id_text(id, text);
	cli_fail(v->c, "%s to %s: no delivery stands", text, to);
}

static void on_status(void *arg, json_t *row)
{
	struct verifying *v = arg;
	const char *section =
	    json_string_value(json_object_get(row, "section"));
	const char *leg = json_string_value(json_object_get(row, "leg"));
	int id;

	if (section == NULL || leg == NULL || strcmp(section, "leg") != 0)
		return;
	id = names_id(v->c->names, slice_str(leg));
	if (id < 0)
		return;
	v->has[id] = true;
	for (int t = 0; t < TOTALS; t++)
		v->daemon[id].total[t] = json_integer_value(
		    json_object_get(row, total_text((enum total)t)));
	v->daemon[id].gap = json_integer_value(json_object_get(row, "gap"));
}

/* Open and parked must agree; flows of long ago the index may no longer
 * keep. */
static bool agrees(const struct verifying *v, int leg)
{
	const int64_t *have = v->count.leg[leg].total;
	const int64_t *want = v->daemon[leg].total;

	return !v->has[leg] || (v->daemon[leg].gap == 0 &&
				   have[T_OPEN] == want[T_OPEN] &&
				   have[T_PARKED] == want[T_PARKED]);
}

static bool all_agree(const struct verifying *v)
{
	for (int i = 0; i < names_count(v->c->names); i++)
		if (!agrees(v, i))
			return false;
	return true;
}

/* A row of the daemon's recount: a leg, a lost recipient, or the sums. */
static void on_counted(void *arg, json_t *row)
{
	struct verifying *v = arg;
	const char *leg = json_string_value(json_object_get(row, "leg"));
	const char *lost = json_string_value(json_object_get(row, "lost"));
	const char *to = json_string_value(json_object_get(row, "to"));
	int id = leg == NULL ? -1 : names_id(v->c->names, slice_str(leg));
	uint64_t message;

	if (id >= 0) {
		for (int t = 0; t < TOTALS; t++)
			v->count.leg[id].total[t] =
			    json_number(row, total_text((enum total)t));
		v->count.leg[id].gap = json_number(row, "gap");
	} else if (lost != NULL && to != NULL) {
		v->count.lost++;
		if (id_parse(slice_str(lost), &message) == 0)
			on_lost(v, message, to);
	} else {
		v->count.messages = (uint64_t)json_number(row, "messages");
		v->count.recipients = (uint64_t)json_number(row, "recipients");
		v->count.skipped = (uint64_t)json_number(row, "skipped");
	}
}

/* Members of the group may not read the index: the daemon counts for them. */
static int count_once(struct verifying *v, const struct conf *conf)
{
	struct error err;
	int code;

	memset(&v->count, 0, sizeof(v->count));
	v->count.on_lost = on_lost;
	v->count.arg = v;
	if (conserve_run(conf->audit.path, v->c->names, &v->count, &err) == 0)
		return CLI_DONE;
	if (err.no != EACCES)
		return cli_fail(v->c, "%s", err.text);
	memset(&v->count, 0, sizeof(v->count));
	code = cli_call_if_running(v->c, "audit.count", NULL, on_counted, v);
	return code == CLI_NO_DAEMON ? cli_fail(v->c, "%s", err.text) : code;
}

/* Mail may flow meanwhile: a difference counts when it stays. */
static int compare(struct verifying *v, const struct conf *conf, bool *ran_out)
{
	const struct ctl_question q = {conf->control.socket, "status", NULL,
	    on_status, v, NULL};
	struct error err;
	int code = CLI_DONE;

	*ran_out = false;
	for (int i = 0; i < TRIES; i++) {
		memset(v->has, 0, sizeof(v->has));
		if (ctl_call(&q, &err) != 0)
			return count_once(v, conf);
		*ran_out = true;
		code = count_once(v, conf);
		if (code != CLI_DONE || all_agree(v))
			break;
		poll(NULL, 0, BEHIND_MS);
	}
	return code;
}

static bool is_used(const struct verifying *v, int leg)
{
	return v->has[leg] || v->count.leg[leg].total[T_CREATED] != 0 ||
	       v->count.leg[leg].gap != 0;
}

static bool print_legs(struct verifying *v)
{
	bool good = true;

	out_table(&v->c->out, columns);
	for (int i = 0; i < names_count(v->c->names); i++) {
		const struct conserve_leg *l = &v->count.leg[i];
		struct jout *j;

		if (!is_used(v, i))
			continue;
		j = out_row(&v->c->out);
		jout_str(j, "leg", names_text(v->c->names, i));
		for (int t = 0; t < TOTALS; t++)
			jout_int(j, total_text((enum total)t), l->total[t]);
		jout_int(j, "gap", l->gap);
		out_row_end(&v->c->out);
		good = good && l->gap == 0;
	}
	out_end(&v->c->out);
	return good;
}

static bool print_differences(struct verifying *v)
{
	bool good = true;

	for (int i = 0; i < names_count(v->c->names); i++) {
		if (agrees(v, i))
			continue;
		good = false;
		cli_fail(v->c, "leg %s: the daemon counts open %" PRId64
		    ", parked %" PRId64 ", gap %" PRId64
		    "; the index open %" PRId64 ", parked %" PRId64,
		    names_text(v->c->names, i),
		    v->daemon[i].total[T_OPEN], v->daemon[i].total[T_PARKED],
		    v->daemon[i].gap, v->count.leg[i].total[T_OPEN],
		    v->count.leg[i].total[T_PARKED]);
	}
	return good;
}

static int verdict(struct verifying *v, const struct conf *conf, bool ran)
{
	bool good = print_legs(v);

	good = print_differences(v) && good;
	v->tell = true;
	if (v->count.lost > 0) {
		good = false;
		count_once(v, conf);
	}
	if (v->count.skipped > 0) {
		good = false;
		cli_fail(v->c, "the index has %" PRIu64 " gap%s: posthouse "
		    "trace --since -90d shows audit.gap", v->count.skipped,
		    v->count.skipped == 1 ? "" : "s");
	}
	out_say(&v->c->out, "%" PRIu64 " message%s, %" PRIu64
	    " recipient%s: %s%s", v->count.messages,
	    v->count.messages == 1 ? "" : "s", v->count.recipients,
	    v->count.recipients == 1 ? "" : "s",
	    good ? "every one is accounted for" : "NOT accounted for",
	    !ran ? " (the daemon does not run)"
	    : good ? ", and the daemon agrees" : "");
	return good ? CLI_DONE : CLI_NO;
}

static int run_verify(struct cli *c)
{
	struct conf *conf = cli_conf(c);
	struct verifying *v;
	bool ran;
	int code;

	if (conf == NULL)
		return CLI_NO;
	v = NEW(struct verifying);
	v->c = c;
	code = compare(v, conf, &ran);
	if (code == CLI_DONE)
		code = verdict(v, conf, ran);
	mem_free(v);
	return code;
}

const struct cli_command cmd_audit[] = {
	{.name = "audit verify",
	    .args = "",
	    .summary = "Recounts every delivery: is anything unaccounted for?",
	    .details = "Per leg: created = delivered + open + parked + bounced "
		       "+ superseded + deleted,\nor the gap is not 0 and the "
		       "exit code is 1. Names each recipient whose\n"
		       "deliveries all vanished.",
	    .example = "posthouse audit verify",
	    .run = run_verify},
	{.name = NULL},
};
