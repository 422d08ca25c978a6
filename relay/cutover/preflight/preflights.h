/* SPDX-License-Identifier: ISC
 *
 * The thread that has legs asked about recipients before they move: the
 * preflight of a wave, a comparison of two legs, and shadows. Workers ask
 * (relay/delivery/ask_batch.h), a batch at a time and as fast as the leg's
 * ask_rate; what the legs say is kept in observed.db, from which an asking
 * goes on after a restart. It stops at the first sign that asking harms
 * (policy/preflight).
 */
#ifndef RELAY_CUTOVER_PREFLIGHT_PREFLIGHTS_H
#define RELAY_CUTOVER_PREFLIGHT_PREFLIGHTS_H

#include "relay/observed/asked.h"
#include "relay/post/conf_snapshot.h"
#include "relay/post/shared.h"

struct alarms;
struct leg_offers;
struct preflights;
struct worker;

/* The handles outlive it. */
struct preflights_config {
	struct shared *shared;
	struct worker **worker; /* shared.workers.n of them */
	struct alarms *alarms;
	struct leg_offers *offers;
	struct conf_snapshot *snapshot; /* counted */
};

struct preflights *preflights_new(const struct preflights_config *c);
int preflights_run(struct preflights *p, struct error *err) PH_CHECK;
/* Any thread. */
void preflights_configure(struct preflights *p, struct conf_snapshot *s);
/* Joins the thread. NULL is fine, here and below. */
void preflights_stop(struct preflights *p);
/* When no thread runs any more: answers what was asked, and takes batches
 * back. */
void preflights_drain(struct preflights *p);
/* After the workers' end. */
void preflights_free(struct preflights *p);
/* Its thread, or a test: ms until it wants to be called again. */
int preflights_step(struct preflights *p);

/* fn(arg) on its thread, between two steps. Any thread. */
void preflights_ask(struct preflights *p, void (*fn)(void *arg), void *arg);

/* ---- by a function that was asked for ----------------------------------- */

struct preflight_order {
	enum asking_kind kind;
	const char *wave;  /* of a comparison: its members alone; NULL */
	const char *route; /* of a wave; NULL: the one it has */
	const char *leg, *against; /* of a comparison; NULL: the only other */
	int64_t sample; /* recipients of a comparison; 0: all */
	const char *who;
	bool by_hand; /* a person asks: legs that stopped are asked again */
};

struct preflight_seen {
	int64_t number;
	bool ended;
	int stop; /* enum preflight_stop */
	char reason[400];
	struct asking_counts counts;
};

/* Begins it, or finds the one of that wave that is under way. */
int preflights_order(struct preflights *p, const struct preflight_order *o,
    struct preflight_seen *out, struct error *err) PH_CHECK;
int preflights_look(struct preflights *p, int64_t number,
    struct preflight_seen *out, struct error *err) PH_CHECK;

#endif
