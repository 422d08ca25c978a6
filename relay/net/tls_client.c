/* SPDX-License-Identifier: ISC
 *
 * The client's side of TLS: one context a leg, and the last session of each
 * of its hosts, so that the next connection resumes (TLS 1.2: 30 us instead
 * of a full handshake). Counted; any thread: sessions are under a lock.
 *
 * A resumed session carries the verdict on the certificate with it. It is
 * used for the same leg, level and host alone, so nothing is let through
 * that a full handshake would refuse.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "relay/base/list.h"
#include "relay/base/mem.h"
#include "relay/net/sockaddr.h"
#include "relay/net/tls_int.h"

enum { SESSIONS_MAX = 64 }; /* hosts of a leg */

struct saved {
	struct list node; /* last used first */
	char *host;
	SSL_SESSION *session;
};

struct tls_client {
	_Atomic int refs;
	SSL_CTX *ctx;
	enum tls_level level;
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
	char *host = host_of(ssl);

	if (host == NULL)
		return 0;
	pthread_mutex_lock(&t->lock);
	save(t, host, session);
	pthread_mutex_unlock(&t->lock);
	OPENSSL_free(host);
	return 1;
}

static int set_trust(struct tls_client *t, const struct conf_leg *l,
    struct error *err)
{
	if (t->level != TLS_VERIFY) {
		/* Nobody is authenticated, so old keys are better than
		 * plaintext (RFC 7435). */
		SSL_CTX_set_security_level(t->ctx, 1);
		return 0;
	}
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
	ERR_clear_error();
	if (l->tls_ca[0] == '\0') {
		SSL_CTX_set_default_verify_paths(t->ctx);
		return 0;
	}
	if (SSL_CTX_load_verify_file(t->ctx, l->tls_ca) != 1)
		return tls_error(err, l->tls_ca);
	return 0;
}

struct tls_client *tls_client_new(const struct conf_leg *l, struct error *err)
{
	struct tls_client *t = NEW(struct tls_client);

	atomic_init(&t->refs, 1);
	t->level = l->tls;
	t->ctx = tls_context(TLS_client_method());
	pthread_mutex_init(&t->lock, NULL);
	list_init(&t->saved);
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

/* Without a name the check would be left out: then one that nobody has. */
static void set_name(SSL *ssl, X509_VERIFY_PARAM *p, const char *host)
{
	/* RFC 6125 6.4.4: a common name is no name. */
	X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (host[0] == '\0' || X509_VERIFY_PARAM_set1_host(p, host, 0) != 1)
		X509_VERIFY_PARAM_set1_host(p, "none.invalid", 0);
	else
		SSL_set_tlsext_host_name(ssl, host);
}

SSL *tls_client_session(struct tls_client *t, const char *host)
{
	SSL *ssl = SSL_new(t->ctx);
	X509_VERIFY_PARAM *p;
	char ip[NETADDR_TEXT];
	struct netaddr a;

	if (ssl == NULL)
		abort(); /* out of memory */
	p = SSL_get0_param(ssl);
	if (netaddr_parse(&a, slice_str(host), 0) == 0) {
		netaddr_ip(&a, ip);
		X509_VERIFY_PARAM_set1_ip_asc(p, ip);
	} else {
		set_name(ssl, p, host);
	}
	resume(t, ssl);
	return ssl;
}
