/* SPDX-License-Identifier: ISC
 *
 * Brings observed.db up to date before a command reads it, and keeps what a
 * verdict said. The ops loop; the threads that write the file answer.
 */
#include "relay/control/control_int.h"

#include "relay/audit/note_post.h"
#include "relay/cutover/propagation/propagation_thread.h"
#include "relay/cutover/verdict/observer.h"

/* ---- verdict.observe: what was watched ----------------------------------- */

struct observing {
	struct control *c;
	struct ctl_request *r;
	struct error err;
};

static void on_written(void *arg)
{
	struct observing *o = arg;

	ctl_end(o->r, o->err.text[0] == '\0' ? 0 : 1, "%s", o->err.text);
	o->c->busy--;
	mem_free(o);
}

/* The observer's thread. */
static void on_observe(void *arg)
{
	struct observing *o = arg;
	const char *fault = observer_fault(o->c->cfg.observer);

	if (fault[0] != '\0')
		error_set(&o->err, "%s", fault);
	control_come_back(o->c, on_written, o);
}

void control_verdict_observe(void *arg, struct ctl_request *r,
    const json_t *args)
{
	struct control *c = arg;
	struct observing *o = NEW(struct observing);

	(void)args;
	o->c = c;
	o->r = r;
	c->busy++;
	observer_ask(c->cfg.observer, on_observe, o);
}

/* ---- verdict.told: what the command said of it, for the audit trail ------ */

void control_verdict_told(void *arg, struct ctl_request *r,
    const json_t *args)
{
	struct control *c = arg;
	struct shared *sh = c->cfg.shared;
	struct note_draft n;
	struct jout *j = note_open(&n, EVENT_VERDICT);

	jout_str(j, "name", control_arg(args, "name"));
	jout_str(j, "leg", control_arg(args, "leg"));
	jout_str(j, "state", control_arg(args, "state"));
	jout_int(j, "waived",
	    json_integer_value(json_object_get(args, "waived")));
	jout_str(j, "who", ctl_who(r));
	jout_str(j, "reason", control_arg(args, "reason"));
	note_post(&n, sh->spool, NOTE_SYSTEM, clock_wall_us(sh->clock));
	ctl_end(r, 0, "%s", "");
}

/* ---- propagation.look: name servers are asked now -------------------------
 *
 *   {"domain":"example.com"}
 */

struct looking_at_mx {
	struct control *c;
	struct ctl_request *r;
	char *domain;
	int rc;
	struct error err;
};

static void on_looked(void *arg)
{
	struct looking_at_mx *l = arg;

	ctl_end(l->r, l->rc == 0 ? 0 : 1, "%s", l->rc == 0 ? "" : l->err.text);
	l->c->busy--;
	mem_free(l->domain);
	mem_free(l);
}

/* The propagation thread. */
static void on_look(void *arg)
{
	struct looking_at_mx *l = arg;

	l->rc = propagation_thread_look(l->c->cfg.propagation, l->domain,
	    &l->err);
	control_come_back(l->c, on_looked, l);
}

void control_propagation_look(void *arg, struct ctl_request *r,
    const json_t *args)
{
	struct control *c = arg;
	const char *domain = control_arg(args, "domain");
	struct looking_at_mx *l;

	if (conf_domain(c->snapshot->conf, slice_str(domain)) == NULL) {
		ctl_end(r, 1, "%s is no domain of the configuration", domain);
		return;
	}
	l = NEW(struct looking_at_mx);
	l->c = c;
	l->r = r;
	l->domain = mem_strdup(domain);
	c->busy++;
	propagation_thread_ask(c->cfg.propagation, on_look, l);
}
