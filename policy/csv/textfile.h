/* SPDX-License-Identifier: ISC
 *
 * Reads a text file as UTF-8, in whichever Unicode form a spreadsheet or a
 * shell wrote it: UTF-8 with or without a byte order mark, UTF-16 of either
 * byte order (the mark, or a NUL beside the first character, tells it).
 * Bytes that are not UTF-8 are passed on as they are: the reader knows the
 * line that they stand on. Bounded memory; blocks as the descriptor does.
 */
#ifndef POLICY_CSV_TEXTFILE_H
#define POLICY_CSV_TEXTFILE_H

#include <sys/types.h>

#include "relay/base/error.h"
#include "relay/base/slice.h"

enum { TEXTFILE_BLOCK = 64 * 1024, TEXTFILE_ROOM_MIN = 4 };
enum text_coding { TEXT_UNKNOWN, TEXT_UTF8, TEXT_UTF16_LE, TEXT_UTF16_BE };

struct textfile {
	int fd; /* the caller's */
	enum text_coding coding;
	bool eof;
	unsigned char *raw; /* read and not yet passed on */
	size_t raw_n;
	uint64_t bytes; /* read from the descriptor */
};

void textfile_init(struct textfile *t, int fd);
void textfile_fini(struct textfile *t);
/* At most `room` bytes of UTF-8 (TEXTFILE_ROOM_MIN or more). 0 at the end,
 * -1 when it cannot be read or is broken UTF-16. */
ssize_t textfile_read(struct textfile *t, char *out, size_t room,
    struct error *err) PH_CHECK;

#endif
