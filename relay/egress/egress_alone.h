/* SPDX-License-Identifier: ISC
 *
 * Which way out the daemon would take for a sender, found without it.
 */
#ifndef RELAY_EGRESS_EGRESS_ALONE_H
#define RELAY_EGRESS_EGRESS_ALONE_H

#include "relay/egress/egress_judge.h"
#include "relay/spf/spf_alone.h"

/* Runs the loop of `o` until the judgement is there. */
void egress_judge_alone(struct spf_alone *o, const struct egress_subject *s,
    struct egress_judged *judged_out);

#endif
