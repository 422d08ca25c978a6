/* SPDX-License-Identifier: ISC
 *
 * Does a leg's refusal of RCPT say that it does not have the recipient
 * (unknown = "probe", T5)? Pure; any thread.
 */
#ifndef POLICY_NO_USER_H
#define POLICY_NO_USER_H

#include "relay/mail/result.h"

/* `r` has been classified (reply_class.h). Only 5.1.1 and 5.1.10, 5.4.1 with a
 * text about a recipient, or a text that says that there is no such user; all
 * else that a leg refuses is about us, about a policy, or about its own state,
 * and says nothing of the recipient. */
bool no_user_said(const struct result *r) PH_CHECK;

#endif
