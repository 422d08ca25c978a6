/* SPDX-License-Identifier: ISC
 *
 * A real server on a real loop, a client on the other end of a socket pair,
 * and an owner that is scripted and distrustful: it stops the test when a
 * callback comes that the contract of server.h forbids.
 */
#ifndef TESTS_UNIT_SERVERTEST_H
#define TESTS_UNIT_SERVERTEST_H

#include <stdio.h>
#include <stdlib.h>

#include "relay/server/server.h"

/* Fuzz targets use this too, so it is not CMocka's. */
#define must(cond)                                                       \
	do {                                                             \
		if (!(cond)) {                                           \
			fprintf(stderr, "%s:%d: must: %s\n", __FILE__,   \
			    __LINE__, #cond);                            \
			abort();                                         \
		}                                                        \
	} while (0)

/* The owner; the sender's and recipient's local parts say what it does:
 *   sender   refuse 554, busy 451, slam 421; full: body_begin 452;
 *            virus: body refuses 554; plain: bare refuses 554;
 *            late: body_end 451
 *   recipient unknown 550, defer 450, anything else 250
 *   password  wrong 535, busy 454, slam 421, anything else 235 */
struct owner {
	struct rig *rig;
	bool later;  /* answers come in another turn                */
	int slow_ms; /* or so much later, room for content too      */
	bool hold;   /* body() wants a pause every time             */
	bool bar;    /* connected() says 554                        */
	bool crowd;  /* recount() says no                           */
	bool many;   /* sessions at once, one at a time in a mail   */
	struct tls_server *tls;

	struct strbuf log;  /* a line a callback */
	struct strbuf body; /* of the transaction that runs or was last */
	struct body_facts facts;
	char tls_text[80]; /* of the last MAIL */
	bool in_tx, in_body, ended, holding, connected, closed, mail_owed;
	int stored, resets, left, refusals;
	bool say_words; /* of reports: what was said, and bytes */
	struct session *session;
	struct reply owed;
	struct defer answer, resume;
	struct timer slow_answer, slow_resume;
};

struct rig {
	struct loop *loop;
	struct stream_scratch *scratch;
	struct server *server;
	struct conf conf;
	struct conf_listen listen;
	struct conf_net net[2];
	struct owner o;
	int fd;		  /* the client's end; -1: closed */
	void *ssl;	  /* the client's, when it talks TLS */
	struct strbuf in; /* received, not yet looked at */
	bool eof;
};

void rig_init(struct rig *r); /* server and configuration, no client yet */
void rig_init_on(struct rig *r, const struct sock_ops *sock);
void rig_fini(struct rig *r);
/* A client of that address connects. */
void rig_connect(struct rig *r, const char *ip);
/* A descriptor of any kind is a client. */
void rig_accept(struct rig *r, int fd, const char *ip);
void rig_hang_up(struct rig *r);
void rig_send(struct rig *r, const void *p, size_t n);
void rig_say(struct rig *r, const char *text);
void rig_turn(struct rig *r); /* one turn of the loop; takes what came */
void rig_poll(struct rig *r); /* the same, without waiting */
/* The next reply, all its lines, into `out`; "END" when the session is over,
 * "NOTHING" when there is none in good time. */
void rig_hear(struct rig *r, char *out, size_t size);
/* NULL, or what came instead: `want` is a list of beginnings of replies, one
 * a line, or "END". The answer lives until the next call. */
const char *rig_expect(struct rig *r, const char *want);

extern const struct server_ops owner_ops; /* arg: struct owner */

/* ---- dialogues as tables ---- */

struct step {
	const char *say, *hear; /* as rig_expect() */
};

struct dialogue {
	const char *name;
	struct step step[12];
};

#define HELLO {NULL, "220 relay.example ESMTP"}, {"EHLO a.example\r\n", "250-"}
#define MAIL {"MAIL FROM:<s@a.example>\r\n", "250 2.1.0"}
#define RCPT {"RCPT TO:<t@b.example>\r\n", "250 2.1.5"}

/* Each one with an owner that answers at once, with one that answers later,
 * and with one that wants pauses too. Aborts where it goes another way. */
void dialogues_run(const struct dialogue *d, size_t n);
/* EHLO, MAIL and RCPT; the DATA command too. */
void rig_begin(struct rig *r, bool data);
/* How often a line that begins so stands in the owner's log. */
int rig_logged(const struct rig *r, const char *line);

#endif
