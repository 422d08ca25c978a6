/* SPDX-License-Identifier: ISC
 *
 * Gives a leg's reply its class: classes, not just digits (D4). Pure; any
 * thread.
 */
#ifndef POLICY_REPLY_CLASS_H
#define POLICY_REPLY_CLASS_H

#include "conf/profile.h"

/* Sets class and outcome from code, enhanced code, stage and text by the first
 * row of the profile that fits, and returns it; NULL: there is none, the
 * digits alone count. A recipient without a reply (OUT_UNTRIED) stays so, and
 * so does what our own side of the dialog concluded (code 0 with a class).
 * Without a profile (NULL) no row fits. */
const struct conf_reply *reply_classify(const struct conf_profile *p,
    struct result *r);

#endif
