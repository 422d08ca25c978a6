/* SPDX-License-Identifier: ISC
 *
 * Which deliveries a command means.
 */
#ifndef RELAY_CLI_QUEUE_QUEUE_SELECT_H
#define RELAY_CLI_QUEUE_QUEUE_SELECT_H

#include "relay/cli/common/cli.h"

#define QUEUE_FILTERS                                                  \
	{"leg", "L", "Deliveries of this leg."},                       \
	{"to", "A", "To this recipient."},                             \
	{"from", "A", "From this sender; <> is the null sender."},     \
	{"customer", "C", "To recipients of the domains of this "      \
	    "customer."},                                              \
	{"age", "D", "Accepted so long ago, or longer: 90s, 2h, 3d."}, \
	{"state", "S", "queued, deferred, held, frozen or parked."}

/* The filters that were given, into `args`. How many; -1: one was wrong,
 * which was said. */
int queue_filters(struct cli *c, json_t *args);
/* Those and the ids. CLI_USAGE: none was given, or one was wrong; said. */
int queue_choose(struct cli *c, json_t *args);
/* A delivery as a row of the table, for people with ages and sizes as they
 * read them. */
void queue_show_row(struct cli *c, json_t *row);

#endif
