/* SPDX-License-Identifier: ISC
 *
 * Words for a choice of the way out, and for what a record lacks. Pure.
 */
#ifndef RELAY_EGRESS_EGRESS_TEXT_H
#define RELAY_EGRESS_EGRESS_TEXT_H

#include "policy/egress.h"
#include "relay/base/strbuf.h"

/* "the record passes this egress" */
const char *egress_why_words(enum egress_why why);
/* The terms that a record lacks for that egress, one of each address:
 * "ip4:192.0.2.1/32 ip6:2001:db8::1/128", "include:spf.example.net"; nothing
 * where it has no address. */
void egress_add_term(const struct conf_leg *egress, struct strbuf *out);

#endif
