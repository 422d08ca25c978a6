/* SPDX-License-Identifier: ISC
 *
 * The rows of replays in ledger.db: what was asked for, how far it is, and the
 * report. They may be lost: the journal says what was queued (R4). The file is
 * opened for each call, because the projector may have made it anew.
 */
#ifndef RELAY_CUTOVER_REPLAY_REPLAY_FILE_H
#define RELAY_CUTOVER_REPLAY_REPLAY_FILE_H

#include "relay/base/error.h"
#include "relay/base/mem.h"

enum replay_state { /* on disk */
	REPLAY_SEARCHES = 1,
	REPLAY_RUNS = 2,
	REPLAY_DONE = 3,
	REPLAY_FAILED = 4,
	REPLAY_CANCELLED = 5,
};
const char *replay_state_text(enum replay_state s);

/* A replay as a whole. Strings are the owner's, or of the arena. Wall us. */
struct replay_row {
	int64_t number, started_us, ended_us;
	const char *who, *command, *note, *wave, *from_leg, *to_leg;
	int64_t since_us, until_us;
	enum replay_state state;
	const char *reason; /* it failed or was cancelled; "" */
	/* Mail that was accepted before that may not be kept; 0: all is. */
	int64_t covered_us;
	/* Recipients; and pairs of message and recipient: the other leg had
	 * them, their route may bring them there, they came from that leg, they
	 * were given up meanwhile, they cannot be read. */
	int64_t users, there, waits, came_from, gone, unread;
	int64_t made; /* deliveries so far; not in this row of the file */
};

/* A recipient; `lacks`: some of its mail may not be kept. */
struct replay_user {
	const char *address; /* key of its row, or of its base address */
	bool lacks;
};

/* A delivery that was made. */
struct replay_mail {
	uint64_t id;
	uint32_t rcpt, number;
	const char *address;
	uint8_t state; /* enum dstate */
	int64_t time_us;
};

/* All return 0, or -1 and err. `path`: of ledger.db. */

/* A new one: fills row->number. */
int replay_file_add(const char *path, struct replay_row *row,
    const struct replay_user *users, size_t n, struct error *err) PH_CHECK;
/* Its state and counts, and `n` deliveries, in one transaction. */
struct replay_progress {
	const struct replay_row *row;
	const struct replay_mail *mail;
	size_t n;
};
int replay_file_put(const char *path, const struct replay_progress *p,
    struct error *err) PH_CHECK;
/* One that has not ended is cancelled: 1; it had ended: 0; there is none, or
 * it cannot be written: -1. */
int replay_file_cancel(const char *path, const struct replay_row *row,
    struct error *err) PH_CHECK;
/* The first behind `after` that has not ended: 1, 0 when there is none. */
int replay_file_next(const char *path, int64_t after, struct arena *a,
    struct replay_row *row_out, struct error *err) PH_CHECK;
/* In order of their numbers; `number` 0: all. */
struct replay_reader {
	int64_t number;
	struct arena *a;
	void (*row)(void *arg, const struct replay_row *row);
	void (*user)(void *arg, const struct replay_user *user);
	void (*mail)(void *arg, const struct replay_mail *mail);
	/* Of one: so many of its deliveries are in that state. */
	void (*count)(void *arg, int64_t number, uint8_t state, int64_t n);
	void *arg;
};
/* Those functions that are not NULL are called: row, count, user, mail. */
int replay_file_read(const char *path, const struct replay_reader *r,
    struct error *err) PH_CHECK;
/* Those that ended before then are forgotten. */
int replay_file_prune(const char *path, int64_t before_us,
    struct error *err) PH_CHECK;

#endif
