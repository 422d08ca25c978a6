/* SPDX-License-Identifier: ISC
 *
 * Reads stragglers from ledger.db, beside the projector that writes them. What
 * was counted in the last two seconds is not to be seen. One thread a reader.
 */
#ifndef RELAY_AUDIT_STRAGGLER_STRAGGLER_READER_H
#define RELAY_AUDIT_STRAGGLER_STRAGGLER_READER_H

#include "relay/audit/straggler/straggler_row.h"
#include "relay/base/error.h"

/* Of a straggler, its texts borrowed for the call; times are wall clock, us. */
struct straggler {
	int64_t id;
	struct straggler_key key;
	const char *name, *helo, *tls; /* of the newest message; "" */
	const char *senders; /* as straggler_senders_print() writes them */
	int64_t first_us, last_us, gap_us;
	uint64_t messages, recipients, refused, judged, passed;
	uint64_t delivered, proven, wants;
	int64_t wants_us;
};

struct straggler_reader;
/* ledger.db of that folder. NULL: it is not there, has no such tables, or
 * cannot be read. */
struct straggler_reader *straggler_reader_open(const char *dir,
    struct error *err) PH_CHECK;
void straggler_reader_close(struct straggler_reader *r); /* NULL is fine */

/* All that came later is counted; 0: it is not known since when. */
int64_t straggler_reader_since(const struct straggler_reader *r);

enum straggler_which {
	STRAGGLERS_ALL,	      /* that were seen                        */
	STRAGGLERS_DELIVERED, /* of which a leg took mail              */
	STRAGGLERS_WANTING,   /* that were refused mail to the outside */
};
struct straggler_look {
	enum straggler_which which;
	int64_t since_us; /* last seen then or later; 0: any time */
	bool (*fn)(void *arg, const struct straggler *s); /* false: enough */
	void *arg;
};
/* Newest first. 0, or -1 with `err`. */
int straggler_reader_each(struct straggler_reader *r,
    const struct straggler_look *look, struct error *err) PH_CHECK;

/* Was that client seen, at any listener? 1, 0, or -1 with `err`. */
int straggler_reader_has(struct straggler_reader *r, const char *client,
    struct error *err) PH_CHECK;

/* Its days from `day` on (UTC, since 1970), oldest first. How many there are;
 * -1 with `err`. */
int straggler_reader_days(struct straggler_reader *r, int64_t id, int64_t day,
    struct straggler_day out[STRAGGLER_DAYS_KEPT + 1],
    struct error *err) PH_CHECK;

#endif
