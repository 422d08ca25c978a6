/* SPDX-License-Identifier: ISC
 *
 * errno and what we tried.
 */
#include "relay/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return -1;
	err->no = 0;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -1;
}

int error_sys(struct error *err, int no, const char *fmt, ...)
{
	va_list ap;
	char reason[128];
	size_t used;

	if (err == NULL)
		return -1;
	err->no = no;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s",
	    strerror_r(no, reason, sizeof(reason)));
	return -1;
}
