/* SPDX-License-Identifier: ISC
 *
 * Fairness within a direct egress, whose mail goes to all servers of the world:
 * a permit is the right to one attempt there to one recipient domain. A domain
 * has two at once; the more it takes, the more, up to a quarter of the egress's
 * slots. After three attempts in a row that reach none of its servers it has
 * one at a time, after waits that grow as those between attempts do.
 *
 * Domains that took no mail within PERMIT_QUICK_US at their last attempt are
 * unproven, and have at most half of the slots together: the others keep the
 * rest, however many hold on to a connection. Those of them that are doubtful,
 * since an attempt reached no server or took long, have half of that half; the
 * others are new, and wait behind no doubtful one. An unproven domain is to be
 * waited for only so long (PERMIT_PATIENCE_MS), twice as long after a failure,
 * four times after two, then as long as ever.
 *
 * In memory alone, some ten thousand domains. Locked for some hundred
 * instructions at most; any thread.
 */
#ifndef RELAY_QUEUE_PERMITS_H
#define RELAY_QUEUE_PERMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"

enum {
	/* Bits of a keyed hash of the domain; 0: it is not known, and needs no
	 * permit. */
	PERMIT_DOMAIN_MASK = (1 << 24) - 1,
	PERMIT_FAILURES = 3, /* in a row */
	PERMITS_FIRST = 2,   /* of a domain that nothing is known of */
};
#define PERMIT_QUICK_US INT64_C(10000000)
#define PERMIT_PATIENCE_MS INT64_C(30000)

struct permits;

struct permits *permits_new(void);
void permits_free(struct permits *p);
/* Slots of the direct egresses, and the waits. Other legs need no permits. */
void permits_configure(struct permits *p, const struct conf *c);

/* One that was taken; all 0: none. It may be handed on, with what it is for. */
struct permit {
	uint32_t name; /* of domain and leg */
	bool unproven, doubtful, scout;
	int64_t patience_ms; /* for each step of the dialog; 0: any */
};

enum permit_answer {
	PERMIT_GRANTED,
	PERMIT_BUSY,  /* the domain has all that it may have */
	PERMIT_WAIT,  /* its servers cannot be reached */
	PERMIT_NEW,   /* the unproven ones have all that they may have … */
	PERMIT_DOUBTFUL, /* … or those of them that are doubtful */
};

struct permit_word {
	enum permit_answer answer;
	unsigned room;	  /* GRANTED: so many are left for the domain */
	int64_t until_us; /* WAIT: monotonic */
};

/* As permit_take() would say, without taking one. */
struct permit_word permit_look(struct permits *p, int leg, uint32_t domain,
    int64_t now_us);
/* Into `permit`; of a leg that needs none, and of domain 0, it is none. */
struct permit_word permit_take(struct permits *p, int leg, uint32_t domain,
    int64_t now_us, struct permit *permit);

enum permit_end {
	PERMIT_UNUSED,	  /* there was no attempt */
	PERMIT_FAILED,	  /* connect, DNS or greeting: no server served us */
	PERMIT_ANSWERED,  /* one spoke, or the domain is known not to exist */
	PERMIT_DELIVERED, /* … and took mail */
};
/* Ends it, and makes it none; nothing if it is none. `began_us`: of the
 * dialog. */
void permit_give(struct permits *p, struct permit *permit, enum permit_end end,
    int64_t began_us, int64_t now_us);
/* An administrator wants that domain to be tried now. */
void permit_hurry(struct permits *p, int leg, uint32_t domain, int64_t now_us);
/* Permits of that leg that are taken; in all, of the unproven ones. */
unsigned permits_used(struct permits *p, int leg);
unsigned permits_unproven(struct permits *p, int leg);

#endif
