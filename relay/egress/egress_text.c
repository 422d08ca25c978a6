/* SPDX-License-Identifier: ISC
 *
 * See egress_text.h.
 */
#include "relay/egress/egress_text.h"

#include <arpa/inet.h>

#include "relay/base/assert.h"

const char *egress_why_words(enum egress_why why)
{
	static const char *const words[EGRESS_WHYS] = {
		[EGRESS_PASS] = "the record passes this egress",
		[EGRESS_SILENT] = "no record says anything against it",
		[EGRESS_BROKEN] = "the record is in error",
		[EGRESS_DOUBTED] = "softfail, and there is no srs.domain",
		[EGRESS_REWRITTEN] = "the sender is rewritten at srs.domain",
		[EGRESS_TEMPERROR] = "it waits: the DNS does not answer",
		[EGRESS_FORBIDDEN] = "it waits: the record forbids every "
				     "egress",
		[EGRESS_DMARC] = "it waits: rewriting fails its DMARC policy",
		[EGRESS_SRS_FAILS] = "it waits: the record of srs.domain "
				     "forbids every egress",
		[EGRESS_NOT_OURS] = "it waits: no egress relays a sender that "
				    "is not ours",
		[EGRESS_NO_WAY] = "it waits: outbound.use names no egress",
	};

	PH_ASSERT(why < EGRESS_WHYS);
	return words[why];
}

void egress_add_term(const struct conf_leg *egress, struct strbuf *out)
{
	char text[INET6_ADDRSTRLEN];

	if (egress->spf_include[0] != '\0') {
		strbuf_addf(out, "include:%s", egress->spf_include);
		return;
	}
	for (int i = 0; i < egress->seen.count; i++) {
		const struct conf_net *net = &egress->seen.net[i];

		if (inet_ntop(net->family, net->addr, text,
			sizeof(text)) == NULL)
			continue;
		strbuf_addf(out, "%s%s:%s/%d", i > 0 ? " " : "",
		    net->family == AF_INET6 ? "ip6" : "ip4", text, net->bits);
	}
}
