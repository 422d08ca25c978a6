/* SPDX-License-Identifier: ISC
 *
 * errno and what we tried, for the caller to log. One of the three shapes of
 * failure: parsers give a constant text, mail gives a result value.
 */
#ifndef RELAY_BASE_ERROR_H
#define RELAY_BASE_ERROR_H

#include "relay/base/attr.h"

struct error {
	int no; /* errno, or 0 */
	char text[400];
};

/* Both return -1 so that a caller can `return error_set(err, …)`. */
int error_set(struct error *err, const char *fmt, ...) PH_PRINTF(2, 3);
/* Appends ": " and strerror(no). */
int error_sys(struct error *err, int no, const char *fmt, ...) PH_PRINTF(3, 4);

#endif
