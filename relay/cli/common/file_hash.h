/* SPDX-License-Identifier: ISC
 *
 * The SHA-256 of a file, in hex: carried mail and backups say what their files
 * hold.
 */
#ifndef RELAY_CLI_COMMON_FILE_HASH_H
#define RELAY_CLI_COMMON_FILE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { FILE_HASH_TEXT = 64 + 1 };

struct file_hash;
struct file_hash *file_hash_new(void);
void file_hash_add(struct file_hash *h, const void *p, size_t n);
/* Frees it. */
void file_hash_end(struct file_hash *h, char out[FILE_HASH_TEXT]);

/* Copies `bytes` from the start of `from` to the start of `to` (-1: only reads
 * them), fills up to `size` with a hole, and syncs. -1 and errno: EBADMSG when
 * `from` is shorter. */
struct file_part {
	uint64_t bytes, size;
};
int file_hash_copy(int from, int to, struct file_part part,
    char out[FILE_HASH_TEXT]);

#endif
