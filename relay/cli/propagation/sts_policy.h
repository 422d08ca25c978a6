/* SPDX-License-Identifier: ISC
 *
 * MTA-STS (RFC 8461): the record that announces a policy, the HTTP reply that
 * brings it, the policy itself. Pure; strangers write all three.
 */
#ifndef RELAY_CLI_PROPAGATION_STS_POLICY_H
#define RELAY_CLI_PROPAGATION_STS_POLICY_H

#include <stdbool.h>

#include "relay/base/slice.h"

enum {
	STS_POLICY_BYTES = 64 * 1024, /* RFC 8461 3.3 */
	STS_HEADER_BYTES = 16 * 1024, /* of the reply */
	STS_MX_MAX = 64,
};

/* Does the TXT record announce a policy ("v=STSv1; id=...")? */
bool sts_is_record(struct slice txt);

/* The body of a whole reply to GET, where the connection ends it. 0, or -1 and
 * why: it is no reply, not 200, or cut short. */
int sts_reply_body(struct slice reply, struct slice *body_out,
    const char **why_out);

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };
struct sts_policy {
	enum sts_mode mode;
	struct slice mx[STS_MX_MAX]; /* patterns, borrowed from the text */
	int count;
};
/* 0, or -1 and why. Keys that are not known are passed over (3.2). */
int sts_policy_parse(struct slice text, struct sts_policy *out,
    const char **why_out);
const char *sts_mode_text(enum sts_mode m);
/* Does a pattern fit the host, in normal form? "*.example.com" stands for one
 * label (4.1). */
bool sts_policy_has(const struct sts_policy *p, struct slice host);

#endif
