/* SPDX-License-Identifier: ISC
 *
 * The server's side of TLS: one context a name, the certificates of several
 * key types together in it (ECDSA takes less than half of RSA's time; old
 * senders know RSA only). Counted; any thread may begin a session.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "relay/base/slice.h"
#include "relay/net/tls_int.h"

struct site {
	SSL_CTX *ctx;
	X509 *cert; /* the first one's; of the context */
};

struct tls_server {
	_Atomic int refs;
	struct tls_tickets *tickets;
	enum tls_min min;
	bool secrets;	       /* passwords come over it           */
	bool asks_certificate; /* any is taken, and none is as well */
	struct site *site; /* in order of the configuration */
	int sites;
};

static int on_sni(SSL *ssl, int *alert_out, void *arg)
{
	struct tls_server *t = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert_out;
	if (name == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	for (int i = 0; i < t->sites; i++) {
		if (X509_check_host(t->site[i].cert, name, 0, 0, NULL) != 1)
			continue;
		SSL_set_SSL_CTX(ssl, t->site[i].ctx);
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK; /* the first one serves */
}

/* Of this context alone. TLS below 1.2 signs with SHA-1, which is below every
 * security level but 0. */
static void set_version(SSL_CTX *ctx, enum tls_min min)
{
	static const int versions[] = {
		[TLS_MIN_12] = TLS1_2_VERSION,
		[TLS_MIN_10] = TLS1_VERSION,
		[TLS_MIN_11] = TLS1_1_VERSION,
		[TLS_MIN_13] = TLS1_3_VERSION,
	};

	SSL_CTX_set_min_proto_version(ctx, versions[min]);
	if (versions[min] < TLS1_2_VERSION)
		SSL_CTX_set_security_level(ctx, 0);
}

/* It proves that the client has its key; by its fingerprint alone the owner
 * of the session judges it, so no chain of it is looked at. */
static int take_certificate(X509_STORE_CTX *store, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

static SSL_CTX *site_context(struct tls_server *t)
{
	static const unsigned char id[] = "posthouse";
	SSL_CTX *ctx = tls_context(TLS_server_method());

	set_version(ctx, t->min);
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets */
	SSL_CTX_set_num_tickets(ctx, 1);
	tls_tickets_use(t->tickets, ctx);
	if (t->secrets)
		SSL_CTX_set_options(ctx, SSL_OP_CLEANSE_PLAINTEXT);
	if (t->asks_certificate) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_cert_verify_callback(ctx, take_certificate, NULL);
	}
	SSL_CTX_set_tlsext_servername_callback(ctx, on_sni);
	SSL_CTX_set_tlsext_servername_arg(ctx, t);
	return ctx;
}

static struct slice dns_name(const GENERAL_NAMES *names, int i)
{
	const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

	if (n->type != GEN_DNS)
		return slice_of(NULL, 0);
	return slice_of(ASN1_STRING_get0_data(n->d.dNSName),
	    (size_t)ASN1_STRING_length(n->d.dNSName));
}

static bool names_within(const GENERAL_NAMES *a, const GENERAL_NAMES *b)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(a); i++) {
		struct slice name = dns_name(a, i);
		bool found = false;

		for (int j = 0; !found && j < sk_GENERAL_NAME_num(b); j++)
			found = slice_case_eq(name, dns_name(b, j));
		if (!found)
			return false;
	}
	return true;
}

static bool same_names(X509 *a, X509 *b)
{
	GENERAL_NAMES *of_a =
	    X509_get_ext_d2i(a, NID_subject_alt_name, NULL, NULL);
	GENERAL_NAMES *of_b =
	    X509_get_ext_d2i(b, NID_subject_alt_name, NULL, NULL);
	bool same = of_a != NULL && of_b != NULL &&
	    names_within(of_a, of_b) && names_within(of_b, of_a);

	GENERAL_NAMES_free(of_a);
	GENERAL_NAMES_free(of_b);
	return same;
}

static void add_site(struct tls_server *t, SSL_CTX *ctx, X509 *cert)
{
	t->site = mem_resize(
	    t->site, (size_t)(t->sites + 1) * sizeof(t->site[0]));
	t->site[t->sites++] = (struct site){ctx, cert};
}

static bool holds_type(SSL_CTX *ctx, int type)
{
	bool found = false;

	for (long rc = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);
	     rc == 1 && !found;
	     rc = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT))
		found = EVP_PKEY_get_base_id(
			    SSL_CTX_get0_privatekey(ctx)) == type;
	return found;
}

/* The certificate joins a site with the same names and another type of key,
 * else it founds one. */
static int add_certificate(struct tls_server *t,
    const struct conf_certificate *c, struct error *err)
{
	SSL_CTX *ctx = site_context(t);
	X509 *cert;
	int type;

	if (tls_load_pair(ctx, c->cert, c->key, err) < 0) {
		SSL_CTX_free(ctx);
		return -1;
	}
	cert = SSL_CTX_get0_certificate(ctx);
	type = EVP_PKEY_get_base_id(SSL_CTX_get0_privatekey(ctx));
	for (int i = 0; i < t->sites; i++) {
		struct site *s = &t->site[i];

		if (same_names(cert, s->cert) && !holds_type(s->ctx, type)) {
			SSL_CTX_free(ctx);
			return tls_load_pair(s->ctx, c->cert, c->key, err);
		}
	}
	add_site(t, ctx, cert);
	return 0;
}

struct tls_server *tls_server_new(const struct conf_listen *l,
    struct error *err)
{
	struct tls_server *t = NEW(struct tls_server);

	atomic_init(&t->refs, 1);
	t->tickets = tls_tickets_new(&clock_system);
	t->min = l->tls_min;
	t->secrets = l->auth;
	t->asks_certificate = l->asks_certificate;
	for (int i = 0; i < l->certificates; i++) {
		if (add_certificate(t, &l->certificate[i], err) < 0) {
			tls_server_unref(t);
			return NULL;
		}
	}
	if (t->sites == 0) {
		error_set(err, "listen \"%s\" has no certificate", l->name);
		tls_server_unref(t);
		return NULL;
	}
	return t;
}

struct tls_server *tls_server_ref(struct tls_server *t)
{
	atomic_fetch_add(&t->refs, 1);
	return t;
}

void tls_server_unref(struct tls_server *t)
{
	if (t == NULL || atomic_fetch_sub(&t->refs, 1) > 1)
		return;
	for (int i = 0; i < t->sites; i++)
		SSL_CTX_free(t->site[i].ctx);
	mem_free(t->site);
	tls_tickets_free(t->tickets);
	mem_free(t);
}

SSL *tls_server_session(struct tls_server *t)
{
	SSL *ssl = SSL_new(t->site[0].ctx);

	if (ssl == NULL)
		mem_exhausted(0);
	return ssl;
}
