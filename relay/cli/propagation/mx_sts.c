/* SPDX-License-Identifier: ISC
 *
 * See mx_sts.h.
 */
#include "relay/cli/propagation/mx_sts.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "relay/cli/propagation/sts_fetch.h"

enum { HOST_BYTES = 300, ADDRESSES = 16, HTTPS_PORT = 443 };

/* ---- the record --------------------------------------------------------- */

struct sts_record {
	enum dns_status status;
	int count; /* of records that announce a policy */
};

static void on_txt(void *arg, const struct dns_answer *a)
{
	struct sts_record *r = arg;

	r->status = a->status;
	for (int i = 0; i < a->count; i++)
		r->count += sts_is_record(a->txt[i]);
}

/* True: there is a policy to be fetched. */
static bool has_record(struct mx_asker *k, const char *domain,
    struct mx_found *out)
{
	struct sts_record r = {.count = 0};
	char name[HOST_BYTES];

	snprintf(name, sizeof(name), "_mta-sts.%s", domain);
	mx_ask(k, DNS_TXT, name, on_txt, &r);
	if (r.status == DNS_FAILED)
		mx_say(out, MX_UNKNOWN, "no answer for %s", name);
	else if (r.count == 0)
		mx_say(out, MX_NONE, "there is no policy");
	else if (r.count > 1) /* RFC 8461 3.1 */
		mx_say(out, MX_MISMATCH, "%s has several records, so senders "
		    "see no policy", name);
	return r.count == 1;
}

/* ---- the policy --------------------------------------------------------- */

struct sts_addresses {
	struct netaddr address[ADDRESSES];
	size_t n;
};

static void on_address(void *arg, const struct dns_answer *a)
{
	struct sts_addresses *to = arg;

	for (int i = 0; i < a->count && to->n < ADDRESSES; i++) {
		to->address[to->n] = a->addr[i];
		/* Both families have it in the same place. */
		to->address[to->n++].in.sin_port = htons(HTTPS_PORT);
	}
}

static int fetch(struct mx_asker *k, const char *domain, struct strbuf *out,
    struct error *err)
{
	struct sts_addresses at = {.n = 0};
	char host[HOST_BYTES];

	snprintf(host, sizeof(host), "mta-sts.%s", domain);
	mx_ask(k, DNS_AAAA, host, on_address, &at);
	mx_ask(k, DNS_A, host, on_address, &at);
	return sts_fetch(&(struct sts_source){host, at.address, at.n}, out,
	    err);
}

bool mx_sts_policy(struct mx_asker *k, const char *domain,
    struct strbuf *text, struct sts_policy *policy_out, struct mx_found *out)
{
	struct slice body;
	struct error err;
	const char *why;

	if (!has_record(k, domain, out))
		return false;
	if (fetch(k, domain, text, &err) < 0)
		mx_say(out, MX_MISMATCH, "its policy cannot be had: %.120s",
		    err.text);
	else if (sts_reply_body(strbuf_view(text), &body, &why) < 0)
		mx_say(out, MX_MISMATCH, "its policy cannot be had: %s", why);
	else if (sts_policy_parse(body, policy_out, &why) < 0)
		mx_say(out, MX_MISMATCH, "its policy is in error: %s", why);
	else
		mx_say(out, MX_FITS, "mode %s",
		    sts_mode_text(policy_out->mode));
	return out->state == MX_FITS;
}

/* ---- against the MX ------------------------------------------------------ */

/* Returns a pattern that matches no MX of the domain, or NULL. */
static const struct slice *left_over(const struct sts_policy *p,
    const struct mx_names *names)
{
	for (int i = 0; i < p->count; i++) {
		struct sts_policy one = {.mx = {p->mx[i]}, .count = 1};
		bool used = false;

		for (size_t k = 0; k < names->n; k++)
			used |= sts_policy_has(&one,
			    slice_str(names->name[k]));
		if (!used)
			return &p->mx[i];
	}
	return NULL;
}

static void compare(const struct sts_policy *p, const struct mx_names *names,
    struct mx_found *out)
{
	const char *mode = sts_mode_text(p->mode);
	const struct slice *old = left_over(p, names);

	for (size_t i = 0; i < names->n; i++)
		if (!sts_policy_has(p, slice_str(names->name[i]))) {
			mx_say(out, MX_MISMATCH, "mode %s, and %s is not in "
			    "the policy: %s", mode, names->name[i],
			    p->mode == STS_ENFORCE
				? "senders will not deliver to it"
				: "senders report it");
			return;
		}
	if (old != NULL)
		mx_say(out, MX_MISMATCH, "mode %s, and the policy still names "
		    "%.*s, which is no MX", mode, (int)old->n, old->p);
}

void mx_sts(struct mx_asker *k, const char *domain,
    const struct mx_names *names, struct mx_found *out)
{
	struct sts_policy p;
	struct strbuf text;

	strbuf_init(&text, STS_HEADER_BYTES + STS_POLICY_BYTES);
	if (mx_sts_policy(k, domain, &text, &p, out) && p.mode != STS_NONE)
		compare(&p, names, out);
	strbuf_fini(&text);
}
