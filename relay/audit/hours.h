/* SPDX-License-Identifier: ISC
 *
 * The audit index as the projector sees it: the current hour's file, which
 * alone is written, and the older ones, which are sealed, read and in the end
 * removed. The cursor is in the current file; a new file begins with the
 * cursor of the one before, and nothing is written to that one afterwards
 * but its indexes. One thread.
 */
#ifndef RELAY_AUDIT_HOURS_H
#define RELAY_AUDIT_HOURS_H

#include "relay/audit/hourfile.h"

struct hours;

/* Creates the directory when it is missing. A newest file that is damaged is
 * set aside as NAME.damaged and said in the log. What a crash left half
 * sealed is mended, so that it can be read. */
struct hours *hours_open(const char *dir, int node, int64_t now_us,
    struct error *err) PH_CHECK;
void hours_close(struct hours *h);
struct hourfile *hours_current(struct hours *h);

/* With nothing uncommitted: goes on in the file of `hour`, or of the next
 * hour that has none yet. */
int hours_roll(struct hours *h, int64_t hour, struct error *err) PH_CHECK;
/* Seals one of the files that wait for it. 1 done, 0 none waits, -1 failed
 * (a reader is in the way): try later. */
int hours_seal(struct hours *h, struct error *err);
/* Removes the files of hours of which `old` says so; never the current one. */
void hours_prune(struct hours *h, bool (*old)(void *arg, int64_t hour),
    void *arg);

/* The current file over a new connection, after a failure; `damaged`: it is
 * no database any more. Then, or when it is found to be so, it is set aside
 * and the one before it tells the cursor. -1: later. */
int hours_renew(struct hours *h, bool damaged, int64_t now_us,
    struct error *err) PH_CHECK;

/* The file with the row of that message: the one of the hour in its id, or a
 * later one when its upload took longer than the hour, or the one before when
 * it is a notice that was numbered after the hour's end. Borrowed until the
 * next call. 1; 0 when there is none; -1: hours_error(). */
int hours_home(struct hours *h, uint64_t id, struct arena *a,
    struct envelope *env_out, struct hourfile **home_out);
/* The same of a message that may have been carried here long after the hour in
 * its id: all files since then are tried, which takes its time when none has
 * it. */
int hours_home_of_any(struct hours *h, uint64_t id, struct arena *a,
    struct envelope *env_out, struct hourfile **home_out);
/* The file of hours_home() cannot be read: -1, or 0 when that is passed
 * over. */
int hours_unreadable(struct hours *h, struct hourfile *f);
/* An older file that cannot be read now counts as one that is not there. A
 * damaged one always does. */
void hours_pass_over(struct hours *h, bool yes);
/* Did the last hours_home() pass one over? */
bool hours_passed_over(const struct hours *h);
/* Why the last call failed, or the last one on the current file. */
const char *hours_error(struct hours *h);

/* Gives the files that may have rows of that message, oldest first, until `fn`
 * says that it has seen enough. A file that cannot be read is passed over. */
void hours_since(struct hours *h, uint64_t id,
    bool (*fn)(void *arg, struct hourfile *f), void *arg);

#endif
