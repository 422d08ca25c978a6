/* SPDX-License-Identifier: ISC
 *
 * Shared by the server and the client side of TLS.
 */
#ifndef RELAY_NET_TLS_INT_H
#define RELAY_NET_TLS_INT_H

#include <openssl/x509v3.h>

#include "relay/base/clock.h"
#include "relay/net/tls.h"

/* A context with everything that both sides want. Never NULL. */
SSL_CTX *tls_context(const SSL_METHOD *method);
/* Loads a chain and its key (`key` "" : in the same file) and checks that
 * they belong together. 0, or -1 and "FILE: why". */
int tls_load_pair(SSL_CTX *ctx, const char *cert, const char *key,
    struct error *err);
/* "what: reason", the reason OpenSSL's. Returns -1. */
int tls_error(struct error *err, const char *what);

/* RFC 6125 6.4.4: a common name is no name; 6.4.3: a wildcard is a label. */
enum { TLS_NAME_FLAGS = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
	X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS };
/* Has it a fingerprint of the leg? Yes when the leg names none. */
bool tls_client_pinned(const struct tls_client *t, X509 *cert);

/* Notes of a client's handshake, kept with the session. */
struct tls_check {
	bool dane;     /* TLSA records judge the certificate */
	char why[160]; /* our own reason to refuse it, or "" */
};
void tls_check_add(SSL *ssl);
struct tls_check *tls_check_of(const SSL *ssl); /* NULL: the server's side */

/* Session tickets of a listener: keys of its own that are changed, so that a
 * key stolen today opens no connection of last week. */
struct tls_tickets;
struct tls_tickets *tls_tickets_new(const struct clock *clock);
void tls_tickets_free(struct tls_tickets *t);
void tls_tickets_use(struct tls_tickets *t, SSL_CTX *ctx);

#endif
