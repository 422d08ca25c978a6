/* SPDX-License-Identifier: ISC
 *
 * The contents of the simulated world: addresses, recipients, and the parts
 * that the scenario steers.
 */
#ifndef TESTS_SIM_SIM_WORLD_H
#define TESTS_SIM_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_RELAY_IP "192.0.2.100"
#define SIM_LEGACY_IP "192.0.2.1"
#define SIM_CLOUD_IP "192.0.2.2"
#define SIM_OUTSIDE_IP "192.0.2.3"

enum sim_leg_number { LEG_LEGACY, LEG_CLOUD, LEG_OUTSIDE, SIM_LEGS };

/* Recipients u0 … of our domain; the last ones have no row, and no leg knows
 * the very last. */
enum { SIM_USERS = 10, SIM_ROWS = 7 };

void sim_dns_fails(bool fails);

#endif
