/* SPDX-License-Identifier: ISC
 *
 * The handles that all threads share. Each is set before the threads start
 * and stays until they have ended; each is immutable, atomic, or locked by
 * its own layer. It knows no room: what a room needs beside these handles
 * stands in the config that it is made from.
 */
#ifndef RELAY_POST_SHARED_H
#define RELAY_POST_SHARED_H

#include <stdatomic.h>

#include "relay/base/clock.h"
#include "relay/base/id.h"
#include "relay/base/mailbox.h"
#include "relay/base/names.h"
#include "relay/base/rng.h"
#include "relay/queue/ledger.h"
#include "relay/spool/spool.h"

struct workers;
struct queue;

struct shared {
	const struct clock *clock;
	struct rng *rng;
	struct names *names;
	struct id_maker ids;
	struct ledger *ledger;
	struct spool *spool;
	struct mailbox *queue_box; /* the queue thread's: queue_letters.h */
	const struct queue *queue; /* other threads ask queue_full() alone */
	struct workers *workers;   /* the way to each worker: workers.h    */
	const char *table_path;    /* a reload does not move it            */

	/* The newest change of the cutover table that is known to exist. A
	 * table below it was restored from a backup: 451 until accepted. It is
	 * set before the queue hears of the change: a worker that the queue
	 * asks because of it reads a table that has it. */
	_Atomic uint64_t change_seen;
	/* The newest change that the queue and the audit trail were told. */
	_Atomic uint64_t change_told;
	_Atomic bool table_bad; /* unreadable or gone back: said in status */
	/* Goes up when another program wrote the file itself: what a handle
	 * remembers of its pages is nothing any more. */
	_Atomic uint64_t table_epoch;
	_Atomic bool stopping;
};

/* The days of return addresses are counted by the time that does not jump: a
 * clock that is set refuses no bounce. Wall, us. Any thread. */
int64_t steady_wall_us(const struct shared *sh);

#endif
