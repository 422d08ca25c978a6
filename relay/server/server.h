/* SPDX-License-Identifier: ISC
 *
 * The SMTP server of one worker (RFC 5321 and the extensions that EHLO
 * names). Knows the protocol and its limits; knows no policy and no spool:
 * it asks the table of callbacks below, which the daemon's intake fills.
 *
 * One command runs at a time. An asked callback answers at once
 * (ANSWER_NOW, *r is the reply) or later by session_answer(); meanwhile the
 * next line stays in the input buffer. That is PIPELINING without a reply
 * queue. One worker's loop.
 */
#ifndef RELAY_SERVER_SERVER_H
#define RELAY_SERVER_SERVER_H

#include "conf/conf.h"
#include "relay/mail/cmd.h"
#include "relay/mail/reply.h"
#include "relay/mail/sasl.h"
#include "relay/mail/stage.h"
#include "relay/net/listen.h"
#include "relay/net/proxyhdr.h"
#include "relay/net/stream.h"

struct server;	/* one per worker */
struct session; /* one per connection */

enum answer { ANSWER_NOW, ANSWER_LATER };
enum take {
	TAKE_OK,
	TAKE_WAIT,    /* taken; no more until session_resume()            */
	TAKE_REFUSED, /* *r is the final answer; the rest is read and thrown
		       * away, then *r is said                            */
};

/* Properties that the server saw in a content. */
struct body_facts {
	uint64_t bytes;
	bool bdat;	/* came by BDAT                               */
	bool bare_lf;	/* only with bdat: a bare CR, LF or NUL in it */
	bool eight_bit;
};

enum report {
	/* A refusal was sent, the server's or the owner's; limits.errors and
	 * limits.commands end a session with one more, a 421. */
	REPORT_REFUSED,
	/* The connection ended without an answer of ours: in the header of
	 * PROXY, in TLS, or within a transaction. `closed` follows. */
	REPORT_ABORTED,
	/* It was not right, and was taken all the same: `why`. */
	REPORT_REPAIRED,
};

struct server_report {
	enum report what;
	enum stage stage;
	struct slice from, to; /* as far as known; as they came if bad */
	struct slice said; /* the argument, its first SAID_MAX bytes; of what
			    * is no command the line */
	uint64_t bytes; /* of content that were read */
	const struct reply *reply; /* of REPORT_REFUSED, else NULL */
	const char *why; /* of the others */
};
enum { SAID_MAX = 256 };

struct server_ops {
	/* A client is there (after PROXY, before the greeting). False: *r is
	 * said (421 or 554) and the session ends. Who is refused before that
	 * (too many connections behind PROXY) is seen by `report` and
	 * `closed` alone. */
	bool (*connected)(void *arg, struct session *s, struct reply *r);
	/* A client wants to log in, over TLS. 235: it is that user; any other
	 * reply: it is not. `c` is borrowed for the call. */
	enum answer (*login)(void *arg, struct session *s,
	    const struct credentials *c, struct reply *r);
	enum answer (*mail)(void *arg, struct session *s,
	    const struct mail_from *m, struct reply *r);
	enum answer (*rcpt)(void *arg, struct session *s,
	    const struct rcpt_to *t, struct reply *r);
	/* DATA, or the first BDAT. A reply of class 2 or 3 lets it begin.
	 * `expect`: SIZE of MAIL, or the first chunk's size; 0: not known. */
	enum answer (*body_begin)(void *arg, struct session *s,
	    uint64_t expect, struct reply *r);
	/* Content without dots; CRLF as it came. Borrowed bytes. */
	enum take (*body)(void *arg, struct session *s, struct slice bytes,
	    struct reply *r);
	/* A chunk of BDAT has a bare CR, a bare LF or a NUL in it, the first of
	 * this content. False: *r refuses the content, as in `body`. */
	bool (*bare)(void *arg, struct session *s, struct reply *r);
	/* All is there and none of it was refused by the server itself. */
	enum answer (*body_end)(void *arg, struct session *s,
	    const struct body_facts *f, struct reply *r);
	/* The transaction is over (RSET, EHLO, the final answer was given, a
	 * refusal of the content, or the connection is gone): drop what it
	 * held. Called once per transaction, unless `mail` itself refused it;
	 * an answer still owed, to `mail` too, must not be given any more. A
	 * refused content is dropped when it is known to be refused; what
	 * still comes of it is not shown. */
	void (*reset)(void *arg, struct session *s);
	/* Over; `session_user` is to be freed. No callback follows. */
	void (*closed)(void *arg, struct session *s);
	/* Something for the record; all borrowed. */
	void (*report)(void *arg, struct session *s,
	    const struct server_report *r);
	/* The TLS context of a listener in that snapshot, with a reference
	 * for the caller; NULL: STARTTLS is not offered. */
	struct tls_server *(*tls)(void *arg, const struct conf *c, int listen);
};

struct server_config {
	struct loop *loop;
	struct stream_scratch *scratch;
	const struct sock_ops *sock;
	const struct server_ops *ops;
	void *arg;
	/* A session ended: the acceptor's counts. `peer` is the address that
	 * is counted: the client that `recount` moved the connection to, else
	 * the one of the letter. Comes after `closed`. */
	void (*left)(void *arg, const struct netaddr *peer);
	/* PROXY named `to`: false when that client has too many. */
	bool (*recount)(void *arg, const struct netaddr *from,
	    const struct netaddr *to);
};

struct server *server_new(const struct server_config *c);
void server_free(struct server *s); /* ends all sessions at once */
/* Takes the letter, its descriptor and its conf reference. */
void server_accept(struct server *s, struct accepted *a);
/* No new transaction: sessions between transactions get 421 4.3.2 and end,
 * others after theirs. */
void server_drain(struct server *s);
int server_sessions(const struct server *s);

/* Gives the answer that was owed. */
void session_answer(struct session *s, const struct reply *r);
void session_resume(struct session *s); /* after TAKE_WAIT */

void *session_user(const struct session *s);
void session_set_user(struct session *s, void *user);
const struct conf *session_conf(const struct session *s);
const struct conf_listen *session_listen(const struct session *s);
const struct netaddr *session_client(const struct session *s);
/* The kind of the PROXY header before the session. Where it names no client,
 * session_client() is the proxy itself: that address gives no right. */
enum proxy_kind session_proxy(const struct session *s);
const char *session_helo(const struct session *s); /* "" before */
bool session_esmtp(const struct session *s);
const char *session_tls(const struct session *s);  /* "" in the clear */
/* The user that the client logged in as, and the SHA-256 of the certificate
 * that it showed (hex); "": none. */
const char *session_login(const struct session *s);
const char *session_certificate(const struct session *s);
struct slice session_from(const struct session *s); /* of this transaction */

#endif
