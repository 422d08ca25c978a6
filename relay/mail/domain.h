/* SPDX-License-Identifier: ISC
 *
 * Domain names and address literals: one normal form. Pure; any thread.
 */
#ifndef RELAY_MAIL_DOMAIN_H
#define RELAY_MAIL_DOMAIN_H

#include "relay/base/strbuf.h"

/* Is it a domain by RFC 5321 4.1.2 (labels 1-63, total 253, letters, digits,
 * hyphens inside; U-labels when `utf8`)? Underscores pass too: Windows hosts
 * have them. 0, or -1 and a constant reason. */
int domain_check(struct slice d, bool utf8, const char **why_out) PH_CHECK;
/* The same without underscores: a name that we use ourselves. */
bool domain_of_host(struct slice d, bool utf8, const char **why_out);
/* "[192.0.2.1]", "[IPv6:2001:db8::1]": 0 or -1. */
int domain_literal_check(struct slice d, const char **why_out) PH_CHECK;
/* Appends A-labels in lower case (libidn2, UTS #46 non-transitional); a
 * literal is only folded. False when there is no such form. */
bool domain_normal(struct slice d, struct strbuf *out);
/* Is it that name, which is in normal form, in any way to write it? */
bool domain_is(struct slice d, struct slice normal);
bool ascii_only(struct slice s); /* no byte over 127 */

#endif
