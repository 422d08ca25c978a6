/* SPDX-License-Identifier: ISC
 *
 * Keys of session tickets (RFC 5077, RFC 8446 4.6.1): made at random, used
 * for half a day, accepted for another, then forgotten. OpenSSL's own keys
 * live as long as the context. Any thread; a lock is held for a copy.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>

#include "relay/base/mem.h"
#include "relay/base/rng.h"
#include "relay/net/tls_int.h"

enum { NAME = 16, KEY = 32, TURN_MS = 12 * HOUR_MS };

struct ticket_key {
	unsigned char name[NAME], cipher[KEY], mac[KEY];
	int64_t made_ms;
	bool live;
};

struct tls_tickets {
	const struct clock *clock;
	pthread_mutex_t lock;
	struct ticket_key key[2]; /* [0] is used, [1] still accepted */
};

struct tls_tickets *tls_tickets_new(const struct clock *clock)
{
	struct tls_tickets *t = NEW(struct tls_tickets);

	t->clock = clock;
	pthread_mutex_init(&t->lock, NULL);
	return t;
}

void tls_tickets_free(struct tls_tickets *t)
{
	if (t == NULL)
		return;
	pthread_mutex_destroy(&t->lock);
	OPENSSL_cleanse(t->key, sizeof(t->key));
	mem_free(t);
}

static void turn(struct tls_tickets *t, int64_t now_ms)
{
	struct ticket_key *k = &t->key[0];

	if (k->live && now_ms - k->made_ms < TURN_MS)
		return;
	t->key[1] = *k;
	t->key[1].live = k->live && now_ms - k->made_ms < 2 * TURN_MS;
	rng_system.fill(&rng_system, k->name, sizeof(k->name));
	rng_system.fill(&rng_system, k->cipher, sizeof(k->cipher));
	rng_system.fill(&rng_system, k->mac, sizeof(k->mac));
	k->made_ms = now_ms;
	k->live = true;
}

/* The key in use (`name` NULL), or the one of that name: its index; -1. */
static int find(struct tls_tickets *t, const unsigned char *name,
    struct ticket_key *key_out)
{
	int found = name == NULL ? 0 : -1;

	pthread_mutex_lock(&t->lock);
	turn(t, clock_mono_ms(t->clock));
	for (int i = 0; i < 2 && found < 0; i++) {
		if (t->key[i].live &&
		    memcmp(t->key[i].name, name, NAME) == 0)
			found = i;
	}
	if (found >= 0)
		*key_out = t->key[found];
	pthread_mutex_unlock(&t->lock);
	return found;
}

static bool set_keys(const struct ticket_key *k, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, const unsigned char *iv, bool encrypt)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
		    OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac, KEY),
		OSSL_PARAM_construct_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1 &&
	       EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher,
		   iv, encrypt) == 1;
}

/* OpenSSL's call: 0 no ticket, 1 fine, 2 fine and give a fresh one. */
static int on_ticket(SSL *ssl, unsigned char name[NAME], unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	struct tls_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct ticket_key k;
	int at = find(t, encrypt ? NULL : name, &k);
	bool ok;

	if (at < 0)
		return 0;
	if (encrypt) {
		memcpy(name, k.name, NAME);
		rng_system.fill(&rng_system, iv, EVP_MAX_IV_LENGTH);
	}
	ok = set_keys(&k, cipher, mac, iv, encrypt);
	OPENSSL_cleanse(&k, sizeof(k));
	if (!ok)
		return 0;
	/* RFC 8446 C.4: a ticket is used once, so there must be a next. */
	return at == 0 && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
}

void tls_tickets_use(struct tls_tickets *t, SSL_CTX *ctx)
{
	SSL_CTX_set_app_data(ctx, t);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}
