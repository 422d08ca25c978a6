/* SPDX-License-Identifier: ISC
 *
 * The table as a file: keeps its write-ahead log small, and notices when
 * another program writes the file. Table thread.
 */
#ifndef RELAY_CUTOVER_TABLE_FILE_H
#define RELAY_CUTOVER_TABLE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct table_file {
	const char *path; /* the caller's */
	ino_t inode;
	off_t bytes;
	struct timespec written;
	int64_t due_us; /* of the next checkpoint, on the caller's clock */
};

/* The file as it is now is the table's. */
void table_file_take(struct table_file *f);
/* While the daemon runs only its checkpoints write the file: changes go into
 * the log. True once when another program wrote it, or put another in its
 * place. */
bool table_file_written(struct table_file *f);
/* Every ten seconds, and at once when the log has grown past 64 MiB, moves the
 * log into the table. */
void table_file_step(struct table_file *f, int64_t now_us);
/* At the end: the file alone is the table. */
void table_file_end(struct table_file *f);

#endif
