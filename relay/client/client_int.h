/* SPDX-License-Identifier: ISC
 *
 * Shared by the files of the client. requests.c takes requests and reports
 * them; exchange.c keeps the result of each recipient; dialog.c is one
 * connection, dialog_open.c its beginning, dialog_walk.c its way through the
 * stages and dialog_end.c its end; stages.c and transact.c are the protocol;
 * feed.c sends the content; hops.c finds the hosts, marks.c remembers some;
 * pool.c keeps idle connections; dialog_result.c puts replies and faults into
 * words; wire.c is common to dialogs and probes.
 *
 *   client_send() -> dialog -> hops -> stages -> exchange -> report -> done()
 *
 * Calls go downward alone: requests, dialog, dialog_walk, dialog_open and pool,
 * dialog_end, client_lists; dialog_walk, stages and transact, feed,
 * stage_common, dialog_result, exchange.
 */
#ifndef RELAY_CLIENT_CLIENT_INT_H
#define RELAY_CLIENT_CLIENT_INT_H

#include <stdatomic.h>

#include "relay/client/client.h"
#include "relay/client/exchange.h"
#include "relay/client/login.h"
#include "relay/client/marks.h"
#include "relay/mail/body.h"
#include "relay/mail/ehlo.h"
#include "relay/mail/reply.h"
#include "relay/net/tls.h"

/* ---- stages.c: the protocol ---- */

/* Where a reply leads besides the next stage. */
static const enum stage NEXT_READY = STAGE_IDLE; /* no transaction is open:
						  * the next one, or rest */
static const enum stage NEXT_LOST = STAGE_NONE; /* the connection is of no
						 * more use; see dialog.fault */

struct dialog;

/* Of the stages that a dialog has; the others have no row. */
struct stage_info {
	/* Writes the command; NULL where we only listen. */
	void (*send)(struct dialog *d);
	/* The reply in d->reply is complete: what comes next. */
	enum stage (*reply)(struct dialog *d);
	size_t timeout; /* offset of the setting in struct conf_leg */
};
extern const struct stage_info stage_table[STAGES];
/* How long the leg may be silent at that stage. */
int64_t stages_timeout(const struct conf_leg *leg, enum stage stage);
/* … with a request, which may have less patience. */
int64_t dialog_timeout(const struct dialog *d, enum stage stage);

/* ---- stage_common.c ---- */

/* Does the leg offer all of these EXT_…? */
bool stages_offers(const struct dialog *d, unsigned ext);
/* Is XCLIENT due ahead of MAIL? A question of our own names no client, but the
 * one of a message before must not stand for it. */
bool stages_introduces(const struct dialog *d);
/* The leg knows the session by the client of a message before, and offers no
 * XCLIENT any more to change that. */
bool stages_stale(const struct dialog *d);
/* The reply makes no sense at this stage. */
enum stage stages_senseless(struct dialog *d);
/* The reply refuses the session. */
enum stage stages_refused(struct dialog *d, enum reply_class class);
/* Nothing is left to be said ahead of a transaction. */
enum stage stages_open(struct dialog *d);

/* ---- wire.c: what a dialog and a probe do alike ---- */

/* The owner of a connection. */
struct wire {
	const struct client_config *client;
	const struct conf_leg *leg;
	const char *source; /* "": the system's choice */
	const struct stream_ops *ops;
	void *arg; /* of `ops` */
};
/* From the source address, when there is one. */
struct stream *wire_connect(const struct wire *w, const struct netaddr *to);
/* The address that a connection for it comes from; "": any. */
static inline const char *request_source(const struct client_request *r)
{
	return r->apart ? r->leg->probe_source : r->leg->source;
}
/* Takes a whole line off the front, without its end. False: there is none. */
bool wire_line(struct slice *rest, struct slice *line_out);
/* EHLO, of LMTP LHLO; and HELO. */
void wire_hello(const struct conf_leg *leg, const struct conf *conf,
    struct strbuf *out);
void wire_helo(const struct conf_leg *leg, const struct conf *conf,
    struct strbuf *out);
/* Does the leg greet by our own name? */
bool wire_names_us(const struct conf_leg *leg, const struct conf *conf,
    struct slice reply_text);
/* A reply's text, its lines put into one. */
const char *wire_one_line(struct arena *a, struct slice text);

/* ---- transact_say.c: the commands of a transaction ---- */

/* The sender for MAIL: where NOTIFY=NEVER cannot be said, a bounce must not
 * reach the true sender (D3). */
const char *transact_sender(const struct dialog *d);
/* Each is written and counted in d->due. */
void transact_put_mail(struct dialog *d, struct strbuf *out);
void transact_put_rcpt(struct dialog *d, unsigned i, struct strbuf *out);
void transact_put_data(struct dialog *d);
/* XCLIENT, with those attributes that the leg takes; not counted. */
void transact_put_client(const struct dialog *d, struct strbuf *out);

/* ---- transact_admit.c ---- */

/* Settles what this leg cannot take at all. */
void transact_admit(struct dialog *d);

/* ---- transact.c: the stages of a transaction ---- */

/* May this session take the next open recipient? */
bool transact_fits(const struct dialog *d);
void transact_send_mail(struct dialog *d);
enum stage transact_on_mail(struct dialog *d);
void transact_send_rcpt(struct dialog *d);
enum stage transact_on_rcpt(struct dialog *d);
void transact_send_data(struct dialog *d);
enum stage transact_on_data(struct dialog *d);
void transact_send_body(struct dialog *d);
enum stage transact_on_body(struct dialog *d);
/* 421 instead of the answer that was due. */
void transact_goodbye(struct dialog *d);

/* ---- hops.c: which hosts, in which order ---- */

struct hop {
	const char *host; /* a name or an address, as configured */
	struct netaddr addr;
	/* For a leg of TLS_DANE: signed records, and all names on the way to
	 * them are signed, too. */
	struct tls_dane dane;
};

enum hops_state { HOPS_READY, HOPS_WAIT, HOPS_END };

struct hops;
struct hops *hops_new(struct client *c, const struct client_request *r,
    void (*ready)(void *arg), void *arg);
void hops_free(struct hops *h); /* NULL is fine */
/* The next address to try; hop_out is good until hops_free(). After
 * HOPS_WAIT `ready` is called, later. */
enum hops_state hops_next(struct hops *h, struct hop *hop_out);
/* The last one turned out to be ourselves: worse MX fall away with it. */
void hops_self(struct hops *h);
/* Is that connection one to ourselves, by way of a wildcard listener? */
bool hops_met_self(const struct hops *h, const struct stream *s);
/* The last one could not be reached, or did not greet: others go before it
 * for a while. And: it spoke. */
void hops_dead(struct hops *h);
void hops_alive(struct hops *h);
/* For a look at all of them, when nothing more is asked for: hops_known(),
 * which may be asked again in `ready`. */
struct hops_row {
	struct hop hop;
	bool has_addr;
	int port, preference; /* preference -1: of a list */
	bool secure;	      /* all that led here is signed */
	bool dead;	      /* it lately could not be reached */
	const char *skipped;  /* why no mail goes there; NULL: it may */
};
bool hops_known(struct hops *h); /* false: `ready` is called, later */
/* How many were written. The rows are good until hops_free(). */
unsigned hops_list(struct hops *h, struct hops_row *out, unsigned max);
/* At HOPS_END, when nothing could be tried: why. */
struct hops_fault {
	enum outcome outcome;
	enum reply_class class;
	const char *enh;
	char text[400];
};
const struct hops_fault *hops_fault(const struct hops *h);

/* ---- feed.c: the content ---- */

enum feed_state {
	FEED_NONE,
	FEED_RUN,
	FEED_DONE,   /* the last byte is written, not yet handed over    */
	FEED_HANDED, /* … and the system has it: now only a reply tells  */
	FEED_BROKEN, /* the source failed: the content cannot be ended    */
};

struct feed {
	enum feed_state state;
	bool chunked; /* BDAT */
	bool waits;   /* for the source */
	uint64_t left; /* BDAT: bytes still promised */
	struct slice chunk;
	struct data_writer dots;
};

void feed_begin(struct dialog *d, bool chunked);
/* All recipients were refused and the leg said 354 (RFC 2920 3.1). */
void feed_nothing(struct dialog *d);
void feed_pump(struct dialog *d);
void feed_drained(struct dialog *d);
/* The source must not call a dialog that is gone. */
void feed_stop(struct dialog *d);
/* How long the peer may be silent now. */
int64_t feed_timeout(const struct dialog *d);

/* ---- dialog.c: one connection ---- */

struct dialog {
	struct client *client;
	struct list node;   /* client.dialogs, at the end client.dead */
	struct list idle;   /* pool */
	struct list parked; /* client.parked: idle since this turn */
	struct stream *stream;
	const struct stream_ops *ops; /* of `stream` */
	struct defer later; /* what must not run inside input() */

	/* the connection */
	int leg;
	char *domain; /* direct egress: whose MX; else NULL */
	bool apart; /* it has the source of client_request.apart */
	struct hops *hops; /* until it is open */
	struct hop hop;
	char *remote; /* "mx1.example.net [192.0.2.7]:25" */
	struct tls_client *tls;
	struct ehlo ehlo;
	bool secure;   /* TLS is up */
	struct login login;
	bool in_clear; /* tls = may, and TLS failed before */
	char *clear_why; /* then how; NULL */
	bool reused;   /* had a request before this one */
	bool introduced; /* XCLIENT named this request's client … */
	bool stands_in;	 /* … or that of one before it */
	bool answered; /* the leg has spoken about this request */
	bool needs_rset;
	int rcpt_limit; /* learned from 452 4.5.3; 0: none */
	char *bound; /* RCPTDOMAINMAX: the domain that it is for; else NULL */
	unsigned generation;
	int messages; /* transactions so far */
	int64_t opened_ms, idle_until_ms, old_at_ms;
	int messages_max;

	/* the exchange */
	enum stage stage;
	unsigned due;	/* replies to what was written */
	unsigned heard; /* … before the input that is looked at */
	bool over;	/* its slot was given back */
	bool closed;	/* by the leg: its last reply is looked at … */
	enum stream_end end; /* … and so it ended */
	struct reply_parser reply;

	/* the request; NULL when idle */
	struct exchange *tx;
	bool flight;	/* RCPTs went out with MAIL */
	bool data_sent; /* … and so did DATA */
	struct feed feed;
	struct result fault;
	int fault_rank; /* of all hosts tried, the most telling is kept */
};

/* Takes the slot that the caller has. */
struct dialog *dialog_new(struct client *c, const struct client_request *r);
/* Begins; on an idle connection, or by opening one. */
void dialog_send(struct dialog *d, struct client_request *r);
/* Closes at once; a request under way is untried or uncertain. */
void dialog_abort(struct dialog *d);
void dialog_free(struct dialog *d); /* closed before */

/* ---- dialog_walk.c: from stage to stage ---- */

/* Where a reply leads. */
void dialog_move(struct dialog *d, enum stage next);
/* Says what the stage begins with, and waits for the answer. */
void dialog_enter(struct dialog *d, enum stage stage);
/* An idle one says good-bye. */
void dialog_quit(struct dialog *d);
/* The connection is of no more use: d->fault says why. */
void dialog_lost(struct dialog *d);
/* tls = may: rather in the clear than not at all, on a new connection. */
void dialog_fall_back(struct dialog *d, const char *why);
/* As that, of a host that hangs up rather than to begin a handshake, and would
 * do so again. */
void dialog_tls_refused(struct dialog *d, const char *why);

/* ---- dialog_open.c: a connection begins ---- */

/* Forgets the last connection and tries the hosts from the first. */
void dialog_begin(struct dialog *d);
void dialog_next_host(struct dialog *d);
/* To d->hop, again or for the first time. */
void dialog_connect(struct dialog *d);

/* ---- dialog_end.c ---- */

/* Closes the connection; the dialog and its request stay. */
void dialog_hang_up(struct dialog *d);
/* The dialog is over; it has no request. */
void dialog_close(struct dialog *d);
/* The request is over, the connection stays. */
void dialog_finish(struct dialog *d);
/* Both are over. The transaction under way gets the fault; what was not begun
 * is untried. */
void dialog_cut(struct dialog *d);
/* Both are over: no host is left. */
void dialog_give_up(struct dialog *d);

/* ---- clear.c: in the clear to a leg of tls = may ---- */

/* May mail for this leg go in the clear when TLS fails? */
bool clear_may(const struct dialog *d);
/* A connection to d->hop begins: in the clear from the start when TLS failed
 * there within ten minutes. */
void clear_begin(struct dialog *d);
/* The leg offered TLS, now or lately, and it did not come about, so mail goes
 * in the clear. Never silently: once a host and alarm.interval it is said, and
 * each result has it. */
void clear_go(struct dialog *d, const char *why);
/* For ten minutes this host is not asked for TLS. */
void clear_remember(struct dialog *d);
/* It has TLS, and had it lately. A host that had it and does not offer it any
 * more was changed, or something on the way leaves it out. */
void clear_note_tls(struct dialog *d);
bool clear_had_tls(const struct dialog *d);
/* Into the results of the request that is under way. */
void clear_describe(struct dialog *d);

static inline const struct conf_leg *dialog_leg(const struct dialog *d)
{
	return d->tx->req->leg;
}

/* RFC 2033: the content is answered for each recipient that was accepted. */
static inline bool dialog_lmtp(const struct dialog *d)
{
	return dialog_leg(d)->protocol == PROTOCOL_LMTP;
}

/* ---- dialog_result.c: words for what happened ---- */

/* The reply just read, about the message or a recipient. */
struct result result_reply(const struct dialog *d);
/* Into d->fault, all three. The reply just read refuses the session, not the
 * message: whatever its code, the message waits. */
void result_refused(struct dialog *d, enum reply_class class);
/* No reply, or one that makes no sense. */
void result_fault(struct dialog *d, enum reply_class class, const char *enh,
    const char *fmt, ...) PH_PRINTF(4, 5);
void result_ended(struct dialog *d, enum stream_end why);
/* Our own decision: the leg was not asked. */
struct result result_local(const struct dialog *d, const char *enh,
    const char *text);

/* ---- pool.c: idle connections ---- */

struct pool {
	struct list idle[NAMES_MAX]; /* by leg, last used first */
	unsigned count;
	struct timer sweep;
	void (*quit)(struct dialog *d); /* closes an idle one */
};

void pool_init(struct client *c, void (*quit)(struct dialog *d));
void pool_fini(struct client *c);
bool pool_takes(const struct dialog *d); /* or is it time to close? */
bool pool_spent(const struct dialog *d); /* as many messages as it may have */
void pool_put(struct dialog *d);
void pool_remove(struct dialog *d); /* safe when it is not in */
/* An idle connection for that request, or NULL. */
struct dialog *pool_take(struct client *c, const struct client_request *r);
/* Any idle one of the leg, the least recently used. */
struct dialog *pool_oldest(struct client *c, int leg);
void pool_close(struct client *c, int leg);
void pool_close_all(struct client *c);

/* ---- probe.c ---- */

/* Ends and reports them all. */
void probe_stop_all(struct client *c);

/* ---- requests.c ---- */

struct client {
	struct client_config cfg;
	struct pool pool;
	struct list dialogs;
	struct list finished; /* requests to report */
	struct list parked;   /* connections to tell the owner of */
	struct list dead;     /* dialogs to free */
	struct list probes;
	struct defer report;
	unsigned busy;
	unsigned connections[NAMES_MAX]; /* by leg */
	_Atomic uint64_t eightbit[NAMES_MAX]; /* transactions */
	unsigned generation; /* of the configuration */
	struct marks unreached; /* hosts that could not be reached */
	struct marks had_tls;   /* … that spoke TLS lately */
	struct marks in_clear;  /* … whose fall back to the clear was said */
	struct marks no_tls;    /* … that hung up at STARTTLS lately */
	bool draining;
};

/* ---- client_lists.c: what is reported later ---- */

/* The request has all its results. */
void client_finished(struct client *c, struct client_request *r);
/* The connection is idle. */
void client_parked(struct client *c, struct dialog *d);
/* The dialog is over, and its slot is given back. Its memory stays until the
 * report: the call that ended it may be its own. */
void client_dead(struct client *c, struct dialog *d);

#endif
