/* SPDX-License-Identifier: ISC
 *
 * When the waves of a plan are: its calendar, read from the command line, and
 * the waves that it gives so many members.
 */
#ifndef RELAY_CLI_WAVE_PLAN_CALENDAR_H
#define RELAY_CLI_WAVE_PLAN_CALENDAR_H

#include "relay/cli/common/cli.h"
#include "relay/cli/wave/plan_write.h"
#include "relay/when/calendar.h"

struct plan_calendar {
	struct calendar calendar;
	struct calendar_when when;
	const char *prefix; /* of names */
};

/* --calendar, --zone, --from, --skip, --name. CLI_DONE, or what was said; all
 * lives as long as the command. */
int plan_calendar_read(struct cli *c, struct plan_calendar *p);
/* The waves for so many members, named by prefix and date, and by the time
 * where a date has two. NULL: the reason was said. */
struct plan_wave *plan_calendar_waves(struct cli *c,
    const struct plan_calendar *p, uint32_t members, int *waves_out);

#endif
