/* SPDX-License-Identifier: ISC
 *
 * The states and roles of a delivery.
 */
#include "relay/base/delivery.h"

#include "relay/base/attr.h"

static const struct {
	const char *name;
	bool open, live;
	enum total total;
} states[D_STATES] = {
	/* clang-format off */
	[D_NONE]       = { "none",       false, false, TOTALS       },
	[D_QUEUED]     = { "queued",     true,  true,  T_OPEN       },
	[D_DEFERRED]   = { "deferred",   true,  true,  T_OPEN       },
	[D_HELD]       = { "held",       true,  true,  T_OPEN       },
	[D_FROZEN]     = { "frozen",     true,  true,  T_OPEN       },
	[D_PARKED]     = { "parked",     false, true,  T_PARKED     },
	[D_DELIVERED]  = { "delivered",  false, false, T_DELIVERED  },
	[D_BOUNCED]    = { "bounced",    false, false, T_BOUNCED    },
	[D_SUPERSEDED] = { "superseded", false, false, T_SUPERSEDED },
	[D_DELETED]    = { "deleted",    false, false, T_DELETED    },
	/* clang-format on */
};

static const char *const totals[TOTALS] = {
	[T_CREATED] = "created", [T_DELIVERED] = "delivered",
	[T_OPEN] = "open", [T_PARKED] = "parked", [T_BOUNCED] = "bounced",
	[T_SUPERSEDED] = "superseded", [T_DELETED] = "deleted"};

bool dstate_open(enum dstate s)
{
	return states[s].open;
}

bool dstate_live(enum dstate s)
{
	return states[s].live;
}

const char *dstate_text(enum dstate s)
{
	return (unsigned)s < D_STATES ? states[s].name : "?";
}

int dstate_parse(struct slice s)
{
	for (int i = D_QUEUED; i < D_STATES; i++)
		if (slice_eq(s, slice_str(states[i].name)))
			return i;
	return -1;
}

const char *role_text(enum role r)
{
	return r == ROLE_PRIMARY ? "primary" : "copy";
}

enum total dstate_total(enum dstate s)
{
	return states[s].total;
}

const char *total_text(enum total t)
{
	return (unsigned)t < TOTALS ? totals[t] : "?";
}
