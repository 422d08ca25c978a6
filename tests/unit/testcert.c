/* SPDX-License-Identifier: ISC
 *
 * Certificates for tests, made when they run.
 */
#include "tests/unit/testcert.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "relay/base/mem.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	must(e != NULL && X509_add_ext(cert, e, -1) == 1);
	X509_EXTENSION_free(e);
}

static void set_serial(X509 *cert)
{
	uint64_t serial;

	RAND_bytes((unsigned char *)&serial, sizeof(serial));
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1);
}

struct testcert *testcert_new(const struct testcert_spec *spec,
    const struct testcert *issuer)
{
	struct testcert *c = NEW(struct testcert);
	X509_NAME *name;
	int to = spec->to_days == 0 ? 30 : spec->to_days;

	c->key = spec->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	c->cert = X509_new();
	must(c->key != NULL && c->cert != NULL);
	if (issuer == NULL)
		issuer = c;
	X509_set_version(c->cert, X509_VERSION_3);
	set_serial(c->cert);
	X509_gmtime_adj(X509_getm_notBefore(c->cert),
	    (long)spec->from_days * 86400 - 60);
	X509_gmtime_adj(X509_getm_notAfter(c->cert), (long)to * 86400);
	name = X509_get_subject_name(c->cert);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)spec->cn, -1, -1, 0);
	X509_set_issuer_name(c->cert, X509_get_subject_name(issuer->cert));
	X509_set_pubkey(c->cert, c->key);
	if (spec->ca)
		add_extension(c->cert, NID_basic_constraints,
		    "critical,CA:TRUE");
	if (spec->names != NULL)
		add_extension(c->cert, NID_subject_alt_name, spec->names);
	must(X509_sign(c->cert, issuer->key, EVP_sha256()) > 0);
	return c;
}

void testcert_free(struct testcert *c)
{
	if (c == NULL)
		return;
	X509_free(c->cert);
	EVP_PKEY_free(c->key);
	mem_free(c);
}

static FILE *open_new(char path_out[TESTCERT_PATH])
{
	FILE *f;
	int fd;

	snprintf(path_out, TESTCERT_PATH, "/tmp/posthouse-test-XXXXXX");
	fd = mkstemp(path_out);
	must(fd >= 0);
	f = fdopen(fd, "w");
	must(f != NULL);
	return f;
}

static void put_key(FILE *f, const struct testcert *c)
{
	must(PEM_write_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL) == 1);
}

void testcert_file(const struct testcert *c, char path_out[TESTCERT_PATH])
{
	FILE *f = open_new(path_out);

	must(PEM_write_X509(f, c->cert) == 1);
	put_key(f, c);
	must(fclose(f) == 0);
}

void testcert_file_chain(const struct testcert *c,
    const struct testcert *issuer, char path_out[TESTCERT_PATH])
{
	FILE *f = open_new(path_out);

	must(PEM_write_X509(f, c->cert) == 1);
	must(PEM_write_X509(f, issuer->cert) == 1);
	put_key(f, c);
	must(fclose(f) == 0);
}

void testcert_file_part(const struct testcert *c, bool key,
    char path_out[TESTCERT_PATH])
{
	FILE *f = open_new(path_out);

	if (key)
		put_key(f, c);
	else
		must(PEM_write_X509(f, c->cert) == 1);
	must(fclose(f) == 0);
}
