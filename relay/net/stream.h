/* SPDX-License-Identifier: ISC
 *
 * One non-blocking connection on a loop: lines, counted bytes, output, TLS
 * on the same descriptor. Server sessions and client dialogs both stand on
 * it. The socket calls are behind struct sock_ops for fault tests.
 *
 * One receive buffer of 64 KiB per loop is lent to the stream that reads
 * (struct stream_scratch); a stream keeps only what its owner left unparsed
 * and frees that when it is empty. Once that is `keep_max` bytes nothing more
 * is read; one read may overshoot it, to 64 KiB. An idle stream costs its
 * struct and nothing else.
 *
 * Callbacks come from the loop, never from inside a call of ours. The owner
 * may call stream_free() inside any callback. One loop, one thread.
 */
#ifndef RELAY_NET_STREAM_H
#define RELAY_NET_STREAM_H

#include "relay/base/loop.h"
#include "relay/net/sockaddr.h"
#include "relay/net/tls.h"

struct sock_ops {
	ssize_t (*recv)(int fd, void *p, size_t n);
	ssize_t (*send)(int fd, const void *p, size_t n); /* MSG_NOSIGNAL */
	int (*connect)(int fd, const struct netaddr *to);
	int (*close)(int fd);
};
extern const struct sock_ops sock_system;

/* One per loop; shared by its streams. */
struct stream_scratch;
struct stream_scratch *stream_scratch_new(void);
void stream_scratch_free(struct stream_scratch *s);
/* At most so many bytes are read at once from now on; 0: all that fit. */
void stream_scratch_limit(struct stream_scratch *s, size_t bytes);

enum stream_end {
	STREAM_EOF,	/* orderly end by the peer                      */
	STREAM_RESET,	/* connection lost: see stream_error()          */
	STREAM_TIMEOUT, /* stream_deadline() passed                     */
	STREAM_TLS,	/* handshake failed: see stream_error()         */
	STREAM_CONNECT, /* connect failed: see stream_error()           */
};

struct stream_ops {
	/* Bytes are there. Returns how many were taken; the rest is shown
	 * again with what comes next, or after stream_again(). A line-based
	 * owner takes whole lines; when the rest fills `keep_max` and
	 * nothing is taken, reading stops until stream_again(). An owner that
	 * waits for something else pauses: then not even the end of the
	 * stream is told before stream_again(). */
	size_t (*input)(void *arg, struct slice bytes);
	/* Output has all been handed to the system (not called when it went
	 * out at once from within stream_flush()). May be NULL. */
	void (*drained)(void *arg);
	/* Connected, or the TLS handshake that was asked for is done. */
	void (*ready)(void *arg);
	/* Over: no callback follows; the owner calls stream_free(). */
	void (*ended)(void *arg, enum stream_end why);
};

struct stream;

struct stream_config {
	struct loop *loop;
	struct stream_scratch *scratch;
	const struct sock_ops *sock;
	const struct stream_ops *ops;
	void *arg;
	size_t keep_max; /* unparsed input kept, bytes; at most, and for 0,
			  * half of the receive buffer */
};

/* Takes a connected descriptor; reading starts with the next turn. */
struct stream *stream_accept(const struct stream_config *c, int fd);
/* Begins a connection; `ready` or `ended` follows. `source` may be NULL. */
struct stream *stream_connect(const struct stream_config *c,
    const struct netaddr *to, const struct netaddr *source);
/* Closes at once, no callback follows. NULL is fine. Safe inside a callback
 * of the same stream. With TLS a close_notify is sent best effort, so that
 * the session can be resumed. */
void stream_free(struct stream *s);

/* Output is gathered until stream_flush(); bytes are copied. A producer
 * stops when stream_pending() says STREAM_OUT_HIGH and goes on in drained();
 * past STREAM_OUT_MAX the connection is given up. */
enum { STREAM_OUT_HIGH = 256 * 1024, STREAM_OUT_MAX = 8 * 1024 * 1024 };
void stream_write(struct stream *s, struct slice bytes);
struct strbuf *stream_out(struct stream *s); /* append here, then flush */
/* Sends what it can now; the rest goes by itself. */
void stream_flush(struct stream *s);
size_t stream_pending(const struct stream *s); /* output not yet sent */

/* Input is held back (backpressure), and goes on. stream_again() also shows
 * kept bytes anew, later, from the loop. */
void stream_pause(struct stream *s);
void stream_again(struct stream *s);

/* Ends with STREAM_TIMEOUT in `ms` unless it is set again; 0 clears. Cheap:
 * it only moves a stamp, the timer is re-armed when it fires early. */
void stream_deadline(struct stream *s, int64_t ms);

/* Starts TLS. Takes `ssl`. `ready` or `ended` follows. False when there is
 * unread plaintext, or output that is not yet sent: the caller ends the
 * session (RFC 3207 4.2; the client side has the same hole, a reply sent
 * ahead of the handshake). Called from inside input(), where it is not known
 * yet how much will be taken, unread plaintext shows as `ended`, STREAM_TLS.
 * Plaintext that is still in the socket cannot be told from a handshake, and
 * fails as one. */
bool stream_tls_accept(struct stream *s, SSL *ssl) PH_CHECK;
bool stream_tls_connect(struct stream *s, SSL *ssl) PH_CHECK;
/* The same as the server, where the client begins by itself and plaintext is
 * not expected any more (RFC 8314): what is not taken yet is its handshake. */
bool stream_tls_accept_rest(struct stream *s, SSL *ssl) PH_CHECK;
/* From now on it is served behind what is not patient (loop.h). */
void stream_patient(struct stream *s);
/* From now on a password may be received: every copy of the input that the
 * stream made is overwritten once it was shown. `keep_max` as at the start. */
void stream_secret(struct stream *s, bool secret, size_t keep_max);

const char *stream_tls(const struct stream *s);	   /* "" in the clear  */
SSL *stream_ssl(const struct stream *s); /* NULL in the clear; the stream's */
const char *stream_error(const struct stream *s);  /* of the end; ""   */
const struct netaddr *stream_peer(const struct stream *s);
const struct netaddr *stream_local(const struct stream *s);
uint64_t stream_bytes_in(const struct stream *s);
/* The bytes that input() has not taken so far; valid until the next
 * callback. */
struct slice stream_kept(const struct stream *s);

#endif
