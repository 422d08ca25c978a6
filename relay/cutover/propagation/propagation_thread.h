/* SPDX-License-Identifier: ISC
 *
 * The propagation thread: looks at each domain every propagation.interval,
 * one after the other, and keeps what it hears in observed.db
 * (doc/propagation.md). It waits for name servers and for the disk.
 */
#ifndef RELAY_CUTOVER_PROPAGATION_PROPAGATION_THREAD_H
#define RELAY_CUTOVER_PROPAGATION_PROPAGATION_THREAD_H

#include "relay/post/conf_snapshot.h"
#include "relay/post/shared.h"

struct propagation_thread;

struct propagation_thread *propagation_thread_new(struct shared *sh,
    struct conf_snapshot *snapshot);
int propagation_thread_start(struct propagation_thread *t,
    struct error *err) PH_CHECK;
/* Any thread. */
void propagation_thread_configure(struct propagation_thread *t,
    struct conf_snapshot *s);
/* Gives up the look in hand. NULL is fine, here and below. */
void propagation_thread_stop(struct propagation_thread *t);
void propagation_thread_free(struct propagation_thread *t);

/* fn(arg) on the propagation thread, between two looks. Any thread. */
void propagation_thread_ask(struct propagation_thread *t,
    void (*fn)(void *arg), void *arg);
/* Calls the functions that were asked for: its thread, or the caller after
 * propagation_thread_stop(). */
void propagation_thread_answer(struct propagation_thread *t);
/* Looks at a domain of the configuration, in normal form, now, and writes what
 * it heard; by a function that was asked for. */
int propagation_thread_look(struct propagation_thread *t, const char *domain,
    struct error *err) PH_CHECK;

#endif
