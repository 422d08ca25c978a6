/* SPDX-License-Identifier: ISC
 *
 * Decides which notices are parked. Mail to a recipient that never existed is
 * what guessed and forged mail looks like: only a sender whose domain vouches
 * for it is told, or all notices about it would be backscatter.
 */
#include "policy/dsn_guard.h"

#include "relay/base/slice.h"

static struct slice first_word(const char *text)
{
	size_t n = 0;

	while (ascii_alpha(text[n]))
		n++;
	return slice_of(text, n);
}

bool dsn_guard_parks(enum dsn_guard guard, const char *spf, bool stranger)
{
	struct slice result = first_word(spf);

	if (guard == GUARD_OFF || slice_case_eq(result, SLICE("pass")))
		return false;
	if (guard == GUARD_PASS_ONLY || slice_case_eq(result, SLICE("fail")))
		return true;
	return stranger;
}
