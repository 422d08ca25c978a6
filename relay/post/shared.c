/* SPDX-License-Identifier: ISC
 *
 * Answers that need several of the shared handles.
 */
#include "relay/post/shared.h"

int64_t steady_wall_us(const struct shared *sh)
{
	return clock_wall_us(sh->clock) + spool_ahead_us(sh->spool);
}
