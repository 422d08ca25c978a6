/* SPDX-License-Identifier: ISC
 *
 * Adds up the first outcomes of a slice's members, out of ledger.db. Blocks on
 * files: the wave thread.
 */
#ifndef RELAY_CUTOVER_BRAKE_BRAKE_LOOK_H
#define RELAY_CUTOVER_BRAKE_BRAKE_LOOK_H

#include "conf/conf.h"
#include "policy/wave/file/soak_file.h"

enum { BASELINE_DAYS = 7 };

struct brake_asked {
	struct wave_file *file;
	const struct wave *wave;
	uint64_t slice;
	int64_t from_us;  /* days are counted from that one on */
	int64_t since_us; /* of brake_seen.users */
	bool baseline;	  /* that is wanted too */
};

struct brake_seen {
	int64_t since_us; /* all after that is counted */
	/* At the legs that the slice gave its members and that they had not;
	 * where there is none, at all that it gave. */
	struct soak_counts counts;
	uint64_t users; /* of whom a delivery failed there at since_us or
			 * later */
	bool shut; /* one of these legs takes no mail at all now */
	/* Of the same members at their old legs, in the seven days before and
	 * the day so far; where these are fewer than BRAKE_BASELINE, of all
	 * recipients at the new legs, if these are more. */
	struct soak_counts base;
	bool of_leg;
};

/* `shut`: of a leg's number. -1: ledger.db or the table cannot be read. */
struct brake_legs {
	const struct conf *conf;
	struct names *names;
	bool (*shut)(void *arg, int leg);
	void *arg;
};
int brake_look(const struct brake_legs *legs, const struct brake_asked *q,
    struct brake_seen *seen_out, struct error *err) PH_CHECK;

#endif
