/* SPDX-License-Identifier: ISC
 *
 * Certificates for tests, made when they run.
 */
#ifndef TESTS_UNIT_TESTCERT_H
#define TESTS_UNIT_TESTCERT_H

#include <openssl/x509.h>
#include <stdbool.h>

struct testcert {
	X509 *cert;
	EVP_PKEY *key;
};

struct testcert_spec {
	const char *cn;
	const char *names; /* "DNS:mx.example,IP:127.0.0.1"; NULL: none */
	bool ca, rsa;	   /* else EC P-256 */
	int from_days, to_days; /* of today; to_days 0: 30 */
};

/* `issuer` NULL: signed by itself. Never fails (it aborts). */
struct testcert *testcert_new(const struct testcert_spec *spec,
    const struct testcert *issuer);
void testcert_free(struct testcert *c);

enum { TESTCERT_PATH = 64 };
/* Writes certificate and key as PEM to a new file and gives its path; the
 * caller unlinks it. */
void testcert_file(const struct testcert *c, char path_out[TESTCERT_PATH]);
/* … with the certificate of its issuer behind its own. */
void testcert_file_chain(const struct testcert *c,
    const struct testcert *issuer, char path_out[TESTCERT_PATH]);
/* Certificate or key alone. */
void testcert_file_part(const struct testcert *c, bool key,
    char path_out[TESTCERT_PATH]);

#endif
