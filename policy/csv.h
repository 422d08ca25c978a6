/* SPDX-License-Identifier: ISC
 *
 * Comma separated values (RFC 4180) from a descriptor, record by record, in
 * bounded memory. LF and CRLF end lines; a byte order mark is passed over.
 */
#ifndef POLICY_CSV_H
#define POLICY_CSV_H

#include "relay/base/error.h"
#include "relay/base/strbuf.h"

enum { CSV_FIELDS = 64, CSV_RECORD = 64 * 1024, CSV_BLOCK = 256 * 1024 };

struct csv {
	int fd;
	bool eof;
	char *buf;
	size_t at, n;	/* unread bytes of buf */
	uint64_t line;	/* where the record at hand began, from 1 */
	uint64_t lines; /* read so far */
	uint64_t bytes;
	struct slice field[CSV_FIELDS]; /* until the next record */
	unsigned fields;
};

void csv_init(struct csv *c, int fd);
void csv_fini(struct csv *c);
/* 1 a record, 0 the end, -1 (without the line's number, see `line`). */
int csv_next(struct csv *c, struct error *err) PH_CHECK;
/* The next line as it is, in field[0]. As csv_next(). */
int csv_line(struct csv *c, struct error *err) PH_CHECK;

#endif
