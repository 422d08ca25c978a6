/* SPDX-License-Identifier: ISC
 *
 * A worker as its rooms see it: one thread with its loop, server, client,
 * resolver and its own read-only handle of the cutover table. Nothing in it
 * blocks. relay/daemon/worker_thread.c builds it and takes its letters.
 */
#ifndef RELAY_POST_WORKER_H
#define RELAY_POST_WORKER_H

#include "policy/table.h"
#include "relay/base/mem.h"
#include "relay/base/loop.h"
#include "relay/base/mailbox.h"
#include "relay/post/conf_snapshot.h"
#include "relay/post/shared.h"

struct alarms;
struct asker;
struct client;
struct client_names;
struct dns;
struct intake_room;
struct outgoing;
struct projector;
struct server;
struct spf_checker;
struct spf_helper;

enum { SNAPSHOTS_MAX = 4 };

struct worker {
	struct shared *shared;
	struct alarms *alarms;
	struct projector *projector; /* lookups; NULL: none */
	int index;
	struct loop *loop;
	struct mailbox box;
	struct server *server;
	struct client *client;
	struct dns *dns;
	struct spf_helper *spf_helper;
	struct spf_checker *spf; /* may the client send in that name? */

	struct table *table; /* NULL while it cannot be opened */
	bool reading;	     /* in the read transaction of this turn, … */
	struct defer read_end; /* … which ends with the turn */
	int64_t looked_ms; /* whether it is still the file of that name */
	uint64_t table_epoch; /* of shared.h, when `table` was opened */
	uint64_t table_floor; /* what it says may not be older than this */
	struct arena *lookup; /* rows, until the next worker_table() */

	struct conf_snapshot *snapshot;
	/* Sessions and dialogs may still stand on these. */
	struct conf_snapshot *old[SNAPSHOTS_MAX - 1];

	struct outgoing *outgoing;  /* relay/delivery: attempts that wait  */
	struct asker *ask;	    /* relay/delivery: questions to legs   */
	unsigned asking;	    /* of its dialogs: those of questions  */
	struct intake_room *intake; /* relay/intake: what transactions share */
	struct client_names *client_names; /* relay/spf; or NULL */

	/* Deliveries in a dialog, not questions: a stop does not wait for a
	 * question. Both are shown in status, and watched at a stop. */
	_Atomic int sessions, dialogs;
	_Atomic bool drained;
};

/* Makes and ends the worker's own part, which every maker of a worker needs
 * first: the box, the loop, the snapshot. */
void worker_init(struct worker *w, struct shared *s, int index,
    struct conf_snapshot *snapshot);
void worker_fini(struct worker *w);

/* The table, inside the read transaction of this turn of the loop, which the
 * first call begins and the turn's end ends. It is begun anew within the turn
 * when the table thread has seen a newer change (the queue, `flip --wait` and
 * `hold --wait` hear of it later than that, so no attempt uses the replaced
 * rows), and with another file when one was put in the table's place. Rows that
 * earlier calls left in `lookup` are dropped. NULL and err where the table is
 * not readable. */
struct table *worker_table(struct worker *w, struct error *err);
/* The snapshot that `c` belongs to; NULL: it is too old. */
struct conf_snapshot *worker_snapshot(struct worker *w, const struct conf *c);
/* Takes `s`: new sessions and dialogs begin with it. */
void worker_take_snapshot(struct worker *w, struct conf_snapshot *s);

#endif
