/* SPDX-License-Identifier: ISC
 *
 * Checks the MX names that lead to us: has a listener a certificate of that
 * name, do TLSA records and the MTA-STS policy fit? Asks the resolvers and
 * fetches the policy; each mismatch is shown.
 */
#ifndef RELAY_CLI_PROPAGATION_MX_CHECK_H
#define RELAY_CLI_PROPAGATION_MX_CHECK_H

#include "relay/cli/common/cli.h"
#include "relay/observed/spread/spread_rows.h"

struct mx_checked {
	struct cli *c;
	const struct conf *conf;
	const char *domain;
	const struct spread_rows *rows; /* what the servers answered */
};

/* CLI_DONE: there is no mismatch. CLI_NO. */
int mx_check(const struct mx_checked *m);

#endif
