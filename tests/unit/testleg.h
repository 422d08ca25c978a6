/* SPDX-License-Identifier: ISC
 *
 * A leg that says what a script tells it: an SMTP server on a free port of
 * 127.0.0.1, on the test's own loop. It follows no rule of its own but that a
 * body ends where it ends.
 */
#ifndef TESTS_UNIT_TESTLEG_H
#define TESTS_UNIT_TESTLEG_H

#include "relay/net/stream.h"

/* The first row whose `what` heads the command and that has not been used
 * `times` times (0: always) is the answer. Commands, and three occasions:
 * "CONNECT", "." (the end of DATA), "CONTENT" (its first bytes, either way).
 * Without a row the leg says what a good server says.
 *
 * The last byte of an answer may be one of the LEG_… below; LEG_NUL may stand
 * anywhere. "" is silence. */
struct leg_rule {
	const char *what, *answer;
	int times;
};

#define LEG_CLOSE "\x01" /* … and the connection is closed */
#define LEG_RESET "\x02" /* … and it is reset              */
#define LEG_DEAF "\x03"	 /* … and nothing more is read     */
#define LEG_TLS "\x04"	 /* … and a handshake begins       */
#define LEG_NUL "\x05"	 /* a NUL is said in its place     */

enum { LEG_RULES = 16 };

struct leg {
	struct loop *loop;
	struct stream_scratch *scratch;
	struct io io;
	int fd, port;
	const struct leg_rule *rules; /* end: what == NULL */
	int used[LEG_RULES];
	struct tls_server *tls; /* for LEG_TLS; the test's */
	struct sock_ops sock;
	struct list conns;
	int connected, open;
	char peer[NETADDR_TEXT]; /* of the last connection */
	struct strbuf said; /* commands of all connections, a line each */
	struct strbuf body; /* contents as they came, dots and all */
	int bodies;
};

struct leg *leg_new(struct loop *l, struct stream_scratch *s);
void leg_free(struct leg *g);
/* Another script; what was said is forgotten. */
void leg_script(struct leg *g, const struct leg_rule *rules);
/* Says something unasked on all connections (a LEG_… byte works). */
void leg_say(struct leg *g, const char *text);
/* No further connection: the port refuses. */
void leg_refuse(struct leg *g);

#endif
