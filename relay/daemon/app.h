/* SPDX-License-Identifier: ISC
 *
 * The daemon as a whole: builds every room, and takes them down. The only
 * place that knows all of them; no room sees it.
 */
#ifndef RELAY_DAEMON_APP_H
#define RELAY_DAEMON_APP_H

#include <pthread.h>

#include "relay/daemon/accept_thread.h"
#include "relay/daemon/cutover_threads.h"
#include "relay/delivery/leg_offers.h"
#include "relay/net/listen.h"
#include "relay/post/conf_snapshot.h"
#include "relay/post/shared.h"
#include "relay/spf/spf_starter.h"

struct alarms;
struct ask_cache;
struct certificates;
struct conditions;
struct control;
struct logins;
struct from_legs;
struct loophints;
struct oldtls;
struct rate_table;
struct projector;
struct queue_thread;
struct recovery;
struct refusals;
struct replay;
struct spawner;
struct shared_verdicts;
struct spf_blame;
struct table_follow;
struct tokens;
struct watermarks;
struct worker_thread;

struct app {
	struct shared shared;
	struct conf_snapshot *snapshot; /* the main thread's */
	struct loop *ops; /* the main thread: signals, control, watchdog */
	struct spawner *spawner; /* main.c's */
	struct spf_starter spf_starter;
	struct spf_blame *spf_blame; /* domains that killed a helper */
	struct shared_verdicts *verdicts; /* of SPF */
	char *table_path, *audit_path; /* a reload does not move them */
	long descriptors; /* that the process may open */

	struct leg_offers offers;
	struct ask_cache *asked; /* what legs said of recipients */
	struct loophints *hints; /* what may be going round */
	struct oldtls *oldtls;
	struct tokens *tokens;
	struct logins *logins;
	struct rate_table *rate; /* recipients at the outside */
	struct rate_table *srs_forged, *srs_mail; /* intake_config.h */
	struct projector *projector;
	struct queue_thread *queue_thread;
	struct table_follow *follow;
	struct watermarks *watermarks;
	struct replay *replay;
	struct cutover_threads cutover;
	struct from_legs *from_legs;
	struct control *control;
	struct alarms *alarms;
	struct conditions *conditions;
	struct recovery *recovery; /* what the start found wrong */
	struct certificates *certificates;

	struct accept_thread accept; /* running: and so do all others */
	struct refusals *turned_away; /* by the acceptor, on its loop */

	struct worker_thread **worker;
	struct worker **view; /* of each, for the control commands */
	int workers;
	int64_t started_us;
	int64_t stop_by_ms; /* monotonic: where stop_after ends */
};

/* Takes `snapshot`; leaves nothing behind when it fails. */
int app_start(struct app *a, struct conf_snapshot *snapshot,
    struct error *err) PH_CHECK;
/* Stops in order: nothing new is begun, what is under way may end within
 * stop_after, the rest goes back to the queue, and the journal last. */
void app_stop(struct app *a);
/* The new snapshot to every thread; listeners first, so that a port in use
 * leaves everything as it was. Takes `snapshot`, also when it fails. */
int app_reconfigure(struct app *a, struct conf_snapshot *snapshot,
    struct error *err) PH_CHECK;

#endif
