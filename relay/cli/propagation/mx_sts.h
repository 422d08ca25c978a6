/* SPDX-License-Identifier: ISC
 *
 * Fetches the MTA-STS policy of a domain, and checks it against its MX: does
 * it name each of them, and no other? Blocks for resolvers and for the server
 * of the policy.
 */
#ifndef RELAY_CLI_PROPAGATION_MX_STS_H
#define RELAY_CLI_PROPAGATION_MX_STS_H

#include "relay/cli/propagation/mx_names.h"
#include "relay/cli/propagation/sts_policy.h"

/* The policy, whose patterns lie in `text`. True: out->state is MX_FITS.
 * Otherwise `out` says why there is none. */
bool mx_sts_policy(struct mx_asker *k, const char *domain,
    struct strbuf *text, struct sts_policy *policy_out, struct mx_found *out);
void mx_sts(struct mx_asker *k, const char *domain,
    const struct mx_names *names, struct mx_found *out);

#endif
