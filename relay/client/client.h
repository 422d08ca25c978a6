/* SPDX-License-Identifier: ISC
 *
 * The SMTP client of one worker: "these recipients, this leg, call me".
 * Connections are pooled by leg (and, for a direct egress, by domain), kept
 * for the next message, and hold a slot of the ledger while they are open.
 * Knows no queue and no table; what a leg says is hostile input. One
 * worker's loop.
 */
#ifndef RELAY_CLIENT_CLIENT_H
#define RELAY_CLIENT_CLIENT_H

#include "conf/conf.h"
#include "relay/base/source.h"
#include "relay/mail/cmd.h"
#include "relay/mail/ehlo.h"
#include "relay/mail/result.h"
#include "relay/net/dns.h"
#include "relay/net/sockaddr.h"
#include "relay/net/stream.h"
#include "relay/net/tls_look.h"

struct client;

struct client_rcpt {
	const char *address; /* final, "x@y" */
	unsigned notify;     /* NOTIFY_…, said only where DSN is offered */
	const char *orcpt;   /* raw xtext form, "" : none */
	bool dsn; /* out: the leg offers DSN and was told these */
	/* Filled, but for result.address, which is the caller's. Strings live
	 * in request.arena. Outcome and class are what the code alone says;
	 * a refusal of the session (greeting, EHLO, STARTTLS) is always
	 * OUT_DEFERRED, whatever its code: result.stage tells. */
	struct result result;
};

/* One message towards one leg. The caller owns it; everything in it stays
 * until `done`, the leg and its configuration too. Recipients whose addresses
 * are equal are sent once and share the result (D7). The client splits by the
 * leg's max_recipients, by its word (LIMITS, RFC 9422), by its profile's
 * one_domain, by 452 4.5.3 and by what `splits` says. Of an LMTP leg each
 * recipient has its own answer to the content (RFC 2033). */
struct client_request {
	struct conf *conf;	    /* a reference, the caller's */
	const struct conf_leg *leg; /* of that conf */
	const char *domain;	    /* direct egress: whose MX; else NULL */
	uint64_t id;
	/* For XCLIENT: an address, its name and its HELO; "" or NULL: not
	 * known. */
	const char *client, *client_name, *helo;
	bool esmtp; /* … and how it spoke */
	const char *from; /* "" is null */
	/* Said instead of `from` where the leg does not offer DSN, so that
	 * NOTIFY=NEVER cannot be said (D3); NULL: `from` all the same. */
	const char *from_without_dsn;
	/* Only a question: MAIL, RCPT, RSET. content is NULL; a recipient that
	 * the leg takes is OUT_DELIVERED, STAGE_RCPT. */
	bool ask;
	/* From the leg's probe_source, over connections of their own. */
	bool apart;
	/* No step of the dialog before the content is waited for longer,
	 * whatever the leg's own times are; 0: they hold. */
	int64_t patience_ms;
	enum body_type body;
	bool utf8; /* it came with SMTPUTF8, and needs it ... */
	bool utf8_header; /* ... for its header: not all of that is ASCII */
	bool bare_lf, eight_bit;
	enum dsn_ret ret;
	const char *envid;
	struct client_rcpt *rcpt;
	unsigned rcpts;
	struct source *content; /* read once per transaction, rewound */
	struct arena *arena;	/* results' strings */
	void (*done)(void *arg, struct client_request *r);
	void *arg;
	struct list node; /* the client's */
};

/* Slots are counted elsewhere (the ledger), over all workers. */
struct client_slots {
	bool (*take)(void *arg, int leg);
	void (*give)(void *arg, int leg);
	bool (*wanted)(void *arg, int leg); /* another worker waits for one */
};

struct client_config {
	struct loop *loop;
	struct stream_scratch *scratch;
	const struct sock_ops *sock;
	struct dns *dns;
	const struct client_slots *slots;
	void *slots_arg;
	/* A connection of that leg is free and nothing waits for it here. The
	 * owner may call client_send() from inside. True: more for it is on its
	 * way, it is kept even when others want its slot. */
	bool (*idle)(void *arg, int leg);
	/* The TLS context of a leg in that snapshot, with a reference. */
	struct tls_client *(*tls)(void *arg, const struct conf *c,
	    const struct conf_leg *leg);
	/* Told the offers of the leg, each time it answered EHLO or HELO
	 * (after TLS); never of a direct egress. NULL: it is not told. */
	void (*learned)(void *arg, int leg, const struct ehlo *e);
	/* tls = may: that host offered TLS, it did not come about, and mail
	 * goes there in the clear. Once a host and alarm.interval. NULL: it is
	 * only logged. */
	void (*in_clear)(void *arg, const struct conf_leg *leg,
	    const char *host, const char *why);
	/* Does this answer to RCPT say that the recipient must not be in one
	 * transaction with the others? Beyond 452 4.5.3, which the client
	 * knows. NULL: nothing does. */
	bool (*splits)(void *arg, const struct conf_leg *leg,
	    const struct result *r);
	void *arg;
};

struct client *client_new(const struct client_config *c);
/* Does that address and port lead to a listener of the configuration, or to
 * one of its public addresses (RFC 5321 5.1)? Any thread. */
bool client_is_self(const struct conf *c, const struct netaddr *a);
/* Ends what is open at once; requests under way are reported first, as
 * OUT_UNTRIED or, past the final dot, uncertain. */
void client_free(struct client *c);
/* True: begun, `done` follows exactly once, later. False: there is no idle
 * connection and no slot; nothing happened. `have_slot`: the caller took one
 * and passes it on. */
bool client_send(struct client *c, struct client_request *r, bool have_slot);
/* Is there an idle connection for the leg? */
bool client_has_idle(const struct client *c, int leg);
/* How many connections of that leg are open, idle ones too? */
unsigned client_connections(const struct client *c, int leg);
/* How many transactions had 8-bit content for that leg although it did not
 * offer 8BITMIME (eightbit = "send")? Any thread. */
uint64_t client_eightbit(const struct client *c, int leg);
/* Others want slots: close up to `n` idle connections of that leg. A slot is
 * given back when its connection is closed, after QUIT was answered or 5 s. */
void client_yield(struct client *c, int leg, unsigned n);
/* No new dialog; idle connections are closed. Dialogs go on. */
void client_drain(struct client *c);
unsigned client_busy(const struct client *c);
/* Forget kept connections after a reload. */
void client_reload(struct client *c);

/* ---- a look at a leg, which brings no mail (probe.c) ---- */

enum { PROBE_ROWS = 32, PROBE_LINES = 40 };

/* An address of a host, or a host without one that is used. */
struct probe_row {
	const char *host;
	int port, preference; /* preference -1: of a list */
	const char *address;  /* "" */
	bool secure, dead;    /* as in the client's own order of hosts */
	int tlsas, usable;    /* signed TLSA records; those that count */
	/* The last thing done, STAGE_DONE when it went through to QUIT,
	 * STAGE_DNS when nothing was tried. */
	enum stage stage;
	const char *problem; /* with the remedy: no mail goes there; or "" */
	const char *note; /* mail goes there, but this should be known; "" */
	int64_t connect_ms, greeting_ms, tls_ms; /* -1: it did not come to it */
	const char *greeting;
	const char *offer[PROBE_LINES]; /* of the last EHLO */
	int offers;
	struct ehlo ehlo;
	bool starttls; /* was offered */
	bool in_tls;   /* `tls` is filled */
	struct tls_look tls;
};

struct client_probe {
	struct conf *conf; /* a reference, the caller's */
	const struct conf_leg *leg;
	const char *domain;	/* of a direct egress; else NULL */
	const char *from, *to;	/* of the transaction that is tried */
	struct tls_client *tls; /* of tls_client_for_probe() */
	int64_t timeout_ms;	/* of each step; the leg's own may be less */
	int64_t now_s;		/* since 1970 */
	int64_t soon_s; /* a certificate that ends within this is noted */
	struct arena *arena;
	void (*done)(void *arg, struct client_probe *p);
	void *arg;
	/* Filled. */
	const char *fault; /* there is no host at all: why; "" */
	struct probe_row row[PROBE_ROWS];
	unsigned rows;
};

/* All addresses at the same time. Takes no slot, waits for no breaker, and
 * remembers nothing. `done` follows exactly once, later; from client_free()
 * at the latest. The caller owns `p` until then. */
void client_probe(struct client *c, struct client_probe *p);

#endif
