/* SPDX-License-Identifier: ISC
 *
 * In the clear to a leg of tls = may: when it may be, that it is never silent,
 * and what is remembered of a host's TLS. Mail goes in the clear on the same
 * connection when STARTTLS is refused, and on a new one when the host hangs up
 * instead, or the handshake fails; with a login never. One worker's loop.
 */
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/client/client_int.h"

enum {
	HAD_TLS_MS = 7 * DAY_MS,
	NO_TLS_MS = 600 * 1000, /* so long it is not asked for again */
};

static int64_t now_ms(const struct dialog *d)
{
	return loop_now_ms(d->client->cfg.loop);
}

bool clear_may(const struct dialog *d)
{
	return dialog_leg(d)->tls == TLS_MAY &&
	       dialog_leg(d)->auth_user[0] == '\0';
}

/* On one line, as a result's text. */
static void set_why(struct dialog *d, const char *why)
{
	mem_free(d->clear_why);
	d->clear_why = why == NULL ? NULL : mem_strdup(why);
	for (char *c = d->clear_why; c != NULL && *c != '\0'; c++)
		if (*c == '\n')
			*c = ' ';
	clear_describe(d);
}

void clear_describe(struct dialog *d)
{
	d->tx->tls_failed = d->clear_why == NULL
				? ""
				: arena_strdup(d->tx->req->arena, d->clear_why);
}

void clear_begin(struct dialog *d)
{
	bool failed = clear_may(d) && marks_has(&d->client->no_tls, d->leg,
					  &d->hop.addr, now_ms(d));

	d->in_clear = failed;
	set_why(d, failed ? "it failed here in the last ten minutes" : NULL);
}

void clear_remember(struct dialog *d)
{
	marks_set(
	    &d->client->no_tls, d->leg, &d->hop.addr, now_ms(d) + NO_TLS_MS);
}

void clear_go(struct dialog *d, const char *why)
{
	struct client *c = d->client;
	const struct conf *conf = d->tx->req->conf;

	d->in_clear = true;
	set_why(d, why);
	if (marks_has(&c->in_clear, d->leg, &d->hop.addr, now_ms(d)))
		return;
	marks_set(&c->in_clear, d->leg, &d->hop.addr,
	    now_ms(d) + conf->alarm.interval_ms);
	log_warn("leg.in_clear", kv_str("leg", dialog_leg(d)->name),
	    kv_str("host", d->remote), kv_str("error", why));
	if (c->cfg.in_clear != NULL)
		c->cfg.in_clear(c->cfg.arg, dialog_leg(d), d->remote, why);
}

void clear_note_tls(struct dialog *d)
{
	marks_set(
	    &d->client->had_tls, d->leg, &d->hop.addr, now_ms(d) + HAD_TLS_MS);
	marks_clear(&d->client->no_tls, d->leg, &d->hop.addr);
}

bool clear_had_tls(const struct dialog *d)
{
	return marks_has(&d->client->had_tls, d->leg, &d->hop.addr, now_ms(d));
}
