/* SPDX-License-Identifier: ISC
 *
 * The threads of a cutover but for those that app.c has to order by hand:
 * waves, observed time, preflights, looks at name servers, files of coexist.
 * Main thread.
 */
#ifndef RELAY_DAEMON_CUTOVER_THREADS_H
#define RELAY_DAEMON_CUTOVER_THREADS_H

#include "relay/post/conf_snapshot.h"
#include "relay/post/shared.h"

struct alarms;
struct coexist_files;
struct from_legs;
struct leg_offers;
struct observer;
struct preflights;
struct propagation_thread;
struct spawner;
struct wave_thread;
struct worker;

struct cutover_threads {
	struct wave_thread *waves;
	struct observer *observer;
	struct preflights *preflights;
	struct propagation_thread *propagation;
	struct coexist_files *coexist;
};

struct cutover_config {
	struct shared *shared;
	struct alarms *alarms;
	struct spawner *spawner;
	struct conf_snapshot *snapshot; /* counted */
	struct from_legs *from_legs;
	struct leg_offers *offers;
	struct worker **worker; /* all of them */
	const char *dir;	/* of the audit index; outlives them */
};
/* When workers and alarms are there. */
void cutover_threads_make(struct cutover_threads *t,
    const struct cutover_config *c);
int cutover_threads_run(struct cutover_threads *t, struct error *err) PH_CHECK;
void cutover_threads_configure(struct cutover_threads *t,
    struct conf_snapshot *s);
/* Joins them. What was not made is passed over, also below. */
void cutover_threads_stop(struct cutover_threads *t);
/* Those but the preflights, which end before the workers' views do. */
void cutover_threads_free(struct cutover_threads *t);

#endif
