/* SPDX-License-Identifier: ISC
 *
 * Reads the chunks of a checkpoint in order. One thread.
 */
#ifndef RELAY_SPOOL_CHUNK_FILE_H
#define RELAY_SPOOL_CHUNK_FILE_H

#include "relay/spool/format/checkpoint_form.h"
#include "relay/spool/format/sheet.h"
#include "relay/spool/spool_int.h"

struct chunk_file {
	struct spool *s;
	int fd; /* -1: closed */
	int64_t off;
	uint64_t number;
	char *mem;
	size_t cap;
	unsigned char secret[SUM_SECRET];
	/* The rows of the present chunk that are left, and the last one. */
	struct slice rows;
	struct slice ahead; /* some rows further */
	struct sheet_legs legs;
	struct message_row row;
	uint64_t last_id;
};

/* False: it cannot be opened. */
bool chunk_file_open(struct chunk_file *f, struct spool *s, const char *name);
void chunk_file_close(struct chunk_file *f);
void chunk_file_rewind(struct chunk_file *f);
/* The next chunk; false when it is not there, or not whole. */
bool chunk_file_next(struct chunk_file *f, enum chunk_kind *kind_out,
    struct slice *bytes_out);
/* Passes over chunks, unread, up to the one that ends the file. */
bool chunk_file_last(struct chunk_file *f, struct slice *bytes_out);
/* The next row into f->row: 1; 0 at the chunk that ends the file; -1 when it is
 * not whole, or ids do not ascend. */
int chunk_file_row(struct chunk_file *f);
/* The id that comes some rows after the last one, in the same chunk; 0: there
 * is none. To be asked once a row. */
uint64_t chunk_file_ahead(struct chunk_file *f);

#endif
