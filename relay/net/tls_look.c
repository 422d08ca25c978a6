/* SPDX-License-Identifier: ISC
 *
 * Certificates for people.
 */
#include "relay/net/tls_look.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "relay/base/mem.h"
#include "relay/net/sockaddr.h"
#include "relay/net/tls_int.h"

enum { TEXT_MAX = 300 };

static const char *printable(struct arena *a, const void *p, size_t n)
{
	char *s = arena_slicedup(
	    a, slice_of(p, n < TEXT_MAX ? n : (size_t)TEXT_MAX));

	for (size_t i = 0; i < n && i < TEXT_MAX; i++)
		if (s[i] < ' ' || s[i] > '~')
			s[i] = '?';
	return s;
}

static const char *read_name(const X509_NAME *name, struct arena *a)
{
	BIO *b = BIO_new(BIO_s_mem());
	const char *text = "";
	char *p;
	long n;

	if (b == NULL)
		mem_exhausted(0);
	X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253);
	n = BIO_get_mem_data(b, &p);
	if (n > 0)
		text = printable(a, p, (size_t)n);
	BIO_free(b);
	return text;
}

static int64_t read_time(const ASN1_TIME *t)
{
	ASN1_TIME *zero = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;

	if (zero == NULL)
		mem_exhausted(0);
	/* One that is malformed is long ago. */
	if (ASN1_TIME_diff(&days, &seconds, zero, t) != 1)
		days = seconds = 0;
	ASN1_TIME_free(zero);
	return (int64_t)days * DAY_S + seconds;
}

static const char *read_alt_name(const GENERAL_NAME *n, struct arena *a)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_in in = {.sin_family = AF_INET};
	const ASN1_OCTET_STRING *ip;
	char text[NETADDR_TEXT];
	struct netaddr addr;

	if (n->type == GEN_DNS)
		return printable(a, ASN1_STRING_get0_data(n->d.dNSName),
		    (size_t)ASN1_STRING_length(n->d.dNSName));
	if (n->type != GEN_IPADD)
		return NULL;
	ip = n->d.iPAddress;
	if (ASN1_STRING_length(ip) == 4) {
		memcpy(&in.sin_addr, ASN1_STRING_get0_data(ip), 4);
		netaddr_from(&addr, (void *)&in);
	} else if (ASN1_STRING_length(ip) == 16) {
		memcpy(&in6.sin6_addr, ASN1_STRING_get0_data(ip), 16);
		netaddr_from(&addr, (void *)&in6);
	} else {
		return NULL;
	}
	netaddr_ip(&addr, text);
	return arena_strdup(a, text);
}

static void read_alt_names(X509 *cert, struct arena *a,
    struct tls_certificate *out)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names) &&
	     out->names < TLS_NAMES_MAX; i++) {
		const char *name =
		    read_alt_name(sk_GENERAL_NAME_value(names, i), a);

		if (name != NULL)
			out->name[out->names++] = name;
	}
	GENERAL_NAMES_free(names);
}

static const char *read_key(X509 *cert, struct arena *a)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	char text[60];

	if (key == NULL)
		return "unknown";
	snprintf(text, sizeof(text), "%s %d",
	    EVP_PKEY_get0_type_name(key) == NULL
		? "unknown"
		: EVP_PKEY_get0_type_name(key),
	    EVP_PKEY_get_bits(key));
	return arena_strdup(a, text);
}

void tls_certificate_read(X509 *cert, struct arena *a,
    struct tls_certificate *out)
{
	*out = (struct tls_certificate){
	    .subject = read_name(X509_get_subject_name(cert), a),
	    .issuer = read_name(X509_get_issuer_name(cert), a),
	    .key = read_key(cert, a),
	    .from_s = read_time(X509_get0_notBefore(cert)),
	    .until_s = read_time(X509_get0_notAfter(cert))};
	read_alt_names(cert, a, out);
	tls_fingerprint(cert, out->fingerprint);
	ERR_clear_error();
}

int tls_certificate_file(const char *path, struct arena *a,
    struct tls_certificate *out, struct error *err)
{
	FILE *f = fopen(path, "re");
	X509 *cert;

	if (f == NULL)
		return error_sys(err, errno, "%s", path);
	ERR_clear_error();
	cert = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	if (cert == NULL)
		return tls_error(err, path);
	tls_certificate_read(cert, a, out);
	X509_free(cert);
	return 0;
}

/* ---- a leg's ---- */

static void want_name(X509_VERIFY_PARAM *p, const char *host)
{
	struct netaddr addr;

	X509_VERIFY_PARAM_set_hostflags(p, TLS_NAME_FLAGS);
	if (netaddr_parse(&addr, slice_str(host), 0) == 0)
		X509_VERIFY_PARAM_set1_ip_asc(p, host);
	else
		X509_VERIFY_PARAM_set1_host(p, host, 0);
}

static void set_why(struct tls_look *out, int error, struct arena *a)
{
	static const struct { int error; const char *remedy; } remedies[] = {
		{ X509_V_ERR_HOSTNAME_MISMATCH,
		  "Write a name of it in hosts, or have it reissued." },
		{ X509_V_ERR_IP_ADDRESS_MISMATCH,
		  "Write a name of it in hosts instead of the address." },
		{ X509_V_ERR_CERT_HAS_EXPIRED, "It must be renewed there." },
		{ X509_V_ERR_CERT_NOT_YET_VALID,
		  "Look at the clocks of both machines." },
		{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
		  "Write it in tls_ca, or its fingerprint in "
		  "tls_fingerprint with tls = \"encrypt\"." },
		{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
		  "Write its authority in tls_ca." },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
		  "Write its authority in tls_ca, or have the intermediate "
		  "certificates sent along there." },
		{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
		  "Have the intermediate certificates sent along there." },
	};

	out->why = arena_strdup(a, X509_verify_cert_error_string(error));
	out->remedy = "";
	for (size_t i = 0; i < ARRAY_LEN(remedies); i++)
		if (remedies[i].error == error)
			out->remedy = remedies[i].remedy;
}

/* By the authorities alone, whatever TLSA records or fingerprints say. */
static void verify(SSL *ssl, const char *host, struct arena *a,
    struct tls_look *out)
{
	X509_STORE_CTX *x = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *p;
	const char *by;

	out->why = "";
	if (x == NULL ||
	    X509_STORE_CTX_init(x,
		SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)),
		SSL_get0_peer_certificate(ssl),
		SSL_get_peer_cert_chain(ssl)) != 1)
		mem_exhausted(0);
	X509_STORE_CTX_set_default(x, "ssl_server");
	p = X509_STORE_CTX_get0_param(x);
	want_name(p, host);
	out->verified = X509_verify_cert(x) == 1;
	if (!out->verified)
		set_why(out, X509_STORE_CTX_get_error(x), a);
	by = out->verified ? X509_VERIFY_PARAM_get0_peername(p) : NULL;
	out->by = by != NULL ? printable(a, by, strlen(by)) :
	    out->verified ? arena_strdup(a, host) : "";
	X509_STORE_CTX_free(x);
	ERR_clear_error();
}

void tls_look(struct tls_client *t, SSL *ssl, const char *host,
    struct arena *a, struct tls_look *out)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	const struct tls_check *check = tls_check_of(ssl);
	long verdict = SSL_get_verify_result(ssl);

	*out = (struct tls_look){.why = "it shows no certificate",
	    .remedy = "",
	    .cert = {.subject = "", .issuer = "", .key = ""},
	    .by = "",
	    .dane = check->dane,
	    .dane_why = ""};
	tls_describe(ssl, out->text);
	if (cert == NULL)
		return;
	tls_certificate_read(cert, a, &out->cert);
	out->chain = sk_X509_num(SSL_get_peer_cert_chain(ssl));
	out->pinned = tls_client_pinned(t, cert);
	verify(ssl, host, a, out);
	if (check->dane && verdict != X509_V_OK)
		out->dane_why = arena_strdup(
		    a, X509_verify_cert_error_string(verdict));
}
