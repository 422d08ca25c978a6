/* SPDX-License-Identifier: ISC
 *
 * Clients of the relay: one session each.
 */
#ifndef TESTS_SIM_SIM_SENDER_H
#define TESTS_SIM_SIM_SENDER_H

#include <stdint.h>

/* Begins a session whose mails, recipients and manners follow from `seed`. */
void senders_begin(uint64_t seed);
/* A leg brings back what it took (copied). */
struct leg_took;
void sender_returns(const char *ip, const struct leg_took *t);
/* Sessions that have not ended. */
unsigned senders_open(void);

#endif
