/* SPDX-License-Identifier: ISC
 *
 * See mx_sts.h.
 */
#include "relay/cli/propagation/mx_sts.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "relay/cli/propagation/sts_fetch.h"
#include "relay/cli/propagation/sts_policy.h"

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

static void compare(const struct sts_policy *p, const struct mx_names *names,
    struct mx_found *out)
{
	for (size_t i = 0; i < names->n && p->mode != STS_NONE; i++)
		if (!sts_policy_has(p, slice_str(names->name[i]))) {
			mx_say(out, MX_MISMATCH, "mode %s, and %s is not in "
			    "the policy: %s", sts_mode_text(p->mode),
			    names->name[i], p->mode == STS_ENFORCE
				? "senders will not deliver to it"
				: "senders report it");
			return;
		}
	mx_say(out, MX_FITS, "mode %s", sts_mode_text(p->mode));
}

static void judge(struct slice reply, const struct mx_names *names,
    struct mx_found *out)
{
	struct sts_policy p;
	struct slice body;
	const char *why;

	if (sts_reply_body(reply, &body, &why) < 0)
		mx_say(out, MX_MISMATCH, "its policy cannot be had: %s", why);
	else if (sts_policy_parse(body, &p, &why) < 0)
		mx_say(out, MX_MISMATCH, "its policy is in error: %s", why);
	else
		compare(&p, names, out);
}

void mx_sts(struct mx_asker *k, const char *domain,
    const struct mx_names *names, struct mx_found *out)
{
	struct strbuf reply;
	struct error err;

	if (!has_record(k, domain, out))
		return;
	strbuf_init(&reply, STS_HEADER_BYTES + STS_POLICY_BYTES);
	if (fetch(k, domain, &reply, &err) < 0)
		mx_say(out, MX_MISMATCH, "its policy cannot be had: %.120s",
		    err.text);
	else
		judge(strbuf_view(&reply), names, out);
	strbuf_fini(&reply);
}
