/* SPDX-License-Identifier: ISC
 *
 * The end of a process that found itself wrong.
 */
#include "relay/base/assert.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From the root of the tree, wherever the build folder is. */
static const char *in_tree(const char *file)
{
	while (strncmp(file, "../", 3) == 0)
		file += 3;
	return file;
}

/* The log uses what may just have failed. */
static void write_plain(const char *cond, const char *at)
{
	char text[400];
	int n = snprintf(text, sizeof(text), "assert.failed at=%s: %s\n", at,
	    cond);
	size_t len = n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1;

	if (write(STDERR_FILENO, text, len) < 0)
		abort();
}

static void (*_Atomic report)(const char *cond, const char *at) = write_plain;

void assert_report_to(void (*fn)(const char *cond, const char *at))
{
	atomic_store(&report, fn);
}

void assert_failed(const char *cond, const char *file, int line)
{
	static _Thread_local bool failing;
	char at[200];

	snprintf(at, sizeof(at), "%s:%d", in_tree(file), line);
	if (failing) {
		write_plain(cond, at);
	} else {
		failing = true;
		atomic_load(&report)(cond, at);
	}
	abort();
}
