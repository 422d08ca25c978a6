/* SPDX-License-Identifier: ISC
 *
 * Names of the rules.
 */
#include "policy/rule.h"

#include "relay/base/assert.h"

static const char *const names[DECISION_RULES] = {
	[RULE_RELAY] = "relay",
	[RULE_ADDRESS] = "address",
	[RULE_SUBADDRESS] = "subaddress",
	[RULE_DOMAIN] = "domain",
	[RULE_UNKNOWN] = "unknown",
	[RULE_POSTMASTER] = "postmaster",
	[RULE_LEG_DOMAIN] = "leg-domain",
	[RULE_ONWARD] = "onward",
	[RULE_RETURN] = "return",
	[RULE_TABLE] = "table",
};

const char *rule_name(enum decision_rule rule)
{
	PH_ASSERT(rule < DECISION_RULES);
	return names[rule];
}
