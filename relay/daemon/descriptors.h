/* SPDX-License-Identifier: ISC
 *
 * Are there enough file descriptors for what the configuration allows?
 */
#ifndef RELAY_DAEMON_DESCRIPTORS_H
#define RELAY_DAEMON_DESCRIPTORS_H

#include "conf/conf.h"

/* Raises the process's limit as far as it may and returns it; LONG_MAX: there
 * is none. At the start, before the sandbox. */
long descriptors_limit(void);
/* -1 and the sum when the configuration needs more. At the start and at a
 * reload. */
int descriptors_check(const struct conf *c, int workers, long limit,
    struct error *err) PH_CHECK;

#endif
