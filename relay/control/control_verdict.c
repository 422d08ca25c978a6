/* SPDX-License-Identifier: ISC
 *
 * verdict.observe: what was watched is on the disk, so that a verdict that
 * reads the file finds all of it. The ops loop; the observer answers.
 */
#include "relay/control/control_int.h"

#include "relay/cutover/verdict/observer.h"

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
static void on_asked(void *arg)
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
	observer_ask(c->cfg.observer, on_asked, o);
}
