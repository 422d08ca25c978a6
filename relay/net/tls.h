/* SPDX-License-Identifier: ISC
 *
 * TLS contexts (OpenSSL 3): TLS 1.2 and up but for a listener that says
 * another `tls_min`, no renegotiation, no compression, no early data.
 * Contexts belong to a configuration snapshot and are counted; a connection
 * keeps a reference to the one that it began with until its stream is freed.
 * Any thread.
 */
#ifndef RELAY_NET_TLS_H
#define RELAY_NET_TLS_H

#include <openssl/ssl.h>

#include "conf/conf.h"

struct dns_tlsa;

/* Server side of one listener: its certificates, chosen by SNI; the first
 * serves when nothing fits. Certificates of one set of names and of several
 * key types (ECDSA, RSA) serve together. Tickets resume; their keys turn. */
struct tls_server;
struct tls_server *tls_server_new(const struct conf_listen *l,
    struct error *err) PH_CHECK;
struct tls_server *tls_server_ref(struct tls_server *t);
void tls_server_unref(struct tls_server *t);
SSL *tls_server_session(struct tls_server *t);

/* Client side of one leg: TLS_VERIFY checks chain and name, a fingerprint of
 * the leg the certificate itself, the other levels nothing. The last session
 * of each host is resumed. */
struct tls_client;
struct tls_client *tls_client_new(const struct conf_leg *l,
    struct error *err) PH_CHECK;
/* To look at a leg: no certificate ends the handshake, no session is resumed,
 * and the authorities are there at every level; see tls_look.h. */
struct tls_client *tls_client_for_probe(const struct conf_leg *l,
    struct error *err) PH_CHECK;
struct tls_client *tls_client_ref(struct tls_client *t);
void tls_client_unref(struct tls_client *t);
/* SNI is `host` when it is a name. With TLS_VERIFY the certificate must be
 * valid and name `host` (RFC 6125; an address literal: an IP SAN). */
SSL *tls_client_session(struct tls_client *t, const char *host);
/* The TLSA records of a signed zone about a certificate (RFC 7672). */
struct tls_dane {
	const char *base;   /* whose records they are: the host, or the name
			     * that it is an alias of (2.2.3) */
	const char *domain; /* whose MX the host is; NULL */
	const struct dns_tlsa *rec;
	int count; /* 0: nothing */
};
/* For a leg of TLS_DANE: with usable records (3.1: DANE-TA, DANE-EE) the
 * certificate must be as one of them says; of an authority by such a record
 * it must name `base`, `host` or `domain`. Without a usable one nothing is
 * checked. `usable_out` may be NULL. */
SSL *tls_client_dane(struct tls_client *t, const char *host,
    const struct tls_dane *d, int *usable_out);

/* SHA-256 of the certificate (DER), lower case hex. */
enum { TLS_FINGERPRINT = 65 };
void tls_fingerprint(X509 *cert, char out[TLS_FINGERPRINT]);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384" into out. */
enum { TLS_TEXT = 80 };
void tls_describe(SSL *ssl, char out[TLS_TEXT]);
/* Why the last call on this thread failed: certificate error first. */
void tls_reason(SSL *ssl, char *out, size_t size);

#endif
