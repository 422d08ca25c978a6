/* SPDX-License-Identifier: ISC
 *
 * Ready, reloading, stopping, watchdog. Without systemd nothing happens.
 */
#ifndef RELAY_DAEMON_SD_H
#define RELAY_DAEMON_SD_H

#include <stdint.h>

void sd_notify(const char *state); /* "READY=1", … */
/* How often to say WATCHDOG=1; 0: never. */
int64_t sd_watchdog_ms(void);

#endif
