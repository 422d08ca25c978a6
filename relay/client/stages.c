/* SPDX-License-Identifier: ISC
 *
 * The client's side of SMTP: one row a stage is the whole protocol. A row's
 * `send` writes its command, its `reply` judges the answer and says what
 * comes next; dialog_walk.c walks. What a leg says is hostile: an answer that
 * has no sense at its stage ends the connection, and the mail waits. One
 * worker's loop. RFC 5321, 3207 (STARTTLS), 4954 (AUTH), 2033 (LMTP). The rows
 * from MAIL to the answer to the content have their functions in transact.c.
 */
#include "relay/client/client_int.h"

/* ---- session ---- */

static bool names_us(const struct dialog *d)
{
	return wire_names_us(dialog_leg(d), d->tx->req->conf,
	    strbuf_view(&d->reply.text));
}

/* RFC 5321 5.1: mail to ourselves would go round for ever. Only the exact
 * name is ours; another machine that bears it is a mistake, too. */
static enum stage ourselves(struct dialog *d)
{
	if (d->hops != NULL)
		hops_self(d->hops);
	result_fault(d, CLASS_CONFIGURATION, "4.4.6",
	    "it says our own name, %s: it leads to ourselves, or two machines "
	    "have one hostname", d->tx->req->conf->hostname);
	return NEXT_LOST;
}

static enum stage on_greeting(struct dialog *d)
{
	if (d->reply.code >= 500)
		return stages_refused(d, CLASS_CONFIGURATION);
	if (d->reply.code >= 400)
		return stages_refused(d, CLASS_NETWORK);
	if (d->reply.code != 220)
		return stages_senseless(d);
	return names_us(d) ? ourselves(d) : STAGE_EHLO;
}

static void send_ehlo(struct dialog *d)
{
	wire_hello(dialog_leg(d), d->tx->req->conf, stream_out(d->stream));
	d->due++;
}

static void send_helo(struct dialog *d)
{
	wire_helo(dialog_leg(d), d->tx->req->conf, stream_out(d->stream));
	d->due++;
}

/* ---- the login ---- */

static enum stage begin_login(struct dialog *d)
{
	const char *why =
	    login_begin(&d->login, dialog_leg(d), &d->ehlo, d->secure);

	if (why == NULL)
		return STAGE_AUTH;
	result_fault(d, CLASS_CONFIGURATION, "4.7.0", "%s", why);
	return NEXT_LOST;
}

static void send_login(struct dialog *d)
{
	login_command(&d->login, stream_out(d->stream));
	d->due++;
}

static void send_response(struct dialog *d)
{
	login_respond(&d->login, stream_out(d->stream));
	d->due++;
}

static enum stage on_login(struct dialog *d)
{
	if (d->reply.code == 235)
		return stages_open(d);
	if (login_has_more(&d->login, d->reply.code))
		return STAGE_RESPONSE;
	if (d->reply.code < 400)
		return stages_senseless(d);
	result_refused(d, d->reply.code >= 500 ? CLASS_CONFIGURATION
					       : CLASS_NETWORK);
	return NEXT_LOST;
}

/* ---- from EHLO on ---- */

static enum stage when_known(struct dialog *d)
{
	return dialog_leg(d)->auth_user[0] != '\0' ? begin_login(d)
						   : stages_open(d);
}

/* The only door from the session to a transaction: a leg that must have TLS
 * never passes it in the clear. */
static enum stage when_secure(struct dialog *d)
{
	enum tls_level level = dialog_leg(d)->tls;

	/* Behind XCLIENT on a kept connection it was passed before. */
	if (d->secure || level == TLS_NONE || d->hops == NULL)
		return when_known(d);
	if (level == TLS_MAY && !d->in_clear &&
	    !stages_offers(d, EXT_STARTTLS) && clear_had_tls(d))
		clear_go(d, "STARTTLS is not offered any more");
	if (level == TLS_MAY &&
	    (d->in_clear || !stages_offers(d, EXT_STARTTLS)))
		return when_known(d);
	if (stages_offers(d, EXT_STARTTLS))
		return STAGE_STARTTLS;
	result_fault(d, CLASS_CONFIGURATION, "4.7.4",
	    "TLS is required, and STARTTLS is not offered");
	return NEXT_LOST;
}

/* Half a keyword, or half of SIZE's number, would be another one. */
static struct slice whole_lines(const struct reply_parser *p)
{
	struct slice text = strbuf_view(&p->text);
	long lf = slice_rfind(text, '\n');

	return p->cut && lf >= 0 ? slice_head(text, (size_t)lf) : text;
}

static enum stage on_ehlo(struct dialog *d)
{
	if (d->reply.code >= 500 && !dialog_lmtp(d))
		return STAGE_HELO;
	if (d->reply.code >= 500)
		return stages_refused(d, CLASS_CONFIGURATION);
	if (d->reply.code >= 400)
		return stages_refused(d, CLASS_NETWORK);
	if (d->reply.code != 250)
		return stages_senseless(d);
	if (names_us(d))
		return ourselves(d);
	ehlo_parse(whole_lines(&d->reply), &d->ehlo);
	return when_secure(d);
}

static enum stage on_helo(struct dialog *d)
{
	if (d->reply.code >= 500)
		return stages_refused(d, CLASS_CONFIGURATION);
	if (d->reply.code >= 400)
		return stages_refused(d, CLASS_NETWORK);
	return d->reply.code == 250 ? when_secure(d) : stages_senseless(d);
}

static void send_starttls(struct dialog *d)
{
	strbuf_adds(stream_out(d->stream), "STARTTLS\r\n");
	d->due++;
}

static enum stage on_starttls(struct dialog *d)
{
	if (d->reply.code == 220)
		return STAGE_TLS;
	if (d->reply.code < 400)
		return stages_senseless(d);
	if (clear_may(d)) {
		clear_go(d, strbuf_cstr(&d->reply.text));
		return when_known(d);
	}
	return stages_refused(
	    d, d->reply.code >= 500 ? CLASS_CONFIGURATION : CLASS_NETWORK);
}

/* The handshake may only begin when the stream knows that nothing follows the
 * 220: later, not from inside input(). */
static void send_client_hello(struct dialog *d)
{
	loop_defer(d->client->cfg.loop, &d->later);
}

/* ---- the client behind us ---- */

static void send_xclient(struct dialog *d)
{
	transact_put_client(d, stream_out(d->stream));
	d->due++;
}

/* The leg begins anew with 220. A refusal is a fault of the set-up: the leg
 * offered it. */
static enum stage on_xclient(struct dialog *d)
{
	if (d->reply.code >= 500)
		return stages_refused(d, CLASS_CONFIGURATION);
	if (d->reply.code >= 400)
		return stages_refused(d, CLASS_NETWORK);
	if (d->reply.code != 220)
		return stages_senseless(d);
	d->introduced = true;
	d->stands_in = true;
	d->needs_rset = false;
	d->ehlo = (struct ehlo){.ext = 0};
	return STAGE_EHLO;
}

/* ---- between transactions ---- */

static void send_rset(struct dialog *d)
{
	strbuf_adds(stream_out(d->stream), "RSET\r\n");
	d->due++;
	d->needs_rset = false;
}

static enum stage on_rset(struct dialog *d)
{
	if (d->reply.code == 250)
		return NEXT_READY;
	if (d->tx != NULL)
		result_refused(d, CLASS_NETWORK);
	return NEXT_LOST;
}

static void send_quit(struct dialog *d)
{
	strbuf_adds(stream_out(d->stream), "QUIT\r\n");
	d->due++;
}

static enum stage on_quit(struct dialog *d)
{
	(void)d;
	return NEXT_LOST;
}

#define T(name) offsetof(struct conf_leg, name##_timeout_ms)
/* clang-format off */
const struct stage_info stage_table[STAGES] = { /* timeouts: RFC 5321 4.5.3.2 */
	[STAGE_CONNECT]  = { NULL,               NULL,             T(connect)   },
	[STAGE_GREETING] = { NULL,               on_greeting,      T(greeting)  },
	[STAGE_EHLO]     = { send_ehlo,          on_ehlo,          T(command)   },
	[STAGE_HELO]     = { send_helo,          on_helo,          T(command)   },
	[STAGE_STARTTLS] = { send_starttls,      on_starttls,      T(command)   },
	[STAGE_TLS]      = { send_client_hello,  NULL,             T(tls)       },
	[STAGE_AUTH]     = { send_login,         on_login,         T(command)   },
	[STAGE_RESPONSE] = { send_response,      on_login,         T(command)   },
	[STAGE_XCLIENT]  = { send_xclient,       on_xclient,       T(command)   },
	[STAGE_MAIL]     = { transact_send_mail, transact_on_mail, T(command)   },
	[STAGE_RCPT]     = { transact_send_rcpt, transact_on_rcpt, T(command)   },
	[STAGE_DATA]     = { transact_send_data, transact_on_data, T(data_init) },
	[STAGE_BODY]     = { transact_send_body, transact_on_body, T(data_done) },
	[STAGE_RSET]     = { send_rset,          on_rset,          T(command)   },
	[STAGE_IDLE]     = { NULL,               NULL,             0            },
	[STAGE_QUIT]     = { send_quit,          on_quit,          0            },
};
/* clang-format on */

int64_t stages_timeout(const struct conf_leg *leg, enum stage stage)
{
	return *(const int64_t *)(const void *)((const char *)leg +
						stage_table[stage].timeout);
}

int64_t dialog_timeout(const struct dialog *d, enum stage stage)
{
	int64_t ms = stages_timeout(dialog_leg(d), stage);
	int64_t most = d->tx->req->patience_ms;

	return most != 0 && most < ms && stage < STAGE_DATA ? most : ms;
}
