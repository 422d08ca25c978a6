/* SPDX-License-Identifier: ISC
 *
 * A message being received, as the files of the spool see it (draft.c).
 */
#ifndef RELAY_SPOOL_DRAFT_INT_H
#define RELAY_SPOOL_DRAFT_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "relay/base/list.h"
#include "relay/spool/format/record.h"
#include "relay/spool/spool.h"

struct segment;

enum {
	HEAD_BYTES = 64 << 10,	  /* of a draft, kept together in memory    */
	CHUNK_BYTES = 64 << 10,	  /* of a draft after its head              */
	DRAFT_IOVS = 16,	  /* parts of a draft that is kept inline   */
	STALL_MS = 2000,
};

struct chunk {
	struct chunk *next;
	size_t n, cap;
	size_t sent; /* went to the bulk lane */
	char data[];
};

/* Bytes of a message in memory: a head that grows and chunks after it. */
struct body {
	_Atomic unsigned refs;
	struct spool *spool;
	char *head;
	size_t head_n, head_cap;
	struct chunk *first, *last;
	uint64_t bytes;
	unsigned parts;	 /* chunks there ever were */
	uint64_t pool;	 /* counted in pool_used   */
	uint64_t window; /* counted in window_used */
};

struct spool_draft {
	struct spool_draft_letter letter; /* the owner's      */
	struct letter post;		  /* to the writer    */
	struct letter bulk_post;	  /* to the bulk lane */
	struct spool *spool;
	struct mailbox *to;
	struct list node; /* in spool.drafts */
	uint64_t id;
	struct body *body;
	uint64_t sender;
	struct strbuf envelope;
	struct spool_delivery *delivery;
	unsigned deliveries;
	struct arena *details; /* NULL: there are none */
	struct slice *detail;  /* by delivery */
	size_t detail_bytes;
	int64_t accepted_us;
	uint64_t counted; /* in spool.reserved */
	int kind;	   /* of the owner's commit letter */
	/* Shared with the bulk lane and the steward. */
	pthread_mutex_t lock;
	int64_t last_add_ms;
	bool bulk;	  /* the body goes to the bulk lane            */
	bool bulk_posted; /* the lane has it in hand                   */
	bool closed;	  /* nothing is added any more                 */
	bool ready;	  /* ... and it goes to the writer when synced */
	bool abandoned;	  /* the lane frees it                         */
	bool answered;	  /* the commit is                             */
	bool wait_letter; /* owed                                      */
	int wait_kind;
	enum spool_status lane_status;
	struct spool_op *op; /* whose group it is */
	size_t head_sent;
	uint64_t pending; /* bytes not synced in the lane */
	struct body_place place;
	unsigned extent_cap;
	struct segment **pin;
	unsigned pins;
};

void draft_spill_stalled(struct spool *s, int64_t now_ms);
/* Pieces of the body that are not in the lane yet, at most `max` bytes; then
 * that they are written (from the first on). Under the draft's lock. */
unsigned draft_peek(struct spool_draft *d, struct iovec *iov, unsigned iovs,
    uint64_t max);
void draft_sent(struct spool_draft *d, uint64_t bytes);
void draft_destroy(struct spool_draft *d);
/* To the writer, once the lane has synced it. Under the draft's lock. */
void draft_ready(struct spool_draft *d);
void body_unref(struct body *b);
/* Less of what was counted: no sum goes below zero. */
void spool_less(_Atomic uint64_t *sum, uint64_t bytes);
unsigned body_iov(const struct body *b, struct iovec *iov, unsigned max);
/* Sends the owner's letter. */
void draft_answer(struct spool_draft *d, enum spool_status status);

#endif
