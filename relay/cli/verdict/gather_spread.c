/* SPDX-License-Identifier: ISC
 *
 * propagation: is the old answer of the DNS gone everywhere?
 */
#include "relay/cli/verdict/gather.h"

void gather_spread(struct verdict_look *g)
{
	g->f.unread[REASON_PROPAGATION] = "this version does not look at it";
}
