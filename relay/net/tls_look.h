/* SPDX-License-Identifier: ISC
 *
 * Certificates for people: what one says, and whether a leg's would be
 * believed. What a peer shows is hostile: texts are cut and made printable.
 * Any thread; strings live in the arena that is given.
 */
#ifndef RELAY_NET_TLS_LOOK_H
#define RELAY_NET_TLS_LOOK_H

#include "relay/base/mem.h"
#include "relay/net/tls.h"

enum { TLS_NAMES_MAX = 50 };

struct tls_certificate {
	const char *subject, *issuer; /* RFC 2253, one line */
	const char *name[TLS_NAMES_MAX]; /* SAN: "mx.example", "192.0.2.1" */
	int names;
	const char *key; /* "EC 256", "RSA 2048" */
	char fingerprint[TLS_FINGERPRINT];
	int64_t from_s, until_s; /* since 1970, UTC */
};

void tls_certificate_read(X509 *cert, struct arena *a,
    struct tls_certificate *out);
/* The first certificate of a PEM file. */
int tls_certificate_file(const char *path, struct arena *a,
    struct tls_certificate *out, struct error *err) PH_CHECK;

/* After a handshake of tls_client_for_probe(). */
struct tls_look {
	char text[TLS_TEXT];
	struct tls_certificate cert;
	int chain;	/* certificates that were sent */
	/* By the authorities and the name, whatever the leg's level is. */
	bool verified;
	const char *why, *remedy; /* not, and what would be right; "" */
	const char *by;	 /* the name in it that fits; "" */
	bool pinned;	 /* has a fingerprint of the leg, when there are any */
	bool dane;	 /* TLSA records judged it */
	const char *dane_why; /* … and refused; "" */
};
void tls_look(struct tls_client *t, SSL *ssl, const char *host,
    struct arena *a, struct tls_look *out);

#endif
