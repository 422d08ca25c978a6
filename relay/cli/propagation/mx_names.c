/* SPDX-License-Identifier: ISC
 *
 * See mx_names.h.
 */
#include "relay/cli/propagation/mx_names.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>

#include "relay/base/clock.h"
#include "relay/base/loop.h"
#include "relay/base/mem.h"
#include "relay/net/dns.h"

enum { TURN_MS = 1000, TLSA_NAME_BYTES = 300, CHAIN_MAX = 10 };

void mx_say(struct mx_found *out, enum mx_state state, const char *fmt,
    ...)
{
	va_list ap;

	out->state = state;
	va_start(ap, fmt);
	vsnprintf(out->why, sizeof(out->why), fmt, ap);
	va_end(ap);
}

/* ---- certificates -------------------------------------------------------- */

/* The certificate of a listener that names the host, with those behind it in
 * the file; chain[0] NULL: there is none. */
struct mx_chain {
	X509 *cert[CHAIN_MAX];
	int n;
};

static void chain_free(struct mx_chain *h)
{
	for (int i = 0; i < h->n; i++)
		X509_free(h->cert[i]);
	h->n = 0;
}

/* False: the file cannot be read. */
static bool chain_read(const char *path, struct mx_chain *out)
{
	FILE *f = fopen(path, "re");
	X509 *cert;

	out->n = 0;
	if (f == NULL)
		return false;
	while (out->n < CHAIN_MAX &&
	       (cert = PEM_read_X509(f, NULL, NULL, NULL)) != NULL)
		out->cert[out->n++] = cert;
	fclose(f);
	return true;
}

struct mx_search {
	struct mx_chain chain; /* found; its first one names the host */
	const char *unread;    /* a file that could not be read */
	bool tls;	       /* there is a listener with a certificate */
};

static void search(const struct conf *c, const char *host,
    struct mx_search *out)
{
	*out = (struct mx_search){.tls = false};
	for (int i = 0; i < c->listens; i++) {
		const struct conf_listen *l = &c->listen[i];

		if (!conf_listen_takes_mail(l))
			continue;
		for (int j = 0; j < l->certificates; j++) {
			out->tls = true;
			if (!chain_read(l->certificate[j].cert, &out->chain))
				out->unread = l->certificate[j].cert;
			else if (out->chain.n > 0 &&
				 X509_check_host(out->chain.cert[0], host, 0,
				     0, NULL) == 1)
				return;
			chain_free(&out->chain);
		}
	}
}

void mx_certificate(const struct conf *c, const char *host,
    struct mx_found *out)
{
	struct mx_search s;

	search(c, host, &s);
	if (!s.tls)
		mx_say(out, MX_NONE, "no listener that takes mail offers TLS");
	else if (s.chain.n == 0 && s.unread != NULL)
		mx_say(out, MX_UNKNOWN, "%s cannot be read", s.unread);
	else if (s.chain.n == 0)
		mx_say(out, MX_MISMATCH, "no certificate of a listener names "
		    "it; add one to listen.certificate");
	else if (X509_cmp_current_time(X509_get0_notAfter(s.chain.cert[0])) <
		 0)
		mx_say(out, MX_MISMATCH, "its certificate is past its time");
	else
		mx_say(out, MX_FITS, "%s", "");
	chain_free(&s.chain);
}

/* ---- TLSA ---------------------------------------------------------------- */

struct mx_asker {
	struct loop *loop;
	struct dns *dns;
	bool done;
	dns_fn fn; /* of the question in hand */
	void *arg;
};

struct mx_asker *mx_asker_new(const struct conf *c, struct error *err)
{
	struct mx_asker *k = NEW(struct mx_asker);

	k->loop = loop_new(&clock_system);
	k->dns = dns_new(k->loop, c, err);
	if (k->dns != NULL)
		return k;
	mx_asker_free(k);
	return NULL;
}

void mx_asker_free(struct mx_asker *k)
{
	if (k == NULL)
		return;
	if (k->dns != NULL)
		dns_free(k->dns);
	loop_free(k->loop);
	mem_free(k);
}

static void on_answer(void *arg, const struct dns_answer *a)
{
	struct mx_asker *k = arg;

	k->fn(k->arg, a);
	k->done = true;
}

void mx_ask(struct mx_asker *k, enum dns_type type, const char *name,
    dns_fn fn, void *arg)
{
	k->fn = fn;
	k->arg = arg;
	k->done = false;
	dns_ask(k->dns, type, name, on_answer, k);
	while (!k->done)
		loop_once(k->loop, TURN_MS);
}

static int part_of(X509 *cert, unsigned selector, unsigned char **der)
{
	return selector == 0 ? i2d_X509(cert, der)
			     : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), der);
}

/* RFC 6698 2.1 */
static bool record_fits(const struct dns_tlsa *t, X509 *cert)
{
	const EVP_MD *md = t->matching == 1 ? EVP_sha256()
			   : t->matching == 2 ? EVP_sha512() : NULL;
	bool known = t->selector < 2 && t->matching < 3, fits = false;
	unsigned char sum[EVP_MAX_MD_SIZE], *der = NULL;
	int n = known ? part_of(cert, t->selector, &der) : 0;
	unsigned size = 0;

	if (n > 0 && md == NULL)
		fits = slice_eq(slice_of(der, (size_t)n), t->data);
	else if (n > 0 &&
		 EVP_Digest(der, (size_t)n, sum, &size, md, NULL) == 1)
		fits = slice_eq(slice_of(sum, size), t->data);
	OPENSSL_free(der);
	return fits;
}

static bool usable(const struct dns_tlsa *t)
{
	return t->usage == TLSA_DANE_EE || t->usage == TLSA_DANE_TA;
}

static bool some_fits(const struct mx_chain *h, const struct dns_tlsa *t)
{
	int first = t->usage == TLSA_DANE_TA ? 1 : 0;
	int last = t->usage == TLSA_DANE_TA ? h->n : 1;

	for (int i = first; i < last && i < h->n; i++)
		if (record_fits(t, h->cert[i]))
			return true;
	return false;
}

struct tlsa_check {
	const struct mx_chain *chain; /* of the host that is asked for */
	struct mx_found *out;
};

static void on_tlsa(void *arg, const struct dns_answer *a)
{
	struct tlsa_check *k = arg;
	int used = 0;

	if (a->status == DNS_FAILED) {
		mx_say(k->out, MX_UNKNOWN, "no answer: %s", a->why);
		return;
	}
	for (int i = 0; i < a->count; i++) {
		used += usable(&a->tlsa[i]);
		if (usable(&a->tlsa[i]) && some_fits(k->chain, &a->tlsa[i])) {
			mx_say(k->out, MX_FITS, "%s", "");
			return;
		}
	}
	if (used == 0)
		mx_say(k->out, MX_NONE, "there are no TLSA records");
	else if (k->chain->n == 0)
		mx_say(k->out, MX_MISMATCH, "there are TLSA records, and no "
		    "certificate of that name");
	else
		mx_say(k->out, MX_MISMATCH, "no TLSA record fits our "
		    "certificate; senders with DANE will not deliver");
}

void mx_tlsa(struct mx_asker *k, const struct conf *c, const char *host,
    struct mx_found *out)
{
	char name[TLSA_NAME_BYTES];
	struct mx_search s;

	search(c, host, &s);
	snprintf(name, sizeof(name), "_25._tcp.%s", host);
	mx_ask(k, DNS_TLSA, name, on_tlsa,
	    &(struct tlsa_check){&s.chain, out});
	chain_free(&s.chain);
}
