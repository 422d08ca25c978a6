/* SPDX-License-Identifier: ISC
 *
 * Reads the journal beside the daemon, record by record, and compares: with
 * the rules of a delivery's life, with what the queue counts, and at the end
 * with what the world saw. Called by the scenario's task, which alone ends the
 * daemon.
 */
#ifndef TESTS_SIM_SIM_RECOUNT_H
#define TESTS_SIM_SIM_RECOUNT_H

#include <stdbool.h>
#include <stdint.h>

void recount_setup(void);
void recount_read(void);
void recount_pause(void);   /* before the daemon ends in order */
void recount_forget(void);  /* it was killed */
/* Deliveries that are open by what was read. */
unsigned recount_open_deliveries(void);
/* A leg that is up has each mail soon, whatever the other one does (D2). */
void recount_check_calm(void);
/* The audit index counts as the journal does (A1, A2). */
void audit_check(void);
/* The end: everything is over, and all of it is right. */
void recount_check_end(void);

#endif
