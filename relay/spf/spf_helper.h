/* SPDX-License-Identifier: ISC
 *
 * One process `posthouse-spf`, and the requests that wait for it.
 *
 * libspf2 evaluates what strangers write, so it may die or hang: the request
 * that it was at gets no answer then, the others go to the next process. A
 * request has the process for itself, so it is known which domain killed it;
 * one that did so often is not asked about for a while (spf_blame.h).
 *
 * A process that has just been started is asked a harmless question of our own
 * first: one that dies before that answer says nothing about any domain. When
 * none comes up, requests are answered with nothing at once, and another
 * process is tried now and then.
 *
 * One thread, the loop's; nothing here blocks.
 */
#ifndef RELAY_SPF_SPF_HELPER_H
#define RELAY_SPF_SPF_HELPER_H

#include <stdatomic.h>

#include "relay/base/loop.h"
#include "relay/spf/spf_starter.h"

struct spf_blame;
struct spf_helper;
struct spf_ask; /* a request that waits or is with the process */

enum {
	SPF_HELPER_WAITING_MAX = 2000,	     /* requests */
	SPF_HELPER_WAITING_BYTES = 16 << 20, /* of all of them */
	SPF_HELPER_SILENCE_MS = 1000, /* for one answer, then it is killed */
	/* Between processes that never come up; doubled up to a minute. */
	SPF_HELPER_BACK_OFF_MS = 1000,
};

struct spf_helper_config {
	struct loop *loop;
	const struct spf_starter *starter; /* NULL: there is no program */
	struct spf_blame *blame; /* shared by all; NULL: none is kept */
	/* Both may be NULL. On the loop. `domain` killed its last process for
	 * an hour; no process comes up, and why (told once until one does). */
	void (*blamed)(void *arg, const char *domain);
	void (*absent)(void *arg, const char *why);
	void *arg;
};

/* Since the start; any thread reads them. */
struct spf_helper_counts {
	_Atomic uint64_t asked;	   /* requests that a process was given   */
	_Atomic uint64_t started;  /* processes                           */
	_Atomic uint64_t deaths;   /* of processes, by themselves         */
	_Atomic uint64_t timeouts; /* that were killed for their silence  */
	_Atomic uint64_t unasked;  /* requests that got nothing at once   */
	_Atomic int up;		   /* 1: a process is there and answers   */
};

/* Copies `c`. What the starter borrows stays. Nothing is started yet. */
struct spf_helper *spf_helper_new(const struct spf_helper_config *c);
/* Starts the process, the first time; so does the first request. */
void spf_helper_begin(struct spf_helper *h);
/* Ends the process; requests that wait get no callback. NULL is fine. */
void spf_helper_free(struct spf_helper *h);
const struct spf_helper_counts *spf_helper_counts(const struct spf_helper *h);

/* `frame`: of spf_request_pack(), copied. `domain`: that the check is about
 * now, in lower case, to be blamed for a death. `fn` is called once, later,
 * never from inside this call: with the inside of a reply's frame, for
 * spf_reply_unpack(), borrowed for the call, or with NULL where there is none:
 * the check is a temperror. NULL is for a death, silence, nonsense, a blamed
 * domain, too many that wait, and no process at all. */
struct spf_ask *spf_helper_ask(struct spf_helper *h, struct slice frame,
    const char *domain, void (*fn)(void *arg, const struct slice *reply),
    void *arg);
/* No callback follows; *ask is NULL afterwards. NULL in it is fine. */
void spf_helper_cancel(struct spf_ask **ask);

#endif
