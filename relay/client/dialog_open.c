/* SPDX-License-Identifier: ISC
 *
 * How the connection of a dialog begins: hosts are tried in turn until one is
 * open. One worker's loop.
 */
#include "relay/base/mem.h"
#include "relay/client/client_int.h"

static void name_remote(struct dialog *d)
{
	char addr[NETADDR_TEXT];
	struct strbuf b;

	netaddr_ip(&d->hop.addr, addr);
	strbuf_init(&b, 512);
	if (strcmp(addr, d->hop.host) != 0)
		strbuf_addf(&b, "%s ", d->hop.host);
	strbuf_addf(&b, "[%s]:%d", addr, netaddr_port(&d->hop.addr));
	mem_free(d->remote);
	d->remote = mem_strdup(strbuf_cstr(&b));
	strbuf_fini(&b);
	d->tx->remote = arena_strdup(d->tx->req->arena, d->remote);
}

void dialog_connect(struct dialog *d)
{
	const struct client_config *c = &d->client->cfg;
	const struct wire w = {c, dialog_leg(d),
	    request_source(d->tx->req), d->ops, d};

	name_remote(d);
	d->stage = STAGE_CONNECT;
	d->stream = wire_connect(&w, &d->hop.addr);
	d->opened_ms = loop_now_ms(c->loop);
	stream_deadline(d->stream, dialog_timeout(d, STAGE_CONNECT));
}

void dialog_next_host(struct dialog *d)
{
	d->stage = STAGE_CONNECT;
	d->tx->tls = "";
	switch (hops_next(d->hops, &d->hop)) {
	case HOPS_READY:
		clear_begin(d);
		dialog_connect(d);
		break;
	case HOPS_WAIT:
		break;
	case HOPS_END:
		dialog_give_up(d);
		break;
	}
}

static void on_hops(void *arg)
{
	dialog_next_host(arg);
}

void dialog_begin(struct dialog *d)
{
	d->reused = false;
	d->messages = 0;
	d->rcpt_limit = 0;
	mem_free(d->bound);
	d->bound = NULL;
	d->needs_rset = false;
	d->introduced = d->stands_in = false;
	d->generation = d->client->generation;
	d->fault_rank = -1;
	d->hops = hops_new(d->client, d->tx->req, on_hops, d);
	dialog_next_host(d);
}
