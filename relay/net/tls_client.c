/* SPDX-License-Identifier: ISC
 *
 * The client's side of TLS: one context a leg, and the last session of each
 * of its hosts, so that the next connection resumes (TLS 1.2: 30 us instead
 * of a full handshake). Counted; any thread: sessions are under a lock.
 *
 * A resumed session carries the verdict on the certificate with it. It is
 * used for the same leg, level and host alone, so nothing is let through
 * that a full handshake would refuse. Where TLSA records judge, they may have
 * changed since: such a session is neither kept nor resumed.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "relay/base/list.h"
#include "relay/base/mem.h"
#include "relay/net/dns.h"
#include "relay/net/tls_int.h"

enum {
	SESSIONS_MAX = 64, /* hosts of a leg */
	WEAK = 1, STRONG = 2, /* security levels of OpenSSL: 80, 112 bits */
};

struct saved {
	struct list node; /* last used first */
	char *host;
	SSL_SESSION *session;
};

struct tls_client {
	_Atomic int refs;
	SSL_CTX *ctx;
	enum tls_level level;
	char (*pin)[TLS_FINGERPRINT]; /* one of them, when there are any */
	int pins;
	bool probe; /* looks, and refuses nothing */
	pthread_mutex_t lock;
	struct list saved;
	int count;
};

/* The host of a connection is where tls_client_session() put it: in the name
 * that is checked. Caller frees with OPENSSL_free(). */
static char *host_of(SSL *ssl)
{
	X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
	const char *name = X509_VERIFY_PARAM_get0_host(p, 0);

	if (name != NULL)
		return OPENSSL_strdup(name);
	return X509_VERIFY_PARAM_get1_ip_asc(p);
}

static struct saved *find(struct tls_client *t, const char *host)
{
	list_each(n, &t->saved) {
		struct saved *s = LIST_ENTRY(n, struct saved, node);

		if (slice_case_eq(slice_str(s->host), slice_str(host)))
			return s;
	}
	return NULL;
}

static void drop(struct tls_client *t, struct saved *s)
{
	list_remove(&s->node);
	SSL_SESSION_free(s->session);
	mem_free(s->host);
	mem_free(s);
	t->count--;
}

static void save(struct tls_client *t, const char *host, SSL_SESSION *session)
{
	struct saved *s = find(t, host);

	if (s != NULL)
		drop(t, s);
	else if (t->count == SESSIONS_MAX)
		drop(t, LIST_ENTRY(t->saved.prev, struct saved, node));
	s = NEW(struct saved);
	s->host = mem_strdup(host);
	s->session = session;
	list_push_front(&t->saved, &s->node);
	t->count++;
}

/* OpenSSL's call: 1 takes the session. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_client *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	char *host = tls_check_of(ssl)->dane || t->probe ? NULL : host_of(ssl);

	if (host == NULL)
		return 0;
	pthread_mutex_lock(&t->lock);
	save(t, host, session);
	pthread_mutex_unlock(&t->lock);
	OPENSSL_free(host);
	return 1;
}

/* ---- whom to believe ---- */

bool tls_client_pinned(const struct tls_client *t, X509 *cert)
{
	char mine[TLS_FINGERPRINT];

	tls_fingerprint(cert, mine);
	for (int i = 0; i < t->pins; i++)
		if (strcmp(t->pin[i], mine) == 0)
			return true;
	return t->pins == 0;
}

/* OpenSSL's call in a full handshake, instead of its own verdict: 1 goes on.
 * The chain is looked at where the level or a TLSA record asks for it. */
static int on_certificate(X509_STORE_CTX *x, void *arg)
{
	struct tls_client *t = arg;
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    x, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_check *check = tls_check_of(ssl);
	bool chain = t->level == TLS_VERIFY || check->dane;
	char mine[TLS_FINGERPRINT];

	if (t->probe) {
		(void)X509_verify_cert(x);
		return 1;
	}
	if (!tls_client_pinned(t, X509_STORE_CTX_get0_cert(x))) {
		tls_fingerprint(X509_STORE_CTX_get0_cert(x), mine);
		snprintf(check->why, sizeof(check->why),
		    "its SHA-256 fingerprint is %s, which tls_fingerprint "
		    "does not have", mine);
		X509_STORE_CTX_set_error(
		    x, X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	if (chain)
		return X509_verify_cert(x);
	X509_STORE_CTX_set_error(x, X509_V_OK);
	return 1;
}

static int load_authorities(SSL_CTX *ctx, const char *file, struct error *err)
{
	ERR_clear_error();
	if (file[0] == '\0') {
		SSL_CTX_set_default_verify_paths(ctx);
		return 0;
	}
	return SSL_CTX_load_verify_file(ctx, file) == 1 ? 0 :
							 tls_error(err, file);
}

static int set_trust(struct tls_client *t, const struct conf_leg *l,
    struct error *err)
{
	bool verifies = t->level == TLS_VERIFY;

	/* Where no peer is authenticated, old keys are better than plaintext
	 * (RFC 7435). */
	if (!verifies)
		SSL_CTX_set_security_level(t->ctx, WEAK);
	if (verifies || t->probe || t->pins > 0)
		SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(t->ctx, on_certificate, t);
	/* RFC 7672 3.1.1: a DANE-EE record alone decides about a certificate;
	 * its names and dates do not count. */
	if (SSL_CTX_dane_enable(t->ctx) != 1)
		mem_exhausted(0);
	SSL_CTX_dane_set_flags(t->ctx, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	if (verifies || t->probe)
		return load_authorities(t->ctx, l->tls_ca, err);
	return 0;
}

static void take_pins(struct tls_client *t, const struct conf_strings *s)
{
	t->pin = mem_new((size_t)s->count * sizeof(t->pin[0]));
	for (t->pins = 0; t->pins < s->count; t->pins++)
		snprintf(t->pin[t->pins], TLS_FINGERPRINT, "%s",
		    s->s[t->pins]);
}

static struct tls_client *make(const struct conf_leg *l, bool probe,
    struct error *err)
{
	struct tls_client *t = NEW(struct tls_client);

	atomic_init(&t->refs, 1);
	t->level = l->tls;
	t->probe = probe;
	t->ctx = tls_context(TLS_client_method());
	pthread_mutex_init(&t->lock, NULL);
	list_init(&t->saved);
	take_pins(t, &l->fingerprint);
	SSL_CTX_set_app_data(t->ctx, t);
	SSL_CTX_set_session_cache_mode(t->ctx,
	    SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(t->ctx, on_session);
	if (set_trust(t, l, err) < 0 ||
	    (l->certificate[0] != '\0' &&
		tls_load_pair(t->ctx, l->certificate, l->key, err) < 0)) {
		tls_client_unref(t);
		return NULL;
	}
	return t;
}

struct tls_client *tls_client_new(const struct conf_leg *l, struct error *err)
{
	return make(l, false, err);
}

struct tls_client *tls_client_for_probe(const struct conf_leg *l,
    struct error *err)
{
	return make(l, true, err);
}

struct tls_client *tls_client_ref(struct tls_client *t)
{
	atomic_fetch_add(&t->refs, 1);
	return t;
}

void tls_client_unref(struct tls_client *t)
{
	if (t == NULL || atomic_fetch_sub(&t->refs, 1) > 1)
		return;
	while (!list_empty(&t->saved))
		drop(t, LIST_ENTRY(t->saved.next, struct saved, node));
	SSL_CTX_free(t->ctx);
	pthread_mutex_destroy(&t->lock);
	mem_free(t->pin);
	mem_free(t);
}

static void resume(struct tls_client *t, SSL *ssl)
{
	char *host = host_of(ssl);
	struct saved *s;

	if (host == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	s = find(t, host);
	if (s != NULL) {
		list_remove(&s->node);
		list_push_front(&t->saved, &s->node);
		SSL_set_session(ssl, s->session);
	}
	pthread_mutex_unlock(&t->lock);
	OPENSSL_free(host);
}

/* Without a name OpenSSL leaves the check out, so a name that no host has is
 * set. */
static void set_name(SSL *ssl, X509_VERIFY_PARAM *p, const char *host)
{
	X509_VERIFY_PARAM_set_hostflags(p, TLS_NAME_FLAGS);
	if (host[0] == '\0' || X509_VERIFY_PARAM_set1_host(p, host, 0) != 1)
		X509_VERIFY_PARAM_set1_host(p, "none.invalid", 0);
	else
		SSL_set_tlsext_host_name(ssl, host);
}

static SSL *session(struct tls_client *t, const char *host)
{
	SSL *ssl = SSL_new(t->ctx);
	X509_VERIFY_PARAM *p;
	char ip[NETADDR_TEXT];
	struct netaddr a;

	if (ssl == NULL)
		mem_exhausted(0);
	tls_check_add(ssl);
	p = SSL_get0_param(ssl);
	if (netaddr_parse(&a, slice_str(host), 0) == 0) {
		netaddr_ip(&a, ip);
		X509_VERIFY_PARAM_set1_ip_asc(p, ip);
	} else {
		set_name(ssl, p, host);
	}
	return ssl;
}

SSL *tls_client_session(struct tls_client *t, const char *host)
{
	SSL *ssl = session(t, host);

	if (!t->probe)
		resume(t, ssl);
	return ssl;
}

/* PKIX-TA and PKIX-EE ask for authorities that all of the world agrees on;
 * between mail servers there are none (RFC 7672 3.1.3). */
static int add_records(SSL *ssl, const struct dns_tlsa *rec, int count)
{
	int usable = 0;

	for (int i = 0; i < count; i++)
		if (rec[i].usage == TLSA_DANE_TA ||
		    rec[i].usage == TLSA_DANE_EE)
			usable += SSL_dane_tlsa_add(ssl, rec[i].usage,
				      rec[i].selector, rec[i].matching,
				      (const unsigned char *)rec[i].data.p,
				      rec[i].data.n) == 1;
	ERR_clear_error();
	return usable;
}

static void also_named(SSL *ssl, const char *name)
{
	if (name != NULL && SSL_add1_host(ssl, name) != 1)
		mem_exhausted(0);
}

SSL *tls_client_dane(struct tls_client *t, const char *host,
    const struct tls_dane *d, int *usable_out)
{
	SSL *ssl = d->count == 0 ? NULL : session(t, d->base);
	int usable = 0;

	if (ssl != NULL && SSL_dane_enable(ssl, d->base) == 1)
		usable = add_records(ssl, d->rec, d->count);
	if (usable_out != NULL)
		*usable_out = usable;
	if (usable == 0) {
		SSL_free(ssl);
		return tls_client_session(t, host);
	}
	also_named(ssl, host);
	also_named(ssl, d->domain);
	tls_check_of(ssl)->dane = true;
	SSL_set_security_level(ssl, STRONG);
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	return ssl;
}
