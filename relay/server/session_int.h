/* SPDX-License-Identifier: ISC
 *
 * A session from the inside; for the files of this folder alone.
 *
 * Who may do what: a handler says things and returns what comes next, it
 * never touches `state`; session_proceed() turns that into a state, and the
 * one place where `state` is written is session_enter(). Between commands the
 * state is not stored knowledge but follows from the facts (is there a HELO,
 * a transaction, a recipient, a chunk): see resting() in session.c.
 *
 * Calls go downward alone: sessions.c, session.c, commands.c and greet.c,
 * cmd_*.c, content.c, session_say.c and tx.c, session_view.c.
 */
#ifndef RELAY_SERVER_SESSION_INT_H
#define RELAY_SERVER_SESSION_INT_H

#include "relay/base/loop.h"
#include "relay/base/mem.h"
#include "relay/mail/body.h"
#include "relay/mail/sasl.h"
#include "relay/server/server.h"

enum state {
	ST_CONNECT, /* not greeted yet: does the client talk first?       */
	ST_PROXY,   /* the PROXY header comes before the greeting         */
	ST_HELLO,   /* commands: neither EHLO nor HELO was said           */
	ST_READY,   /* commands: no transaction                           */
	ST_MAIL,    /* commands: a sender, no recipient                   */
	ST_RCPT,    /* commands: one recipient or more                    */
	ST_BDAT,    /* commands: between two chunks                       */
	ST_AUTH,    /* the response to a 334                              */
	ST_DATA,    /* content, up to its dot                             */
	ST_CHUNK,   /* content, counted octets                            */
	ST_ASKED,   /* the owner owes an answer; input waits              */
	ST_HELD,    /* the owner wants no more content for now            */
	ST_TLS,	    /* 220 was said to STARTTLS; the handshake            */
	ST_CLOSING, /* the last reply goes out, what comes is thrown away */
	ST_OVER,    /* the loop frees it                                  */
	STATES
};

enum {
	/* Input kept while an answer is owed; the longest thing that must be
	 * seen whole is a PROXY header. */
	KEEP_MAX = 4096,
	/* … and where a login may come. */
	KEEP_AUTH = SASL_LINE_MAX + 64,
};

#define IN(state) (1u << (state))
#define ANY (IN(ST_HELLO) | IN(ST_READY) | IN(ST_MAIL) | IN(ST_RCPT) | \
	IN(ST_BDAT))

enum next {
	NEXT_STAY,    /* more bytes are wanted where we are           */
	NEXT_REPLIED, /* to the resting state that follows from facts */
	NEXT_WAIT,    /* session_answer() goes on                     */
	NEXT_AUTH,
	NEXT_DATA,
	NEXT_CHUNK,
	NEXT_HOLD,    /* session_resume() goes on                     */
	NEXT_TLS,
	NEXT_CLOSE,
};

typedef enum next (*answer_fn)(struct session *s, const struct reply *r);

/* One mail transaction. Lives in its arena and dies with it. */
struct tx {
	struct arena *arena;
	bool owned; /* `mail` was asked and did not refuse: `reset` is owed */
	bool utf8;
	struct slice from;
	bool offered; /* MAIL was right; if the connection ends, it is told */
	char *to; /* ADDR_MAX bytes: the recipient that was named last */
	size_t to_n;
	uint64_t size; /* as MAIL announced it; 0: not */
	int rcpts;     /* accepted ones */

	/* The content. A refusal ends the owner's part at once; what still
	 * comes is only counted. */
	struct reply *refusal;
	bool refusal_closes;
	bool content; /* DATA or BDAT was said */
	uint64_t bytes;	     /* of content, thrown away or not             */
	int64_t begun_ms;    /* moved on by the time that we made it wait  */
	struct data_reader reader;
	bool ended;	     /* the final dot was read                     */
	bool bdat;
	bool last;	     /* this chunk is the last                     */
	uint64_t chunk, chunk_left;
	struct content_watch watch;
};

struct session {
	struct list node; /* in server.sessions */
	struct server *server;
	struct stream *stream;
	struct conf *conf;
	int listen;
	struct netaddr client, counted; /* PROXY's; the one that the acceptor
					 * counts */
	enum proxy_kind proxy;
	struct tls_server *tls; /* NULL: not offered */
	void *user;

	enum state state;
	answer_fn answered; /* in ST_ASKED */
	struct defer free;  /* ST_OVER: not inside a callback */
	/* Not stream_deadline(): when time is up there is something to say. */
	struct timer timer;
	int64_t deadline_ms; /* 0: none; the timer may fire earlier */
	int64_t fires_ms;
	int64_t held_ms;     /* since when we make it wait */
	size_t left;	 /* input that was shown and not taken */

	char *helo; /* NULL before */
	bool esmtp;
	bool greeted;
	char *login; /* the user that it proved to be; NULL: none */
	char *login_asked; /* … that the owner is asked about */
	struct sasl *sasl; /* a login that is being said, else NULL */
	char *certificate; /* fingerprint of the client's; NULL: none */
	bool normalize; /* bare line ends are line ends for this client */
	bool skipping;	/* the rest of a line that was too long */
	bool pipelined; /* bytes follow the command that runs */
	bool choked;	/* it does not read our replies */
	int errors, idle_commands, long_lines;
	unsigned replies; /* made so far */

	/* For `report`: what is being answered, and its argument. */
	enum stage stage;
	struct slice to;
	char said[SAID_MAX];
	size_t said_n;
	bool secrets; /* after AUTH: lines that are no command may be one */
	bool repaired; /* line ends, of this transaction or before it */
	const char *lost; /* why the connection ended */
	struct tx *tx;
};

struct server {
	struct server_config c;
	struct list sessions;
	int count;
	bool draining;
};

/* ---- session.c -------------------------------------------------------- */

void session_begin(struct server *sv, const struct accepted *a);
void session_free(struct session *s);
/* The daemon stops: 421, now or after the transaction. */
void session_drain(struct session *s);
void session_proceed(struct session *s, enum next next);
/* As session_proceed(), from outside of input: sends what was said and has
 * the input that waited shown again. */
void session_go_on(struct session *s, enum next next);

/* ---- session_say.c: what is said ------------------------------------- */

/* Says a reply and counts it; NEXT_REPLIED, or NEXT_CLOSE after a 421 or 521
 * and after one error too many. */
enum next session_say(struct session *s, const struct reply *r);
enum next session_refuse(struct session *s, int code, const char *enh,
    const char *text);
/* Reports a fault in a command or content that was accepted all the same. */
void session_repaired(struct session *s, const char *why);
/* The connection ended without an answer. */
void session_aborted(struct session *s, enum stage stage, const char *why);
/* Keeps the client's words for the record. */
void session_said(struct session *s, struct slice said);
/* Says it and ends the session. */
enum next session_bye(struct session *s, int code, const char *enh,
    const char *text);
/* Counts a command that brings no mail further; true: one too many. */
bool session_idles(struct session *s);
/* Handles the answer of an asked callback: goes on with `then` now or
 * later. */
enum next session_ask(struct session *s, enum answer a, const struct reply *r,
    answer_fn then);

/* ---- greet.c: before the first command -------------------------------- */

/* Where a session begins: ST_PROXY or ST_CONNECT. */
enum state greet_state(const struct session *s);
/* Time to greet, in ST_CONNECT. */
enum next greet_now(struct session *s);
enum next greet_early(struct session *s, struct slice *rest);
enum next greet_proxy(struct session *s, struct slice *rest);

/* ---- commands.c ------------------------------------------------------- */

enum next commands_input(struct session *s, struct slice *rest);

/* ---- tx.c ------------------------------------------------------------- */

struct tx *tx_begin(struct session *s, struct slice from);
/* The recipient that RCPT names, right or not. Copied: the answer may come
 * when the line is gone. */
void tx_name(struct session *s, struct slice to);
/* Ends it, if there is one; tells the owner when it knows of it. */
void tx_end(struct session *s);
/* The content is refused; that is said when all of it was read. The owner
 * drops what it has of it at once. The first refusal counts. */
void tx_refuse(struct session *s, const struct reply *r);
void tx_refuse_text(struct session *s, int code, const char *enh,
    const char *text);

/* ---- content.c: what DATA and BDAT have in common --------------------- */

/* Most bytes of a content that are read for the sake of its sender hearing
 * why it was refused. */
uint64_t content_ceiling(const struct session *s);
/* Asks the owner, or goes on at once with the refusal that stands. */
enum next content_begin(struct session *s, uint64_t expect, answer_fn then);
/* NEXT_STAY, NEXT_HOLD, or NEXT_CLOSE. */
enum next content_add(struct session *s, struct slice run);
enum next content_end(struct session *s);
/* Says the refusal that is due, and ends the transaction. */
enum next content_refused(struct session *s);
/* BDAT has a bare CR, LF or NUL: the owner may refuse that. */
void content_bare(struct session *s);
bool content_too_slow(const struct session *s);
int64_t content_deadline_ms(const struct session *s);
enum next content_slow(struct session *s);

/* ---- cmd_*.c ---------------------------------------------------------- */

enum next cmd_ehlo(struct session *s, const struct smtp_cmd *cmd);
enum next cmd_helo(struct session *s, const struct smtp_cmd *cmd);
enum next cmd_starttls(struct session *s, const struct smtp_cmd *cmd);
void starttls_done(struct session *s);
/* TLS before the greeting: NEXT_TLS, or NEXT_CLOSE. */
enum next starttls_at_once(struct session *s);
enum next cmd_auth(struct session *s, const struct smtp_cmd *cmd);
/* Are there users who may log in on this listener? And may the client now? */
bool auth_known(const struct session *s);
bool auth_offered(const struct session *s);
enum next auth_input(struct session *s, struct slice *rest);
void auth_drop(struct session *s);
enum next cmd_mail(struct session *s, const struct smtp_cmd *cmd);
enum next cmd_rcpt(struct session *s, const struct smtp_cmd *cmd);
enum next cmd_data(struct session *s, const struct smtp_cmd *cmd);
enum next data_input(struct session *s, struct slice *rest);
enum next data_resume(struct session *s);
enum next cmd_bdat(struct session *s, const struct smtp_cmd *cmd);
enum next bdat_input(struct session *s, struct slice *rest);
enum next bdat_resume(struct session *s);
enum next cmd_rset(struct session *s, const struct smtp_cmd *cmd);
enum next cmd_noop(struct session *s, const struct smtp_cmd *cmd);
enum next cmd_vrfy(struct session *s, const struct smtp_cmd *cmd);
enum next cmd_expn(struct session *s, const struct smtp_cmd *cmd);
enum next cmd_quit(struct session *s, const struct smtp_cmd *cmd);

#endif
