/* SPDX-License-Identifier: ISC
 *
 * Two streams on a socket pair, one a TLS server, one a client, and an owner
 * for each that writes down what it is told. Assertions are CMocka's.
 */
#ifndef TESTS_UNIT_TLSPAIR_H
#define TESTS_UNIT_TLSPAIR_H

#include "relay/net/stream.h"
#include "tests/unit/testcert.h"

struct world;

struct side {
	struct world *w;
	struct stream *s;
	struct strbuf got;
	int ready, ended, drained;
	enum stream_end why;
	bool starttls; /* the server: on a line that says so */
};

struct world {
	struct loop *loop;
	struct stream_scratch *scratch;
	struct side server, client;
	struct tls_server *ts;
	struct tls_client *tc;
	struct testcert *ca;
	char ca_file[TESTCERT_PATH];
	char file[4][TESTCERT_PATH]; /* the server's certificates */
	char client_file[TESTCERT_PATH];
	struct conf_strings pins; /* fingerprints for dial() */
	enum tls_min min;	  /* for serve() */
	int files, client_fd;
};

int world_setup(void **state);
int world_teardown(void **state);
/* One more certificate of the server, signed by the world's authority. */
void certificate(struct world *w, struct testcert_spec spec);
void serve(struct world *w);		      /* w->ts of all of them */
void dial(struct world *w, enum tls_level level); /* w->tc              */
void open_pair(struct world *w);
void close_pair(struct world *w);
/* Both begin; returns when both are ready or over. The client's SSL; the
 * caller frees it. */
SSL *handshake(struct world *w, const char *host);
/* The same with a session made before; the caller frees it. */
void handshake_as(struct world *w, SSL *ssl);
/* Turn the loop until *what is at least `least`, or so much was read. */
void until(struct world *w, const int *what, int least);
void until_got(struct world *w, struct side *d, size_t n);

#endif
