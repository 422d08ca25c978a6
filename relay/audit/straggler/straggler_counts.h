/* SPDX-License-Identifier: ISC
 *
 * Counts stragglers from the records of the journal, as the projector reads
 * them. Not counted are a proxy that speaks for itself (a balancer's check), a
 * leg, and a client that may send to the outside.
 *
 * Counts belong to the open transaction of the index. After its commit they
 * wait for the next write of ledger.db.
 */
#ifndef RELAY_AUDIT_STRAGGLER_STRAGGLER_COUNTS_H
#define RELAY_AUDIT_STRAGGLER_STRAGGLER_COUNTS_H

#include "conf/conf.h"
#include "relay/audit/straggler/straggler_fold.h"
#include "relay/mail/envelope.h"

struct straggler_counts;
struct straggler_counts *straggler_counts_new(const struct conf *c);
void straggler_counts_free(struct straggler_counts *s); /* NULL is fine */

/* ---- any thread -------------------------------------------------------- */

/* Takes the networks and customers of a reloaded configuration. */
void straggler_counts_configure(struct straggler_counts *s,
    const struct conf *c);
/* Since the last call, was a client in a private network refused mail to the
 * outside? Then the last one of them is in client_out. */
enum { STRAGGLER_CLIENT_TEXT = 64 };
bool straggler_counts_wanting(struct straggler_counts *s,
    char client_out[STRAGGLER_CLIENT_TEXT]);

/* ---- the projector's thread -------------------------------------------- */

void straggler_counts_accepted(struct straggler_counts *s,
    const struct envelope *e);

/* Where a message came from, as long as it is under way. */
struct straggler_origin {
	const char *client, *listen; /* "": it counts for nothing */
	bool proven; /* SPF passed, or there was no verdict */
};
struct straggler_origin straggler_origin_of(const struct envelope *e);
/* A leg took it for that recipient. */
void straggler_counts_delivered(struct straggler_counts *s,
    const struct straggler_origin *from, const char *to);

/* An event `refused`. */
struct straggler_refusal {
	const char *client, *listen, *stage, *to, *enhanced;
	int64_t time_us, count;
};
void straggler_counts_refused(struct straggler_counts *s,
    const struct straggler_refusal *r);

/* The index has what was counted since the last call; or it has not, and that
 * is read again. */
void straggler_counts_keep(struct straggler_counts *s);
void straggler_counts_drop(struct straggler_counts *s);
/* Records never came in, so that nothing of before counts as known. */
void straggler_counts_gap(struct straggler_counts *s, int64_t now_us);

/* Must it be written soon, for its size or for a gap? */
bool straggler_counts_due(const struct straggler_counts *s);
/* The rows that wait, and the gap, 0: there is none; for straggler_write().
 * Until the next call. */
struct straggler_fold *straggler_counts_waiting(struct straggler_counts *s,
    int64_t *gap_us_out);
/* It was written. */
void straggler_counts_written(struct straggler_counts *s);

#endif
