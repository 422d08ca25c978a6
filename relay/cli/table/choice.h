/* SPDX-License-Identifier: ISC
 *
 * Which rows a command means: said in one way, by addresses, --file, --tag,
 * --where, --wave or --all.
 */
#ifndef RELAY_CLI_TABLE_CHOICE_H
#define RELAY_CLI_TABLE_CHOICE_H

#include "policy/change/change.h"
#include "policy/where.h"
#include "relay/cli/common/cli.h"

struct choice {
	int first; /* operand where addresses begin */
	int fd;	   /* of --file, -1 */
	struct where *where;
	const char *wave; /* its members; NULL: not by a wave */
};

/* Reads it; `first`: the operand where addresses begin. CLI_DONE, or what was
 * said. choice_end() in either case. */
int choice_read(struct cli *c, int first, struct choice *choice);
/* Stages `row` for each of them. */
int choice_stage(struct cli *c, struct change *ch,
    const struct choice *choice, const struct change_row *row);
void choice_end(struct choice *choice);

#endif
