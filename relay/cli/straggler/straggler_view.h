/* SPDX-License-Identifier: ISC
 *
 * A straggler as commands show it: what was counted, what is concluded, and the
 * share of its messages since old answers of the DNS ended. One thread.
 */
#ifndef RELAY_CLI_STRAGGLER_STRAGGLER_VIEW_H
#define RELAY_CLI_STRAGGLER_STRAGGLER_VIEW_H

#include "policy/straggler/straggler_where.h"
#include "relay/cli/common/cli.h"
#include "relay/straggler/stragglers.h"

enum straggler_group { GROUP_LEGITIMATE, GROUP_OTHER, GROUP_LATE,
	STRAGGLER_GROUPS };

struct straggler_view {
	struct cli *c;
	struct stragglers *all;
	int64_t now_us, quiet_us;
	int64_t ended_us; /* of old answers; 0: it is not known */
};

/* By the configuration, verdict.quiet and --after. CLI_DONE, or what was
 * said. */
int straggler_view_open(struct cli *c, struct straggler_view *v);
void straggler_view_close(struct straggler_view *v);

enum straggler_group straggler_group_of(const struct straggler_view *v,
    const struct straggler_found *f);
/* "legitimate", "quiet", "unproven", "ignored". */
const char *straggler_state(const struct straggler_view *v,
    const struct straggler_found *f);
/* Percent of its messages; -1: not known, or there are none. By days: the one
 * in which old answers ended counts as before. */
int straggler_after(struct straggler_view *v, const struct straggler_found *f);
/* As an expression sees it; `after` only where that asks for it. */
void straggler_values_of(struct straggler_view *v,
    const struct straggler_found *f, bool after, struct straggler_values *out);

extern const struct out_column straggler_columns[];
/* A row of the table that was begun in c->out. */
void straggler_put(struct straggler_view *v, const struct straggler_found *f);
void straggler_put_csv_header(struct straggler_view *v);
void straggler_put_csv(struct straggler_view *v,
    const struct straggler_found *f);
/* A bar for each day of the last 62 that it was seen. */
void straggler_chart(struct straggler_view *v,
    const struct straggler_found *f);

#endif
