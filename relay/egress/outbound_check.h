/* SPDX-License-Identifier: ISC
 *
 * Compares the configuration with what the DNS says of it: the SPF records of
 * our domains, the MX of those that take bounces, the names of our egresses.
 * One loop; nothing blocks.
 */
#ifndef RELAY_EGRESS_OUTBOUND_CHECK_H
#define RELAY_EGRESS_OUTBOUND_CHECK_H

#include "relay/spf/spf_alone.h"

enum { OUTBOUND_CHECK_LOOKUPS = 8 }; /* of 10 (RFC 7208 4.6.4) */

struct outbound_check;

/* The first three are borrowed, the configuration is counted (conf_ref()). */
struct outbound_check_config {
	struct loop *loop;
	struct dns *dns;
	struct spf_checker *checker;
	const struct conf *conf;
	/* Of each thing that is missing: a line that names what to add. */
	void (*warn)(void *arg, const char *line);
	/* Once, later: how many lines there were. The check is gone then. */
	void (*done)(void *arg, unsigned warnings);
	void *arg;
};

struct outbound_check *outbound_check_begin(
    const struct outbound_check_config *config);
/* No callback follows. Not after `done`; NULL is fine. */
void outbound_check_cancel(struct outbound_check *k);

/* The same on the loop of `o`, which runs until the end; returns how many
 * lines there were. */
unsigned outbound_check(struct spf_alone *o, const struct conf *c,
    void (*warn)(void *arg, const char *line), void *arg);

#endif
