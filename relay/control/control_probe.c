/* SPDX-License-Identifier: ISC
 *
 * leg.probe: a look at every address of a leg. The connections are made by a
 * worker; the contexts, which read files, on this side. The ops loop.
 */
#include "relay/control/control_int.h"

#include <stdio.h>

#include "relay/control/probe_print.h"
#include "relay/settle/leg_health.h"
#include "relay/post/worker.h"
#include "relay/mail/addr.h"
#include "relay/client/client.h"
#include "relay/post/call.h"
#include "relay/post/worker_letters.h"

enum { TIMEOUT_MS = 20000 };

struct leg_probe {
	struct control *c;
	char to[ADDR_MAX + 1];
	struct ctl_request *r;
	struct conf_snapshot *snapshot;
	struct worker *worker;
	struct client_probe job;
};

/* ---- the answer ---- */

static void probe_free(struct leg_probe *lp)
{
	lp->c->busy--;
	tls_client_unref(lp->job.tls);
	snapshot_unref(lp->snapshot);
	arena_free(lp->job.arena);
	mem_free(lp);
}

static void on_back(void *arg)
{
	struct leg_probe *lp = arg;
	const char *leg = lp->job.leg->name;
	unsigned good = 0;

	for (unsigned i = 0; i < lp->job.rows; i++) {
		probe_print(ctl_row(lp->r), &lp->job, &lp->job.row[i]);
		ctl_row_end(lp->r);
		good += lp->job.row[i].problem[0] == '\0';
	}
	if (lp->job.fault[0] != '\0')
		ctl_end(lp->r, 1, "%s", lp->job.fault);
	else if (good == 0)
		ctl_end(lp->r, 1, "no address of %s would take mail", leg);
	else
		ctl_end(lp->r, 0, "%s", "");
	probe_free(lp);
}

/* ---- the worker ---- */

static void on_done(void *arg, struct client_probe *job)
{
	struct leg_probe *lp = arg;

	(void)job;
	control_come_back(lp->c, on_back, lp);
}

static void on_worker(void *arg)
{
	struct leg_probe *lp = arg;

	lp->job.fault = "posthoused stops";
	if (lp->worker->client == NULL)
		on_done(lp, &lp->job);
	else
		client_probe(lp->worker->client, &lp->job);
}

/* A recipient that the leg took today it takes again, if it takes any. */
static void on_queue(void *arg)
{
	struct leg_probe *lp = arg;

	leg_good_recipient(lp->c->cfg.queue_thread, lp->job.leg->id, lp->to);
	call_post(&lp->worker->box, W_CALL, on_worker, lp);
}

/* ---- the question ---- */

static const struct conf_leg *find_leg(struct control *c,
    struct ctl_request *r, const json_t *args)
{
	const char *name = control_arg(args, "leg");
	const struct conf_leg *leg =
	    conf_leg_by_name(c->snapshot->conf, slice_str(name));
	bool domain = control_arg(args, "domain")[0] != '\0';

	if (leg == NULL)
		ctl_end(r, 1, "no leg is called \"%s\"; see `posthouse leg "
			      "list`", name);
	else if (leg->direct && !domain)
		ctl_end(r, 1, "%s goes to the MX of each recipient's domain; "
			      "name one: posthouse leg probe %s example.org",
		    name, name);
	else if (!leg->direct && domain)
		ctl_end(r, 1, "%s has hosts of its own; leave the domain out",
		    name);
	else
		return leg;
	return NULL;
}

/* Without a word from the administrator: the last recipient that the leg
 * took, else our postmaster, which every domain of mail must have (RFC 5321
 * 4.5.1). */
static void choose_recipient(struct leg_probe *lp, const json_t *args)
{
	const char *to = control_arg(args, "to");

	if (to[0] != '\0')
		snprintf(lp->to, sizeof(lp->to), "%s", to);
	else if (lp->job.leg->direct)
		snprintf(lp->to, sizeof(lp->to), "postmaster@%s",
		    lp->job.domain);
	else
		snprintf(lp->to, sizeof(lp->to), "%s",
		    lp->snapshot->conf->postmaster);
	lp->job.from = lp->snapshot->conf->postmaster;
	lp->job.to = lp->to;
	if (to[0] != '\0' || lp->job.leg->direct)
		call_post(&lp->worker->box, W_CALL, on_worker, lp);
	else
		control_ask_queue(lp->c, on_queue, lp);
}

static bool is_address(const char *to)
{
	const char *why;
	struct addr a;

	return to[0] == '\0' || addr_parse(slice_str(to), true, &a, &why) == 0;
}

void control_leg_probe(void *arg, struct ctl_request *r, const json_t *args)
{
	struct control *c = arg;
	const struct conf_leg *leg = find_leg(c, r, args);
	struct leg_probe *lp;
	struct error err;

	if (leg == NULL)
		return;
	if (!is_address(control_arg(args, "to"))) {
		ctl_end(r, 1, "--to %s is not an address",
		    control_arg(args, "to"));
		return;
	}
	lp = NEW(struct leg_probe);
	lp->c = c;
	lp->r = r;
	lp->snapshot = snapshot_ref(c->snapshot);
	lp->worker = c->cfg.worker[0];
	lp->job = (struct client_probe){.conf = c->snapshot->conf,
	    .leg = leg,
	    .tls = tls_client_for_probe(leg, &err),
	    .timeout_ms = TIMEOUT_MS,
	    .now_s = clock_wall_us(c->cfg.shared->clock) / 1000000,
	    .soon_s = c->snapshot->conf->alarm.certificate_ms / 1000,
	    .arena = arena_new(),
	    .done = on_done,
	    .arg = lp};
	c->busy++;
	if (leg->direct)
		lp->job.domain = arena_strdup(
		    lp->job.arena, control_arg(args, "domain"));
	if (lp->job.tls == NULL) {
		ctl_end(r, 1, "%s", err.text);
		probe_free(lp);
		return;
	}
	choose_recipient(lp, args);
}
