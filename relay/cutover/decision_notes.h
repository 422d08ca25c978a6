/* SPDX-License-Identifier: ISC
 *
 * Tells the audit trail of the decisions in the table's file, each once, with
 * the hash of its row: what is written there anew shows although no change
 * follows it (doc/table.md, "The chain"). The table thread.
 */
#ifndef RELAY_CUTOVER_DECISION_NOTES_H
#define RELAY_CUTOVER_DECISION_NOTES_H

#include <stdint.h>

#include "relay/post/shared.h"

struct decision_notes {
	struct shared *shared;
	uint64_t noted; /* those up to it are in the trail */
	bool begun;	/* `noted` is known */
};

/* When the file has changed. What cannot be read is read the next time. */
void decision_notes_look(struct decision_notes *d);

#endif
