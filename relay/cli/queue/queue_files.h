/* SPDX-License-Identifier: ISC
 *
 * Messages of the queue as files, as they were received. The daemon has the
 * content; that it was read is on record.
 */
#ifndef RELAY_CLI_QUEUE_QUEUE_FILES_H
#define RELAY_CLI_QUEUE_QUEUE_FILES_H

#include "relay/cli/common/cli.h"

/* Writes a message to `to`. CLI_DONE, or what was said. */
int queue_file_message(struct cli *c, const char *id, FILE *to);
/* The bytes of a body row's "chunk"; to be freed. NULL: the chunk is not
 * base64. */
unsigned char *queue_file_bytes(const json_t *row, size_t *n_out);
/* Writes the bytes of a chunk to `to`; false: the chunk is not base64, nothing
 * was written. */
bool queue_file_chunk(const json_t *row, FILE *to);
/* Reports that a chunk was not base64; returns CLI_NO. */
int queue_file_unread(struct cli *c, const char *id);
/* For cli_call(): adds a row's id to `arg`, an array, each once. */
void queue_file_add(void *arg, json_t *row);
/* Each message as DIR/ID.eml; the folder is made when it is not there. */
int queue_files_write(struct cli *c, const char *dir, const json_t *ids);

#endif
