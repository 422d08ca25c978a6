/* SPDX-License-Identifier: ISC
 *
 * Shows one recipient: its route, watermarks and open deliveries.
 */
#ifndef RELAY_CLI_ROUTE_WHEREIS_H
#define RELAY_CLI_ROUTE_WHEREIS_H

#include "policy/route.h"
#include "relay/audit/delivered/watermark_reader.h"
#include "relay/cli/common/cli.h"
#include "relay/mail/addr.h"

enum { WHEREIS_MARKS = 32 }; /* legs of one recipient that have watermarks */

struct whereis {
	struct addr to;
	struct decision d;
	struct table_change by; /* gave the row its route and hold */
	bool known;		/* … else none is on record */
	const char *wave, *wave_state; /* NULL: in none */
	struct watermark mark[WHEREIS_MARKS];
	unsigned marks;
	const char *no_marks; /* why they could not be read; NULL */
	json_t *open;	      /* of the daemon; NULL: no_open says why */
	const char *no_open;
	struct arena *arena;
};

void whereis_print(struct cli *c, const struct whereis *w);

#endif
