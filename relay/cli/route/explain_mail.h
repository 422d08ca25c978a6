/* SPDX-License-Identifier: ISC
 *
 * Explains what depends on the client and the sender beside the recipient: the
 * right to send to the outside, SPF, and the way out. The DNS is asked, by the
 * resolvers of the configuration; the daemon is not.
 */
#ifndef RELAY_CLI_ROUTE_EXPLAIN_MAIL_H
#define RELAY_CLI_ROUTE_EXPLAIN_MAIL_H

#include "policy/outbound.h"
#include "relay/cli/common/cli.h"
#include "relay/egress/egress_alone.h"
#include "relay/net/sockaddr.h"

struct explained_mail {
	bool has_client, has_from;
	struct netaddr client;
	struct addr from; /* its text is empty: the null sender */
	const struct conf_leg *from_leg; /* whose client it is; NULL */
	enum outbound_right right; /* by its address */
	/* filled by explain_mail(): */
	bool judged; /* by SPF */
	const char *effect; /* of it on this recipient, in words; NULL: none */
	struct egress_verdict spf; /* its leg counts for nothing */
	bool goes_out;
	struct egress_found way;
	struct error err; /* why nothing could be judged; "" */
};

/* By the address, at a listener that lets clients out; logins and certificates
 * are a session's. */
enum outbound_right explain_right(const struct conf *c,
    const struct netaddr *client);
/* Of a recipient with that decision, which SPF may turn into a refusal. */
void explain_mail(struct cli *c, struct explained_mail *m,
    const struct addr *to, struct decision *d);
void explain_mail_put(struct cli *c, const struct explained_mail *m,
    struct jout *j);
void explain_mail_say(struct cli *c, const struct explained_mail *m);

#endif
