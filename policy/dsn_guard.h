/* SPDX-License-Identifier: ISC
 *
 * Decides whether a notice is sent or parked (D9): a sender that is forged
 * would be told of mail that it never wrote. Pure; any thread.
 */
#ifndef POLICY_DSN_GUARD_H
#define POLICY_DSN_GUARD_H

#include "conf/conf.h"

/* `spf`: the result of the envelope's sender and client, its first word counts
 * ("pass", "fail", "none", …); "" : it was not looked at. `stranger`: the
 * notice is about a recipient that was never known, accepted without a row of
 * its own: only a sender that passes is told. True: park it. */
bool dsn_guard_parks(enum dsn_guard guard, const char *spf, bool stranger);

#endif
