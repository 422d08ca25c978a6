/* SPDX-License-Identifier: ISC
 *
 * Replies: one to send, and the hostile one that is read from a leg. Pure.
 */
#ifndef RELAY_MAIL_REPLY_H
#define RELAY_MAIL_REPLY_H

#include "relay/base/strbuf.h"

/* An answer is a value until it is written. `text` may hold several lines
 * (LF between), printed as 250-…; bytes that are not printable ASCII are
 * replaced by '?', a line is cut at 512 octets (RFC 5321 4.5.3.1.5). */
struct reply {
	int code;
	char enh[12]; /* "2.1.0", "" for none (EHLO, 354, greeting) */
	char text[500];
};

void reply_set(struct reply *r, int code, const char *enh, const char *fmt,
    ...) PH_PRINTF(4, 5);
void reply_print(const struct reply *r, struct strbuf *out);

/* Reads one reply line by line. Never keeps more than REPLY_KEEP bytes of
 * text, whatever comes; a reply of more than REPLY_BYTES, a line over
 * REPLY_LINE, codes that differ between lines, codes outside 200-599, NUL:
 * REPLY_BAD with a constant reason. */
enum { REPLY_KEEP = 4096, REPLY_LINE = 2048, REPLY_BYTES = 65536 };
enum reply_state { REPLY_MORE, REPLY_DONE, REPLY_BAD };

struct reply_parser {
	int code;
	char enh[12];	   /* of the first line that has one; one whose class
			    * does not match the code is none            */
	struct strbuf text; /* lines joined by LF, made harmless by
			     * text_clean(); code and `enh` stripped      */
	bool cut; /* of the text, its last line may not be all of it */
	uint64_t bytes;
	int lines;
	const char *why; /* of REPLY_BAD */
};

void reply_parser_init(struct reply_parser *p);
void reply_parser_reset(struct reply_parser *p);
void reply_parser_fini(struct reply_parser *p);
/* One line without its line end (LF alone is tolerated by the caller); the
 * code may stand alone, or have a TAB behind it. After DONE: reset before the
 * next reply. BAD stays BAD until then. */
enum reply_state reply_parser_line(struct reply_parser *p, struct slice line);
/* The connection ended, and `rest` is what came behind the last line end: DONE
 * when all that was said is one reply, though its last line be missing or not
 * ended; its code is what counts (RFC 5321 4.2). Else BAD. */
enum reply_state reply_parser_close(struct reply_parser *p, struct slice rest);

#endif
