/* SPDX-License-Identifier: ISC
 *
 * The identity that a check of SPF is about (RFC 7208 4.1, 4.3; RFC 8616 for
 * domains with U-labels).
 */
#include "relay/spf/spf_identity.h"

#include <string.h>

#include "relay/mail/domain.h"

enum { LABEL_MAX = 63 };

bool spf_is_loopback(const struct netaddr *client)
{
	if (client->sa.sa_family == AF_INET)
		return ntohl(client->in.sin_addr.s_addr) >> 24 == 127;
	return client->sa.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&client->in6.sin6_addr);
}

static bool take_client(struct spf_identity *i, const struct netaddr *client)
{
	if (spf_is_loopback(client))
		return false;
	if (client->sa.sa_family == AF_INET) {
		i->ip_n = 4;
		memcpy(i->ip, &client->in.sin_addr, 4);
	} else if (client->sa.sa_family == AF_INET6) {
		i->ip_n = 16;
		memcpy(i->ip, &client->in6.sin6_addr, 16);
	}
	return i->ip_n != 0;
}

/* A name of ASCII: two labels or more, each of 1 to 63 octets, the last one no
 * number: that would be an address. Which octets they are is not looked at: a
 * domain of others has no record, and the DNS says so. */
static bool take_name(struct spf_identity *i, struct slice d)
{
	size_t label = 0; /* where it begins */
	bool letter = false;

	if (d.n > SPF_DOMAIN_MAX)
		return false;
	for (size_t n = 0; n <= d.n; n++) {
		if (n < d.n && d.p[n] != '.') {
			letter |= !ascii_digit(d.p[n]);
			i->domain[n] = ascii_lower(d.p[n]);
			continue;
		}
		if (n == label || n - label > LABEL_MAX)
			return false;
		if (n == d.n)
			break;
		i->domain[n] = '.';
		label = n + 1;
		letter = false;
	}
	i->domain[d.n] = '\0';
	i->domain_n = d.n;
	return label > 0 && letter;
}

static bool take_domain(struct spf_identity *i, struct slice d)
{
	struct strbuf normal;
	bool ok;

	if (d.n > 0 && d.p[d.n - 1] == '.')
		d.n--;
	if (d.n == 0 || d.p[0] == '[' || slice_find(d, '\0') >= 0)
		return false;
	if (ascii_only(d))
		return take_name(i, d);
	strbuf_init(&normal, SPF_DOMAIN_MAX);
	ok = domain_normal(d, &normal) && take_name(i, strbuf_view(&normal));
	strbuf_fini(&normal);
	return ok;
}

bool spf_identity_make(const struct spf_subject *s,
    struct spf_identity *identity_out)
{
	struct spf_identity *i = identity_out;
	long at = slice_rfind(s->sender, '@');
	struct slice local = slice_head(s->sender, at < 0 ? 0 : (size_t)at);

	i->ip_n = i->domain_n = 0;
	i->of_helo = s->sender.n == 0;
	i->helo = s->helo;
	/* Without a local part postmaster stands for it (RFC 7208 4.3). */
	i->local = local.n == 0 ? SLICE("postmaster") : local;
	return take_client(i, s->client) && take_domain(i, i->of_helo
	    ? s->helo : slice_from(s->sender, (size_t)(at + 1)));
}
