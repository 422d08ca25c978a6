/* SPDX-License-Identifier: ISC
 *
 * TLS: what both sides share.
 */
#include "relay/net/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "relay/net/tls_int.h"

SSL_CTX *tls_context(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (ctx == NULL)
		mem_exhausted(0);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	/* A lost close_notify cuts nothing: SMTP frames its own bytes. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* Two buffers of 16 KiB a connection, given back while it is idle. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_max_early_data(ctx, 0);
	SSL_CTX_set_verify_depth(ctx, 10);
	return ctx;
}

int tls_error(struct error *err, const char *what)
{
	/* The first one: the others say where it passed. */
	unsigned long no = ERR_peek_error();
	const char *reason = ERR_reason_error_string(no);

	ERR_clear_error();
	if (ERR_SYSTEM_ERROR(no))
		return error_sys(err, ERR_GET_REASON(no), "%s", what);
	return error_set(err, "%s: %s", what,
	    reason == NULL ? "cannot be read" : reason);
}

int tls_load_pair(SSL_CTX *ctx, const char *cert, const char *key,
    struct error *err)
{
	int lib;

	if (key[0] == '\0')
		key = cert;
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return tls_error(err, cert);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1 &&
	    SSL_CTX_check_private_key(ctx) == 1)
		return 0;
	/* A key that could be read and does not fit: X509; one of another
	 * type: SSL. Anything else is the file. */
	lib = ERR_GET_LIB(ERR_peek_error());
	if (lib != ERR_LIB_X509 && lib != ERR_LIB_SSL)
		return tls_error(err, key);
	ERR_clear_error();
	return error_set(
	    err, "%s: the key is not the one of certificate %s", key, cert);
}

void tls_describe(SSL *ssl, char out[TLS_TEXT])
{
	snprintf(out, TLS_TEXT, "%s %s", SSL_get_version(ssl),
	    SSL_get_cipher_name(ssl));
}

void tls_fingerprint(X509 *cert, char out[TLS_FINGERPRINT])
{
	unsigned char hash[32];
	unsigned n = 0;

	if (X509_digest(cert, EVP_sha256(), hash, &n) != 1)
		mem_exhausted(0);
	for (unsigned i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

/* ---- what is noted of a handshake ---- */

static int check_index = -1;
static pthread_once_t check_once = PTHREAD_ONCE_INIT;

static void check_drop(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index,
    long argl, void *argp)
{
	(void)parent;
	(void)ad;
	(void)index;
	(void)argl;
	(void)argp;
	mem_free(ptr);
}

static void make_check_index(void)
{
	check_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, check_drop);
	if (check_index < 0)
		mem_exhausted(0);
}

void tls_check_add(SSL *ssl)
{
	pthread_once(&check_once, make_check_index);
	if (SSL_set_ex_data(ssl, check_index, NEW(struct tls_check)) != 1)
		mem_exhausted(0);
}

struct tls_check *tls_check_of(const SSL *ssl)
{
	return check_index < 0 ? NULL : SSL_get_ex_data(ssl, check_index);
}

void tls_reason(SSL *ssl, char *out, size_t size)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());
	long verdict = SSL_get_verify_result(ssl);
	const struct tls_check *check = tls_check_of(ssl);

	if (check != NULL && check->why[0] != '\0')
		snprintf(out, size, "certificate: %s", check->why);
	else if ((SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0 &&
	    verdict != X509_V_OK)
		snprintf(out, size, "certificate: %s",
		    X509_verify_cert_error_string(verdict));
	else
		snprintf(out, size, "%s",
		    reason == NULL ? "protocol error" : reason);
}
