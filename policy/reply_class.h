/* SPDX-License-Identifier: ISC
 *
 * What a leg's answer means to the queue: classes, not just digits (D4).
 * Pure; any thread.
 */
#ifndef POLICY_REPLY_CLASS_H
#define POLICY_REPLY_CLASS_H

#include "relay/mail/result.h"

/* Sets class and outcome from code, enhanced code, stage and text by the
 * rows of that profile, then by the generic ones. A recipient of whom nothing
 * was said (OUT_UNTRIED) stays so, and so does what our own side of the
 * dialog concluded (code 0 with a class). */
void reply_classify(const char *profile, struct result *r);

#endif
