/* SPDX-License-Identifier: ISC
 *
 * The daemon as a whole: what is shared between its threads, and the letters
 * that they send each other. Everything here is either built before the
 * threads start, or atomic, or locked by its own layer.
 */
#ifndef RELAY_DAEMON_APP_H
#define RELAY_DAEMON_APP_H

#include <pthread.h>
#include <stdatomic.h>

#include "conf/conf.h"
#include "relay/base/id.h"
#include "relay/base/mailbox.h"
#include "relay/delivery/leg_offers.h"
#include "relay/net/listen.h"
#include "relay/queue/ledger.h"
#include "relay/spool/spool.h"

struct worker;
struct settle;
struct follow;
struct control;
struct askcache;
struct projector;
struct alarms;
struct spawner;
struct watch;
struct recovery;
struct certificates;
struct oldtls;

/* A configuration with the TLS contexts made from it; counted. Sessions and
 * dialogs go on with the one that they began with. */
struct live {
	_Atomic int refs;
	struct conf *conf;
	struct tls_server **listen; /* by index of conf.listen; may be NULL */
	struct tls_client **leg;    /* by index of conf.leg                 */
};

struct live *live_new(struct conf *c, struct error *err) PH_CHECK; /* takes c */
struct live *live_ref(struct live *l);
void live_unref(struct live *l);

struct app {
	const struct clock *clock;
	struct rng *rng;
	struct names *names;
	struct live *live;  /* the main thread's */
	char *table_path; /* a reload does not move it */
	struct arena *token_arena;
	struct conf_strings token_key; /* of our own making: token.h */

	struct loop *ops; /* the main thread: signals, control, watchdog */
	struct id_maker ids;
	struct ledger *ledger;
	struct learned learned; /* what the legs offer */
	struct askcache *asked; /* what they said of recipients */
	struct loophints *hints; /* what may be going round */
	struct oldtls *oldtls;
	struct spool *spool;
	struct projector *projector;
	struct settle *settle;
	struct follow *follow;
	struct control *control;
	struct spawner *spawner; /* main.c's; NULL: there is no program */
	struct alarms *alarms;
	struct watch *watch;
	struct recovery *recovery; /* what the start found wrong */
	struct certificates *certificates;

	struct loop *accept_loop;
	struct acceptor *acceptor;
	struct refusals *turned_away; /* by the acceptor, on its loop */
	pthread_t accept_thread;
	bool accepting; /* the thread runs, and so do all others */
	struct mailbox accept_box, accept_back;

	struct worker **worker;
	int workers;

	/* The newest change of the cutover table that we know to exist. A
	 * table below it was restored from a backup: 451 until accepted. */
	_Atomic uint64_t change_floor;
	_Atomic bool table_bad; /* unreadable or gone back: said in status */
	_Atomic bool stopping;
	int64_t started_us;
};

/* Takes `live`; leaves nothing behind when it fails. */
int app_start(struct app *a, struct live *live, struct error *err) PH_CHECK;
/* Orderly: see design.md 5, "stop". */
void app_stop(struct app *a);
/* The new snapshot to every thread; listeners first, so that a port in use
 * leaves everything as it was. Takes `live`, also when it fails. */
int app_reconfigure(struct app *a, struct live *live, struct error *err)
    PH_CHECK;
/* A worker waits for a slot of `leg`: the others give up an idle connection. */
void app_yield(struct app *a, int leg, int worker);
/* The queue finds no slot: who has an idle connection is to pull. */
void app_offer(struct app *a, int leg);

/* Runs fn(arg) on another thread; used where a letter of its own would only
 * carry a function. */
struct call {
	struct letter letter;
	void (*fn)(void *arg);
	void *arg;
};
void call_post(struct mailbox *to, int kind, void (*fn)(void *arg), void *arg);

#endif
