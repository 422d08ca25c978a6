/* SPDX-License-Identifier: ISC
 *
 * A certificate and its key, as files: are they there, do they belong
 * together, who can read the key? The contexts are made in
 * relay/net/tls_common.c; here a mistake is found before a running daemon is
 * asked to take it.
 */
#include "conf/check.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <sys/stat.h>

static FILE *open_file(const char *what, const char *path, struct error *err)
{
	FILE *f = fopen(path, "re");

	if (f == NULL)
		error_sys(err, errno, "%s \"%s\" cannot be read", what, path);
	return f;
}

static X509 *read_certificate(const char *path, struct error *err)
{
	FILE *f = open_file("certificate", path, err);
	X509 *cert;

	if (f == NULL)
		return NULL;
	cert = PEM_read_X509(f, NULL, NULL, NULL);
	if (cert == NULL)
		error_set(err, "certificate \"%s\" holds no certificate; it "
			       "must be a PEM file", path);
	fclose(f);
	return cert;
}

/* A daemon cannot ask for a passphrase. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	*(bool *)arg = true;
	return -1;
}

static EVP_PKEY *read_key(const char *path, struct error *err)
{
	FILE *f = open_file("key", path, err);
	bool encrypted = false;
	EVP_PKEY *key = NULL;
	struct stat st;

	if (f == NULL)
		return NULL;
	if (fstat(fileno(f), &st) != 0) {
		error_sys(err, errno, "key \"%s\" cannot be looked at", path);
	} else if ((st.st_mode & S_IRWXO) != 0) {
		error_set(err, "key \"%s\" can be read or written by everybody "
			       "on this machine; chmod o-rwx it", path);
	} else {
		key = PEM_read_PrivateKey(f, NULL, no_passphrase, &encrypted);
		if (key == NULL)
			error_set(err, encrypted ?
			    "key \"%s\" wants a passphrase; store it without" :
			    "key \"%s\" holds no private key; it must be a PEM "
			    "file", path);
	}
	fclose(f);
	return key;
}

int certificate_check(const char *cert, const char *key, struct error *err)
{
	X509 *x = read_certificate(cert, err);
	EVP_PKEY *k = x == NULL ? NULL : read_key(key, err);
	int rc = k == NULL ? -1 : 0;

	if (k != NULL && X509_check_private_key(x, k) != 1)
		rc = error_set(err, "certificate \"%s\" and key \"%s\" do not "
		    "belong together; name the key it was made with", cert,
		    key);
	EVP_PKEY_free(k);
	X509_free(x);
	ERR_clear_error();
	return rc;
}
