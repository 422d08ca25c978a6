/* SPDX-License-Identifier: ISC
 *
 * Recounts the daemon between two of its steps: queue, spool, and the ledger's
 * slots against their holders.
 */
#ifndef TESTS_SIM_SIM_INSPECT_H
#define TESTS_SIM_SIM_INSPECT_H

/* From now on after steps of the daemon; what is wrong ends the run. */
void inspect_setup(void);

#endif
