/* SPDX-License-Identifier: ISC
 *
 * Which way out the daemon would take for a sender, found without it, and the
 * DMARC policy of the sender's domain.
 */
#ifndef RELAY_EGRESS_EGRESS_ALONE_H
#define RELAY_EGRESS_EGRESS_ALONE_H

#include "relay/egress/egress_judge.h"
#include "relay/spf/dmarc_record.h"
#include "relay/spf/spf_alone.h"

enum policy_known { POLICY_UNKNOWN, POLICY_NO_RECORD, POLICY_KNOWN };

struct egress_found {
	struct egress_judged judged;
	/* As if the sender were the author, too; not known for the null sender
	 * and when the DNS is silent. */
	enum policy_known policy_known;
	enum dmarc_policy policy;
};

/* Runs the loop of `o` until all of it is there. */
void egress_judge_alone(struct spf_alone *o, const struct egress_subject *s,
    struct egress_found *found_out);

#endif
