/* SPDX-License-Identifier: ISC
 *
 * The world of the client's tests: the real client and a scripted leg on one
 * loop, a table for a resolver, slots that are counted here.
 */
#ifndef TESTS_UNIT_TESTCLIENT_H
#define TESTS_UNIT_TESTCLIENT_H

#include "relay/client/client.h"
#include "tests/unit/testdns.h"
#include "tests/unit/testleg.h"

enum { SEND_RCPTS = 8 };

/* One request and its storage. */
struct sent {
	struct client_request r;
	struct client_rcpt rcpt[SEND_RCPTS];
	int done;
};

struct world {
	struct loop *loop;
	struct stream_scratch *scratch;
	struct leg *leg;
	struct dns *dns;
	struct client *client;
	struct sock_ops sock;
	struct conf conf;
	struct conf_leg cl;
	struct conf_hostport host[4];
	struct tls_client *tls;
	struct source *content;
	int slots, idle_calls, wanted, done, tls_asked, learned_calls;
	int in_clear;		/* how often that was said … */
	char in_clear_why[200]; /* … and the last reason */
	struct ehlo learned; /* what the client said last */
	struct sent *next; /* sent when the connection is idle */
	bool more;	   /* what the owner says then */
	const char *splits; /* a text by which the owner knows a split */
};

/* `rows` may be NULL. The leg is 127.0.0.1, the timeouts are long. */
struct world *world_new(const struct testdns_row *rows);
void world_free(struct world *w);
/* For world_new(): how often the client called send(), and where it goes:
 * connections to port 25 are led to the scripted leg. */
int world_sends(void);
/* The n-th send() from now, and each one after it, fails. */
void world_fail_send(int n);

void world_content(struct world *w, struct slice bytes);
/* From "from@src.test" to `to`, addresses with blanks between. */
struct sent *sent_new(struct world *w, const char *to);
/* The same without content: only whether `to` would be taken. */
struct sent *asked_new(struct world *w, const char *to);
void sent_free(struct sent *s);
bool world_send(struct world *w, struct sent *s);
/* Until `done` requests in all have come back; fails the test if they do
 * not. */
void world_wait(struct world *w, int done);
/* Until `*n` is `want`. */
void world_until(struct world *w, const int *n, int want);
void world_turns(struct world *w, int turns);

/* "delivered 250 2.0.0 body none" of recipient i */
const char *sent_text(const struct sent *s, unsigned i);
/* The same of all, a line each. */
void sent_check(const struct sent *s, const char *want);
/* The lines that the leg got, without those of EHLO and QUIT. */
const char *world_said(struct world *w);

#endif
