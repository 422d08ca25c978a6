/* SPDX-License-Identifier: ISC
 *
 * Why a delivery waits although the leg has refused it. Pure.
 */
#ifndef RELAY_CLI_COMMON_WHY_WAITS_H
#define RELAY_CLI_COMMON_WHY_WAITS_H

#include <stdint.h>

/* For the reply class and code of the last attempt; NULL: the reply says it
 * already. */
const char *why_waits(const char *class, int64_t code);

#endif
