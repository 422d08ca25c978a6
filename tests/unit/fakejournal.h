/* SPDX-License-Identifier: ISC
 *
 * A journal of made-up records for tests of the projector: written once,
 * read like a spool's tail, from any place, as often as a test restarts.
 */
#ifndef TESTS_UNIT_FAKEJOURNAL_H
#define TESTS_UNIT_FAKEJOURNAL_H

#include "relay/audit/projector.h"
#include "relay/mail/envelope.h"

struct fakejournal {
	struct arena *a;
	struct spool_record *rec;
	size_t n, cap;
	size_t at;	/* the tail's next record          */
	size_t visible; /* records that are synced         */
	size_t first;	/* records before it were recycled */
	size_t bad;	/* this one cannot be read; SIZE_MAX: all can */
	int bad_no;	/* errno of it                     */
	unsigned bad_for, fails; /* so often; was asked so often */
	size_t passed;	/* SIZE_MAX: none */
	struct spool_pos done;
	unsigned dones;
	bool low;
	/* Called at each next() and done(): a test's place to die. */
	void (*at_next)(void *arg, size_t at);
	void (*at_done)(void *arg);
	void *arg;
	bool group; /* what is added is the second part of the last */
	/* Set: the projector is told which spool it is, and commits only at
	 * totals. */
	const struct spool_origin *origin;
	uint64_t total[NAMES_MAX][TOTALS]; /* of all that was added */
};

void fakejournal_init(struct fakejournal *j);
void fakejournal_fini(struct fakejournal *j);
struct projector_input fakejournal_input(struct fakejournal *j);

/* An id made at that time. */
uint64_t fake_id(int64_t wall_us, unsigned seq);
/* Accepted from `from` for each of `to` (NULL ends); one queued delivery for
 * each on `leg`. */
void fake_accepted(struct fakejournal *j, uint64_t id, int64_t time_us,
    const char *from, const char *const *to, uint16_t leg);
/* As fake_accepted() with an envelope and deliveries of the test's own. */
void fake_message(struct fakejournal *j, enum record_type type,
    const struct envelope *e, const struct spool_delivery *d, unsigned n);
/* One update of one delivery. */
void fake_update(struct fakejournal *j, uint64_t id, int64_t time_us,
    enum dstate old_state, const struct spool_update *u);
/* An attempt that ended so. */
void fake_attempt(struct fakejournal *j, uint64_t id, int64_t time_us,
    const struct spool_delivery *to, enum dstate old_state);
/* The end of a batch: what was added until now. */
void fake_totals(struct fakejournal *j);
void fake_note(struct fakejournal *j, int64_t time_us, struct slice bytes);

#endif
