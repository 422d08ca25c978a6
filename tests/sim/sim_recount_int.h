/* SPDX-License-Identifier: ISC
 *
 * The records that sim_recount.c reads and sim_verdict.c judges.
 */
#ifndef TESTS_SIM_SIM_RECOUNT_INT_H
#define TESTS_SIM_SIM_RECOUNT_INT_H

#include "relay/spool/spool.h"
#include "tests/sim/sim_witness.h"

struct read_delivery {
	struct spool_delivery d;
	int leg; /* enum sim_leg_number; -1: another */
	bool by_admin; /* its last move was an administrator's */
};

struct read_message {
	uint64_t id;
	bool notice;		   /* a DSN of ours */
	const struct read_message *tells_of; /* … about this one */
	struct witness_mail *mail;  /* NULL: a notice */
	unsigned rcpts;
	int user[MAIL_RCPTS]; /* by number in the envelope */
	struct read_delivery *d;
	unsigned n;
};

/* In order of acceptance. */
const struct read_message *recount_message(unsigned i); /* NULL: the end */
/* Parts of the journal were not seen. */
bool recount_blind(void);

#endif
