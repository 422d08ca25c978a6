/* SPDX-License-Identifier: ISC
 *
 * Checks the MTA-STS policy of a domain against its MX: is there one, can it
 * be fetched, does it name each of them? Blocks for resolvers and for the
 * server of the policy.
 */
#ifndef RELAY_CLI_PROPAGATION_MX_STS_H
#define RELAY_CLI_PROPAGATION_MX_STS_H

#include "relay/cli/propagation/mx_names.h"

void mx_sts(struct mx_asker *k, const char *domain,
    const struct mx_names *names, struct mx_found *out);

#endif
