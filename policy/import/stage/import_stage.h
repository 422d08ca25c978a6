/* SPDX-License-Identifier: ISC
 *
 * Stages the rows of a file as a change of the cutover table.
 */
#ifndef POLICY_IMPORT_STAGE_IMPORT_STAGE_H
#define POLICY_IMPORT_STAGE_IMPORT_STAGE_H

#include "policy/change/change.h"
#include "policy/import/import.h"

struct import_staging {
	const struct import_how *how;
	int fd;
	bool known; /* the route is staged for rows that the table has, too */
	struct import_counts counts; /* out */
};
/* Every bad line is a fault (change_watch()); the first is named in `err` too.
 */
int import_stage(struct change *ch, struct import_staging *s,
    struct error *err) PH_CHECK;

#endif
