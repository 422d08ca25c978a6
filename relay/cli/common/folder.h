/* SPDX-License-Identifier: ISC
 *
 * Folders that a command writes for another one to read: mode 0700, files
 * 0600, each with its name only when it is whole. What is read from one is
 * hostile: a link, or a thing that is no file, is refused. Each function says
 * what went wrong.
 */
#ifndef RELAY_CLI_COMMON_FOLDER_H
#define RELAY_CLI_COMMON_FOLDER_H

#include <jansson.h>

#include "relay/cli/common/cli.h"

/* CLI_DONE: it was made, or was there and empty. */
int folder_make(struct cli *c, const char *dir);
/* The names in it, as the contents. CLI_DONE. */
int folder_sync(struct cli *c, const char *dir);
/* A file of it, or of a folder in it ("sub/name"); -1. */
int folder_open(struct cli *c, const char *dir, const char *name,
    uint64_t *size_out);
/* All files of its file system, at once: for many that count together. */
int folder_sync_all(struct cli *c, const char *dir);
int folder_write_json(struct cli *c, const char *dir, const char *name,
    const json_t *o, bool sync);
/* `key` must be `format` in it. NULL. */
struct folder_json {
	const char *name, *key;
	int format;
};
json_t *folder_read_json(struct cli *c, const char *dir,
    const struct folder_json *j);

#endif
