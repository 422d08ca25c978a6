/* SPDX-License-Identifier: ISC
 *
 * Would mail go to this address, by the leg's level of TLS; and if not, what
 * would be right? Pure.
 */
#include <stdarg.h>
#include <stdio.h>

#include "relay/client/probe_int.h"

enum { SHOWN_NAMES = 5 };

static const char *const level_text[] = {[TLS_NONE] = "none",
    [TLS_MAY] = "may",
    [TLS_ENCRYPT] = "encrypt",
    [TLS_VERIFY] = "verify",
    [TLS_DANE] = "dane"};

const char *probe_say(const struct client_probe *job, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return arena_strdup(job->arena, text);
}

static const char *names_of(
    const struct client_probe *job, const struct tls_certificate *c)
{
	struct strbuf b;
	const char *text;

	strbuf_init(&b, 4096);
	for (int i = 0; i < c->names && i < SHOWN_NAMES; i++)
		strbuf_addf(&b, "%s%s", i > 0 ? ", " : "", c->name[i]);
	if (c->names > SHOWN_NAMES)
		strbuf_adds(&b, " and others");
	text = c->names == 0 ? "nobody"
			     : arena_strdup(job->arena, strbuf_cstr(&b));
	strbuf_fini(&b);
	return text;
}

static const char *unverified(
    const struct client_probe *job, const struct probe_row *r)
{
	const struct tls_look *t = &r->tls;

	return probe_say(job,
	    "the certificate is not believed: %s; it is for %s, "
	    "issued by %s. %s",
	    t->why, names_of(job, &t->cert),
	    t->cert.issuer == NULL ? "nobody" : t->cert.issuer, t->remedy);
}

const char *probe_stops(
    const struct client_probe *job, const struct probe_row *r)
{
	enum tls_level level = job->leg->tls;
	const struct tls_look *t = &r->tls;

	if (level == TLS_NONE || level == TLS_MAY)
		return NULL;
	if (!r->in_tls)
		return probe_say(job,
		    "STARTTLS is not offered, and tls = \"%s\" "
		    "wants it: have it switched on there; mail waits until "
		    "then",
		    level_text[level]);
	if (!t->pinned)
		return probe_say(job,
		    "its SHA-256 fingerprint is %s, which "
		    "tls_fingerprint does not have; if this is the right "
		    "machine, add it",
		    t->cert.fingerprint);
	if (level == TLS_VERIFY && !t->verified)
		return unverified(job, r);
	if (t->dane && t->dane_why[0] != '\0')
		return probe_say(job,
		    "the certificate is not what the TLSA records "
		    "of _%d._tcp.%s say: %s; one of the two must be "
		    "changed there",
		    r->port, r->host, t->dane_why);
	return NULL;
}

static const char *when_ends(
    const struct client_probe *job, const struct tls_certificate *c)
{
	int64_t left = c->until_s - job->now_s;

	if (left <= 0)
		return "its certificate has expired";
	if (left < job->soon_s)
		return probe_say(job, "its certificate ends in %lld days",
		    (long long)(left / DAY_S));
	return "";
}

static const char *what_to_know(
    const struct client_probe *job, const struct probe_row *r)
{
	enum tls_level level = job->leg->tls;
	if (level == TLS_DANE && r->in_tls && !r->tls.dane)
		return r->tlsas > 0
			   ? "none of its TLSA records is of a kind that "
			     "counts (2 or 3): TLS, and nobody checks the "
			     "certificate"
			   : "it has no signed TLSA records: TLS, and nobody "
			     "checks the certificate";
	if (level != TLS_NONE && !r->in_tls)
		return "STARTTLS is not offered: mail goes in the clear";
	if (level == TLS_NONE)
		return r->starttls ? "tls = \"none\": mail goes in the clear, "
				     "though STARTTLS is offered"
				   : "tls = \"none\": mail goes in the clear";
	return when_ends(job, &r->tls.cert);
}

void probe_judge(const struct client_probe *job, struct probe_row *r)
{
	const char *stops;

	if (r->problem[0] != '\0')
		return;
	stops = probe_stops(job, r);
	if (stops != NULL)
		r->problem = stops;
	else if (r->note[0] == '\0')
		r->note = what_to_know(job, r);
}
