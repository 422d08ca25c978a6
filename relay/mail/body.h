/* SPDX-License-Identifier: ISC
 *
 * The content of DATA: what came in, without its dots; what goes out, with
 * them (RFC 5321 4.5.2, 2.3.8). Incremental, pure, no allocation.
 */
#ifndef RELAY_MAIL_BODY_H
#define RELAY_MAIL_BODY_H

#include "relay/base/strbuf.h"

/* Reads DATA. Only CRLF ends a line, only CRLF.CRLF ends the data (T6);
 * "\r\n" stands before the first byte, so ".\r\n" first is the end. A line
 * that begins with a dot loses it.
 *
 * `bare` means: read to the end, then refuse with 5.6.11. Without normalize a
 * bare CR, a bare LF or a NUL sets it. With normalize a bare CR or LF becomes
 * CRLF and is no fault, a dot after it is text; a NUL still sets `bare`, since
 * nothing can stand for it. */
struct data_reader {
	int state;
	bool normalize;
	bool bare;
	bool eight_bit; /* a byte over 127 was seen */
	bool repaired;	/* a bare CR or LF became CRLF */
};

void data_reader_init(struct data_reader *r, bool normalize);
/* Takes from `*in` and gives the next run of content in `*out` (borrowed from
 * `in` or constant; may be empty). True when the end was met: `*in` then
 * begins right after the final CRLF. Call again while `*in` is not empty. */
bool data_reader_next(struct data_reader *r, struct slice *in,
    struct slice *out);

/* Watches BDAT content: it is passed as it is. Starts zeroed. */
struct content_watch {
	bool bare; /* a bare CR, bare LF or NUL was seen */
	bool eight_bit, last_cr;
};
void content_watch_add(struct content_watch *w, struct slice chunk);
void content_watch_end(struct content_watch *w);

/* Writes DATA: dots doubled; missing final CRLF added; ends with ".\r\n". Bare
 * line ends are not repaired: such content is not given to it. */
struct data_writer {
	int state;
};
void data_writer_init(struct data_writer *w);
/* Appends at most `room` bytes for as much of `*in` as they hold, and moves
 * `*in` on. Any room over 0 makes progress. */
void data_writer_add(struct data_writer *w, struct slice *in, size_t room,
    struct strbuf *out);
void data_writer_end(struct data_writer *w, struct strbuf *out);

#endif
