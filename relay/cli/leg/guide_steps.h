/* SPDX-License-Identifier: ISC
 *
 * The settings of platforms that `leg guide` names: data alone.
 */
#ifndef RELAY_CLI_LEG_GUIDE_STEPS_H
#define RELAY_CLI_LEG_GUIDE_STEPS_H

#include <stdbool.h>

#include "conf/conf.h"

/* Of the leg's configuration. */
enum guide_fact {
	FACT_XCLIENT = 1,
	FACT_CERTIFICATE = 2,	/* it is shown one */
	FACT_REWRITES = 4,	/* rewrite_sender */
	FACT_IPV6 = 8,		/* one of our addresses is of IPv6 */
	FACT_NOTIFY = 16,	/* copy_return = "notify" */
	FACT_NO_ADDRESS = 32,	/* ours is not known */
};

/* {leg}, {addresses} (with ", " between), {list} (","), {spaced} (" "),
 * {quoted} (each in quotes), {postfix} (IPv6 in brackets), {name} (of the
 * certificate), {fingerprint} and {id} (of Authentication-Results) stand for
 * what the configuration has. A line of `command` with {address} is there once
 * for each address. */
struct guide_step {
	unsigned trust;		/* bits 1 << enum leg_trust */
	unsigned facts, lacks;	/* enum guide_fact that must, must not hold */
	const char *place, *action;
	const char *command;	/* NULL: none */
};

/* Of that profile, in their order, up to one without a `trust`. A profile that
 * is not known is a server of one's own. */
const struct guide_step *guide_steps(const char *profile);

#endif
