/* SPDX-License-Identifier: ISC
 *
 * A spool over a fake disk on one thread, and a ledger of what it promised:
 * the tests of the spool call its steps through here and then compare what a
 * recovered spool holds with the ledger.
 */
#ifndef TESTS_UNIT_SPOOL_RIG_H
#define TESTS_UNIT_SPOOL_RIG_H

#include "relay/spool/spool_int.h"
#include "tests/fault/fakedisk.h"

enum { RIG_MESSAGES = 2000 };
enum rig_kind { RIG_COMMIT = 1, RIG_OP, RIG_FETCH, RIG_ROOM };

enum promise {
	P_NONE,	   /* asked, no answer yet: may be there or not   */
	P_STORED,  /* 250: must be there until it is settled       */
	P_REFUSED, /* 4xx: must not be there                       */
	P_SETTLING, /* asked to settle: both are right             */
	P_SETTLED, /* must not be live                             */
};

struct rig_message {
	uint64_t id;
	size_t body;
	enum promise promise;
};

struct rig {
	struct fakedisk *disk;
	struct clock_fake clock;
	struct rng_seeded rng;
	struct names *names;
	struct spool_config c;
	struct spool *spool;
	struct spool_start start;
	struct error err;
	struct mailbox in;
	struct rig_message m[RIG_MESSAGES];
	unsigned n;
	uint64_t hash; /* of recipients from now on; 0: the same for all */
	size_t piece; /* bodies are added by so much; 0: 3000 bytes */
	uint64_t next_id;
	unsigned told, damaged, unread; /* by recovery */
	uint64_t unread_id;
	char first_damage[300], last_damage[300];
	enum spool_status last_op;
	unsigned op_letters, commit_letters, room_letters;
	unsigned commits, cut_short; /* asked; refused while it came */
	struct spool_fetch *fetched;
	unsigned uncertain; /* deliveries that recovery told as such */
};

/* Segments of 64 KiB, at most `slots` of them. */
struct rig *rig_new(unsigned slots);
/* Another over this disk (taken), with the other's ledger. */
struct rig *rig_over(struct fakedisk *disk, const struct rig *ledger);
void rig_free(struct rig *r);
bool rig_open(struct rig *r);
void rig_close(struct rig *r); /* orderly */
void rig_kill(struct rig *r);  /* as if the process died */
/* Steps until nothing moves, with the clock going on. */
void rig_pump(struct rig *r);
/* Recounts what the spool has in memory; after each step of the rig. */
void rig_recount(const struct rig *r);
/* Only what the writer has to do now. */
void rig_write(struct rig *r);

void rig_body(uint64_t id, char *p, size_t n);
struct spool_delivery rig_delivery(struct rig *r, enum dstate state);
/* Asks; the answer comes with rig_pump(). */
struct rig_message *rig_accept(struct rig *r, size_t body);
void rig_settle(struct rig *r, struct rig_message *m, enum dstate state,
    unsigned flags);
/* A bounce of `m` with its DSN, valid only together. */
struct rig_message *rig_bounce(struct rig *r, struct rig_message *m);
void rig_fact(struct rig *r, const char *key, const char *value);
struct spool_fetch *rig_fetch(struct rig *r, uint64_t id, bool body);
/* Also one that is over and kept still. */
struct spool_fetch *rig_fetch_kept(struct rig *r, uint64_t id);
/* Reads the fetched body. */
bool rig_same_body(struct spool_fetch *f, const struct rig_message *m);
/* Is it live, and its body as it was? */
bool rig_live(struct rig *r, const struct rig_message *m);
/* Compares the spool with the ledger; NULL, or what is wrong. */
const char *rig_check(struct rig *r);

#endif
