/* SPDX-License-Identifier: ISC
 *
 * How far a command is, on stderr; nothing but on a terminal. One thread.
 */
#ifndef RELAY_CLI_COMMON_PROGRESS_H
#define RELAY_CLI_COMMON_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *title;
	uint64_t total; /* 0: not known */
	int shown;	/* last figure drawn */
	const char *phase; /* progress_phase(): the last */
	int64_t drawn_ms;
	unsigned turn;
	bool on;
};
void progress_begin(struct progress *p, const char *title, uint64_t total);
void progress_at(struct progress *p, uint64_t done);
/* Something whose end is not known: its name, and a sign that turns while it
 * is called again. The titles are constant. */
void progress_phase(struct progress *p, const char *title);
/* Takes the bar away for a line on stderr; it comes again. */
void progress_clear(struct progress *p);
void progress_end(struct progress *p);

#endif
