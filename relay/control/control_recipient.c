/* SPDX-License-Identifier: ISC
 *
 * recipient.open, behind whereis: what waits for one recipient. The ops loop,
 * and the queue thread for the count.
 */
#include "relay/control/control_int.h"

#include "relay/post/mail.h"

struct recipient_open {
	struct control *c;
	struct ctl_request *r;
	uint64_t hash;
	struct queue_recipient open;
};

static void on_back(void *arg)
{
	struct recipient_open *o = arg;
	struct jout *j = ctl_row(o->r);
	uint64_t all = 0;

	for (int s = 0; s < D_STATES; s++)
		if (dstate_live((enum dstate)s)) {
			jout_int(j, dstate_text((enum dstate)s),
			    (int64_t)o->open.state[s]);
			all += o->open.state[s];
		}
	jout_int(j, "open", (int64_t)all);
	jout_int(j, "in_flight", (int64_t)o->open.in_flight);
	ctl_row_end(o->r);
	ctl_end(o->r, 0, NULL);
	o->c->busy--;
	mem_free(o);
}

static void count(void *arg)
{
	struct recipient_open *o = arg;

	queue_recipient(queue_thread_queue(o->c->cfg.queue_thread), o->hash,
	    &o->open);
	control_come_back(o->c, on_back, o);
}

/* {"address": BASE}: the folded base address of a recipient. */
void control_recipient_open(void *arg, struct ctl_request *r,
    const json_t *args)
{
	struct control *c = arg;
	const char *address = control_arg(args, "address");
	struct recipient_open *o;

	if (address[0] == '\0') {
		ctl_end(r, 2, "an address is needed");
		return;
	}
	o = NEW(struct recipient_open);
	*o = (struct recipient_open){.c = c, .r = r,
	    .hash = mail_hash(address)};
	c->busy++;
	control_ask_queue(c, count, o);
}
