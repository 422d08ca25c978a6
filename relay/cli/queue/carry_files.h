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
	CARRY_SHA = 64 + 1,    /* in hex */
	CARRY_CHUNK = 128 << 10, /* bytes of a message a line */
};

/* Of a message being hashed. */
struct carry_hash;
struct carry_hash *carry_hash_new(void);
void carry_hash_add(struct carry_hash *h, const void *p, size_t n);
/* Frees it. */
void carry_hash_end(struct carry_hash *h, char out[CARRY_SHA]);

/* All open mail into `dir`, which is made, or is there and empty. */
int carry_export(struct cli *c, const char *dir);
/* The pairs of `dir`, oldest first. */
int carry_import(struct cli *c, const char *dir);

/* Writes `o` as DIR/NAME. CLI_DONE, or what was said. */
int carry_write_json(struct cli *c, const char *dir, const char *name,
    const json_t *o);

#endif
