/* SPDX-License-Identifier: ISC
 *
 * The inside of a helper: its requests (spf_helper.c) and its process
 * (spf_process.c).
 */
#ifndef RELAY_SPF_SPF_HELPER_INT_H
#define RELAY_SPF_SPF_HELPER_INT_H

#include "relay/spf/spf_helper.h"
#include "relay/spf/spf_wire.h"

enum spf_process {
	NO_PROCESS, /* the timer says when the next one is tried */
	COMING,	    /* asked the question of our own             */
	IDLE,
	BUSY,
};

struct spf_ask {
	struct list node; /* of `waiting` or `refused`; in none: at the head */
	bool waits;	  /* in `waiting` */
	struct spf_helper *h;
	struct strbuf frame;
	char domain[SPF_NAME_MAX + 1];
	void (*fn)(void *arg, const struct slice *reply);
	void *arg;
};

struct spf_helper {
	struct spf_helper_config c;
	struct spf_helper_counts counts;
	struct list waiting, refused; /* `refused`: their callback is due */
	unsigned waiting_n;
	size_t waiting_bytes;
	struct defer refuse;

	enum spf_process state;
	int fd, handle;
	struct io io;
	struct timer timer; /* silence; NO_PROCESS: the next try */
	struct spf_ask *head; /* BUSY: NULL when it was cancelled */
	char domain[SPF_NAME_MAX + 1]; /* … and the one that is blamed */
	struct strbuf out, in;
	size_t sent; /* of `out` */
	bool begun;
	int64_t started_ms;
	unsigned failed; /* processes in a row that did not come up */
	char why[400]; /* … and why the last one did not */
};

enum { SPF_HELPER_TRIES = 3 }; /* processes that fail: there is no chance */

/* The first request that may be asked, out of the queue; NULL: none waits. */
struct spf_ask *spf_ask_next(struct spf_helper *h);
/* Ends the request; may be last thing in an event. */
void spf_ask_answer(struct spf_ask *a, const struct slice *reply);
void spf_ask_refuse_waiting(struct spf_helper *h);

void spf_process_init(struct spf_helper *h);
void spf_process_start(struct spf_helper *h);
/* Gives it the next request, if it is free. */
void spf_process_next(struct spf_helper *h);
void spf_process_fini(struct spf_helper *h);

#endif
