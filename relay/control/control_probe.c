/* SPDX-License-Identifier: ISC
 *
 * leg.probe: a look at every address of a leg. The connections are made by a
 * worker; the contexts, which read files, on this side. The ops loop.
 */
#include "relay/control/control_int.h"

#include <stdio.h>

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

static void print_certificate(struct jout *j, const struct leg_probe *lp,
    const struct tls_look *t)
{
	const struct tls_certificate *c = &t->cert;

	jout_object(j, "certificate");
	jout_str(j, "subject", c->subject);
	jout_str(j, "issuer", c->issuer);
	jout_array(j, "names");
	for (int i = 0; i < c->names; i++)
		jout_str(j, NULL, c->name[i]);
	jout_array_end(j);
	jout_str(j, "key", c->key);
	jout_str(j, "fingerprint", c->fingerprint);
	jout_time(j, "from", c->from_s * 1000000);
	jout_time(j, "expires", c->until_s * 1000000);
	jout_int(j, "days_left", (c->until_s - lp->job.now_s) / DAY_S);
	jout_int(j, "chain", t->chain);
	jout_object_end(j);
}

static const char *dane_text(const struct probe_row *row)
{
	if (!row->tls.dane)
		return row->tlsas > 0 ? "no usable record" : "no record";
	return row->tls.dane_why[0] == '\0' ? "fits" : row->tls.dane_why;
}

static void print_tls(struct jout *j, const struct leg_probe *lp,
    const struct probe_row *row)
{
	const struct tls_look *t = &row->tls;

	jout_bool(j, "starttls", row->starttls);
	jout_str(j, "tls", row->in_tls ? t->text : "");
	if (!row->in_tls)
		return;
	jout_int(j, "tls_ms", row->tls_ms);
	jout_bool(j, "verified", t->verified);
	jout_str(j, "verified_by", t->by);
	jout_str(j, "verify_error", t->why);
	if (lp->job.leg->fingerprint.count > 0)
		jout_bool(j, "fingerprint_fits", t->pinned);
	if (lp->job.leg->tls == TLS_DANE)
		jout_str(j, "dane", dane_text(row));
	print_certificate(j, lp, t);
}

/* "AUTH PLAIN LOGIN" (RFC 4954) */
static void print_auth(struct jout *j, const struct probe_row *row)
{
	for (int i = 0; i < row->offers; i++) {
		struct slice offer = slice_str(row->offer[i]);

		if (slice_case_starts(offer, SLICE("AUTH ")))
			jout_slice(j, "auth", slice_from(offer, 5));
	}
}

static void print_offers(struct jout *j, const struct probe_row *row)
{
	jout_str(j, "greeting", row->greeting);
	jout_array(j, "offers");
	for (int i = 0; i < row->offers; i++)
		jout_str(j, NULL, row->offer[i]);
	jout_array_end(j);
	print_auth(j, row);
	if (row->ehlo.size > 0)
		jout_int(j, "size", (int64_t)row->ehlo.size);
	if (row->ehlo.limit_rcpt > 0)
		jout_int(j, "max_recipients", row->ehlo.limit_rcpt);
	if (row->ehlo.limit_mail > 0)
		jout_int(j, "max_messages", row->ehlo.limit_mail);
}

static void print_row(struct leg_probe *lp, const struct probe_row *row)
{
	struct jout *j = ctl_row(lp->r);

	jout_str(j, "leg", lp->job.leg->name);
	jout_str(j, "host", row->host);
	jout_int(j, "port", row->port);
	if (row->preference >= 0)
		jout_int(j, "preference", row->preference);
	jout_str(j, "address", row->address);
	jout_str(j, "state", row->problem[0] == '\0' ? "good" : "bad");
	jout_str(j, "stage", stage_text(row->stage));
	jout_str(j, "problem", row->problem);
	jout_str(j, "note", row->note);
	if (lp->job.leg->tls == TLS_DANE) {
		jout_bool(j, "signed", row->secure);
		jout_int(j, "tlsa", row->tlsas);
	}
	jout_bool(j, "tried_last", row->dead);
	if (row->connect_ms >= 0)
		jout_int(j, "connect_ms", row->connect_ms);
	if (row->greeting_ms >= 0) {
		jout_int(j, "greeting_ms", row->greeting_ms);
		print_offers(j, row);
		print_tls(j, lp, row);
	}
	ctl_row_end(lp->r);
}

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
		print_row(lp, &lp->job.row[i]);
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
