/* SPDX-License-Identifier: ISC
 *
 * verdict --relay: nothing waits here, no address that was made here takes mail
 * any more, clients stay away, and nothing is kept for a replay.
 *
 * When the youngest address was made is not on record; none is younger than the
 * last delivery, since they are made for attempts.
 */
#include "relay/cli/verdict/verdict_relay.h"

#include <inttypes.h>

#include "policy/verdict/verdict_reason.h"
#include "relay/audit/delivered/watermark_reader.h"
#include "relay/base/clock.h"
#include "relay/cli/common/json_get.h"

struct relay_look {
	struct cli *c;
	const struct conf *conf;
	int64_t now_us;
	int64_t waiting; /* deliveries; -1: the daemon does not say */
	int64_t last_us; /* the last delivery; 0: none; -1: not known */
	struct error err;
	bool go;
};

static const struct out_column columns[] = {
	{"reason", "REASON", false},
	{"state", "STATE", false},
	{"evidence", "EVIDENCE", false},
	{NULL, NULL, false},
};

static void put(struct relay_look *l, const char *reason,
    enum reason_state state, const char *evidence)
{
	struct jout *j = out_row(&l->c->out);

	jout_str(j, "reason", reason);
	jout_str(j, "state", reason_state_text(state));
	jout_str(j, "evidence", evidence);
	jout_time(j, "at", l->now_us);
	out_row_end(&l->c->out);
	l->go &= state == REASON_OK;
}

static void on_leg(void *arg, json_t *row)
{
	struct relay_look *l = arg;

	l->waiting += json_number(row, "open") + json_number(row, "parked");
}

static void put_queue(struct relay_look *l)
{
	char text[100];
	int code;

	l->waiting = 0;
	code = cli_call_if_running(l->c, "leg.list", NULL, on_leg, l);
	if (code != CLI_DONE) {
		put(l, "queue", REASON_UNKNOWN, code == CLI_NO_DAEMON
		    ? "the daemon does not run, which alone knows what waits"
		    : "the daemon does not say what waits");
		return;
	}
	snprintf(text, sizeof(text), "%" PRId64 " deliveries are open, held "
	    "or parked", l->waiting);
	put(l, "queue", l->waiting == 0 ? REASON_OK : REASON_NO, text);
}

/* Something that lasts `more_ms` behind the last delivery. */
static void put_until(struct relay_look *l, const char *reason,
    int64_t more_ms, const char *what)
{
	char until[CLOCK_RFC3339_MAX], text[300];
	int64_t end_us = l->last_us + more_ms * 1000;

	if (l->last_us < 0) {
		put(l, reason, REASON_UNKNOWN, l->err.text);
		return;
	}
	if (more_ms == 0 || l->last_us == 0) {
		snprintf(text, sizeof(text), "there is none: %s", what);
		put(l, reason, REASON_OK, text);
		return;
	}
	clock_rfc3339(end_us, until);
	snprintf(text, sizeof(text), "%s until %s", what, until);
	put(l, reason, end_us < l->now_us ? REASON_OK : REASON_NO, text);
}

static int64_t address_life_ms(const struct conf *c)
{
	int64_t ms = c->srs.domain[0] != '\0' ? c->srs.lifetime_ms : 0;

	if (c->ret.domain[0] != '\0' && c->ret.lifetime_ms > ms)
		ms = c->ret.lifetime_ms;
	/* Counted in whole days (policy/srs.h). */
	return ms == 0 ? 0 : ms + DAY_MS;
}

static int64_t quiet_ms(const struct conf *c)
{
	int64_t ms = 14 * (int64_t)DAY_MS;

	for (int i = 0; i < c->verdicts; i++)
		if (i == 0 || c->verdict[i].quiet_ms > ms)
			ms = c->verdict[i].quiet_ms;
	return ms;
}

static void read_last(struct relay_look *l)
{
	struct watermark_reader *r = watermark_reader_open(l->conf, &l->err);

	l->last_us = r == NULL ? -1 : watermark_reader_last(r, &l->err);
	watermark_reader_close(r);
}

int verdict_relay_run(struct cli *c)
{
	struct relay_look l = {.c = c, .conf = cli_conf(c), .go = true};

	if (l.conf == NULL)
		return CLI_NO;
	l.now_us = clock_wall_us(&clock_system);
	read_last(&l);
	out_table(&c->out, columns);
	put_queue(&l);
	put_until(&l, "addresses", address_life_ms(l.conf),
	    "an SRS or return address that was made here takes mail");
	put_until(&l, "clients", quiet_ms(l.conf),
	    "mail came and was delivered, which has to be quiet");
	put_until(&l, "retained", l.conf->spool.retain_ms,
	    "mail is kept for a replay");
	out_end(&c->out);
	out_say(&c->out, "%s", l.go ? "GO" : "NO-GO");
	if (c->json) {
		struct jout *j = out_row(&c->out);

		jout_str(j, "verdict", l.go ? "GO" : "NO-GO");
		jout_time(j, "at", l.now_us);
		out_row_end(&c->out);
	}
	return l.go ? CLI_DONE : CLI_NO;
}
