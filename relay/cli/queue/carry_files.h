/* SPDX-License-Identifier: ISC
 *
 * A folder of carried mail: ID.eml has the bytes of a message as they are
 * stored, ID.json its envelope, deliveries, size and SHA-256; manifest.json,
 * written last, counts them. The folder is 0700, its files 0600; each has its
 * name only when it is whole. doc/backup.md has the format.
 */
#ifndef RELAY_CLI_QUEUE_CARRY_FILES_H
#define RELAY_CLI_QUEUE_CARRY_FILES_H

#include "relay/cli/common/cli.h"

#define CARRY_MANIFEST "manifest.json"
enum {
	CARRY_FORMAT = 1,
	CARRY_CHUNK = 128 << 10, /* bytes of a message a line */
};

/* All open mail into `dir`, which is made, or is there and empty. */
int carry_export(struct cli *c, const char *dir);
/* The pairs of `dir`, oldest first. */
int carry_import(struct cli *c, const char *dir);

#endif
