/* SPDX-License-Identifier: ISC
 *
 * Shared by the files of a stream. Calls go downward alone: stream_life.c,
 * stream_flow.c, stream_tls.c, stream_state.c.
 */
#ifndef RELAY_NET_STREAM_INT_H
#define RELAY_NET_STREAM_INT_H

#include "relay/base/strbuf.h"
#include "relay/net/stream.h"

enum { SCRATCH_BYTES = 64 * 1024 };

struct stream_scratch {
	BIO_METHOD *bio; /* the socket calls as OpenSSL wants them */
	size_t limit;	 /* read at once; 0: all that fit */
	char bytes[SCRATCH_BYTES];
};

struct ahead {
	size_t n, at;
	char bytes[];
};

enum tls_phase {
	TLS_OFF,
	TLS_ASKED,   /* begins with the next turn */
	TLS_SHAKING,
	TLS_UP,
	TLS_BROKEN,  /* no close_notify after a fatal error (SSL_shutdown(3)) */
};

struct stream {
	struct stream_config c;
	struct io io;
	struct timer timer;
	struct defer kick; /* what must not happen inside a call */
	struct strbuf out;
	size_t sent; /* of `out` */
	char *keep;  /* input that the owner left */
	size_t kept;
	int64_t deadline_ms; /* 0: none */
	int64_t armed_ms;    /* when the timer fires; it may be too early */
	uint64_t bytes_in;
	SSL *ssl;
	char *tls_text, *error;
	struct ahead *ahead; /* of a handshake: received before it; or NULL */
	struct netaddr peer, local;
	enum tls_phase tls;
	int tls_wants;		 /* IO_… that the TLS engine waits for   */
	int sys_errno;		 /* of the last socket call under TLS    */
	enum stream_end fail_as; /* with `failed`                        */
	bool connecting;
	bool blocked;  /* the system took less than `out`: wait         */
	bool paused;   /* by the owner                                  */
	bool again;    /* `keep` is shown before more is read, or its end */
	bool full;     /* `keep` reached keep_max                       */
	bool more;     /* TLS may hold bytes the descriptor won't tell  */
	bool rest;     /* what is left is the client's handshake        */
	bool secret;   /* what was shown is overwritten                 */
	bool sock_eof; /* what BIO_eof() says                           */
	bool failed;   /* found in a call; told by the kick             */
	bool showing;  /* inside input()                                */
	bool busy;     /* inside a handler: stream_free() only marks    */
	bool freed;
	bool over;     /* `ended` was called                            */
};

/* A stream costs little when it is idle: 2,000 sessions in 20 MB, with the
 * session's own state and an event of 128 bytes. */
_Static_assert(sizeof(struct stream) <= 488, "an idle stream is small");

/* ---- stream_state.c ---- */

/* Is this errno of a socket call only "not now"? */
bool stream_would_block(int no);
/* Neither freed nor over: a callback of the owner's may have done either. */
bool stream_alive(const struct stream *s);
/* Sets the events that the descriptor is watched for; they follow from the
 * state, and only this function sets them. */
void stream_watch(struct stream *s);
/* Found inside a call of the owner's: told later. */
void stream_fail(struct stream *s, enum stream_end why);
/* Says why, then `ended`. Only from a handler. */
void stream_end(struct stream *s, enum stream_end why);
void stream_set_error(struct stream *s, const char *text);
void stream_set_errno(struct stream *s, int no, const char *what);

/* ---- stream_flow.c; only from a handler ---- */

/* The system takes more. */
void stream_writable(struct stream *s);
/* Receives once, and shows what came. */
void stream_read_some(struct stream *s);
/* Shows again what the owner left. */
void stream_show_kept(struct stream *s);

/* ---- stream_tls.c ---- */

BIO_METHOD *stream_bio_method(void);
/* Like recv() and send(): -1 and EAGAIN, or another errno and stream_error()
 * set. */
ssize_t stream_tls_read(struct stream *s, char *to, size_t room);
ssize_t stream_tls_write(struct stream *s, struct slice bytes);
/* One step of the handshake; ends the stream when it fails. True: done. */
bool stream_tls_shake(struct stream *s);
void stream_tls_fini(struct stream *s);
/* Input that the owner left becomes the beginning of the handshake. */
void stream_tls_ahead(struct stream *s);

#endif
