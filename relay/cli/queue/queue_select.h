/* SPDX-License-Identifier: ISC
 *
 * What the commands of the queue share: which deliveries are meant.
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
/* Each message as DIR/ID.eml; the folder is made when it is not there. */
int queue_export_all(struct cli *c, const char *dir, const json_t *ids);
/* For cli_call(): adds a row's id to the array, each once. */
void queue_add_id(void *arg, json_t *row);
/* The bytes of a body row's "chunk", which is base64. */
void queue_write_chunk(const json_t *row, FILE *to);

/* What keeps the mail of legs that are not up, and what to do: below a list of
 * it, for people. `legs`: their names as keys. */
void queue_say_legs(struct cli *c, const json_t *legs);

#endif
