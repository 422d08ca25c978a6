/* SPDX-License-Identifier: ISC
 *
 * The threads of a cutover: made, run, told of a reload, ended.
 */
#include "relay/daemon/cutover_threads.h"

#include "relay/cutover/coexist/coexist_files.h"
#include "relay/cutover/preflight/preflights.h"
#include "relay/cutover/propagation/propagation_thread.h"
#include "relay/cutover/verdict/observer.h"
#include "relay/cutover/wave/wave_thread.h"
#include "relay/queue/queue.h"

/* Would mail that comes now be taken? Nothing else is silence. */
static bool takes_mail(void *arg)
{
	const struct shared *sh = arg;
	struct spool_stats *st = NEW(struct spool_stats);
	bool takes;

	spool_stats(sh->spool, st);
	takes = !st->full && st->health < SPOOL_NO_SPACE &&
		!queue_full(sh->queue) &&
		!atomic_load(&sh->table_bad) &&
		!atomic_load(&sh->stopping);
	mem_free(st);
	return takes;
}

static struct observer *make_observer(const struct cutover_config *c)
{
	return observer_new(&(struct observer_config){.shared = c->shared,
	    .snapshot = c->snapshot, .from_legs = c->from_legs,
	    .dir = c->dir, .takes_mail = takes_mail, .arg = c->shared});
}

static struct preflights *make_preflights(const struct cutover_config *c)
{
	return preflights_new(&(struct preflights_config){
	    .shared = c->shared, .worker = c->worker, .alarms = c->alarms,
	    .offers = c->offers, .snapshot = c->snapshot});
}

void cutover_threads_make(struct cutover_threads *t,
    const struct cutover_config *c)
{
	t->waves = wave_thread_new(c->shared, c->alarms, c->snapshot);
	t->observer = make_observer(c);
	t->preflights = make_preflights(c);
	t->propagation = propagation_thread_new(c->shared, c->snapshot);
	t->coexist = coexist_files_new(&(struct coexist_config){c->shared,
	    c->alarms, c->spawner, c->snapshot});
}

int cutover_threads_run(struct cutover_threads *t, struct error *err)
{
	return wave_thread_start(t->waves, err) < 0 ||
	    coexist_files_run(t->coexist, err) < 0 ||
	    observer_start(t->observer, err) < 0 ||
	    preflights_run(t->preflights, err) < 0 ||
	    propagation_thread_start(t->propagation, err) < 0 ? -1 : 0;
}

void cutover_threads_configure(struct cutover_threads *t,
    struct conf_snapshot *s)
{
	wave_thread_configure(t->waves, s);
	observer_configure(t->observer, s);
	preflights_configure(t->preflights, s);
	propagation_thread_configure(t->propagation, s);
	coexist_files_configure(t->coexist, s);
}

void cutover_threads_stop(struct cutover_threads *t)
{
	wave_thread_stop(t->waves);
	observer_stop(t->observer);
	preflights_stop(t->preflights);
	propagation_thread_stop(t->propagation);
	coexist_files_stop(t->coexist);
}

void cutover_threads_free(struct cutover_threads *t)
{
	wave_thread_free(t->waves);
	observer_free(t->observer);
	propagation_thread_free(t->propagation);
	coexist_files_free(t->coexist);
}
