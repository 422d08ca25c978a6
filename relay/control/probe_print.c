/* SPDX-License-Identifier: ISC */
#include "relay/control/probe_print.h"

#include "relay/base/clock.h"

static void print_certificate(struct jout *j, const struct client_probe *p,
    const struct tls_look *t)
{
	const struct tls_certificate *c = &t->cert;

	jout_object(j, "certificate");
	jout_str(j, "subject", c->subject);
	jout_str(j, "issuer", c->issuer);
	jout_array(j, "names");
	for (int i = 0; i < c->names; i++)
		jout_str(j, NULL, c->name[i]);
	jout_array_end(j);
	jout_str(j, "key", c->key);
	jout_str(j, "fingerprint", c->fingerprint);
	jout_time(j, "from", c->from_s * 1000000);
	jout_time(j, "expires", c->until_s * 1000000);
	jout_int(j, "days_left", (c->until_s - p->now_s) / DAY_S);
	jout_int(j, "chain", t->chain);
	jout_object_end(j);
}

static const char *dane_text(const struct probe_row *row)
{
	if (!row->tls.dane)
		return row->tlsas > 0 ? "no usable record" : "no record";
	return row->tls.dane_why[0] == '\0' ? "fits" : row->tls.dane_why;
}

static void print_tls(struct jout *j, const struct client_probe *p,
    const struct probe_row *row)
{
	const struct tls_look *t = &row->tls;

	jout_bool(j, "starttls", row->starttls);
	jout_str(j, "tls", row->in_tls ? t->text : "");
	if (!row->in_tls)
		return;
	jout_int(j, "tls_ms", row->tls_ms);
	jout_bool(j, "verified", t->verified);
	jout_str(j, "verified_by", t->by);
	jout_str(j, "verify_error", t->why);
	if (p->leg->fingerprint.count > 0)
		jout_bool(j, "fingerprint_fits", t->pinned);
	if (p->leg->tls == TLS_DANE)
		jout_str(j, "dane", dane_text(row));
	print_certificate(j, p, t);
}

/* "AUTH PLAIN LOGIN" (RFC 4954) */
static void print_auth(struct jout *j, const struct probe_row *row)
{
	for (int i = 0; i < row->offers; i++) {
		struct slice offer = slice_str(row->offer[i]);

		if (slice_case_starts(offer, SLICE("AUTH ")))
			jout_slice(j, "auth", slice_from(offer, 5));
	}
}

static void print_offers(struct jout *j, const struct probe_row *row)
{
	jout_str(j, "greeting", row->greeting);
	jout_array(j, "offers");
	for (int i = 0; i < row->offers; i++)
		jout_str(j, NULL, row->offer[i]);
	jout_array_end(j);
	print_auth(j, row);
	if (row->ehlo.size > 0)
		jout_int(j, "size", (int64_t)row->ehlo.size);
	if (row->ehlo.limit_rcpt > 0)
		jout_int(j, "max_recipients", row->ehlo.limit_rcpt);
	if (row->ehlo.limit_mail > 0)
		jout_int(j, "max_messages", row->ehlo.limit_mail);
}

void probe_print(struct jout *j, const struct client_probe *p,
    const struct probe_row *row)
{
	jout_str(j, "leg", p->leg->name);
	jout_str(j, "host", row->host);
	jout_int(j, "port", row->port);
	if (row->preference >= 0)
		jout_int(j, "preference", row->preference);
	jout_str(j, "address", row->address);
	jout_str(j, "state", row->problem[0] == '\0' ? "good" : "bad");
	jout_str(j, "stage", stage_text(row->stage));
	jout_str(j, "problem", row->problem);
	jout_str(j, "note", row->note);
	if (p->leg->tls == TLS_DANE) {
		jout_bool(j, "signed", row->secure);
		jout_int(j, "tlsa", row->tlsas);
	}
	jout_bool(j, "tried_last", row->dead);
	if (row->connect_ms >= 0)
		jout_int(j, "connect_ms", row->connect_ms);
	if (row->greeting_ms >= 0) {
		jout_int(j, "greeting_ms", row->greeting_ms);
		print_offers(j, row);
		print_tls(j, p, row);
	}
}
