/* SPDX-License-Identifier: ISC
 *
 * Which deliveries of the queue a command is about: a walk over those that
 * match. The ops loop.
 */
#ifndef RELAY_CONTROL_CONTROL_SELECT_H
#define RELAY_CONTROL_CONTROL_SELECT_H

#include "relay/control/control_int.h"
#include "relay/cutover/wave/wave_people.h"
#include "relay/post/mail.h"
#include "relay/settle/act.h"

enum {
	SELECT_SLICE = 256,  /* matches, whose messages are read next */
	SELECT_MANY = 2048,  /* … of an act that needs none */
	SELECT_SHOWN = 20, /* … once so many had a row of their own */
	SELECT_LOOKS = 2048, /* deliveries that the queue passes in one go */
};
#define AGE_MAX_S INT64_C(100000000000)

/* The conditions. "", -1 and 0 match everything. */
struct filter {
	int leg, state;
	char *from, *to, *customer;
	int64_t age_ms; /* accepted so long ago, or longer */
	struct wave_people *people; /* members of a wave; NULL: all */
	bool restored;	/* frozen since the spool was restored */
	uint64_t until; /* the highest id */
	uint64_t *id;
	size_t ids, at;
	bool chosen; /* `id` is what the queue has for `from` and `to` */
};

struct select {
	struct control *c;
	struct ctl_request *r;
	struct filter f;
	int64_t now_us;
	uint64_t limit, found;
	struct queue_at at; /* the walk's place */
	struct queue_row rows[SELECT_MANY];
	unsigned n, row_at;
	/* The queue is asked first which messages they may be. */
	uint64_t to[RCPT_HASHES];
	struct queue_wanted wanted;
	struct queue_ids ids;
	uint32_t ids_at;
	bool end, walked, paused;
	struct error fault; /* of reading `people`, ends it; text "": none */
	uint64_t table_epoch; /* when they were begun */
	uint64_t current; /* the message being read */
	/* For each match; the message is read. What it leaves open is counted
	 * in `open` until select_closed(); with `open_max` of them the walk
	 * waits. */
	void (*match)(struct select *s, const struct queue_row *row,
	    const struct mail *m);
	unsigned open, open_max;
	/* Queue thread; NULL: none. Gets each slice after SELECT_SHOWN
	 * matches, of SELECT_MANY at most: changes them, leaves in `rows` what
	 * `match` is called for and has select_go_on() called on the ops
	 * loop. */
	void (*apply)(struct select *s);
	/* There is no further match of that message in this slice; may be
	 * NULL. */
	void (*message_end)(struct select *s);
	/* All were seen (`walked`); once more when the last open one is
	 * closed after that. Ends the request and frees `s`. */
	void (*finish)(struct select *s);
	bool all_states; /* what is over, too */
	/* of queue.show */
	bool body; /* the content follows */
	/* of queue.act */
	enum act what;
	char *who, *reason;
	bool dry_run, count, brief;
	struct one_act *acts, **acts_end; /* of the message at hand */
	struct act_slice *bulk;
	uint64_t done, failed, last;
};

/* From the arguments ids, id, until, leg, state, from, to, customer, wave,
 * age_s and limit. NULL when they were wrong: answered. */
struct select *select_new(struct control *c, struct ctl_request *r,
    const json_t *args);
void select_begin(struct select *s);
void select_go_on(void *select);
void select_closed(struct select *s);
/* Without reading a message it is known whether a delivery is meant. */
bool select_unread(const struct select *s);
void select_free(struct select *s);

/* The delivery as `queue list` shows it, into an object that is begun. */
void control_print_row(struct control *c, const struct queue_row *row,
    const struct mail *m, struct jout *j);

#endif
