/* SPDX-License-Identifier: ISC
 *
 * Compares the configuration with what the DNS says of it: the SPF records of
 * our domains, the MX of those that take bounces, the names of our egresses.
 */
#ifndef RELAY_EGRESS_OUTBOUND_CHECK_H
#define RELAY_EGRESS_OUTBOUND_CHECK_H

#include "relay/spf/spf_alone.h"

enum { OUTBOUND_CHECK_LOOKUPS = 8 }; /* of 10 (RFC 7208 4.6.4) */

/* Tells each thing that is missing as a line that names what to add. Runs the
 * loop of `o`; returns how many there were. */
unsigned outbound_check(struct spf_alone *o, const struct conf *c,
    void (*warn)(void *arg, const char *line), void *arg);

#endif
