/* SPDX-License-Identifier: ISC
 *
 * Marks that only we can make: an HMAC-SHA256 over a text, cut to 80 bits and
 * written in 16 characters that survive a local part and a comment in any
 * case (a-z, 2-7). Pure; any thread.
 */
#ifndef POLICY_KEYED_H
#define POLICY_KEYED_H

#include "conf/conf.h"

enum { KEYED_TEXT = 17 };

/* With the first key. `purpose` keeps a mark of one kind from being one of
 * another. */
void keyed_mark(const struct conf_strings *keys, const char *purpose,
    struct slice text, char mark_out[KEYED_TEXT]);
/* By any of the keys, in constant time, the case of letters aside. */
bool keyed_check(const struct conf_strings *keys, const char *purpose,
    struct slice text, struct slice mark) PH_CHECK;

#endif
