/* SPDX-License-Identifier: ISC
 *
 * The disk of the journal: tests/fault/fakedisk behind diskio_system, with
 * time that each call takes, and faults.
 */
#ifndef TESTS_SIM_SIM_DISK_H
#define TESTS_SIM_SIM_DISK_H

#include "tests/fault/fakedisk.h"

void sim_disk_setup(void);
/* The process or the machine dies: keeps the part that `how` says. */
void sim_disk_cut(enum fake_cut how, uint64_t seed);
/* The n-th call of a kind from now on fails, once. */
void sim_disk_fail(enum fake_call call, unsigned nth);
bool sim_disk_failed(void); /* it did; forgets it */
void sim_disk_full(bool full);
void sim_disk_slow(bool slow);
/* No fault from now on. */
void sim_disk_heal(void);

#endif
