/* SPDX-License-Identifier: ISC
 *
 * Separated values (RFC 4180) from a descriptor, record by record, in
 * bounded memory, in every form that spreadsheets and shells write: comma,
 * semicolon or TAB; LF or CRLF; UTF-8 or UTF-16 (textfile.h). What is given
 * out is valid UTF-8.
 */
#ifndef POLICY_CSV_CSV_H
#define POLICY_CSV_CSV_H

#include "policy/csv/textfile.h"
#include "relay/base/error.h"
#include "relay/base/strbuf.h"

enum { CSV_FIELDS = 512, CSV_RECORD = 64 * 1024, CSV_BLOCK = 256 * 1024 };

struct csv {
	struct textfile file;
	bool eof;
	char separator; /* of fields; csv_header() finds it */
	char *buf;
	size_t at, n;	/* unread bytes of buf */
	uint64_t line;	/* where the record at hand began, from 1 */
	uint64_t lines; /* read so far */
	struct slice field[CSV_FIELDS]; /* until the next record */
	unsigned fields;
};

/* Return values of the readers. After CSV_BAD, with the reason in `err` and the
 * number in `line`, the next call goes on with the following line. */
enum { CSV_FAILED = -2, CSV_BAD = -1, CSV_END = 0, CSV_RECORD_READ = 1 };

void csv_init(struct csv *c, int fd);
void csv_fini(struct csv *c);
/* The first record. A line "sep=;" sets the separator, lines that begin with
 * '#' (Export-Csv writes "#TYPE …") and blank ones are passed over; without
 * "sep=" the separator is what the header itself has most of. */
int csv_header(struct csv *c, struct error *err) PH_CHECK;
int csv_next(struct csv *c, struct error *err) PH_CHECK;
/* Are the cells of the record from that one on empty? Spreadsheets fill rows
 * up with such. */
bool csv_empty_from(const struct csv *c, unsigned from);
/* Does the record have the cells of its header, and behind them empty ones
 * alone? -1: no. */
int csv_check_width(const struct csv *c, unsigned columns, struct error *err)
    PH_CHECK;
/* The next line as it is, in field[0]. */
int csv_line(struct csv *c, struct error *err) PH_CHECK;

#endif
