/* SPDX-License-Identifier: ISC
 *
 * How a dialog ends: its connection, the request that was under way, itself.
 * One worker's loop.
 */
#include "relay/base/assert.h"
#include "relay/base/mem.h"
#include "relay/client/client_int.h"

void dialog_hang_up(struct dialog *d)
{
	stream_free(d->stream);
	d->stream = NULL;
	tls_client_unref(d->tls);
	d->tls = NULL;
	d->due = d->heard = 0;
	d->closed = false;
	d->secure = false;
	d->ehlo = (struct ehlo){.ext = 0};
	reply_parser_reset(&d->reply);
	defer_cancel(&d->later);
}

void dialog_close(struct dialog *d)
{
	dialog_hang_up(d);
	hops_free(d->hops);
	d->hops = NULL;
	pool_remove(d);
	list_remove(&d->parked);
	client_dead(d->client, d);
}

void dialog_finish(struct dialog *d)
{
	struct client_request *r = d->tx->req;

	feed_stop(d);
	exchange_finish(d->tx);
	PH_ASSERT(d->tx->open == 0); /* each recipient has its result */
	d->tx = NULL;
	client_finished(d->client, r);
}

void dialog_cut(struct dialog *d)
{
	d->fault.uncertain = d->fault.code == 0 && d->feed.state == FEED_HANDED;
	exchange_settle_all(
	    d->tx, STATE_BIT(RCPT_SENT) | STATE_BIT(RCPT_ACCEPTED), &d->fault);
	dialog_finish(d);
	dialog_close(d);
}

void dialog_give_up(struct dialog *d)
{
	const struct hops_fault *f = hops_fault(d->hops);

	if (d->fault_rank < 0) {
		result_fault(d, f->class, f->enh, "%s", f->text);
		d->fault.outcome = f->outcome;
	}
	exchange_settle_all(d->tx, STATE_BIT(RCPT_OPEN), &d->fault);
	dialog_finish(d);
	dialog_close(d);
}
